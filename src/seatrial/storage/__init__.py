"""What is kept of runs: a store in SQLite or PostgreSQL, and the listener that fills it."""
