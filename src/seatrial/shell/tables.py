"""Tables as the shell shows them: plain data, and which of it stands in which column, in which order of importance."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec


def _as_text(value: Any) -> str:
    return "" if value is None else str(value)


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column: its heading, the key of the data it shows, and how.

    Where a window is too narrow for all, columns with the highest `drop` go first; 0 stays. `style` gives the style
    of a value, such as red for a state that is none to be in.
    """

    heading: str
    key: str
    show: Callable[[Any], str] = _as_text
    style: Callable[[Any], str] = lambda _value: ""
    drop: int = 0
    align: str = "left"


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of plain data (what `--output json` prints) and the columns that show them.

    `empty` is said where there are no rows, `note` below those there are.
    """

    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]
    empty: str = "none"
    note: str = ""
