"""What makes a copy differ from its original: one mutation a file, with its model and what it does."""
