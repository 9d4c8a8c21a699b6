"""The environment variables of a container, built as the kubelet builds them.

From the lowest to the highest: the image's own, those of the namespace's Services, `envFrom`, `env`. What the
sandbox adds tells a program where it is: SEATRIAL_POD_IP is what 0.0.0.0 means to it, SEATRIAL_ROOTFS the
directory below which its volumes are mounted.
"""

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.command import expand
from seatrial.sandbox.kubelet.resource_field import resource_field

_NAMED_FIELD: Final = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")
_VARIABLE_NAME: Final = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_LONGEST_HOSTNAME: Final = 63
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ConfigurationMissingError(Exception):
    """A ConfigMap, Secret or key that a container needs isn't there; the text is the kubelet's."""


class Configuration(Protocol):
    """Where ConfigMaps and Secrets come from; both raise `ConfigurationMissingError`."""

    async def config_map(self, namespace: str, name: str) -> Object:
        """Read a ConfigMap."""
        ...

    async def secret(self, namespace: str, name: str) -> Object:
        """Read a Secret."""
        ...


@dataclass(frozen=True, kw_only=True)
class PodPlace:
    """Where a pod runs: what the downward API can tell beyond the Pod object."""

    pod_ip: str
    host_ip: str
    allocatable: Mapping[str, str]
    listen_ip: str = ""  # where its programs listen, if not at its own address


def pod_hostname(pod: Object) -> str:
    """The name that a pod's containers find their machine to have; at most 63 characters, as Linux wants it."""
    name = str(pod["spec"].get("hostname") or pod["metadata"]["name"])
    return name[:_LONGEST_HOSTNAME].rstrip("-.")


def pod_field(pod: Object, path: str, place: PodPlace) -> str:
    """The value of a `fieldRef`.

    Raises:
        ValueError: there is no such field.
    """
    metadata, spec = pod["metadata"], pod["spec"]
    named = _NAMED_FIELD.fullmatch(path)
    if named:
        return str((metadata.get(named.group(1)) or {}).get(named.group(2), ""))
    if path in {"metadata.labels", "metadata.annotations"}:
        entries = metadata.get(path.partition(".")[2]) or {}
        return "\n".join(f'{key}="{_escape(value)}"' for key, value in sorted(entries.items()))
    fields = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        "status.hostIP": place.host_ip,
        "status.hostIPs": place.host_ip,
        "status.podIP": place.pod_ip,
        "status.podIPs": place.pod_ip,
    }
    if path not in fields:
        raise ValueError(f"unsupported fieldPath: {path}")
    return str(fields[path])


def service_variables(services: Iterable[Object], namespace: str, *, links: bool) -> dict[str, str]:
    """The variables that tell a pod of its namespace's Services, and always of the API server's.

    Kubernetes, "Service": NAME_SERVICE_HOST and NAME_SERVICE_PORT, and the older NAME_PORT_80_TCP family.
    """
    variables: dict[str, str] = {}
    for service in services:
        metadata, spec = service["metadata"], service["spec"]
        is_master = (metadata["namespace"], metadata["name"]) == ("default", "kubernetes")
        if (is_master or (links and metadata["namespace"] == namespace)) and _has_cluster_ip(spec):
            variables |= _variables_of(metadata["name"], spec)
    return variables


async def build_environ(
    container: Object,
    pod: Object,
    *,
    place: PodPlace,
    image_env: Mapping[str, str],
    services: Iterable[Object],
    configuration: Configuration,
    own: Mapping[str, str],
) -> dict[str, str]:
    """The complete environment of a container.

    Args:
        container: its entry in the pod's spec.
        pod: the Pod.
        place: where it runs.
        image_env: what the image sets.
        services: all Services; those of the namespace are told.
        configuration: for references to ConfigMaps and Secrets.
        own: what the sandbox adds; wins over everything.

    Raises:
        ConfigurationMissingError: a reference that isn't optional leads nowhere.
        ValueError: a fieldRef or resourceFieldRef that Kubernetes doesn't know.
    """
    namespace = pod["metadata"]["namespace"]
    links = pod["spec"].get("enableServiceLinks", True)
    known = service_variables(services, namespace, links=links)
    base = {"PATH": _PATH, "HOSTNAME": pod_hostname(pod), **image_env, **known}
    for source in container.get("envFrom") or ():
        base |= await _all_entries(source, namespace, configuration)
    for entry in container.get("env") or ():
        value = await _value(entry, base, pod=pod, container=container, place=place, configuration=configuration)
        if value is not None:
            base[entry["name"]] = value
    return {**base, **own}


def _texts(secret: Object) -> dict[str, str]:
    return {key: base64.b64decode(text).decode(errors="replace") for key, text in (secret.get("data") or {}).items()}


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _has_cluster_ip(spec: Object) -> bool:
    return spec.get("clusterIP") not in {None, "", "None"}


def _variables_of(name: str, spec: Object) -> dict[str, str]:
    prefix = name.upper().replace("-", "_")
    address, ports = spec["clusterIP"], spec.get("ports") or []
    variables = {f"{prefix}_SERVICE_HOST": address}
    for index, port in enumerate(ports):
        number, protocol = str(port["port"]), port.get("protocol", "TCP")
        url = f"{protocol.lower()}://{address}:{number}"
        if index == 0:
            variables |= {f"{prefix}_SERVICE_PORT": number, f"{prefix}_PORT": url}
        if port.get("name"):
            variables[f"{prefix}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = number
        link = f"{prefix}_PORT_{number}_{protocol}"
        variables |= {link: url, f"{link}_PROTO": protocol.lower(), f"{link}_PORT": number, f"{link}_ADDR": address}
    return variables


async def _all_entries(source: Object, namespace: str, configuration: Configuration) -> dict[str, str]:
    prefix = source.get("prefix", "")
    reference = source.get("configMapRef") or source.get("secretRef") or {}
    try:
        if "configMapRef" in source:
            data = (await configuration.config_map(namespace, reference["name"])).get("data") or {}
        else:
            data = _texts(await configuration.secret(namespace, reference["name"]))
    except ConfigurationMissingError:
        if reference.get("optional"):
            return {}
        raise
    return {prefix + key: value for key, value in data.items() if _VARIABLE_NAME.fullmatch(prefix + key)}


async def _value(
    entry: Object,
    known: Mapping[str, str],
    *,
    pod: Object,
    container: Object,
    place: PodPlace,
    configuration: Configuration,
) -> str | None:
    source = entry.get("valueFrom")
    if not source:
        return expand(entry.get("value") or "", known)
    if "fieldRef" in source:
        return pod_field(pod, source["fieldRef"]["fieldPath"], place)
    if "resourceFieldRef" in source:
        return resource_field(container, source["resourceFieldRef"], allocatable=dict(place.allocatable))
    return await _key_value(source, pod["metadata"]["namespace"], configuration)


async def _key_value(source: Object, namespace: str, configuration: Configuration) -> str | None:
    reference = source.get("configMapKeyRef") or source.get("secretKeyRef") or {}
    kind = "ConfigMap" if "configMapKeyRef" in source else "Secret"
    try:
        if kind == "ConfigMap":
            data = (await configuration.config_map(namespace, reference["name"])).get("data") or {}
        else:
            data = _texts(await configuration.secret(namespace, reference["name"]))
    except ConfigurationMissingError:
        if reference.get("optional"):
            return None
        raise
    key = reference["key"]
    if key not in data and not reference.get("optional"):
        raise ConfigurationMissingError(f"couldn't find key {key} in {kind} {namespace}/{reference['name']}")
    return data.get(key)
