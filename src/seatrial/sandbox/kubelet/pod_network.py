"""A pod's address: who listens at it, and what happens on the way, as iptables and tc make it on a real node.

A pod's programs usually listen at the pod's own address. Once an init container has made a rule (`images.iptables`) or
a delay (`images.tc`), the containers that start after it are given another address of the node's range, and the kubelet
listens at the pod's own: what comes for a redirected port goes to the rule's target, what comes for another port of the
spec goes to where it was meant for, and the answers take their time. So everybody outside meets this, while programs of
the pod that talk to each other, or to their own pod's address, do not: their traffic doesn't come in through the
network.
"""

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import structlog

from seatrial.sandbox.api import Object
from seatrial.sandbox.images.iptables import read_rules
from seatrial.sandbox.images.tc import Delay, read_delay
from seatrial.sandbox.kubelet.pod_addresses import PodAddresses
from seatrial.sandbox.network.listener import Listener
from seatrial.sandbox.network.low_ports import bindable
from seatrial.sandbox.network.reachability import REACHABILITY
from seatrial.sandbox.network.relay import ClientSide

RULES_FILE: Final = "redirections.json"

_log = structlog.get_logger(__name__)


class PodNetwork:
    """What stands between a pod's address and its programs.

    Args:
        directory: the pod's.
        addresses: the node's.
    """

    def __init__(self, directory: Path, addresses: PodAddresses) -> None:
        self.rules_file = directory / RULES_FILE
        self._addresses = addresses
        self._listeners: list[Listener] = []
        self._clients: set[ClientSide] = set()
        self._pod_ip = ""
        self._rules: dict[int, int] = {}
        self._delay: Delay | None = None
        self.inner_ip = ""

    def adopt(self, inner_ip: str) -> None:
        """Take over the address of a pod that ran before this kubelet."""
        self.inner_ip = inner_ip
        self._addresses.reserve([inner_ip])

    def apply(self, pod: Object, pod_ip: str) -> None:
        """Redirect, if there are rules and it has not been done; raises `NoAddressLeftError`."""
        rules, delay = read_rules(self.rules_file), read_delay(self.rules_file)
        if self._listeners or not (rules or delay) or pod["spec"].get("hostNetwork"):
            return
        self._pod_ip, self._rules, self._delay = pod_ip, rules, delay
        self.inner_ip = self.inner_ip or self._addresses.take()
        for port in sorted({*rules, *_ports_of(pod)}):
            self._listen(port, rules.get(port, port))

    def behind(self, port: int) -> tuple[str, int] | None:
        """Where a connection to a port of the pod's address ends, None if there; whether anybody listens shows there.

        At the pod's own address the kubelet takes every connection first, also where it then finds nobody.
        """
        return (self.inner_ip, self._rules.get(port, port)) if self._listeners else None

    def close(self) -> None:
        """Listen no more, end what is connected, and give the address back."""
        for listener in self._listeners:
            listener.close()
        self._listeners = []
        for client in list(self._clients):
            client.abort()
        self._addresses.release(self.inner_ip)
        self.inner_ip = ""

    def _listen(self, port: int, to: int) -> None:
        target, direct = (self.inner_ip, bindable(to)), (self.inner_ip, bindable(port))

        def accept() -> ClientSide:
            # What the pod sends to its own address doesn't come in through the network.
            return ClientSide(
                choose=lambda client: direct if client in (self._pod_ip, self.inner_ip) else target,
                passage=lambda client, _endpoint: REACHABILITY.passage(client, self._pod_ip),
                open_sides=self._clients,
                delay=self._seconds_to if self._delay else None,
            )

        try:
            self._listeners.append(Listener((self._pod_ip, bindable(port)), accept=accept))
        except OSError as error:
            _log.warning("a port can't be redirected", address=self._pod_ip, port=port, error=str(error))

    def _seconds_to(self, client: str) -> float:
        """How long an answer to a client takes; the pod's own programs are not held up."""
        if self._delay is None or client in (self._pod_ip, self.inner_ip):
            return 0.0
        jitter = self._delay.jitter_seconds
        return max(0.0, self._delay.seconds + random.uniform(-jitter, jitter))  # noqa: S311 -- guards nothing


def _ports_of(pod: Object) -> Iterable[int]:
    for section in ("initContainers", "containers"):
        for container in pod["spec"].get(section) or ():
            for port in container.get("ports") or ():
                if port.get("protocol", "TCP") == "TCP":
                    yield int(port["containerPort"])
