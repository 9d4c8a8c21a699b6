"""What `waitFor` can wait for: objects of the cluster, or a probe."""
