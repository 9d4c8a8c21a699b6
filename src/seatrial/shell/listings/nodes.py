"""Nodes, zones and groups as tables: what is there, and which machine is under it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from seatrial.by_hand.live.nodes import LiveNode
from seatrial.shell.ages import age_seconds, age_text, utc_text
from seatrial.shell.states import machine_style, node_style, ready_style
from seatrial.shell.tables import Column, Row, joined
from seatrial.targets.nodes import NodeTarget

NODE_COLUMNS = (
    Column(heading="#", key="number", align="right"),
    Column(heading="NAME", key="name"),
    Column(heading="STATUS", key="status", style=node_style),
    Column(heading="ROLES", key="roles", show=joined, drop=5, optional=True),
    Column(heading="ZONE", key="zone", drop=1, optional=True),
    Column(heading="GROUPS", key="groups", show=joined, drop=6, optional=True),
    Column(heading="MACHINE", key="machine", style=machine_style, drop=2, optional=True),
    Column(heading="PODS", key="pods", align="right", drop=3, optional=True),
    Column(heading="AGE", key="ageSeconds", show=age_text, align="right", drop=4),
    Column(heading="VERSION", key="version", drop=7),
    Column(heading="IP", key="ip", drop=8),
    Column(heading="TAINTS", key="taints", show=joined, drop=9, optional=True),
)
ZONE_COLUMNS = (
    Column(heading="ZONE", key="zone"),
    Column(heading="READY", key="ready", style=ready_style),
    Column(heading="PODS", key="pods", align="right", drop=2, optional=True),
    Column(heading="NODES", key="nodes", show=joined, drop=1),
)
GROUP_COLUMNS = (Column(heading="GROUP", key="group"), *ZONE_COLUMNS[1:])

_NO_ZONE = "(none)"


def node_rows(targets: Sequence[NodeTarget], *, pods: Mapping[str, int] | None, now: datetime) -> Sequence[Row]:
    """Nodes, and machines without a node, as `--output json` prints them; `pods` are counted by node."""
    return [{"number": number, **_row(each, pods, now=now)} for number, each in enumerate(targets, start=1)]


def _row(target: NodeTarget, pods: Mapping[str, int] | None, *, now: datetime) -> dict[str, Any]:
    node, machine = LiveNode.of(target.node), target.machine
    return {
        "name": target.name,
        "status": node.status if target.has_node else "no node",
        "roles": list(node.roles),
        "zone": target.zone or None,
        "groups": [each for each in target.given_groups if each not in node.roles],
        "machine": machine.state.value if machine else None,
        "machineId": machine.id if machine else None,
        "pods": None if pods is None or not target.has_node else pods.get(target.name, 0),
        "ageSeconds": age_seconds(node.created, now=now),
        "created": utc_text(node.created),
        "version": node.kubelet_version or None,
        "ip": next(iter(node.internal_ips), None) or next(iter(target.addresses), None),
        "taints": list(node.taints),
    }


def zone_rows(targets: Sequence[NodeTarget], *, pods: Mapping[str, int] | None) -> Sequence[Row]:
    """The zones, by name; nodes that are in none come last."""
    zones: dict[str, list[NodeTarget]] = {}
    for each in targets:
        zones.setdefault(each.zone, []).append(each)
    ordered = sorted(zones, key=lambda zone: (not zone, zone))
    return [{"zone": zone or _NO_ZONE, **_of_several(zones[zone], pods)} for zone in ordered]


def group_rows(targets: Sequence[NodeTarget], *, pods: Mapping[str, int] | None, labels: bool) -> Sequence[Row]:
    """The groups, by name; with `labels` also those that each label makes."""
    groups: dict[str, list[NodeTarget]] = {}
    for each in targets:
        for group in each.groups if labels else each.given_groups:
            groups.setdefault(group, []).append(each)
    return [{"group": group, **_of_several(groups[group], pods)} for group in sorted(groups)]


def _of_several(targets: Sequence[NodeTarget], pods: Mapping[str, int] | None) -> dict[str, Any]:
    ready = sum(each.has_node and each.node.is_ready for each in targets)
    return {
        "ready": f"{ready}/{len(targets)}",
        "pods": None if pods is None else sum(pods.get(each.name, 0) for each in targets),
        "nodes": [each.name for each in targets],
    }
