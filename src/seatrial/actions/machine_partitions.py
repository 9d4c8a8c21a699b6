"""Cutting a machine off by its own firewall, always with a timer on it that ends that, whatever becomes of us.

The way by which we reach the machine may be cut, too, so clean-up tries at once and then again until the timer has
fired, and longer; after that the machine has to be reachable. What proves the end is the machine's firewall without our
rules and, where its kubelet could not be heard, a node that is heard of again and Ready.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from seatrial.actions.dead_man_timer import DeadManTimer
from seatrial.actions.machine_firewall import Firewall, mending
from seatrial.actions.machine_shell import COMMAND_SECONDS, as_root, last_words, run_there, script
from seatrial.actions.machine_timers import NotArmed, arm, disarm
from seatrial.actions.missed_nodes import expect_not_ready, expect_nothing
from seatrial.actions.node_readiness import last_renewal, wait_for_readiness, wait_until_back
from seatrial.actions.partition_peers import Peers
from seatrial.errors import ClusterError, MachineError
from seatrial.remote.executor import Executor
from seatrial.runtime.context import Context
from seatrial.runtime.events import FaultCleared, FaultProven, MeasurementTaken, ProofMissing
from seatrial.runtime.undo import Undo, UndoKind
from seatrial.runtime.verdict import PASSED, Outcome, not_carried_out
from seatrial.runtime.world import World
from seatrial.targets.node_limits import done_by_bringing_back, done_by_taking_down
from seatrial.targets.nodes import NodeTarget

MOST_SECONDS = 3600
"""How long a machine may be cut off at most, since clean-up may have to wait for it."""
_RETRY_SECONDS = 5.0
_CUT_SECONDS = 60.0
_BACK_SECONDS = 300.0


async def cut_off(target: NodeTarget, peers: Peers, context: Context, *, expires_after: int) -> Outcome:
    """Cut the machine under a node off from its peers."""
    node, subject = target.name, partition_of(target.name, peers)
    token, timer = Firewall.new_token(), DeadManTimer.of(expires_after)
    missed = await expect_not_ready(node, context) if peers.silences and target.node.is_ready else None
    try:
        await _prepare_end(target, peers, token, timer, context)
    except (MachineError, ClusterError) as error:
        if missed:
            expect_nothing(node, missed, context)
        return not_carried_out(f"node {node} was not cut off: {error.in_full}")
    begun = context.clock.monotonic()
    if peers.silences:
        context.scope.did(done_by_taking_down(node), instead_of=done_by_bringing_back(node))
    if missed and not missed.done():
        missed.set_result(begun)
    firewall = Firewall(
        token=token, peers=peers.addresses, everything=peers.everything, kubelets_server=peers.kubelets_server
    )
    # The variable is the shell's own: for the script, which may be root's, it has to be an argument.
    command = f'{as_root(script(firewall.cutting()))} "$SSH_CONNECTION"'
    try:
        result = await context.executor.run(node, command, timeout_seconds=_CUT_SECONDS)
    except (MachineError, ClusterError) as error:
        return await _unseen(node, subject, error, context, was_ready=missed is not None)
    if result.exit_code:
        if missed:
            expect_nothing(node, missed, context)
        return not_carried_out(f"node {node} could not be cut off: {last_words(result)}")
    context.emit(FaultProven(subject=subject, proof=last_words(result)))
    return PASSED


def partition_of(node: str, peers: Peers) -> str:
    """The fault, as evidence names it."""
    return f"partition of node {node} from {peers.in_words}"


async def _prepare_end(target: NodeTarget, peers: Peers, token: str, timer: DeadManTimer, context: Context) -> None:
    """Write the undo down and arm the timer.

    Raises:
        MachineError: the timer could not be armed, or it is not known whether it was.
        ClusterError: the latter.
    """
    written = await context.write_undo(await _mend(target, peers, token, timer, context.executor))
    try:
        words = script(mending(token))
        await arm(timer, words, target.name, context, in_words="end the partition")
    except NotArmed:
        await context.journal.settle(written)
        raise


async def _unseen(
    node: str, subject: str, error: MachineError | ClusterError, context: Context, *, was_ready: bool
) -> Outcome:
    """The way to the machine broke while the rules were made, perhaps by them: the cluster has to miss the node."""
    if was_ready:
        try:
            async with asyncio.timeout(context.settings.recovery_timeout_seconds):
                await wait_for_readiness(node, context.cluster, ready=False)
        except TimeoutError:
            pass
        else:
            context.emit(FaultProven(subject=subject, proof="the machine went silent, and the cluster missed its node"))
            return PASSED
    context.emit(ProofMissing(subject=subject, reason=error.message))
    return not_carried_out(f"whether node {node} is cut off was not seen: {error.in_full}")


async def _mend(target: NodeTarget, peers: Peers, token: str, timer: DeadManTimer, executor: Executor) -> Undo:
    node = target.name
    by_hand = as_root(script(mending(token)))  # its timer may fire later, and finds none of these rules
    return Undo(
        kind=MEND_PARTITION.kind,
        args={
            "node": node,
            "subject": partition_of(node, peers),
            "token": token,
            "timer": timer.as_json(),
            "heard": peers.silences and target.node.is_ready,
        },
        description=f"end the {partition_of(node, peers)}",
        manual=await executor.by_hand(node, by_hand),
    )


async def _end(args: Mapping[str, Any], world: World) -> str:
    node, subject, timer = args["node"], args["subject"], DeadManTimer.from_json(args["timer"])
    # What was renewed while the machine was cut off would be no sign of its return: there is none.
    before = await last_renewal(node, world.cluster) if args["heard"] else None
    begun = world.clock.monotonic()
    await _take_rules_away(node, args["token"], world, until=begun + timer.seconds + COMMAND_SECONDS)
    await disarm(timer, node, world, subject=subject, patience_seconds=COMMAND_SECONDS)
    if not args["heard"]:
        world.emit(FaultCleared(subject=subject, proof="its firewall has none of our rules"))
        return ""
    try:
        async with asyncio.timeout(_BACK_SECONDS):
            await wait_until_back(node, world.cluster, since_renewal=before)
    except TimeoutError:
        raise ClusterError(
            f"node {node} is not Ready {_BACK_SECONDS:g} s after its firewall let everything pass again",
            hint="look at its kubelet",
        ) from None
    seconds = world.clock.monotonic() - begun
    world.emit(MeasurementTaken(name="nodeReady", of=node, seconds=seconds))
    proof = f"its firewall has none of our rules, its kubelet reports and it is Ready, after {seconds:.1f} s"
    world.emit(FaultCleared(subject=subject, proof=proof))
    return ""


async def _take_rules_away(node: str, token: str, world: World, *, until: float) -> None:
    """Try again and again, until the timer on the machine has done it at the latest.

    Raises:
        MachineError: the machine is out of reach even then, or its firewall can't be changed.
        ClusterError: the former.
    """
    while True:
        try:
            result = await run_there(node, script(mending(token)), world)
        except (MachineError, ClusterError):
            if world.clock.monotonic() >= until:
                raise
        else:
            if not result.exit_code:
                return
            if world.clock.monotonic() >= until:
                raise MachineError(f"the firewall of node {node} could not be changed: {last_words(result)}")
        await world.clock.sleep(_RETRY_SECONDS)


MEND_PARTITION = UndoKind(
    kind="mendPartition", run=_end, deadline_seconds=MOST_SECONDS + _BACK_SECONDS + 6 * COMMAND_SECONDS
)
