"""What the commands that look have in common: options, where to look, and how old that is which is seen."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seatrial.errors import ClusterError, UsageError

if TYPE_CHECKING:
    from seatrial.by_hand.live.kind import LiveKind
    from seatrial.kube.reduction import Reduced
    from seatrial.shell.shell import Shell
    from seatrial.shell.tables import Column, Row

_F = TypeVar("_F", bound=Callable[..., Any])

ALL_NAMESPACES = ""
_MOST_SECONDS_FOR_A_NAMESPACE = 5.0


def output_option(*more: str) -> Callable[[_F], _F]:
    """`--output`: text for people, or for programs."""
    choice = click.Choice(["text", "json", *more])
    return click.option("--output", "-o", type=choice, default="text", help="For people, or for programs.")


def list_options(command: _F) -> _F:
    """`--sort` and `--output`, of commands that list."""
    sort = click.option("--sort", metavar="[-]COLUMN", help="In the order of a column; with - from its end.")
    return sort(output_option()(command))


def all_option(command: _F) -> _F:
    """`--all`: look into every namespace."""
    return click.option("--all", "-A", "everywhere", is_flag=True, help="In all namespaces, as '*' means.")(command)


async def where(namespace: str | None, shell: "Shell", *, everywhere: bool = False) -> str:
    """The namespace to look into, a glob of several, or `ALL_NAMESPACES`; the session's where none is said.

    Raises:
        UsageError: there is no such namespace.
    """
    if everywhere or namespace == "*":
        return ALL_NAMESPACES
    if namespace is None:
        return shell.namespace
    await check_namespace(namespace, shell)
    return namespace


async def check_namespace(namespace: str, shell: "Shell") -> None:
    """Return where there may be such a namespace, or where it is a glob.

    Raises:
        UsageError: there is none.
    """
    from seatrial.targets.pod_matchers.reader import is_glob

    if is_glob(namespace) or await has_namespace(namespace, shell) is not False:
        return
    try:
        names = [each.name for each in await seen(shell.live.namespaces, ALL_NAMESPACES, shell)]
    except ClusterError:
        names = []  # one may be read, and not all be listed
    raise UsageError(f"there is no namespace {namespace!r}", hint=guess(namespace, names))


async def has_namespace(name: str, shell: "Shell") -> bool | None:
    """Whether there is such a namespace; None where that may not be known."""
    from seatrial.kube.errors import NotFound
    from seatrial.kube.objects import PartialObject
    from seatrial.kube.resources import NAMESPACES

    known = shell.live.namespaces
    # A person who is told how old it is that they see is not kept waiting for an API server that is away.
    if known.get("", name) is not None and (known.is_current or shell.front.is_interactive):
        return True
    try:
        # It may be younger than the live view.
        async with asyncio.timeout(_MOST_SECONDS_FOR_A_NAMESPACE):
            await shell.session.context.cluster.get(NAMESPACES, name, type=PartialObject)
    except NotFound:
        return False
    except (ClusterError, TimeoutError):
        return None
    return True


def guess(word: str, known: Iterable[str]) -> str:
    """What may have been meant."""
    names = list(known)
    close = get_close_matches(word, names, n=3)
    return f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(names[:8])}" if names else ""


_T = TypeVar("_T", bound="Reduced")


async def seen(kind: "LiveKind[_T]", namespace: str, shell: "Shell", *, selector: str = "") -> Sequence[_T]:
    """The objects of a kind there, those that a label selector selects, by namespace and name.

    A person sees them as the live view has them, at once. A script is told what the API server has at this moment:
    it may have changed something a line before, of which the live view has yet to hear.

    Raises:
        ClusterError: they may not be looked at, or the API server is away.
        SelectorError: that is no selector.
    """
    from fnmatch import fnmatchcase

    from seatrial.kube.selectors import parse_label_selector
    from seatrial.targets.pod_matchers.reader import is_glob

    selects = parse_label_selector(selector)
    exact = namespace if namespace and not is_glob(namespace) else ""
    found = await (_viewed(kind, exact) if shell.front.is_interactive else _read(kind, exact, shell))
    if namespace and not exact:
        found = [each for each in found if fnmatchcase(each.namespace, namespace)]
    return [each for each in found if selects.matches(_labels(each))] if selector else found


async def _viewed(kind: "LiveKind[_T]", namespace: str) -> Sequence[_T]:
    await kind.ready(namespace)
    return kind.in_namespace(namespace) if namespace else kind.all()


async def _read(kind: "LiveKind[_T]", namespace: str, shell: "Shell") -> Sequence[_T]:
    cluster = shell.session.context.cluster
    listed = await cluster.list(kind.resource, namespace=namespace or None, type=kind.object_type)
    return sorted(listed.items, key=lambda each: (each.namespace, each.name))


def _labels(item: Any) -> Mapping[str, str]:
    labels: Mapping[str, str] = item.labels
    return labels


def doubts(shell: "Shell", *kinds: "LiveKind[Any]", namespace: str = ALL_NAMESPACES) -> str:
    """Why what a person sees there may not be what is; a script does not see the live view, see `seen`."""
    return live_doubts(*kinds, namespace=namespace) if shell.front.is_interactive else ""


def live_doubts(*kinds: "LiveKind[Any]", namespace: str = ALL_NAMESPACES) -> str:
    """Why what the live view has of a namespace may not be what is: how old it is, and what could not be looked at."""
    words = []
    for kind in kinds:
        problem = kind.problem_in(namespace)
        if kind.is_ready and not kind.is_current:
            words.append(f"as of {kind.seconds_behind:.0f} s ago: {problem or 'the API server is away'}")
        elif problem:
            words.append(problem)
    return "; ".join(dict.fromkeys(words))


async def now(shell: "Shell") -> datetime:
    """The moment that ages are told of, by the API server's clock."""
    from seatrial.by_hand.server_time import server_time

    context = shell.session.context
    known = shell.server_time or await server_time(context)
    shell.server_time = known if known.is_seen else None  # it is looked at again
    return known.now(context.clock.now())


def in_order(rows: Sequence["Row"], columns: Sequence["Column"], sort: str | None) -> Sequence["Row"]:
    """The rows in the order that was asked for."""
    from seatrial.shell.tables import sorted_by

    return sorted_by(sort, rows, columns) if sort else rows
