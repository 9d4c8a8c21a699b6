"""exec, attach and port-forward: the protocols, and how streams reach a container."""
