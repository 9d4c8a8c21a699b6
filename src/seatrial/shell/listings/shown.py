"""Listing: what is seen becomes rows, in the order asked for, and a table with what is doubtful about it."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from seatrial.by_hand.live.kind import LiveKind
from seatrial.by_hand.live.pods import LivePod
from seatrial.by_hand.live.workloads import LiveWorkload
from seatrial.errors import ClusterError, MachineError
from seatrial.kube.reduction import Reduced
from seatrial.policy.wording import counted
from seatrial.runtime.context import Context
from seatrial.shell.listings.pods import PodList, has_become, numbered, pod_columns, pod_row
from seatrial.shell.listings.workloads import daemons_row, replicas_row, workload_columns
from seatrial.shell.look import ALL_NAMESPACES, doubts, in_order, now, seen
from seatrial.shell.shell import Shell
from seatrial.shell.tables import Column, Row, Table
from seatrial.targets.nodes import NodeTarget, list_targets
from seatrial.targets.pod_matchers.reader import in_words, is_all, is_glob

_T = TypeVar("_T", bound=Reduced)
# Pods can be shown without them.
_MOST_SECONDS_FOR_ZONES = 5.0
_FINISHED = {"Succeeded", "Failed"}


def is_one(namespace: str) -> bool:
    """Whether that means one namespace."""
    return not (is_all(namespace) or is_glob(namespace))


async def show_pods(
    found: Sequence[LivePod], namespace: str, shell: Shell, *, sort: str | None, output: str, empty: str
) -> None:
    """Show pods that were found there, whose numbers mean them from here on."""
    moment, (zones, unknown) = await now(shell), await zones_of_nodes(shell)
    columns = pod_columns(one_namespace=is_one(namespace))
    by_uid = {pod.uid: pod for pod in found}
    rows = numbered(in_order([pod_row(pod, zones=zones, now=moment) for pod in found], columns, sort))
    shell.listed_pods = PodList(pods=tuple(by_uid[row["uid"]] for row in rows), namespace=namespace)
    shell.numbered_pods = [(row["namespace"], row["name"]) for row in rows]
    note = _noted(doubts(shell, shell.live.pods, namespace=namespace), unknown)
    shell.output.table(Table(columns=columns, rows=rows, empty=empty, note=note), output)


async def show_cached_pods(listed: PodList, shell: Shell, *, output: str) -> None:
    """Show the pods of a list again, under the numbers that they have, and what has become of them."""
    place = listed.namespace
    current = {(pod.namespace, pod.name): pod for pod in await seen(shell.live.pods, place, shell)}
    moment, (zones, unknown) = await now(shell), await zones_of_nodes(shell)
    rows = numbered(
        [has_become(pod, current.get((pod.namespace, pod.name)), zones=zones, now=moment) for pod in listed.pods]
    )
    gone = sum(row["gone"] for row in rows)
    missed = f"{counted(gone, 'pod')} of {len(rows)} gone" if gone else ""
    note = _noted(missed, doubts(shell, shell.live.pods, namespace=place), unknown)
    columns = pod_columns(one_namespace=is_one(place))
    shell.output.table(Table(columns=columns, rows=rows, empty="the last list had no pods", note=note), output)


async def show_workloads(
    kind: LiveKind[Any],
    namespace: str,
    shell: Shell,
    *,
    what: str,
    sort: str | None,
    output: str,
    daemons: bool = False,
) -> None:
    """Show Deployments, StatefulSets or DaemonSets; `what` they are called in the plural."""
    columns = workload_columns(daemons=daemons, one_namespace=is_one(namespace))
    row_of: Callable[..., Row] = daemons_row if daemons else replicas_row

    def row(workload: LiveWorkload, moment: datetime) -> Row:
        return row_of(workload, now=moment)

    await show(kind, namespace, shell, row=row, columns=columns, what=what, sort=sort, output=output)


async def show(
    kind: LiveKind[_T],
    namespace: str,
    shell: Shell,
    *,
    row: Callable[[_T, datetime], Row],
    columns: Sequence[Column],
    what: str,
    sort: str | None,
    output: str,
    unknown: str = "",
) -> None:
    """Show the objects of a kind in a namespace; `unknown` says what there should be about them and isn't known."""
    found = await seen(kind, namespace, shell)
    moment = await now(shell)
    rows = in_order([row(each, moment) for each in found], columns, sort)
    note = _noted(doubts(shell, kind, namespace=namespace), unknown)
    empty = none_in(what, namespace)
    shell.output.table(Table(columns=columns, rows=rows, empty=empty, note=note), output)


def none_in(what: str, namespace: str) -> str:
    """That there are none of these."""
    return f"no {what} in {'any namespace' if namespace == ALL_NAMESPACES else in_words(namespace)}"


async def zones_of_nodes(shell: Shell) -> tuple[Mapping[str, str], str]:
    """The zone of each node; where nodes may not be looked at none, and that."""
    try:
        async with asyncio.timeout(_MOST_SECONDS_FOR_ZONES):
            return {node.name: node.zone for node in await seen(shell.live.nodes, ALL_NAMESPACES, shell)}, ""
    except ClusterError as error:
        return {}, f"zones are not known: {error.message}"
    except TimeoutError:
        return {}, "zones are not known: the API server does not answer"


async def pods_by_namespace(shell: Shell) -> tuple[Mapping[str, int] | None, str]:
    """How many pods there are in each namespace; where not all may be looked at None, and that."""
    pods, unknown = await _all_pods(shell)
    return None if pods is None else Counter(pod.namespace for pod in pods), unknown


async def _all_pods(shell: Shell) -> tuple[Sequence[LivePod] | None, str]:
    try:
        found = await seen(shell.live.pods, ALL_NAMESPACES, shell)
    except ClusterError as error:
        return None, f"pods are not counted: {error.message}"
    if shell.front.is_interactive and (problem := shell.live.pods.problem):
        return None, f"pods are not counted: {problem}"
    return found, ""


async def nodes_and_pods(shell: Shell) -> tuple[Sequence[NodeTarget], Mapping[str, int] | None, str]:
    """The nodes and their machines, how many pods run on each (if that may be known), and what is doubtful."""
    targets, doubt = await nodes_and_machines(shell)
    pods, unknown = await _all_pods(shell)
    count = None if pods is None else Counter(pod.node for pod in pods if pod.phase not in _FINISHED)
    return targets, count, _noted(doubt, unknown)


async def nodes_and_machines(shell: Shell) -> tuple[Sequence[NodeTarget], str]:
    """The nodes with what is known of their machines, and what is doubtful about that."""
    return await targets_and_doubts(shell.session.context)


async def targets_and_doubts(context: Context) -> tuple[Sequence[NodeTarget], str]:
    """The same, without a shell."""
    try:
        knows_machines = bool(await context.machines.capabilities())
        targets, notes = await list_targets(context, needs_machines=knows_machines)
    except MachineError as error:
        targets, notes = await list_targets(context, needs_machines=False)
        notes = [*notes, f"machines are not known: {error.message}"]
    return targets, "; ".join(notes)


def _noted(*notes: str) -> str:
    return "; ".join(filter(None, notes))
