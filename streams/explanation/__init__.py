"""How a number came about, step by step, for a person with a pocket calculator."""
