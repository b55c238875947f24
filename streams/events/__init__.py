"""The way in: a record's bytes become an answer that counts, or a refusal with its reason."""
