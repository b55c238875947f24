"""Counting once: answers become counters, and one script changes them with the position."""
