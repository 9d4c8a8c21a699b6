"""The containers that put Toxiproxy into a pod: the sidecar, and the init container that redirects ports to it.

What the pod's own containers send each other over localhost is left alone. The sidecar starts without proxies and is
configured through its HTTP interface once it runs, which works with every image, with a shell or without.
"""

from collections.abc import Mapping
from typing import Any

from seatrial.steps.clone.mutations.tc import RESOURCES, net_admin
from seatrial.steps.clone.mutations.toxiproxy import Toxiproxy
from seatrial.steps.clone.toxiproxy.layout import Layout

SIDECAR = "chaos-toxiproxy"
REDIRECTION = "chaos-iptables"
_ANY_USER = 65534
_LOWEST_UNPRIVILEGED_PORT = 1024


def sidecar(spec: Toxiproxy, layout: Layout, pod_security: Mapping[str, Any]) -> dict[str, Any]:
    """The container with Toxiproxy.

    Its interface listens on localhost only: whoever may forward ports to the pod reaches it, other pods don't. It is
    ready when the marker listens, which is made last, so that its pod is not Ready before the toxics are in place.
    """
    binds_low = any(port < _LOWEST_UNPRIVILEGED_PORT for port in layout.listening)
    # The images' user is root, which a pod that forbids it would refuse; the server needs no user in particular.
    needs_user = pod_security.get("runAsNonRoot") and "runAsUser" not in pod_security
    return {
        "name": SIDECAR,
        "image": spec.image_toxiproxy,
        "args": ["-host=127.0.0.1", f"-port={layout.api_port}"],
        "ports": [{"containerPort": port, "protocol": "TCP"} for port in layout.listening],
        "readinessProbe": {
            "tcpSocket": {"port": layout.marker_port},
            "periodSeconds": 1,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
        "resources": RESOURCES,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], **({"add": ["NET_BIND_SERVICE"]} if binds_low else {})},
            **({"runAsUser": _ANY_USER} if needs_user else {}),
        },
    }


def redirection(spec: Toxiproxy, layout: Layout) -> dict[str, Any] | None:
    """The init container that redirects the ports to the sidecar; None where there are none.

    PREROUTING sees what comes in through the network, not what the pod's containers send each other; the exception
    for `lo` says so once more.
    """
    programs = [*(["iptables"] if layout.has_ipv4 else []), *(["ip6tables"] if layout.has_ipv6 else [])]
    rules = [
        f"{program} -t nat -A PREROUTING ! -i lo -p tcp --dport {port} -j REDIRECT --to-ports {listening}"
        for program in programs
        for port, listening in layout.redirected.items()
    ]
    if not rules:
        return None
    return {
        "name": REDIRECTION,
        "image": spec.image_iptables,
        "command": ["/bin/sh", "-c", " && ".join(rules)],
        "resources": RESOURCES,
        "securityContext": net_admin(spec.user),
        # Why it failed, if it does, can be read in the pod's status then.
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
