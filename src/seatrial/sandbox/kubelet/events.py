"""What the kubelet tells about its pods and its node, as `kubectl describe` shows it."""

from dataclasses import dataclass
from typing import Final, Literal

from seatrial.sandbox.api import Api, Object
from seatrial.sandbox.event_recorder import EventRecorder
from seatrial.sandbox.timestamps import Clock, utc_now

EventType = Literal["Normal", "Warning"]
_COMPONENT: Final = "kubelet"


@dataclass(frozen=True)
class EventReason:
    """An event without its object."""

    type: EventType
    reason: str
    message: str
    field_path: str = ""


class KubeletEvents:
    """Tells the events of one node's kubelet.

    Args:
        api: where they go.
        node_name: whose kubelet tells them.
        now: the wall clock.
    """

    def __init__(self, api: Api, *, node_name: str, now: Clock = utc_now) -> None:
        self._recorder = EventRecorder(api, now=now, host=node_name)

    def record(self, involved: Object, event: EventReason) -> None:
        """Tell an event of an object, without waiting."""
        self._recorder.record(
            _COMPONENT, involved, event.reason, event.message, kind=event.type, field_path=event.field_path
        )

    async def run(self) -> None:
        """Send them, until cancelled."""
        await self._recorder.run()
