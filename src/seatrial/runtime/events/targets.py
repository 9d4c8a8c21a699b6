"""What matchers found, what filters left, and what guardrails kept from being hit."""

from typing import Literal

from seatrial.runtime.events.event import Event
from seatrial.runtime.events.references import NodeRef, PodRef


class TargetsMatched(Event, frozen=True, kw_only=True):
    """What one matcher found; `kind` is what it looks for."""

    matcher: str
    count: int
    kind: Literal["pod", "node"] = "pod"


class TargetsFiltered(Event, frozen=True, kw_only=True):
    """What one filter left; `note` says how a fraction was rounded or why nothing passed."""

    filter: str
    before: int
    after: int
    note: str = ""


class TargetsChosen(Event, frozen=True, kw_only=True):
    """The pods the step's actions will act on."""

    pods: tuple[PodRef, ...]
    matched: int


class NodesChosen(Event, frozen=True, kw_only=True):
    """The nodes the step's actions will act on."""

    nodes: tuple[NodeRef, ...]
    matched: int


class GuardrailHeld(Event, frozen=True, kw_only=True):
    """A guardrail refused a step before it acted."""

    guardrail: str
    reason: str
