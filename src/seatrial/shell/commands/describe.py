"""`describe`: all about one thing, and what losing it would mean."""

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from seatrial.shell.live_value import Asked, LiveValue
from seatrial.shell.look import output_option
from seatrial.shell.matching import matching
from seatrial.shell.shell import Shell
from seatrial.shell.values import NAMESPACE, POD, NamesValue

_EPILOG = """\b
Examples:
  describe 1
  describe shop/cart-5c9f
  describe node node2
  describe deployment cart -n shop
  describe deployment/cart -o yaml
"""

# What is completed, and the attribute of `LiveCluster` that has its names; any other kind can be described, too.
_KINDS = {
    "pod": "pods", "node": "nodes", "deployment": "deployments", "statefulset": "stateful_sets",
    "daemonset": "daemon_sets", "replicaset": "replica_sets", "job": "jobs", "service": "services",
    "namespace": "namespaces",
}  # fmt: skip


class _PodOrKind(LiveValue):
    """A pod, or a kind whose name follows."""

    name = "pod or kind"

    def candidates(self, asked: Asked, part: str) -> Iterable[CompletionItem]:
        """Kinds first, then pods."""
        for kind in matching(sorted(_KINDS), part):
            yield CompletionItem(kind, help=f"followed by the name of a {kind}")
        yield from POD.candidates(asked, part)


class _NameOfKind(LiveValue):
    """The name of a thing of the kind that the line has."""

    name = "name"

    def candidates(self, asked: Asked, part: str) -> Iterable[CompletionItem]:
        """The names of that kind, where the live view knows it."""
        said = str(asked.context.params.get("what") or "").lower()
        kind = _KINDS.get(said) or _KINDS.get(said.removesuffix("s"))
        if kind == "pods":
            yield from POD.candidates(asked, part)
        elif kind and asked.opened(kind).resource.namespaced:
            yield from NamesValue(kind).candidates(asked, part)
        elif kind:
            yield from map(CompletionItem, matching(asked.opened(kind).names(), part))


@click.command("describe", epilog=_EPILOG)
@click.argument("what", metavar="POD|KIND", type=_PodOrKind())
@click.argument("name", required=False, type=_NameOfKind())
@click.option("--namespace", "-n", type=NAMESPACE, metavar="NAME", help="Where it is; the session's, if none is said.")
@output_option("yaml")
@click.pass_obj
async def describe(shell: Shell, what: str, name: str | None, namespace: str | None, output: str) -> None:
    """Tell all about a pod, a node, or anything else that the API server keeps.

    A pod is named by its number in the last list or by its name. Of a pod it is told what a kill would mean, of a node
    what losing it would. With -o json or yaml it is the object itself.
    """
    from seatrial.shell.describing.account import account_lines
    from seatrial.shell.describing.others import as_yaml
    from seatrial.shell.describing.things import account_of, find_thing

    thing = await find_thing(what, name, shell, namespace=namespace)
    if output == "json":
        shell.output.json(thing.body)
    elif output == "yaml":
        with shell.output.long():
            shell.output.line(as_yaml(thing.body).rstrip("\n"))
    else:
        account = await account_of(thing, shell)
        with shell.output.long():
            for line in account_lines(account, shell.output.console):
                shell.output.console.print(line, soft_wrap=True)
