"""How the graph reaches what it works on: the loop, and Dagster's own storage."""
