"""What the counts say: scores, states, alerts, and the rows that show them."""
