"""Which proxies and toxics the sidecar of a copy shall have, and on which ports all of it listens.

Every TCP port of the Deployment's containers gets an automatic proxy, `auto8080` for port 8080, that listens on the
first free port from 10000 up. A toxic may also name a port that no container declares, since declaring ports is
optional in Kubernetes. The marker is one more proxy that is made when all else is in place (`containers.sidecar`).
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from seatrial.errors import UsageError
from seatrial.steps.clone.mutations.toxiproxy import Toxic, Toxiproxy

MARKER = "seatrial-marker"
_FIRST_PORT = 10000
_API_PORT = 8474
_HIGHEST_PORT = 65535
# Source: Toxiproxy's README, "Toxics". A server ignores attributes that it doesn't know: then nothing would happen.
_ATTRIBUTES = {
    "latency": {"latency", "jitter"},
    "bandwidth": {"rate"},
    "slow_close": {"delay"},
    "timeout": {"timeout"},
    "reset_peer": {"timeout"},
    "slicer": {"average_size", "size_variation", "delay"},
    "limit_data": {"bytes"},
}


class ToxicError(UsageError):
    """A toxic that can't be put anywhere, or would do nothing."""


@dataclass(frozen=True, slots=True)
class PlannedProxy:
    """A proxy. An automatic one passes on to `port` of its pod, whatever address that has; `upstream` is empty then."""

    name: str
    listen: str
    upstream: str = ""
    port: int = 0

    def upstream_in(self, pod_ip: str) -> str:
        """Where it passes connections on to, in a pod with this address.

        An automatic one goes to the pod's own address, where clients would have got to without it: a program that
        trusts localhost must not trust them.
        """
        if self.upstream:
            return self.upstream
        return f"[{pod_ip}]:{self.port}" if ip_address(pod_ip).version == 6 else f"{pod_ip}:{self.port}"


@dataclass(frozen=True, slots=True)
class PlannedToxic:
    """A toxic, with a name that is unique in its proxy."""

    proxy: str
    name: str
    type: str
    stream: str
    toxicity: float
    attributes: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        values = "".join(f" {name}={value}" for name, value in self.attributes)
        share = f" for {self.toxicity:.0%} of the connections" if self.toxicity < 1 else ""
        return f"{self.type}{values} ({self.stream}) on {self.proxy}{share}"


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything that the sidecar is told."""

    api_port: int
    marker_port: int
    proxies: tuple[PlannedProxy, ...]
    toxics: tuple[PlannedToxic, ...]
    redirected: Mapping[int, int]
    has_ipv4: bool
    has_ipv6: bool

    @property
    def listening(self) -> tuple[int, ...]:
        """The ports that others may reach: each once, in order."""
        listens = [_port_of(proxy.listen) for proxy in self.proxies]
        return tuple(sorted({self.marker_port, *listens} - {0}))

    @property
    def listen_host(self) -> str:
        """Where automatic proxies listen."""
        return _listen_host(has_ipv6=self.has_ipv6)


def lay_out(spec: Toxiproxy, pod_spec: Mapping[str, Any], *, families: Container[int]) -> Layout:
    """What to tell the sidecar of a pod.

    Args:
        spec: the mutation.
        pod_spec: the original's.
        families: the IP versions of the pods' addresses.

    Raises:
        ToxicError: a toxic has no proxy to go to, or attributes that mean nothing.
    """
    declared = list(_declared_ports(pod_spec))
    ports = tcp_ports(pod_spec)
    names = {name: number for number, name, protocol in declared if protocol == "TCP" and name}
    ports += [port for port in _undeclared(spec.toxics) if port not in ports]
    taken = {number for number, _, _ in declared} | set(ports) | {_port_of(proxy.listen) for proxy in spec.proxies}
    free = _free_ports(_FIRST_PORT, taken)
    redirected = {port: next(free) for port in ports}
    marker_port = next(free)
    taken |= {*redirected.values(), marker_port}
    has_ipv6 = 6 in families
    host = _listen_host(has_ipv6=has_ipv6)
    automatic = [PlannedProxy(f"auto{port}", f"{host}:{listen}", port=port) for port, listen in redirected.items()]
    own = [PlannedProxy(proxy.name, proxy.listen, proxy.upstream) for proxy in spec.proxies]
    proxies = (*own, *automatic)
    _check_names(proxies)
    return Layout(
        api_port=next(_free_ports(_API_PORT, taken)),
        marker_port=marker_port,
        proxies=proxies,
        toxics=tuple(_toxics(spec.toxics, {proxy.name for proxy in proxies}, names)),
        redirected=redirected,
        has_ipv4=4 in families or not has_ipv6,
        has_ipv6=has_ipv6,
    )


def tcp_ports(pod_spec: Mapping[str, Any]) -> list[int]:
    """The TCP ports that containers declare: those that automatic proxies stand before, each once."""
    return list(dict.fromkeys(number for number, _, protocol in _declared_ports(pod_spec) if protocol == "TCP"))


def _declared_ports(pod_spec: Mapping[str, Any]) -> Iterator[tuple[int, str, str]]:
    """Number, name and protocol of the ports of all containers that run as long as the pod does."""
    sidecars = [each for each in pod_spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    for container in [*(pod_spec.get("containers") or ()), *sidecars]:
        for port in container.get("ports") or ():
            yield int(port["containerPort"]), port.get("name", ""), port.get("protocol", "TCP")


def _undeclared(toxics: Iterable[Toxic]) -> Iterator[int]:
    """Ports that toxics name by their number."""
    for toxic in toxics:
        if toxic.target_proxy.isascii() and toxic.target_proxy.isdigit():
            port = int(toxic.target_proxy)
            if not 1 <= port <= _HIGHEST_PORT:
                raise ToxicError(f"targetProxy '{toxic.target_proxy}' is no port")
            yield port


def _free_ports(first: int, taken: Container[int]) -> Iterator[int]:
    return (port for port in range(first, _HIGHEST_PORT) if port not in taken)


def _check_names(proxies: Iterable[PlannedProxy]) -> None:
    seen = {MARKER}
    for proxy in proxies:
        if proxy.name in seen:
            raise ToxicError(f"a proxy can't be named '{proxy.name}', which is the name of an automatic one")
        seen.add(proxy.name)


def _toxics(toxics: Iterable[Toxic], proxies: set[str], port_names: Mapping[str, int]) -> Iterator[PlannedToxic]:
    taken: set[tuple[str, str]] = set()
    for toxic in toxics:
        proxy = _target(toxic, proxies, port_names)
        attributes = tuple((each.name, each.value) for each in toxic.toxic_attributes)
        known = _ATTRIBUTES.get(toxic.toxic_type)
        unknown = [name for name, _ in attributes if known is not None and name not in known]
        if known is not None and unknown:
            allowed = ", ".join(sorted(known))
            raise ToxicError(f"the toxic {toxic.toxic_type} has no attribute '{unknown[0]}' (it has: {allowed})")
        name = next(each for each in _names(toxic) if (proxy, each) not in taken)
        taken.add((proxy, name))
        yield PlannedToxic(proxy, name, toxic.toxic_type, toxic.stream, toxic.toxicity, attributes)


def _target(toxic: Toxic, proxies: set[str], port_names: Mapping[str, int]) -> str:
    """The proxy that a toxic means: a port's number, a proxy's name, a port's name."""
    target = toxic.target_proxy
    candidates = [f"auto{target}"] if target.isascii() and target.isdigit() else [target]
    candidates += [f"auto{port_names[target]}"] if target in port_names else []
    found = next((each for each in candidates if each in proxies), None)
    if found is None:
        there_are = ", ".join([*sorted(proxies), *sorted(port_names)]) or "none: no container declares a TCP port"
        raise ToxicError(f"targetProxy '{target}' is no proxy and no port of the Deployment (there are: {there_are})")
    return found


def _names(toxic: Toxic) -> Iterator[str]:
    """As Toxiproxy would call it; a second one of its kind in one proxy gets a number."""
    base = f"{toxic.toxic_type}_{toxic.stream}"
    yield base
    yield from (f"{base}_{number}" for number in range(2, _HIGHEST_PORT))


def _port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def _listen_host(*, has_ipv6: bool) -> str:
    return "[::]" if has_ipv6 else "0.0.0.0"  # noqa: S104 -- what comes to the pod
