"""Rules of Kubernetes that several components of the sandbox share."""
