"""A node: its machine, its room, what runs on it, and what losing it would mean."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import structs

from seatrial.errors import ClusterError
from seatrial.kube.client import Client
from seatrial.kube.objects import Pod
from seatrial.kube.pod_status import printed_status
from seatrial.kube.quantity import parse_quantity
from seatrial.policy.wording import counted
from seatrial.runtime.context import Context
from seatrial.shell.describing.account import Account, Fact, Section, facts, known
from seatrial.shell.describing.related import condition_facts, event_facts, impact_facts, meta_pairs
from seatrial.shell.listings.nodes import node_rows
from seatrial.shell.states import node_style, state_style
from seatrial.targets.impact import budget_impacts, owner_impacts
from seatrial.targets.nodes import NodeTarget, pods_on

_MOST_PODS = 30
_ROOM = ("cpu", "memory", "ephemeral-storage", "pods")


async def node_account(target: NodeTarget, context: Context, *, doubt: str, now: datetime) -> Account:
    """All there is to say about a node."""
    cluster, node = context.cluster, target.node
    pods = await known(pods_on(target.name, context))
    row = node_rows([target], pods=None, now=now)[0]
    on_it = [pods] if isinstance(pods, Fact) else _pod_facts(pods)
    lost = [pods] if isinstance(pods, Fact) else await _loss_facts(pods, cluster)
    good = {each.type: "False" for each in node.status.conditions if each.type != "Ready"}
    count = "" if isinstance(pods, Fact) else f", {counted(len(pods), 'pod')}"
    sections = [
        Section("", [*_what_it_is(target, now), *facts(("doubtful", doubt))]),
        Section("conditions", condition_facts(node.status.conditions, now=now, good=good)),
        Section("pods", on_it),
        Section("losing it", lost),
        Section("events", await event_facts("Node", node.metadata, cluster, now=now)),
    ]
    return Account(f"Node {target.name}: {row['status']}{count}", node_style(row["status"]), sections)


def _what_it_is(target: NodeTarget, now: datetime) -> list[Fact]:
    node, machine = target.node, target.machine
    row = node_rows([target], pods=None, now=now)[0]
    return facts(
        ("zone", target.zone),
        ("roles", ", ".join(row["roles"])),
        ("groups", ", ".join(row["groups"])),
        ("machine", f"{machine.state}, {machine.id}" if machine else target.problem),
        ("provider", node.spec.provider_id),
        ("addresses", ", ".join(target.addresses)),
        ("kubelet", row["version"]),
        *meta_pairs(node.metadata, now=now),
        ("taints", ", ".join(row["taints"])),
        ("has room for", _room(node.status.allocatable or node.status.capacity)),
    )


def _room(amounts: "dict[str, str] | None") -> str:
    return ", ".join(f"{name} {_amount(amounts[name])}" for name in _ROOM if amounts and name in amounts)


def _amount(text: str) -> str:
    """An amount as people read it: kubelets give memory in KiB, to the last one."""
    if not text.endswith("Ki"):
        return text
    return f"{parse_quantity(text).value / 2**30:.3g} GiB"


def _pod_facts(pods: Sequence[Pod]) -> list[Fact]:
    ordered = sorted(pods, key=lambda pod: (pod.metadata.namespace, pod.metadata.name))
    found = [
        Fact(status, f"{pod.metadata.namespace}/{pod.metadata.name}", state_style(status))
        for pod in ordered[:_MOST_PODS]
        for status in [printed_status(pod)]
    ]
    more = len(ordered) - _MOST_PODS
    return [*found, Fact("", f"and {counted(more, 'more pod')}")] if more > 0 else found


async def _loss_facts(pods: Sequence[Pod], cluster: Client) -> list[Fact]:
    """What losing these pods at once would mean; a DaemonSet has nowhere else to replace what it lost."""
    try:
        owners = [
            structs.replace(each, replaced=not each.owner.startswith("DaemonSet/"))
            for each in await owner_impacts(pods, cluster)
            if each.ready_hit
        ]
        found = impact_facts(owners, await budget_impacts(pods, cluster, strictly=True))
    except ClusterError as error:
        return [Fact("not known", error.message)]
    alone = [pod for pod in pods if pod.metadata.controller is None]
    return found + [Fact("for good", f"{pod.metadata.namespace}/{pod.metadata.name}: no controller") for pod in alone]
