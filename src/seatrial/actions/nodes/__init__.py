"""The actions of a `nodeAction`."""
