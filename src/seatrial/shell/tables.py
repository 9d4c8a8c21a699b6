"""Tables as the shell shows them: plain data, and which of it stands in which column, in which order of importance.

How they fit into a window is `table_layout`'s; ages and the colours of states are in `ages` and `states`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from seatrial.errors import UsageError

Row = Mapping[str, Any]


def _as_text(value: Any) -> str:
    return "" if value is None else str(value)


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column: its heading, the key of the data it shows, and how.

    Where a window is too narrow for all, columns with the highest `drop` go first; 0 stays. `style` gives the style
    of a value, such as red for a state that is none to be in. A column that is `optional` is left out where no row
    has anything in it. What is too long in one that `wraps` goes on below, instead of being cut.
    """

    heading: str
    key: str
    show: Callable[[Any], str] = _as_text
    style: Callable[[Any], str] = lambda _value: ""
    drop: int = 0
    align: Literal["left", "right"] = "left"
    optional: bool = False
    wraps: bool = False


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of plain data (what `--output json` prints) and the columns that show them.

    `empty` is said where there are no rows, `note` below either.
    """

    columns: Sequence[Column]
    rows: Sequence[Row]
    empty: str = "none"
    note: str = ""


def joined(values: Sequence[str] | None) -> str:
    """Several values in one cell."""
    return ",".join(values or ())


def sorted_by(key: str, rows: Sequence[Row], columns: Sequence[Column]) -> Sequence[Row]:
    """The rows in the order of a column, named by its heading or its key in JSON; `-` before it turns that round.

    What has no value comes last either way.

    Raises:
        UsageError: there is no such column.
    """
    name = key.removeprefix("-")
    keys = {each.heading.casefold(): each.key for each in columns} | {each.key.casefold(): each.key for each in columns}
    if name.casefold() not in keys:
        headings = ", ".join(each.heading.lower() for each in columns if each.heading != "#")
        raise UsageError(f"there is no column {name!r} to sort by", hint=f"one of {headings}; -{name} from the end")
    by = keys[name.casefold()]
    known = [row for row in rows if not _is_missing(row.get(by))]
    ordered = sorted(known, key=lambda row: _comparable(row[by]), reverse=key.startswith("-"))
    return [*ordered, *(row for row in rows if _is_missing(row.get(by)))]


def _is_missing(value: Any) -> bool:
    return value is None or value in ("", [], ())


def _comparable(value: Any) -> Any:
    if isinstance(value, int | float):
        return (0, value, "")
    return (1, 0, joined(value) if isinstance(value, list | tuple) else str(value))
