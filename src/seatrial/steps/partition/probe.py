"""Whether a partition holds, seen from inside: a command in a pod that gets through, or doesn't.

Only its exit code counts: what can't be run, or doesn't end in time, shows nothing.
"""

import shlex
from collections.abc import Mapping
from typing import Any

import msgspec

from seatrial.actions.pods.containers import chosen_container
from seatrial.errors import ClusterError
from seatrial.kube.client import Client
from seatrial.kube.errors import RequestTimeout
from seatrial.kube.objects import Pod
from seatrial.kube.resources import PODS
from seatrial.runtime.events import FaultCleared, ProofMissing
from seatrial.runtime.undo import Undo, UndoKind
from seatrial.runtime.world import World
from seatrial.steps.partition.model import PartitionProbe, PodGroup

_PAUSE_SECONDS = 1.0
_MOST_SAID = 200


class InsideProbe(msgspec.Struct, frozen=True, kw_only=True):
    """One probe: the pods of which one runs it, the command, its limits."""

    namespace: str
    selector: str
    command: tuple[str, ...]
    container: str | None = None
    timeout: float
    within: float

    @classmethod
    def of(cls, probe: PartitionProbe, group: PodGroup) -> "InsideProbe":
        """A policy's probe, run in one of these pods."""
        return cls(
            namespace=group.namespace,
            selector=str(group.labels),
            command=tuple(probe.command),
            container=probe.container,
            timeout=probe.timeout,
            within=probe.within,
        )

    def __str__(self) -> str:
        return f"'{shlex.join(self.command)}'"

    async def look(self, cluster: Client) -> "Look":
        """Run it once, in the first pod by name that is Ready, or else runs.

        Raises:
            ClusterError: it could not be run, or did not end.
        """
        pod = await self._pod(cluster)
        name = pod.metadata.name
        container = chosen_container(pod, self.container)
        if container is None:
            raise ClusterError(f"pod {self.namespace}/{name} has no container '{self.container}'")
        try:
            result = await cluster.exec(
                name,
                namespace=self.namespace,
                container=container.name,
                command=self.command,
                timeout_seconds=self.timeout,
            )
        except RequestTimeout as error:
            raise ClusterError(
                f"the probe {self} in {self.namespace}/{name} did not end within {self.timeout:g} s",
                hint="give the command a shorter time limit of its own, such as wget's -T",
            ) from error
        said = " ".join(result.stderr.decode(errors="replace").split())[:_MOST_SAID]
        return Look(pod=f"{self.namespace}/{name}", exit_code=result.exit_code, said=said)

    async def _pod(self, cluster: Client) -> Pod:
        listed = await cluster.list(PODS, namespace=self.namespace, label_selector=self.selector, type=Pod)
        running = [each for each in listed.items if each.status.phase == "Running" and not each.is_terminating]
        running.sort(key=lambda pod: (not pod.is_ready, pod.metadata.name))
        if not running:
            words = f" with labels {self.selector}" if self.selector else ""
            raise ClusterError(f"no pod{words} runs in {self.namespace} that could run the probe {self}")
        return running[0]


class Look(msgspec.Struct, frozen=True):
    """What one try came to."""

    pod: str
    exit_code: int
    said: str

    @property
    def got_through(self) -> bool:
        """Whether it reached what it was meant to reach."""
        return self.exit_code == 0

    def __str__(self) -> str:
        said = f" ({self.said})" if self.said else ""
        return f"ended with {self.exit_code} in {self.pod}{said}"


async def wait_until(probe: InsideProbe, world: World, *, got_through: bool) -> Look:
    """Run it again and again until it comes to that, or its time is over; returns the last look.

    Raises:
        ClusterError: it could not be run.
    """
    begun = world.clock.monotonic()
    while True:
        look = await probe.look(world.cluster)
        if look.got_through is got_through or world.clock.monotonic() - begun >= probe.within:
            return look
        await world.clock.sleep(_PAUSE_SECONDS)


def proof_of_the_end(probe: InsideProbe, *, subject: str) -> Undo:
    """What sees, once the policies are deleted, that the probe gets through again: to be written down before them."""
    selector = ["-l", probe.selector] if probe.selector else []
    by_hand = ["kubectl", "get", "pods", "-n", probe.namespace, *selector]
    return Undo(
        kind=SEE_PARTITION_END.kind,
        args={"subject": subject, "probe": msgspec.to_builtins(probe)},
        description=f"see that {probe} gets through again",
        manual=f"{shlex.join(by_hand)}  # and run {probe} in one of them",
    )


async def _see_the_end(args: Mapping[str, Any], world: World) -> str:
    """What is still cut with no policy of ours there is no clean-up's: it is said, and left."""
    probe, subject = msgspec.convert(args["probe"], InsideProbe), args["subject"]
    begun = world.clock.monotonic()
    look = await wait_until(probe, world, got_through=True)
    seconds = world.clock.monotonic() - begun
    if look.got_through:
        proof = f"{probe} gets through again in {look.pod}, {seconds:.1f} s after the policies were deleted"
        world.emit(FaultCleared(subject=subject, proof=proof))
        return ""
    reason = f"the policies are gone, but {probe} {look} after {seconds:.0f} s"
    world.emit(ProofMissing(subject=subject, reason=reason))
    return reason


SEE_PARTITION_END = UndoKind(kind="seePartitionEnd", run=_see_the_end, deadline_seconds=420.0)
