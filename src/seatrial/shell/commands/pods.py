"""`pods`: the pods of a namespace, numbered, so that `kill 1` is enough."""

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from seatrial.shell.live_value import Asked, LiveValue
from seatrial.shell.look import all_option, list_options, seen, where
from seatrial.shell.shell import Shell
from seatrial.shell.values import NAMESPACE, SELECTOR

_EPILOG = """\b
Examples:
  pods
  pods shop
  pods shop app=cart,tier!=db
  pods '*' --sort -restarts
  pods --all 'app in (web, api)' -o json

\b
Keys of each row with -o json:
  number, namespace, name, uid, ready, status, restarts, ageSeconds,
  created, ip, node, owner, zone
"""


class _NamespaceOrSelector(LiveValue):
    """A namespace, or a selector of pods in the session's."""

    name = "namespace"

    def candidates(self, asked: Asked, part: str) -> Iterable[CompletionItem]:
        """Namespaces first, then, once something is typed, labels."""
        if not asked.context.params.get("everywhere"):
            yield from NAMESPACE.candidates(asked, part)
        if part:
            yield from SELECTOR.candidates(asked, part)


@click.command("pods", epilog=_EPILOG)
@click.argument("namespace", required=False, type=_NamespaceOrSelector())
@click.argument("selector", required=False, type=SELECTOR)
@all_option
@list_options
@click.pass_obj
async def pods(
    shell: Shell, namespace: str | None, selector: str | None, everywhere: bool, sort: str | None, output: str
) -> None:
    """List the pods of a namespace, or those of them that a label selector selects.

    Their numbers mean these pods until other pods are listed. NAMESPACE may be a glob such as 'team-*'; '*' is all.
    A narrow window leaves out the columns that matter least; -o json has them all.
    """
    from seatrial.shell.listings.shown import none_in, show_pods

    if namespace is not None and selector is None and (everywhere or is_selector(namespace)):
        namespace, selector = None, namespace
    place = await where(namespace, shell, everywhere=everywhere)
    found = await seen(shell.live.pods, place, shell, selector=selector or "")
    empty = none_in("pods", place) + (f" with {selector}" if selector else "")
    await show_pods(found, place, shell, sort=sort, output=output, empty=empty)


def is_selector(word: str) -> bool:
    """Whether that is a label selector, and can't be a namespace."""
    return any(sign in word for sign in "=! (,/")
