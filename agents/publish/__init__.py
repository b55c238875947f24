"""Publishing files of events."""
