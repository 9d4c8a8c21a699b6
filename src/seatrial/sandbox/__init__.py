"""A Kubernetes cluster in one tree of local processes: no Docker, no root, ready in seconds.

`cluster` puts it together: the API server (`apiserver`), `controllers`, the scheduler, the service proxy, and for
each node a machine process with its kubelet (`kubelet`) that runs pods as real processes on addresses of
127.0.0.0/8. The tool reaches it over HTTPS with a kubeconfig, as any cluster.
"""
