"""`/etc/hosts` of a pod: itself, its `hostAliases`, and the Services, since the sandbox has no DNS server.

A Service is found as `NAME` from its own namespace, as `NAME.NAMESPACE`, `NAME.NAMESPACE.svc` and with the cluster's
domain from everywhere. Headless Services and the names of single pods are not.
"""

from collections.abc import Iterable

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.environment import pod_hostname

_DOMAIN = "cluster.local"
_LOCAL = "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"


def hosts_file(pod: Object, services: Iterable[Object], *, pod_ip: str) -> str:
    """The file's content.

    Args:
        pod: whose it is.
        services: all Services.
        pod_ip: its address.
    """
    spec, namespace = pod["spec"], pod["metadata"]["namespace"]
    name = pod_hostname(pod)
    own = f"{name}.{spec['subdomain']}.{namespace}.svc.{_DOMAIN}\t{name}" if spec.get("subdomain") else name
    lines = [f"{pod_ip}\t{own}"]
    if spec.get("hostAliases"):
        lines += ["", "# Entries added by HostAliases."]
        lines += ["\t".join([alias["ip"], *(alias.get("hostnames") or ())]) for alias in spec["hostAliases"]]
    known = sorted(_service_line(service, namespace) for service in services if _has_address(service))
    if known:
        lines += ["", "# Services.", *known]
    return _LOCAL + "\n".join(lines) + "\n"


def _has_address(service: Object) -> bool:
    return service["spec"].get("clusterIP") not in {None, "", "None"}


def _service_line(service: Object, namespace: str) -> str:
    metadata = service["metadata"]
    full = f"{metadata['name']}.{metadata['namespace']}"
    names = [f"{full}.svc.{_DOMAIN}", f"{full}.svc", full]
    if metadata["namespace"] == namespace:
        names.append(metadata["name"])
    return "\t".join([service["spec"]["clusterIP"], *names])
