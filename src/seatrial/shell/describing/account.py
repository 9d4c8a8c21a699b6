"""How an account looks: a title, and sections of facts, a label and some words each."""

from collections.abc import Awaitable, Iterator, Sequence
from typing import TypeVar

import msgspec
from rich.console import Console
from rich.text import Text

from seatrial.errors import ClusterError
from seatrial.policy.wording import printable
from seatrial.shell.states import CHANGING

_MARGIN = "  "
_WIDEST_LABEL = 26
_NARROWEST = 24

_T = TypeVar("_T")


class Fact(msgspec.Struct, frozen=True):
    """A label and what there is to say under it."""

    label: str
    words: str
    style: str = ""


class Section(msgspec.Struct, frozen=True):
    """Facts under a title; a section without facts is left out."""

    title: str
    facts: Sequence[Fact]


class Account(msgspec.Struct, frozen=True):
    """What there is to say about a thing; the first section follows its title."""

    title: str
    style: str
    sections: Sequence[Section]


def account_lines(account: Account, console: Console) -> Iterator[Text]:
    """The lines of an account, wrapped where there is a window to wrap them at."""
    yield Text(printable(account.title), style=account.style or "bold")
    for section in account.sections:
        if not section.facts:
            continue
        if section.title:
            yield Text(section.title, style="bold")
        width = min(_WIDEST_LABEL, max(len(printable(fact.label)) for fact in section.facts))
        for fact in section.facts:
            yield from _fact_lines(fact, width, console)


def _fact_lines(fact: Fact, label_width: int, console: Console) -> Iterator[Text]:
    label = printable(fact.label)
    head = Text(_MARGIN).append(label.ljust(label_width), style="dim").append(_MARGIN)
    if len(label) > label_width:
        yield Text(_MARGIN).append(label, style="dim")
        head = Text(" " * (len(_MARGIN) + label_width + len(_MARGIN)))
    words = Text(printable(fact.words), style=fact.style)
    room = max(_NARROWEST, console.width - len(head.plain))
    for part in words.wrap(console, room, overflow="fold") if console.is_terminal else [words]:
        part.rstrip()
        line = head.append_text(part)
        line.rstrip()
        yield line
        head = Text(" " * (len(_MARGIN) + label_width + len(_MARGIN)))


def facts(*pairs: tuple[str, str | None], style: str = "") -> list[Fact]:
    """Facts, without those that there is nothing to say about."""
    return [Fact(label, words, style) for label, words in pairs if words]


async def known(asked: Awaitable[_T]) -> _T | Fact:
    """What was asked of the API server, or the fact that it can't be known, and why."""
    try:
        return await asked
    except ClusterError as error:
        return Fact("not known", error.message, CHANGING)
