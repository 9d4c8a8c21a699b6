"""The dashboard: a cluster on one screen, and keys to break it by hand (extra `tui`)."""
