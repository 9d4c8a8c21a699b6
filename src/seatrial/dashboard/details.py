"""What is told of the chosen pod or node: in a line below the board, or all, as `describe` tells it in the shell."""

from datetime import datetime

from rich.text import Text

from seatrial.by_hand.server_time import server_time
from seatrial.by_hand.session import HandSession
from seatrial.dashboard.board import NodeRow, Shown
from seatrial.errors import UsageError
from seatrial.kube.objects import Pod
from seatrial.kube.resources import PODS
from seatrial.policy.wording import counted
from seatrial.report.plain import plain
from seatrial.runtime.context import Context
from seatrial.shell.ages import age_seconds, age_text
from seatrial.shell.describing.account import Account
from seatrial.shell.describing.nodes import node_account
from seatrial.shell.describing.pods import pod_account
from seatrial.shell.listings.shown import targets_and_doubts


async def pod_details(shown: Shown, session: HandSession, *, zone: str) -> Account:
    """A pod as the API server has it by now.

    Raises:
        ClusterError: the API server refused, did not answer, or it is gone.
    """
    context = session.context
    pod = await context.cluster.get(PODS, shown.pod.name, namespace=shown.pod.namespace, type=Pod)
    return await pod_account(pod, session, zone=zone, now=await _now(context))


async def node_details(name: str, session: HandSession) -> Account:
    """A node as the API server has it by now, with its machine.

    Raises:
        ClusterError: the API server refused or did not answer.
        UsageError: it is gone.
    """
    targets, doubt = await targets_and_doubts(session.context)
    target = next((each for each in targets if each.has_node and each.name == name), None)
    if target is None:
        raise UsageError(f"there is no node {name!r}", hint="it is gone, or left out: see --inventory-file")
    return await node_account(target, session.context, doubt=doubt, now=await _now(session.context))


def one_line(row: NodeRow, shown: Shown | None, *, now: datetime, width: int) -> Text:
    """What is chosen, in one line no longer than that."""
    line = _line_of_pod(shown, now) if shown else _line_of_node(row)
    line.truncate(width, overflow="ellipsis")
    return line


def _line_of_pod(shown: Shown, now: datetime) -> Text:
    pod, cell = shown.pod, shown.state.value
    parts = [f"{pod.status} {pod.ready}"]
    parts += [counted(pod.restarts, "restart")] if pod.restarts else []
    parts += [f"of {pod.owner_kind} {pod.owner}" if pod.owner else "no owner: nothing replaces it"]
    parts += [part for part in (pod.ip, age_text(age_seconds(pod.created, now=now))) if part]
    line = Text().append(f"{cell.mark} ", style=cell.style)
    line.append_text(plain(f"{pod.namespace}/{pod.name}", style="bold"))
    return line.append_text(plain(f"  {' · '.join(parts)}"))


def _line_of_node(row: NodeRow) -> Text:
    line = Text().append_text(plain(row.name or "no node", style="bold"))
    if row.node is None:
        return line.append("  not there, or not to be looked at" if row.name else "  pods that wait for a node")
    node = row.node
    zone = f"zone {node.zone}" if node.zone else "no zone"
    parts = [node.status, zone, *node.roles, *node.internal_ips[:1], node.kubelet_version, *node.taints]
    return line.append_text(plain(f"  {' · '.join(filter(None, parts))}"))


async def _now(context: Context) -> datetime:
    return (await server_time(context)).now(context.clock.now())
