"""The busybox image: a few of its commands, enough for probes, init containers and small jobs."""
