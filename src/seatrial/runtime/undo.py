"""Undo is data, not a closure: another process can finish it from the journal.

A step builds an `Undo`, hands it to `Context.journal.write` *before* it makes the change, and the engine runs the
matching `UndoKind` last in, first out when the scenario ends. Kinds come in by the entry point group
`seatrial.undo`; an undo must be safe to repeat and returns only when it has seen that the world is back.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any

import msgspec

from seatrial.errors import StateError
from seatrial.policy.extensions import Extensions
from seatrial.runtime.world import World


class Undo(msgspec.Struct, frozen=True, kw_only=True):
    """What undoes one change.

    `args` is JSON. `description` says what will be done ("delete Deployment shop/cart"), `manual` is the command by
    which a person would do it.
    """

    kind: str
    args: Mapping[str, Any] = msgspec.field(default_factory=dict)
    description: str
    manual: str


class UndoKind(msgspec.Struct, frozen=True, kw_only=True):
    """How undos of one kind are carried out.

    `run(args, world)` returns when the world is seen to be back, with a note on what it left as it is and why (somebody
    else changed it since), or an empty text. It raises a `SeatrialError` for what a person has to look at.
    `deadline_seconds` is how long it may take, where that is longer than for others. One that `serves_others` takes
    away what other undos may need: it comes after them, whenever it was written.
    """

    kind: str
    run: Callable[[Mapping[str, Any], World], Awaitable[str]]
    deadline_seconds: float | None = None
    serves_others: bool = False


@cache
def undo_kinds() -> Mapping[str, UndoKind]:
    """All kinds, by name."""
    return Extensions("seatrial.undo", UndoKind)


def undo_kind(name: str) -> UndoKind:
    """The kind of that name.

    Raises:
        StateError: this installation doesn't have it (an older version, or a plugin that was removed).
    """
    try:
        return undo_kinds()[name]
    except KeyError:
        raise StateError(
            f"don't know how to undo '{name}'", hint="install the version or plugin that made the change"
        ) from None
