"""Servers that the demo and the tests start for themselves, on 127.0.0.1 and free ports."""
