"""The audit: a plain model of the counts, and its comparison with what is stored."""
