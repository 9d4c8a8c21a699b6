"""The command line: `main` has the group, one file a command."""
