"""Kafka without Faust: clients, topics, and dead letters read back."""
