"""`watch`: what changes on the cluster, as it does, above the prompt."""

from typing import TYPE_CHECKING

import click

from seatrial.shell.following import for_option, going_on, ready_in, watched, watching
from seatrial.shell.look import all_option, live_doubts, output_option, where
from seatrial.shell.shell import Shell
from seatrial.shell.values import KIND, NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.shell.watching import Watching

_EPILOG = """\b
Examples:
  watch
  watch pods deployments --namespace shop
  watch nodes --off
  watch --off
  # in a script: for a minute, for programs
  watch pods --all --for 60 -o json

\b
Keys of each line with -o json:
  time, change, kind, namespace, name, about, words
"""
_USUAL = ("nodes", "pods")


@click.command("watch", epilog=_EPILOG)
@click.argument("kinds", nargs=-1, type=KIND)
@click.option("--namespace", "-n", type=NAMESPACE, metavar="NAME", help="Where; a glob such as 'team-*', too.")
@all_option
@click.option("--off", is_flag=True, help="Watch these kinds no longer, or nothing at all.")
@for_option
@output_option()
@click.pass_obj
async def watch(
    shell: Shell,
    kinds: tuple[str, ...],
    namespace: str | None,
    everywhere: bool,
    off: bool,
    seconds: float | None,
    output: str,
) -> None:
    """Tell what changes, one line a change, while other commands go on. Without a KIND it is nodes and pods.

    Of very many changes the first of each second are told, and how many more there were. When the API server is away,
    that is told (with -o json as time and note), so that silence means that nothing changed. In a script, and with
    --for, it waits: for that long, or until Ctrl-C.
    """
    if off:
        _end(kinds, shell)
        return
    place = await where(namespace, shell, everywhere=everywhere)
    if seconds is not None or not shell.front.is_interactive:
        with watched(watching(shell, output)) as made:
            await _begin(made, kinds or _USUAL, place, shell)
            await going_on(made, shell, seconds)
        return
    if output != "text":
        raise click.UsageError("in the background it is told for people; -o json goes with --for")
    shell.watching = shell.watching or watching(shell, output)
    await _begin(shell.watching, kinds or _USUAL, place, shell)


async def _begin(made: "Watching", kinds: tuple[str, ...], place: str, shell: Shell) -> None:
    for name in kinds:
        await ready_in(shell.live.kinds[name], place)
    for name in kinds:
        kind = shell.live.kinds[name]
        made.begin(kind, place if kind.resource.namespaced else "")
        if doubt := live_doubts(kind, namespace=place):
            shell.output.note(f"{name}: {doubt}")
    shell.output.note(f"watching {_in_words(made.places, shell)}")


def _end(kinds: tuple[str, ...], shell: Shell) -> None:
    if shell.watching is None or not shell.watching.places:
        shell.output.line("nothing is watched", "dim")
        return
    for name in kinds or ("",):
        shell.watching.end(name)
    left = shell.watching.places
    shell.output.line(f"watching {_in_words(left, shell)}" if left else "nothing is watched any more", "dim")


def _in_words(places: "Mapping[str, str]", shell: Shell) -> str:
    """What is watched: `nodes; deployments and pods in shop`."""
    by_place: dict[str, list[str]] = {}
    for name, place in sorted(places.items()):
        where = f" in {place or 'every namespace'}" if shell.live.kinds[name].resource.namespaced else ""
        by_place.setdefault(where, []).append(name)
    return "; ".join(f"{' and '.join(names)}{place}" for place, names in sorted(by_place.items()))
