"""What commands that go on have in common: how they write changes, and how long they last."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seatrial.policy.wording import printable
from seatrial.shell.shell import Shell
from seatrial.shell.watching import MOST_A_SECOND, Watching

if TYPE_CHECKING:
    from seatrial.by_hand.live.changes import Telling
    from seatrial.by_hand.live.kind import Change, LiveKind

_F = TypeVar("_F", bound=Callable[..., Any])


def for_option(command: _F) -> _F:
    """`--for`: how long to go on."""
    return click.option(
        "--for", "seconds", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
        help="Wait so long, and end then.",
    )(command)  # fmt: skip


def watching(shell: Shell, output: str) -> Watching:
    """Something to watch with that writes to the shell's output; for programs every change, a line of JSON each."""

    def tell(telling: "Telling", change: "Change[Any]") -> None:
        from seatrial.by_hand.live.changes import kind_in_words
        from seatrial.shell.states import node_style, state_style

        style_of = node_style if kind_in_words(change.object) == "node" else state_style
        shell.output.line(printable(str(telling)), style_of(telling.state))

    def tell_programs(telling: "Telling", change: "Change[Any]") -> None:
        from seatrial.by_hand.live.changes import kind_in_words
        from seatrial.shell.ages import utc_text

        item = change.object
        told = {
            "time": utc_text(shell.session.context.clock.now()),
            "change": change.type,
            "kind": kind_in_words(item),
            "namespace": item.namespace or None,
            "name": item.name,
            "about": telling.about,
            "words": telling.words,
        }
        shell.output.line(json.dumps(told))

    def note_programs(text: str) -> None:
        from seatrial.shell.ages import utc_text

        shell.output.line(json.dumps({"time": utc_text(shell.session.context.clock.now()), "note": text}))

    if output == "json":
        return Watching(tell_programs, note_programs, most_a_second=None)
    return Watching(tell, lambda text: shell.output.line(text, "dim"), most_a_second=MOST_A_SECOND)


async def ready_in(kind: "LiveKind[Any]", namespace: str) -> None:
    """Return when the objects of a namespace, of those of a glob or of all are there.

    Raises:
        ClusterError: they may not be listed, or the API server is away.
    """
    from seatrial.targets.pod_matchers.reader import is_glob

    await kind.ready(namespace if kind.resource.namespaced and not is_glob(namespace) else "")


@contextmanager
def watched(watching: Watching) -> Iterator[Watching]:
    """What is watched in the block is watched no more after it."""
    try:
        yield watching
    finally:
        watching.end()


async def going_on(watching: Watching, shell: Shell, seconds: float | None) -> None:
    """Return after so long; without seconds only when Ctrl-C ends it.

    Raises:
        OSError: whoever read what is told has gone.
    """
    ends = [asyncio.create_task(watching.until_broken(), name="broken")]
    if seconds is not None:
        ends.append(asyncio.create_task(shell.session.context.clock.sleep(seconds), name="over"))
    try:
        done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            each.result()
    finally:
        for each in ends:
            each.cancel()
        await asyncio.gather(*ends, return_exceptions=True)
