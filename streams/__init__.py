"""The domain: what an answer is, how it is counted, and which scores the counts give.

Pure and typed. Nothing in here knows of Faust, of a Kafka client or of `agents`.
"""
