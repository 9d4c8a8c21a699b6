"""What a pod's spec may not say, in pods and in templates, with the words of the API server.

The modules beside this one have a part each: environment, handlers, volumes, placement.
"""

import ipaddress
from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.metadata import labels_errors, name_errors, qualified_name_errors
from seatrial.sandbox.apiserver.statuses import FieldError, duplicate, forbidden_field, invalid, required, unsupported
from seatrial.sandbox.apiserver.strategies.environment_validation import environment_errors, environment_source_errors
from seatrial.sandbox.apiserver.strategies.handler_validation import (
    NOT_NEGATIVE,
    PORT_RANGE,
    handler_errors,
    port_name_errors,
    probe_errors,
)
from seatrial.sandbox.apiserver.strategies.placement_validation import (
    affinity_errors,
    gate_errors,
    spread_errors,
    toleration_errors,
)
from seatrial.sandbox.apiserver.strategies.volume_validation import mount_errors, volume_errors
from seatrial.sandbox.rules.pod_resources import quantity

_RESOURCES = ("cpu", "memory", "ephemeral-storage")


def pod_spec_errors(spec: Object, path: str, *, pod: bool = False) -> list[FieldError]:
    """Everything wrong with a pod's spec; `pod` adds what holds for pods only."""
    errors: list[FieldError] = []
    volumes = spec.get("volumes") or []
    errors += volume_errors(volumes, f"{path}.volumes")
    names = {volume.get("name", "") for volume in volumes}
    if not spec.get("containers"):
        errors.append(required(f"{path}.containers"))
    seen: set[str] = set()
    for key in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(key) or []):
            where = f"{path}.{key}[{index}]"
            host_network, init = bool(spec.get("hostNetwork")), key != "containers"
            errors += container_errors(container, where, names, host_network=host_network, init=init)
            if container.get("name") and container["name"] in seen:
                errors.append(duplicate(f"{where}.name", container["name"]))
            seen.add(container.get("name", ""))
    if pod and spec.get("ephemeralContainers"):
        errors.append(forbidden_field(f"{path}.ephemeralContainers", "cannot be set on create"))
    errors += _choice(spec, "restartPolicy", ("Always", "OnFailure", "Never"), path)
    errors += _choice(spec, "dnsPolicy", ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"), path)
    if spec.get("dnsPolicy") == "None" and not (spec.get("dnsConfig") or {}).get("nameservers"):
        missing = f"{path}.dnsConfig" if not spec.get("dnsConfig") else f"{path}.dnsConfig.nameservers"
        what = "must provide `dnsConfig` when `dnsPolicy` is None"
        errors.append(
            required(missing, what if not spec.get("dnsConfig") else "must provide at least one DNS nameserver")
        )
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= 2147483647:
        rule = "must be between 1 and 2147483647, inclusive"
        errors.append(invalid(f"{path}.activeDeadlineSeconds", deadline, rule))
    if spec.get("nodeName"):
        errors += name_errors(spec["nodeName"], "subdomain", f"{path}.nodeName")
    return errors + _identity_errors(spec, path) + _placement_errors(spec, path)


def _identity_errors(spec: Object, path: str) -> list[FieldError]:
    """What is wrong with the names a pod goes by, and with its user."""
    errors: list[FieldError] = []
    for key in ("hostname", "subdomain"):
        if spec.get(key):
            errors += name_errors(spec[key], "label", f"{path}.{key}")
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        where = f"{path}.hostAliases[{index}]"
        try:
            ipaddress.ip_address(alias.get("ip", ""))
        except ValueError:
            rule = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
            errors.append(invalid(f"{where}.ip", alias.get("ip", ""), rule))
        for number, name in enumerate(alias.get("hostnames") or ()):
            errors += name_errors(name, "subdomain", f"{where}.hostnames[{number}]")
    user = (spec.get("securityContext") or {}).get("runAsUser")
    return errors + _user_errors(user, f"{path}.securityContext.runAsUser")


def _user_errors(user: int | None, path: str) -> list[FieldError]:
    if user is None or 0 <= user <= 2147483647:
        return []
    return [invalid(path, user, "must be between 0 and 2147483647, inclusive")]


def _placement_errors(spec: Object, path: str) -> list[FieldError]:
    return [
        *labels_errors(spec.get("nodeSelector") or {}, f"{path}.nodeSelector"),
        *toleration_errors(spec.get("tolerations") or [], f"{path}.tolerations"),
        *affinity_errors(spec.get("affinity") or {}, f"{path}.affinity"),
        *spread_errors(spec.get("topologySpreadConstraints") or [], f"{path}.topologySpreadConstraints"),
        *gate_errors(spec, path),
    ]


def _choice(holder: Object, key: str, allowed: tuple[str, ...], path: str) -> list[FieldError]:
    value = holder.get(key)
    if value is None or value in allowed:
        return []
    return [unsupported(f"{path}.{key}", value, allowed)]


def container_errors(
    container: Object,
    path: str,
    volumes: set[str],
    *,
    host_network: bool,
    init: bool,
) -> list[FieldError]:
    """What is wrong with one container; `volumes` are the names of those that it may mount."""
    errors: list[FieldError] = []
    name, image = container.get("name", ""), container.get("image", "")
    errors += name_errors(name, "label", f"{path}.name") if name else [required(f"{path}.name")]
    if not image:
        errors.append(required(f"{path}.image"))
    elif image != image.strip():
        errors.append(invalid(f"{path}.image", image, "must not have leading or trailing whitespace"))
    errors += _port_errors(container.get("ports") or [], f"{path}.ports", host_network=host_network)
    errors += environment_errors(container.get("env") or [], f"{path}.env")
    errors += environment_source_errors(container.get("envFrom") or [], f"{path}.envFrom")
    errors += mount_errors(container.get("volumeMounts") or [], f"{path}.volumeMounts", volumes)
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(probe) is not None:
            if init and container.get("restartPolicy") != "Always":
                errors.append(
                    forbidden_field(
                        f"{path}.{probe}", "may not be set for init containers without restartPolicy=Always"
                    )
                )
            else:
                errors += probe_errors(container[probe], f"{path}.{probe}", only_one=probe != "readinessProbe")
    for hook, handler in (container.get("lifecycle") or {}).items():
        if isinstance(handler, dict):
            errors += handler_errors(handler, f"{path}.lifecycle.{hook}")
    errors += _choice(container, "imagePullPolicy", ("Always", "IfNotPresent", "Never"), path)
    errors += _choice(container, "terminationMessagePolicy", ("File", "FallbackToLogsOnError"), path)
    errors += _choice(container, "restartPolicy", ("Always", "Never", "OnFailure"), path)
    errors += _resource_errors(container.get("resources") or {}, f"{path}.resources")
    user = (container.get("securityContext") or {}).get("runAsUser")
    return errors + _user_errors(user, f"{path}.securityContext.runAsUser")


def _port_errors(ports: list[Object], path: str, *, host_network: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    names: set[str] = set()
    taken: set[tuple[object, ...]] = set()
    for index, port in enumerate(ports):
        where = f"{path}[{index}]"
        name = port.get("name")
        if name:
            errors += port_name_errors(name, f"{where}.name")
            if name in names:
                errors.append(duplicate(f"{where}.name", name))
            names.add(name)
        number = port.get("containerPort", 0)
        if number == 0:
            errors.append(required(f"{where}.containerPort"))
        elif not 1 <= number <= 65535:
            errors.append(invalid(f"{where}.containerPort", number, PORT_RANGE))
        host = port.get("hostPort", 0)
        if host and not 1 <= host <= 65535:
            errors.append(invalid(f"{where}.hostPort", host, PORT_RANGE))
        elif host and host_network and host != number:
            rule = "must match `containerPort` when `hostNetwork` is true"
            errors.append(invalid(f"{where}.hostPort", host, rule))
        errors += _choice(port, "protocol", ("SCTP", "TCP", "UDP"), where)
        place = (port.get("protocol", "TCP"), port.get("hostIP", ""), host)
        if host and place in taken:
            errors.append(duplicate(f"{where}.hostPort", "/".join(map(str, place))))
        taken.add(place)
    return errors


def _resource_errors(resources: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for group, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            errors += _amount_errors(name, amount, f"{path}.{group}[{name}]")
    for name, amount in requests.items():
        if name in limits and quantity(amount).value > quantity(limits[name]).value:
            rule = f"must be less than or equal to {name} limit of {limits[name]}"
            errors.append(invalid(f"{path}.requests", amount, rule))
    return errors


def _amount_errors(name: str, amount: str, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if "/" in name:
        errors += qualified_name_errors(name, path)
    elif name not in _RESOURCES and not name.startswith("hugepages-"):
        errors.append(invalid(path, name, "must be a standard resource type or fully qualified"))
        errors.append(invalid(path, name, "must be a standard resource for containers"))
    if quantity(amount).value < 0:
        errors.append(invalid(path, amount, NOT_NEGATIVE))
    return errors


def pod_warnings(pod: Object) -> list[str]:
    """What is legal in a pod's spec and yet hardly meant."""
    found: list[str] = []
    for index, container in enumerate(pod["spec"].get("containers") or ()):
        where = f"spec.containers[{index}]"
        seen: dict[tuple[Any, ...], int] = {}
        for number, port in enumerate(container.get("ports") or ()):
            key = tuple(port.get(name) for name in ("containerPort", "hostIP", "hostPort", "protocol"))
            if key in seen:
                found.append(f"{where}.ports[{number}]: duplicate port definition with {where}.ports[{seen[key]}]")
            seen.setdefault(key, number)
        for group in ("limits", "requests"):
            for name, amount in ((container.get("resources") or {}).get(group) or {}).items():
                if name == "memory" and quantity(amount).value % 1:
                    text = f'fractional byte value "{amount}" is invalid, must be an integer'
                    found.append(f"{where}.resources.{group}[{name}]: {text}")
    return found
