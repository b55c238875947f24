"""One module for each command of `feedback`."""
