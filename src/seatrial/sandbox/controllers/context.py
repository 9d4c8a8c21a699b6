"""What every controller is given: the API, the shared informers, a place for events, a clock, the timing."""

from dataclasses import dataclass
from typing import Protocol

from seatrial.sandbox.api import Api
from seatrial.sandbox.event_recorder import EventRecorder
from seatrial.sandbox.informer import SharedInformers
from seatrial.sandbox.timestamps import Clock, utc_now
from seatrial.sandbox.timing import SANDBOX, Timing


@dataclass(frozen=True)
class ControllerContext:
    """The surroundings of the controllers of one process."""

    api: Api
    informers: SharedInformers
    events: EventRecorder
    now: Clock = utc_now
    timing: Timing = SANDBOX


class Controller(Protocol):
    """One control loop. It adds its handlers to the informers when it is built and works while it runs."""

    name: str

    async def run(self) -> None:
        """Work until cancelled."""
        ...
