"""Defaults of a pod's spec, alone or inside a template.

The facts are those of the Kubernetes API reference (PodSpec, Container, Probe, Volume), checked against recorded
answers.
"""

from collections.abc import Iterable
from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.strategies.base import fill

_MODES = {
    "secret": "defaultMode",
    "configMap": "defaultMode",
    "downwardAPI": "defaultMode",
    "projected": "defaultMode",
}


def default_pod_spec(spec: Object) -> None:
    """Fill in what Kubernetes fills in for pods and templates alike."""
    fill(
        spec,
        restartPolicy="Always",
        terminationGracePeriodSeconds=30,
        dnsPolicy="ClusterFirst",
        schedulerName="default-scheduler",
    )
    spec.setdefault("securityContext", {})
    if spec.get("serviceAccountName") or spec.get("serviceAccount"):
        account = spec.get("serviceAccountName") or spec["serviceAccount"]
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        default_container(container, host_network=bool(spec.get("hostNetwork")))
    for container in spec.get("ephemeralContainers") or ():
        default_container(container, host_network=False)
    for volume in spec.get("volumes") or ():
        _default_volume(volume)


def _default_ports(ports: Iterable[Object], *, host_network: bool) -> None:
    for port in ports:
        fill(port, protocol="TCP")
        if host_network and port.get("containerPort"):
            fill(port, hostPort=port["containerPort"])


def default_container(container: Object, *, host_network: bool) -> None:
    """Fill in one container."""
    container.setdefault("resources", {})
    _default_resources(container.get("resources") or {})
    fill(container, terminationMessagePath="/dev/termination-log", terminationMessagePolicy="File")
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = default_pull_policy(str(container.get("image", "")))
    _default_ports(container.get("ports") or (), host_network=host_network)
    for variable in container.get("env") or ():
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference is not None:
            fill(reference, apiVersion="v1")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(name):
            default_probe(container[name])
    for hook in (container.get("lifecycle") or {}).values():
        if isinstance(hook, dict):
            _default_http(hook)


def default_pull_policy(image: str) -> str:
    """Always for `latest` and for no tag, IfNotPresent otherwise."""
    if "@" in image:
        return "IfNotPresent"
    tag = image.rsplit("/", 1)[-1].partition(":")[2]
    return "Always" if tag in ("", "latest") else "IfNotPresent"


def default_probe(probe: Object) -> None:
    """Fill in a probe's times and thresholds."""
    fill(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    _default_http(probe)
    if probe.get("grpc") is not None:
        fill(probe["grpc"], service="")


def _default_http(handler: Object) -> None:
    http = handler.get("httpGet")
    if http is not None:
        fill(http, path="/", scheme="HTTP")


def _default_resources(resources: Object) -> None:
    limits = resources.get("limits")
    if limits:
        requests: dict[str, Any] = dict(resources.get("requests") or {})
        for name, amount in limits.items():
            requests.setdefault(name, amount)
        resources["requests"] = requests


def _default_volume(volume: Object) -> None:
    for kind, field in _MODES.items():
        if volume.get(kind) is not None:
            fill(volume[kind], **{field: 420})
    for item in _downward_items(volume):
        if item.get("fieldRef") is not None:
            fill(item["fieldRef"], apiVersion="v1")
    for source in (volume.get("projected") or {}).get("sources") or ():
        if source.get("serviceAccountToken") is not None:
            fill(source["serviceAccountToken"], expirationSeconds=3600)
    if volume.get("hostPath") is not None:
        fill(volume["hostPath"], type="")
    if set(volume) == {"name"}:
        volume["emptyDir"] = {}
    if volume.get("iscsi") is not None:
        fill(volume["iscsi"], iscsiInterface="default")


def _downward_items(volume: Object) -> list[Object]:
    items = list((volume.get("downwardAPI") or {}).get("items") or ())
    for source in (volume.get("projected") or {}).get("sources") or ():
        items += (source.get("downwardAPI") or {}).get("items") or ()
    return items
