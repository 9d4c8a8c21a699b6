"""Undo: written before a change, carried out after it, also for runs that died."""

from seatrial.runtime.events.event import Event


class UndoWritten(Event, frozen=True, kw_only=True):
    """The journal holds what will undo the change about to be made."""

    description: str


class UndoDone(Event, frozen=True, kw_only=True):
    """A change is undone, and seen to be; `note` says what was left as it is because somebody else changed it."""

    description: str
    note: str = ""


class UndoRetried(Event, frozen=True, kw_only=True):
    """An undo failed for a reason that may pass, and is tried again after `wait_seconds`; `attempt` counts from 1."""

    description: str
    error: str
    attempt: int
    wait_seconds: float


class UndoFailed(Event, frozen=True, kw_only=True):
    """A change could not be undone; `manual` is what a person can do about it."""

    description: str
    error: str
    manual: str


class EarlierRunFound(Event, frozen=True, kw_only=True):
    """A run that left changes behind; `note` says why it is left alone, empty where its clean-up is finished now."""

    run_id: str
    policy: str
    started: str
    server: str
    undos: int
    note: str = ""


class ChangesKept(Event, frozen=True, kw_only=True):
    """A session by hand ends and leaves on purpose what it changed; `changes` says what undoing that would do."""

    run_id: str
    changes: tuple[str, ...]
