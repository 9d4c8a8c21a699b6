"""`logs`: what a container of a pod has written, and goes on to write."""

import math
from typing import TYPE_CHECKING

import click

from seatrial.shell.shell import Shell
from seatrial.shell.values import CONTAINER, POD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.kube.objects import Pod

_EPILOG = """\b
Examples:
  logs 1
  logs 1 -f
  logs shop/cart-5c9f -c sidecar --since 5m
  logs 1 --previous --tail all
"""
_USUAL_LINES = 200
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


class _Tail(click.ParamType[int | None]):
    """A number of lines, or all of them."""

    name = "lines"

    def convert(
        self, value: "str | int | None", param: click.Parameter | None, ctx: click.Context | None
    ) -> int | None:
        """None for all."""
        if value is None or value in ("all", "-1"):
            return None
        try:
            number = int(value)
        except ValueError:
            number = -1
        if number < 0:
            self.fail(f"{value!r} is neither a number of lines nor 'all'", param, ctx)
        return number


@click.command("logs", epilog=_EPILOG)
@click.argument("pod", type=POD)
@click.option("--container", "-c", type=CONTAINER, metavar="NAME", help="Which container; the pod's first, if none.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what it writes, until Ctrl-C or its end.")
@click.option(
    "--tail",
    type=_Tail(),
    metavar="N|all",
    default=str(_USUAL_LINES),
    show_default=True,
    help="The last so many lines.",
)
@click.option("--since", metavar="TIME", help="What is no older than this: 30s, 5m, 2h.")
@click.option("--previous", "-p", is_flag=True, help="Of the container before its last restart.")
@click.pass_obj
async def logs(
    shell: Shell, pod: str, container: str | None, follow: bool, tail: int | None, since: str | None, previous: bool
) -> None:
    """Show what a container has written, the last lines of it."""
    from seatrial.policy.spans import parse_span
    from seatrial.shell.log_lines import LogLines
    from seatrial.shell.pointed_pods import pointed_pods

    if follow and previous:
        raise click.UsageError("--follow goes without --previous: what has ended writes no more")
    (found,) = await pointed_pods([pod], shell)
    name = _container(found, container, shell)
    stream = shell.session.context.cluster.log_stream(
        found.metadata.name, namespace=found.metadata.namespace, container=name, previous=previous, follow=follow,
        tail_lines=tail, since_seconds=math.ceil(parse_span(since)) if since else None,
    )  # fmt: skip
    lines, is_empty = LogLines(), True

    def show(complete: "Sequence[str]") -> None:
        nonlocal is_empty
        if complete:
            shell.output.line("\n".join(complete))  # together: one by one, many lines take ten times as long
            is_empty = False

    async with stream as pieces:
        async for piece in pieces:
            show(lines.feed(piece))
    show(lines.rest())
    if is_empty:
        shell.output.note(f"{name} has written nothing{f' in the last {since}' if since else ''}")


def _container(pod: "Pod", asked: str | None, shell: Shell) -> str:
    """The container that is meant: as with kubectl, an annotation may say which is meant where none is named."""
    spec = pod.spec
    usual = [each.name for each in spec.containers]
    added = [each.name for each in pod.status.ephemeral_container_statuses]
    names = [*usual, *(each.name for each in spec.init_containers), *added]
    if asked is not None:
        if asked not in names:
            raise click.UsageError(f"the pod has no container {asked!r}; it has {', '.join(names)}")
        return asked
    annotated = (pod.metadata.annotations or {}).get(_DEFAULT_CONTAINER)
    chosen = annotated if annotated in names else usual[0]
    if len(names) > 1:
        others = ", ".join(name for name in names if name != chosen)
        shell.output.note(f"container {chosen}; -c shows others: {others}")
    return chosen
