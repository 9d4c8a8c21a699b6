"""The actions of a `podAction`."""
