"""What a container's runner is given: the things of the node that all containers share, and its pod's worker."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.environment import Configuration, PodPlace
from seatrial.sandbox.kubelet.events import EventReason
from seatrial.sandbox.kubelet.pod_network import PodNetwork
from seatrial.sandbox.kubelet.probing.checks import Checker
from seatrial.sandbox.kubelet.runtime_client import RuntimeClient
from seatrial.sandbox.timing import Timing


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What all containers of a node share.

    Args:
        runtime: starts processes.
        checker: for probes and hooks.
        configuration: ConfigMaps and Secrets.
        services: all Services, as known.
        images: the user's images.
        timing: pauses before restarts and pulls.
        sandbox: the sandbox's marker.
    """

    runtime: RuntimeClient
    checker: Checker
    configuration: Configuration
    services: Callable[[], Sequence[Object]]
    images: Mapping[str, tuple[str, ...]]
    timing: Timing
    sandbox: str


class PodHost(Protocol):
    """What a runner needs of its pod's worker."""

    surroundings: Surroundings
    directory: Path
    network: PodNetwork

    @property
    def pod(self) -> Object:
        """The Pod as last seen."""
        ...

    @property
    def place(self) -> PodPlace:
        """Where it runs."""
        ...

    def running_id(self, container: str) -> str:
        """The id of the pod's container of that name while it runs, else nothing."""
        ...

    def changed(self) -> None:
        """A container's state changed: the status is to be written."""
        ...

    async def published(self) -> None:
        """Wait until the status is written."""
        ...

    def record_event(self, event: EventReason) -> None:
        """Tell an event of the pod."""
        ...


def grace_seconds(pod: Object) -> float:
    """How long the containers of a pod may take to end."""
    return float(pod["spec"].get("terminationGracePeriodSeconds", 30))
