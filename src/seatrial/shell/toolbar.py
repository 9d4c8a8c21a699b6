"""The line at the bottom of the window: which cluster, which namespace, and what one had better know of them."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.utils import get_cwidth

from seatrial.shell.shell import Connection, Shell

_BETWEEN = " · "
_NOTICE, _ALARM = "class:toolbar.notice", "class:toolbar.alarm"


class _Part(NamedTuple):
    """A part of the line; where it is too long, what has the highest `drop` goes first, and 0 stays."""

    text: str
    style: str = ""
    drop: int = 0


def toolbar(shell: Shell, *, width: int, notice: str = "") -> StyleAndTextTuples:
    """The line, no longer than the window is wide; `notice` is for a moment, and comes first."""
    parts = [part for part in (_Part(notice, _NOTICE), *_parts(shell)) if part.text]
    while _length(parts) > width and any(part.drop for part in parts):
        parts.remove(max(parts, key=lambda part: part.drop))
    return _joined(parts, width)


def _parts(shell: Shell) -> Iterator[_Part]:
    connection = shell.connection
    if connection is None:
        yield _Part("connecting…", _NOTICE)
    else:
        yield _Part(connection.context_name or "cluster", _NOTICE)
        yield _Part(_halted(connection), _ALARM)
        yield _Part(urlsplit(connection.session.context.cluster.server).netloc, drop=3)
    yield _Part(f"namespace {shell.namespace}" if shell.namespace else "", drop=1)
    if connection is not None:
        yield _Part(_standing(connection, keeps=shell.keeps), _NOTICE)
        yield _Part(_loading(connection), drop=2)


def _halted(connection: Connection) -> str:
    from seatrial.by_hand.halts import halt_seen  # loaded by now: it came with the connection

    mark = halt_seen(connection.session.context)
    return f"halted by {mark.by or 'somebody'}: {mark.reason or 'no reason given'}" if mark else ""


def _standing(connection: Connection, *, keeps: bool) -> str:
    standing = len(connection.session.standing_deeds)
    return f"{standing} to undo{', kept at the end' if keeps else ''}" if standing else ""


def _loading(connection: Connection) -> str:
    loading = connection.live.loading
    return f"loading {', '.join(loading)}…" if loading else ""


def _length(parts: Sequence[_Part]) -> int:
    return 2 + sum(get_cwidth(part.text) for part in parts) + len(_BETWEEN) * (len(parts) - 1)


def _joined(parts: Sequence[_Part], width: int) -> StyleAndTextTuples:
    line: StyleAndTextTuples = [("", " ")]
    left = width - 2
    for number, part in enumerate(parts):
        between = _BETWEEN if number else ""
        left -= len(between) + get_cwidth(part.text)
        if left < 0:
            line += [("", between), (part.style, f"{part.text[: max(0, len(part.text) + left - 1)]}…")]
            break
        line += [("", between), (part.style, part.text)]
    return [*line, ("", " ")]
