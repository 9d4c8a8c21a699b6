"""Pods and nodes as the live view hands them out."""

from datetime import UTC, datetime

from seatrial.by_hand.live.kind import Change
from seatrial.by_hand.live.pods import LivePod

_MOMENT = datetime(2030, 1, 1, tzinfo=UTC)


def pod(  # noqa: PLR0913 -- each test says what matters to it
    name: str = "web-1",
    *,
    uid: str = "",
    owner: str = "web-7d4b9",
    owner_kind: str = "ReplicaSet",
    labels: dict[str, str] | None = None,
    node: str = "node-1",
    status: str = "Running",
    ready: str = "1/1",
    is_ready: bool | None = None,
    is_deleted: bool = False,
) -> LivePod:
    have, _, wanted = ready.partition("/")
    return LivePod(
        namespace="shop", name=name, uid=uid or f"uid of {name}", version="1", labels=labels or {}, node=node,
        phase="Running", status=status, ready=ready,
        is_ready=have == wanted if is_ready is None else is_ready, restarts=0, owner_kind=owner_kind, owner=owner,
        ip="", created=_MOMENT, deleted=_MOMENT if is_deleted else None, containers=(), images=(),
    )  # fmt: skip


def added(it: LivePod) -> Change[LivePod]:
    return Change("ADDED", it, None)


def modified(it: LivePod, earlier: LivePod) -> Change[LivePod]:
    return Change("MODIFIED", it, earlier)


def deleted(it: LivePod) -> Change[LivePod]:
    return Change("DELETED", it, it)
