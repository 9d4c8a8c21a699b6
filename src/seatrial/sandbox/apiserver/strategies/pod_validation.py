"""What a pod's spec may not say, in pods and in templates, with the words of the API server."""

import re
from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.metadata import name_errors, qualified_name_errors
from seatrial.sandbox.apiserver.quantities import value_of
from seatrial.sandbox.apiserver.statuses import (
    FieldError,
    duplicate,
    forbidden_field,
    invalid,
    not_found_field,
    required,
    unsupported,
)

_ENV_NAME = re.compile(r"^[ -<>-~]+$")
_PORT_NAME = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_RESOURCES = ("cpu", "memory", "ephemeral-storage")
NOT_NEGATIVE = "must be greater than or equal to 0"


def pod_spec_errors(spec: Object, path: str, *, pod: bool = False) -> list[FieldError]:
    """Everything wrong with a pod's spec; `pod` adds what holds for pods only."""
    errors: list[FieldError] = []
    volumes = spec.get("volumes") or []
    errors += _volume_errors(volumes, f"{path}.volumes")
    names = {volume.get("name", "") for volume in volumes}
    if not spec.get("containers"):
        errors.append(required(f"{path}.containers"))
    seen: set[str] = set()
    for key in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(key) or []):
            where = f"{path}.{key}[{index}]"
            host_network, init = bool(spec.get("hostNetwork")), key != "containers"
            errors += _container_errors(container, where, names, host_network=host_network, init=init)
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
    errors += _toleration_errors(spec.get("tolerations") or [], f"{path}.tolerations")
    return errors


def _choice(holder: Object, key: str, allowed: tuple[str, ...], path: str) -> list[FieldError]:
    value = holder.get(key)
    if value is None or value in allowed:
        return []
    return [unsupported(f"{path}.{key}", value, allowed)]


def _volume_errors(volumes: list[Object], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, volume in enumerate(volumes):
        where = f"{path}[{index}]"
        name = volume.get("name", "")
        if not name:
            errors.append(required(f"{where}.name"))
        else:
            errors += name_errors(name, "label", f"{where}.name")
        if name in seen:
            errors.append(duplicate(f"{where}.name", name))
        seen.add(name)
        sources = [key for key in volume if key != "name"]
        ranking = {"emptyDir": 0, "hostPath": 1}
        for extra in sorted(sources, key=lambda key: ranking.get(key, 2))[1:]:
            errors.append(forbidden_field(f"{where}.{extra}", "may not specify more than 1 volume type"))
        if not sources:
            errors.append(required(where, "must specify a volume type"))
    return errors


def _container_errors(
    container: Object,
    path: str,
    volumes: set[str],
    *,
    host_network: bool,
    init: bool,
) -> list[FieldError]:
    errors: list[FieldError] = []
    name, image = container.get("name", ""), container.get("image", "")
    errors += name_errors(name, "label", f"{path}.name") if name else [required(f"{path}.name")]
    if not image:
        errors.append(required(f"{path}.image"))
    elif image != image.strip():
        errors.append(invalid(f"{path}.image", image, "must not have leading or trailing whitespace"))
    errors += _port_errors(container.get("ports") or [], f"{path}.ports", host_network=host_network)
    errors += _environment_errors(container.get("env") or [], f"{path}.env")
    errors += _mount_errors(container.get("volumeMounts") or [], f"{path}.volumeMounts", volumes)
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(probe) is not None:
            if init and container.get("restartPolicy") != "Always":
                errors.append(
                    forbidden_field(
                        f"{path}.{probe}", "may not be set for init containers without restartPolicy=Always"
                    )
                )
            else:
                errors += _probe_errors(container[probe], f"{path}.{probe}", only_one=probe != "readinessProbe")
    for hook, handler in (container.get("lifecycle") or {}).items():
        if isinstance(handler, dict):
            errors += _handler_errors(handler, f"{path}.lifecycle.{hook}")
    errors += _choice(container, "imagePullPolicy", ("Always", "IfNotPresent", "Never"), path)
    errors += _resource_errors(container.get("resources") or {}, f"{path}.resources")
    return errors


def _port_errors(ports: list[Object], path: str, *, host_network: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    names: set[str] = set()
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
            errors.append(invalid(f"{where}.containerPort", number, "must be between 1 and 65535, inclusive"))
        host = port.get("hostPort", 0)
        if host and not 1 <= host <= 65535:
            errors.append(invalid(f"{where}.hostPort", host, "must be between 1 and 65535, inclusive"))
        elif host and host_network and host != number:
            rule = "must match `containerPort` when `hostNetwork` is true"
            errors.append(invalid(f"{where}.hostPort", host, rule))
        errors += _choice(port, "protocol", ("SCTP", "TCP", "UDP"), where)
    return errors


def port_name_errors(name: str, path: str) -> list[FieldError]:
    """What is wrong with a port's name (an IANA service name)."""
    rules = (
        (len(name) <= 15, "must be no more than 15 characters"),
        (
            _PORT_NAME.match(name) or not re.match(r"^[-a-z0-9]*$", name),
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
        ),
        (re.match(r"^[-a-z0-9]*$", name), "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"),
        (re.search(r"[a-z]", name), "must contain at least one letter (a-z)"),
        ("--" not in name, "must not contain consecutive hyphens"),
        (not name.startswith("-") and not name.endswith("-"), "must not begin or end with a hyphen"),
    )
    return list(dict.fromkeys(invalid(path, name, text) for holds, text in rules if not holds))


def _environment_errors(variables: list[Object], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, variable in enumerate(variables):
        where = f"{path}[{index}]"
        name = variable.get("name", "")
        if not name:
            errors.append(required(f"{where}.name"))
        elif not _ENV_NAME.match(name):
            rule = "a valid environment variable name must consist only of printable ASCII characters other than '='"
            errors.append(invalid(f"{where}.name", name, rule))
        if variable.get("valueFrom") is not None and variable.get("value"):
            errors.append(invalid(f"{where}.valueFrom", "", "may not be specified when `value` is not empty"))
    return errors


def _mount_errors(mounts: list[Object], path: str, volumes: set[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, mount in enumerate(mounts):
        where = f"{path}[{index}]"
        if not mount.get("name"):
            errors.append(required(f"{where}.name"))
        elif mount["name"] not in volumes:
            errors.append(not_found_field(f"{where}.name", mount["name"]))
        if not mount.get("mountPath"):
            errors.append(required(f"{where}.mountPath"))
        elif mount["mountPath"] in seen:
            errors.append(invalid(f"{where}.mountPath", mount["mountPath"], "must be unique"))
        seen.add(mount.get("mountPath", ""))
    return errors


def _handler_errors(handler: Object, path: str) -> list[FieldError]:
    found = [kind for kind in _HANDLERS if handler.get(kind) is not None]
    errors = [forbidden_field(f"{path}.{kind}", "may not specify more than 1 handler type") for kind in found[1:]]
    if not found:
        errors.append(required(path, "must specify a handler type"))
    return errors


def _probe_errors(probe: Object, path: str, *, only_one: bool) -> list[FieldError]:
    errors = _handler_errors(probe, path)
    for key in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        if probe.get(key, 0) < 0:
            errors.append(invalid(f"{path}.{key}", probe[key], NOT_NEGATIVE))
    if only_one and probe.get("successThreshold", 1) != 1:
        errors.append(invalid(f"{path}.successThreshold", probe["successThreshold"], "must be 1"))
    return errors


def _resource_errors(resources: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for group, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            errors += _amount_errors(name, amount, f"{path}.{group}[{name}]")
    for name, amount in requests.items():
        if name in limits and value_of(amount) > value_of(limits[name]):
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
    if value_of(amount) < 0:
        errors.append(invalid(path, amount, NOT_NEGATIVE))
    return errors


def _toleration_errors(tolerations: list[Object], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, toleration in enumerate(tolerations):
        where = f"{path}[{index}]"
        operator = toleration.get("operator", "Equal")
        if not toleration.get("key") and operator != "Exists":
            rule = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            errors.append(invalid(f"{where}.operator", operator, rule))
        if operator == "Exists" and toleration.get("value"):
            rule = "value must be empty when `operator` is 'Exists'"
            errors.append(invalid(f"{where}.operator", toleration["value"], rule))
        if toleration.get("tolerationSeconds") is not None and toleration.get("effect") != "NoExecute":
            rule = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            errors.append(invalid(f"{where}.effect", toleration.get("effect", ""), rule))
        errors += _choice(toleration, "effect", ("NoSchedule", "PreferNoSchedule", "NoExecute"), where)
    return errors


def toleration_update_errors(after: list[Object], before: list[Object]) -> list[FieldError]:
    """Existing tolerations stay; only their seconds may change, and others may come."""

    def identity(toleration: Object) -> tuple[Any, ...]:
        return tuple(toleration.get(key) for key in ("key", "operator", "value", "effect"))

    kept = {identity(toleration) for toleration in after}
    if all(identity(toleration) in kept for toleration in before):
        return []
    return [forbidden_field("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")]


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
                if name == "memory" and value_of(amount) % 1:
                    text = f'fractional byte value "{amount}" is invalid, must be an integer'
                    found.append(f"{where}.resources.{group}[{name}]: {text}")
    return found
