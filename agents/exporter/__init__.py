"""The exporter: reads Redis, and gives Prometheus what it made of it."""
