"""The databases that a store can stand on, and what differs between them: `sqlite` and `postgres` have the rest.

The store's statements are the same for both (`?` stands for a value). What each calls its types is in `Dialect`, which
`schema` fills in.
"""

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

import msgspec

from seatrial.errors import StateError

T = TypeVar("T")


class NewerStoreError(StateError):
    """A store that a later version of Seatrial has written."""

    def __init__(self, place: str) -> None:
        super().__init__(
            f"the store {place} was written by a later version of Seatrial",
            hint="use that version, or another store: --store",
        )


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """What a database calls things: a key that counts up, a double, whole numbers of 8 bytes, bytes.

    `clustered` stands behind a table whose rows lie in the order of their key.
    """

    identity: str
    double: str
    whole: str
    blob: str
    clustered: str


class Session(Protocol):
    """A transaction."""

    def run(self, statement: str, *values: Any) -> int:
        """Carry out a statement; how many rows it changed."""
        ...

    def run_many(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Carry out a statement for each row."""
        ...

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a query finds."""
        ...


class Database(Protocol):
    """A database with tables of this version; its errors are `StateError`s, which hold no password."""

    @property
    def place(self) -> str:
        """Where it is, as may be shown."""
        ...

    @property
    def largest_bytes(self) -> int | None:
        """How large it may grow, whatever is asked for; None where that is up to who asks."""
        ...

    def write(self, work: Callable[[Session], T]) -> T:
        """Do something in one transaction, during which nobody else writes; it may be tried twice."""
        ...

    def read(self, work: Callable[[Session], T]) -> T:
        """Look at something that doesn't change meanwhile; it may be tried twice."""
        ...

    def size_bytes(self) -> int:
        """How much room it takes, without what is free in it."""
        ...

    def shrink(self) -> bool:
        """Give back some of the room that is free; whether there is more to give back."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...
