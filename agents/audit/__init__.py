"""The audit of a topic or a file against Redis."""
