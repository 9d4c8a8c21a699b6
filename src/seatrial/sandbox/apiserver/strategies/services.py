"""Services: defaults, cluster IPs and node ports from their ranges, what may not change."""

import ipaddress
import random
from collections.abc import Iterator
from functools import lru_cache

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.statuses import (
    FieldError,
    duplicate,
    failure,
    invalid,
    required,
    unprocessable,
    unsupported,
)
from seatrial.sandbox.apiserver.strategies.base import Strategy, Surroundings, fill
from seatrial.sandbox.apiserver.strategies.handler_validation import port_name_errors

NODE_PORTS = range(30000, 32768)
_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")


def _defaults(service: Object) -> None:
    spec = service.setdefault("spec", {})
    fill(spec, sessionAffinity="None", type="ClusterIP")
    if spec["sessionAffinity"] == "ClientIP":
        fill(spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {}), timeoutSeconds=10800)
    else:
        spec.pop("sessionAffinityConfig", None)
    for port in spec.get("ports") or ():
        fill(port, protocol="TCP")
        port.setdefault("targetPort", port.get("port"))
    if spec["type"] in ("NodePort", "LoadBalancer") or spec.get("externalIPs"):
        fill(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        fill(spec, allocateLoadBalancerNodePorts=True)
    if spec["type"] != "ExternalName":
        fill(spec, internalTrafficPolicy="Cluster")


def _admit(service: Object, around: Surroundings) -> None:
    spec = service["spec"]
    if spec["type"] == "ExternalName":
        return
    _families(service)
    if spec.get("clusterIP") == "None" or not spec.get("ports"):
        spec["clusterIPs"] = [spec.get("clusterIP", "None")] if spec.get("clusterIP") else spec.get("clusterIPs", [])
        if spec.get("clusterIP") == "None":
            return
    _allocate_address(service, around)
    if spec["type"] in ("NodePort", "LoadBalancer"):
        _allocate_ports(service, around)


def _families(service: Object) -> None:
    spec = service["spec"]
    if spec.get("ipFamilyPolicy") == "RequireDualStack":
        rule = "this cluster is not configured for dual-stack services"
        problem = invalid("spec.ipFamilyPolicy", "RequireDualStack", rule)
        raise unprocessable("", "Service", service["metadata"].get("name", ""), [problem])
    if spec.get("clusterIP") == "None" and not spec.get("selector"):
        fill(spec, ipFamilies=["IPv4", "IPv6"], ipFamilyPolicy="RequireDualStack")
    fill(spec, ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")


@lru_cache(maxsize=8)
def _network(cidr: str) -> ipaddress.IPv4Network:
    network = ipaddress.ip_network(cidr)
    if not isinstance(network, ipaddress.IPv4Network):
        raise TypeError(cidr)
    return network


def _allocate_address(service: Object, around: Surroundings) -> None:
    spec, name = service["spec"], service["metadata"].get("name", "")
    taken = {other["spec"].get("clusterIP") for other in around.objects("services") if not _same(other, service)}
    wanted = spec.get("clusterIP") or next(iter(spec.get("clusterIPs") or []), "")
    if wanted:
        problem = _address_problem(wanted, taken, around.service_cidr)
        if problem:
            text = f"failed to allocate IP {wanted}: {problem}"
            raise unprocessable("", "Service", name, [invalid("spec.clusterIPs", [wanted], text)])
    else:
        wanted = next((address for address in _candidates(around.service_cidr) if address not in taken), "")
        if not wanted:
            text = "Internal error occurred: failed to allocate a serviceIP: range is full"
            raise failure(500, "InternalError", text)
    spec["clusterIP"] = wanted
    spec["clusterIPs"] = [wanted]


def _same(other: Object, service: Object) -> bool:
    return bool(other["metadata"].get("uid") == service["metadata"].get("uid"))


def _address_problem(wanted: str, taken: set[str], cidr: str) -> str:
    try:
        inside = ipaddress.ip_address(wanted) in _network(cidr)
    except ValueError:
        return "not a valid IP"
    if not inside:
        return f"the provided IP ({wanted}) is not in the valid range. The range of valid IPs is {cidr}"
    return "provided IP is already allocated" if wanted in taken else ""


def _candidates(cidr: str) -> Iterator[str]:
    """Free-looking addresses: random ones above the part kept for fixed addresses, then all."""
    network = _network(cidr)
    size = network.num_addresses
    kept = min(max(16, size // 16), 256) if size > 32 else 2
    choose = random.SystemRandom()
    for _ in range(64):
        yield str(network[choose.randrange(kept, size - 1)])
    for index in range(1, size - 1):
        yield str(network[index])


def _allocate_ports(service: Object, around: Surroundings) -> None:
    spec = service["spec"]
    if spec["type"] == "LoadBalancer" and not spec.get("allocateLoadBalancerNodePorts", True):
        return
    taken = {
        port.get("nodePort")
        for other in around.objects("services")
        if not _same(other, service)
        for port in other["spec"].get("ports") or ()
    }
    choose = random.SystemRandom()
    free = [number for number in NODE_PORTS if number not in taken]
    for index, port in enumerate(spec.get("ports") or ()):
        wanted = port.get("nodePort")
        path = f"spec.ports[{index}].nodePort"
        name = service["metadata"].get("name", "")
        if wanted and wanted not in NODE_PORTS:
            rule = "provided port is not in the valid range. The range of valid ports is 30000-32767"
            raise unprocessable("", "Service", name, [invalid(path, wanted, rule)])
        if wanted and wanted in taken:
            raise unprocessable("", "Service", name, [invalid(path, wanted, "provided port is already allocated")])
        if not wanted and not free:
            text = "Internal error occurred: failed to allocate a nodePort: range is full"
            raise failure(500, "InternalError", text)
        port["nodePort"] = wanted or choose.choice(free)
        taken.add(port["nodePort"])
        free = [number for number in free if number != port["nodePort"]]


def _admit_update(new: Object, old: Object, around: Surroundings) -> None:
    spec, before = new["spec"], old["spec"]
    if spec["type"] != "ExternalName":
        for key in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if key in before and key not in spec:
                spec[key] = before[key]
    if spec["type"] == "ExternalName" or spec.get("clusterIP") == "None":
        return
    if not spec.get("clusterIP"):
        _families(new)
        _allocate_address(new, around)
    if spec["type"] in ("NodePort", "LoadBalancer"):
        _keep_ports(spec, before)
        _allocate_ports(new, around)
    elif before["type"] in ("NodePort", "LoadBalancer"):
        for port, was in zip(spec.get("ports") or (), before.get("ports") or (), strict=False):
            if port.get("nodePort") == was.get("nodePort"):
                port.pop("nodePort", None)
        spec.pop("externalTrafficPolicy", None)
        spec.pop("allocateLoadBalancerNodePorts", None)


def _keep_ports(spec: Object, before: Object) -> None:
    known = {(p.get("port"), p.get("protocol")): p.get("nodePort") for p in before.get("ports") or ()}
    for port in spec.get("ports") or ():
        number = known.get((port.get("port"), port.get("protocol")))
        if number:
            port.setdefault("nodePort", number)


def _validate(service: Object) -> list[FieldError]:
    spec = service["spec"]
    ports = spec.get("ports") or []
    errors: list[FieldError] = []
    if not ports and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        errors.append(required("spec.ports"))
    errors += _port_errors(ports)
    if spec.get("sessionAffinity") not in ("ClientIP", "None"):
        errors.append(unsupported("spec.sessionAffinity", spec.get("sessionAffinity"), ("ClientIP", "None")))
    if spec.get("type") not in _TYPES:
        errors.append(unsupported("spec.type", spec.get("type"), _TYPES))
    if spec.get("type") == "ExternalName" and not spec.get("externalName"):
        errors.append(required("spec.externalName"))
    if spec.get("externalTrafficPolicy") and not (
        spec.get("type") in ("NodePort", "LoadBalancer") or spec.get("externalIPs")
    ):
        rule = "may only be set for externally-accessible services"
        errors.append(invalid("spec.externalTrafficPolicy", spec["externalTrafficPolicy"], rule))
    return errors


def _port_errors(ports: list[Object]) -> list[FieldError]:
    errors: list[FieldError] = []
    names: set[str] = set()
    numbers: set[tuple[int, str]] = set()
    for index, port in enumerate(ports):
        where = f"spec.ports[{index}]"
        name, number = port.get("name", ""), port.get("port", 0)
        if not name and len(ports) > 1:
            errors.append(required(f"{where}.name"))
        if name and name in names:
            errors.append(duplicate(f"{where}.name", name))
        names.add(name)
        if not 1 <= number <= 65535:
            errors.append(invalid(f"{where}.port", number, "must be between 1 and 65535, inclusive"))
        if port.get("protocol") not in ("SCTP", "TCP", "UDP"):
            errors.append(unsupported(f"{where}.protocol", port.get("protocol"), ("SCTP", "TCP", "UDP")))
        errors += _target_errors(port.get("targetPort"), f"{where}.targetPort")
        if (number, port.get("protocol", "")) in numbers:
            errors.append(duplicate(where, {"port": number, "protocol": port.get("protocol")}))
        numbers.add((number, port.get("protocol", "")))
    return errors


def _target_errors(target: object, path: str) -> list[FieldError]:
    if isinstance(target, int) and not 1 <= target <= 65535:
        return [invalid(path, target, "must be between 1 and 65535, inclusive")]
    return port_name_errors(target, path) if isinstance(target, str) and target else []


def _validate_update(new: Object, old: Object) -> list[FieldError]:
    before, after = old["spec"], new["spec"]
    if before.get("type") == "ExternalName" or after.get("type") == "ExternalName":
        return []
    if before.get("clusterIP") and after.get("clusterIP") != before["clusterIP"]:
        value = after.get("clusterIPs") or [after.get("clusterIP", "")]
        return [invalid("spec.clusterIPs[0]", value, "may not change once set")]
    return []


def _warnings(service: Object) -> list[str]:
    if service["spec"].get("externalIPs"):
        return ["spec.externalIPs is deprecated and may no longer be implemented in some clusters"]
    return []


STRATEGY = Strategy(
    defaults=_defaults,
    admit=_admit,
    admit_update=_admit_update,
    validate=_validate,
    warnings=_warnings,
    validate_update=_validate_update,
    empty_status={"loadBalancer": {}},
    name_rule="service",
)
