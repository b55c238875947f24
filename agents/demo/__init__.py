"""The demo: everything on this machine, real feedback, and a story to watch."""
