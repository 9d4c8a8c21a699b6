"""What can be broken in a sandbox from outside: machines, components, the network between zones, the API server."""
