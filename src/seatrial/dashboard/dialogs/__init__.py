"""What the dashboard asks and shows over its screen. Escape always means: nothing is done."""
