"""That the cluster misses a node which was switched off or cut off: measured beside the steps that follow.

The watch is open before the machine is touched, so that nothing is missed; the scenario waits for the measurement
before its verdict, at most as long as it waits for recoveries.
"""

import asyncio
from functools import partial

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
    return await expect(
        not_ready_promise(node),
        lambda begun, opened: _follow(node, begun, opened, context),
        give_up=partial(_give_up, node, context),
        unwatched="with a recovery timeout of 0 nobody waits for it",
        context=context,
    )


def expect_nothing(node: str, begun: "asyncio.Future[float]", context: Context) -> None:
    """Let nobody wait for the cluster to miss a node to which nothing was done."""
    expect_no_more(not_ready_promise(node), begun, context)


async def _follow(
    node: str, begun: "asyncio.Future[float]", opened: "asyncio.Future[None]", context: Context
) -> Outcome:
    try:
        missed = await wait_for_readiness(node, context.cluster, ready=False, opened=opened)
    except ClusterError as error:
        if not opened.done():
            opened.set_exception(error)  # whoever waits for it says it
            return PASSED
        context.emit(ProofMissing(subject=not_ready_promise(node), reason=error.message))
        return PASSED
    except asyncio.CancelledError:
        opened.cancel()
        raise
    seconds = missed - await begun
    if seconds < 0:
        context.emit(ProofMissing(subject=not_ready_promise(node), reason="it was not Ready before"))
        return PASSED
    context.emit(MeasurementTaken(name="nodeNotReady", of=node, seconds=seconds))
    context.emit(FaultProven(subject=not_ready_promise(node), proof=f"the cluster missed it after {seconds:.1f} s"))
    return PASSED


def _give_up(node: str, context: Context) -> Outcome:
    """The fault is there, as its own proof says; that the cluster takes longer to notice changes no verdict."""
    within = f"within {context.settings.recovery_timeout_seconds:g} s"
    context.emit(ProofMissing(subject=not_ready_promise(node), reason=f"the cluster did not miss it {within}"))
    return PASSED
