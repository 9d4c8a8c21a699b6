"""What is known of a container by a kubelet that begins: from the status that was written and from the runtime."""

import time

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.container_state import (
    LOST_EXIT_CODE,
    ContainerState,
    Running,
    Terminated,
    Waiting,
)
from seatrial.sandbox.kubelet.protocol import ContainerRecord
from seatrial.sandbox.timestamps import parse_time


def known_statuses(pod: Object) -> dict[str, Object]:
    """The statuses of a pod's containers as written, by name."""
    status = pod.get("status") or {}
    keys = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
    return {item["name"]: item for key in keys for item in status.get(key) or ()}


def restore_state(state: ContainerState, known: Object | None, record: ContainerRecord | None) -> None:
    """Bring a container's state to where an earlier kubelet left it.

    Args:
        state: as for a container that nobody has heard of.
        known: its status as written.
        record: what the runtime has of its latest life.
    """
    if known is not None:
        last = (known.get("lastState") or {}).get("terminated")
        state.last = Terminated.from_object(last) if last else None
        state.restart_count = int(known.get("restartCount") or 0)
        state.container_id = known.get("containerID") or ""
        state.image_id = known.get("imageID") or ""
        state.image = known["image"] if state.image_id else ""
        state.started = bool(known.get("started"))
        state.ready = bool(known.get("ready"))
        user = (known.get("user") or {}).get("linux") or {}
        state.user = (user["uid"], user["gid"]) if "uid" in user else None
        state.current = _current(known, state.current)
    if record is not None:
        state.restart_count = record.container.attempt
        if record.running and not state.running:
            state.current = Running(record.started_at)
    elif isinstance(state.current, Running):
        # It went with its machine.
        state.end(
            Terminated(
                exit_code=LOST_EXIT_CODE,
                reason="Unknown",
                started_at=state.current.started_at,
                finished_at=time.time(),
                container_id=state.container_id,
            )
        )


def _current(known: Object, fallback: Waiting | Running | Terminated) -> Waiting | Running | Terminated:
    state = known.get("state") or {}
    if "running" in state:
        return Running(parse_time(state["running"].get("startedAt")))
    if "terminated" in state:
        return Terminated.from_object(state["terminated"])
    if "waiting" in state:
        return Waiting(state["waiting"].get("reason", ""), state["waiting"].get("message", ""))
    return fallback
