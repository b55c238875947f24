"""The live board in the terminal."""
