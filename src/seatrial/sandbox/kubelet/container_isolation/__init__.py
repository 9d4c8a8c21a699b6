"""What sets a container apart from its machine: namespaces, a file tree of its own, limits."""
