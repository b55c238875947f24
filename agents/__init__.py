"""The processes: the worker, the exporter, the publisher, the audit and the command line."""
