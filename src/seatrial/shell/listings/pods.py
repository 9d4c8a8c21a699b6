"""Pods as a table, and the list of them that numbers mean until there is another."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from seatrial.by_hand.live.pods import LivePod
from seatrial.shell.ages import age_seconds, age_text, utc_text
from seatrial.shell.states import ready_style, restarts_style, state_style
from seatrial.shell.tables import Column, Row

GONE = "gone"
REPLACED = "gone, replaced"
_NAMESPACE = Column(heading="NAMESPACE", key="namespace")
_COLUMNS = (
    Column(heading="NAME", key="name"),
    Column(heading="READY", key="ready", style=ready_style, drop=1),
    Column(heading="STATUS", key="status", style=state_style),
    Column(heading="RESTARTS", key="restarts", style=restarts_style, align="right", drop=2),
    Column(heading="AGE", key="ageSeconds", show=age_text, align="right", drop=3),
    Column(heading="IP", key="ip", drop=6),
    Column(heading="NODE", key="node", drop=4),
    Column(heading="OWNER", key="owner", drop=5),
    Column(heading="ZONE", key="zone", drop=7, optional=True),
)
_NUMBER = Column(heading="#", key="number", align="right")


class PodList(msgspec.Struct, frozen=True, kw_only=True):
    """The pods of a list in the order of their numbers, as they were then."""

    pods: tuple[LivePod, ...]
    namespace: str
    """Where they were looked for: a namespace, a glob of several, or (empty) everywhere."""


def pod_columns(*, one_namespace: bool) -> Sequence[Column]:
    """The columns of a table of pods; of those in one namespace (`one_namespace`) it is not said which."""
    return (_NUMBER, *_COLUMNS) if one_namespace else (_NUMBER, _NAMESPACE, *_COLUMNS)


def pod_row(pod: LivePod, *, zones: Mapping[str, str], now: datetime) -> Row:
    """A pod as `--output json` prints it."""
    return {
        "number": 0,
        "namespace": pod.namespace,
        "name": pod.name,
        "uid": pod.uid,
        "ready": pod.ready,
        "status": pod.status,
        "restarts": pod.restarts,
        "ageSeconds": age_seconds(pod.created, now=now),
        "created": utc_text(pod.created),
        "ip": pod.ip or None,
        "node": pod.node or None,
        "owner": owner_of(pod) or None,
        "zone": zones.get(pod.node) or None,
    }


def owner_of(pod: LivePod) -> str:
    """Who manages a pod, `KIND/NAME`: of a ReplicaSet that a Deployment made, the Deployment.

    Such a ReplicaSet is called after its Deployment and the pods' label `pod-template-hash` (Kubernetes documentation,
    "Deployments").
    """
    ending = f"-{pod.labels.get('pod-template-hash', '')}"
    if pod.owner_kind == "ReplicaSet" and len(ending) > 1 and pod.owner.endswith(ending):
        return f"Deployment/{pod.owner.removesuffix(ending)}"
    return f"{pod.owner_kind}/{pod.owner}" if pod.owner else ""


def numbered(rows: Sequence[Row]) -> Sequence[dict[str, Any]]:
    """The rows with numbers from 1."""
    return [{**row, "number": number} for number, row in enumerate(rows, start=1)]


def has_become(pod: LivePod, current: LivePod | None, *, zones: Mapping[str, str], now: datetime) -> Row:
    """A pod of an earlier list as it is, or as it was with the word that it is gone."""
    if current is not None and current.uid == pod.uid:
        return {**pod_row(current, zones=zones, now=now), "gone": False}
    status = GONE if current is None else REPLACED
    return {**pod_row(pod, zones=zones, now=now), "status": status, "ready": None, "gone": True}
