"""That the cluster misses a node which was switched off or cut off: measured beside the steps that follow.

The watch is open before the machine is touched, so that nothing is missed; the scenario waits for the measurement
before its verdict, at most as long as it waits for recoveries.
"""

import asyncio

from seatrial.actions.expectations import expect, expect_no_more
from seatrial.actions.node_readiness import wait_for_readiness
from seatrial.errors import ClusterError
from seatrial.runtime.context import Context
from seatrial.runtime.events import FaultProven, MeasurementTaken, ProofMissing
from seatrial.runtime.verdict import PASSED, Outcome


def not_ready_promise(node: str) -> str:
    """The name under which a scenario waits until a node is seen to be missing."""
    return f"node {node} not Ready"


async def expect_not_ready(node: str, context: Context) -> "asyncio.Future[float]":
    """Let the scenario wait until the cluster misses the node; the future takes when the fault began.

    Raises:
        ClusterError: the node can't be watched; nothing was changed.
    """
    detection = _Detection(node, context)
    return await expect(
        not_ready_promise(node),
        detection.follow,
        give_up=detection.give_up,
        unwatched="with a recovery timeout of 0 nobody waits for it",
        context=context,
    )


def expect_nothing(node: str, begun: "asyncio.Future[float]", context: Context) -> None:
    """Let nobody wait for the cluster to miss a node to which nothing was done."""
    expect_no_more(not_ready_promise(node), begun, context)


class _Detection:
    """Waits until the cluster misses a node, and measures how long that takes, or how long it has not."""

    def __init__(self, node: str, context: Context) -> None:
        self._node = node
        self._context = context
        self._begun: asyncio.Future[float] | None = None

    async def follow(self, begun: "asyncio.Future[float]", opened: "asyncio.Future[None]") -> Outcome:
        self._begun = begun
        try:
            missed = await wait_for_readiness(self._node, self._context.cluster, ready=False, opened=opened)
            seconds = missed - await begun
        except ClusterError as error:
            if not opened.done():
                opened.set_exception(error)  # whoever waits for it says it
                return PASSED
            self._unproven(error.message)
            return PASSED
        except asyncio.CancelledError:
            opened.cancel()
            self._not_yet()
            raise
        if seconds < 0:
            self._unproven("it was not Ready before")
            return PASSED
        self._begun = None
        proof = f"the cluster missed it after {seconds:.1f} s"
        self._context.emit(MeasurementTaken(name="nodeNotReady", of=self._node, seconds=seconds))
        self._context.emit(FaultProven(subject=not_ready_promise(self._node), proof=proof))
        return PASSED

    def give_up(self) -> Outcome:
        """The fault is there, as its own proof says; that the cluster takes longer to notice changes no verdict."""
        within = f"within {self._context.settings.recovery_timeout_seconds:g} s"
        self._unproven(f"the cluster did not miss it {within}")
        self._not_yet()
        return PASSED

    def _unproven(self, reason: str) -> None:
        self._context.emit(ProofMissing(subject=not_ready_promise(self._node), reason=reason))

    def _not_yet(self) -> None:
        """Nobody waits any more: it takes longer than so far, if the fault began at all."""
        begun, self._begun = self._begun, None
        if begun is None or not begun.done() or begun.cancelled():
            return
        seconds = asyncio.get_running_loop().time() - begun.result()
        self._context.emit(MeasurementTaken(name="nodeNotReady", of=self._node, seconds=seconds, is_lower_bound=True))
