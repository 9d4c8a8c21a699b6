"""What exists in a cluster that nobody has used: namespaces, priority classes, the `kubernetes` service."""

import ipaddress

from seatrial.sandbox.apiserver.calls import Call
from seatrial.sandbox.apiserver.operations import Operations
from seatrial.sandbox.rules.storage_classes import built_in_classes

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


def furnish(operations: Operations) -> None:
    """Make what every cluster has before the first request."""
    call = Call(manager="kube-apiserver")
    registry = operations.registry
    for name in NAMESPACES:
        operations.create(registry.of("namespaces"), None, {"metadata": {"name": name}}, call)
    for name, value, rule in (
        (
            "system-cluster-critical",
            2000000000,
            "must run in the cluster, but can be moved to another node if necessary.",
        ),
        ("system-node-critical", 2000001000, "must not be moved from their current node."),
    ):
        description = f"Used for system critical pods that {rule}"
        body = {"metadata": {"name": name}, "value": value, "description": description}
        operations.create(registry.of("priorityclasses.scheduling.k8s.io"), None, body, call)
    for storage_class in built_in_classes():
        operations.create(registry.of("storageclasses.storage.k8s.io"), None, storage_class, call)
    _kubernetes_service(operations, call)


def _kubernetes_service(operations: Operations, call: Call) -> None:
    address = str(ipaddress.ip_network(operations.service_cidr)[1])
    labels = {"component": "apiserver", "provider": "kubernetes"}
    body = {
        "metadata": {"name": "kubernetes", "labels": labels},
        "spec": {
            "clusterIP": address,
            "clusterIPs": [address],
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
        },
    }
    operations.create(operations.registry.of("services"), "default", body, call)


def announce(operations: Operations, host: str, port: int) -> None:
    """Point the `kubernetes` service at the API server's own address."""
    call = Call(manager="kube-apiserver")
    registry = operations.registry
    endpoints = {
        "metadata": {"name": "kubernetes", "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
        "subsets": [{"addresses": [{"ip": host}], "ports": [{"name": "https", "port": port, "protocol": "TCP"}]}],
    }
    operations.create(registry.of("endpoints"), "default", endpoints, call)
    piece = {
        "metadata": {"name": "kubernetes", "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [host], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }
    operations.create(registry.of("endpointslices.discovery.k8s.io"), "default", piece, call)
