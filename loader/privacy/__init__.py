"""Whose a line is, and how the lines of people who were erased are kept out when bytes arrive."""
