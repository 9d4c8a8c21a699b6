"""The node: kubelet, probes, and the container runtime that runs pods as processes."""
