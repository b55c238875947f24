"""The domain: what an answer is, how it is counted, and which scores the counts give.

One answer's way: `events` (bytes become an answer), `ledger` (answers become counters, once),
`counts` (counters are read and summed), `statistics` and `scores` (sums become scores, intervals,
states, rows). `kpis` is the file that says which, `render` what is generated from it, and `audit`
the plain model that all of it is held against.

Pure and typed. Nothing in here knows of Faust, of a Kafka client or of `agents`.
"""
