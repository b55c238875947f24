"""The way out: counts read from Redis, kept in memory, summed over windows and segments."""
