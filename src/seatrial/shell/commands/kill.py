"""`kill`: end pods by their number in the last list, or by name; or send a signal to their containers."""

from collections.abc import Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from seatrial.shell.acting import act
from seatrial.shell.pointed_pods import those_to_end
from seatrial.shell.shell import Shell
from seatrial.shell.values import CONTAINER, POD

_EPILOG = """\b
Examples:
  kill 1
  kill web-7d4b9 shop/cart-5c9f --force
  # a signal to the main process of the pod's first container
  kill 1 SIGTERM
  kill 1 --signal 15 --container sidecar
  kill 1 SIGSTOP --resume-after 20
"""

_RELOADS = frozenset({"SIGHUP", "SIGUSR1", "SIGUSR2"})
"""Signals by which programs are told something: most go on after them."""


_LINUX = {
    1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 6: "SIGABRT", 9: "SIGKILL", 10: "SIGUSR1", 12: "SIGUSR2", 15: "SIGTERM",
    19: "SIGSTOP",
}  # fmt: skip
"""Signals by their numbers on the nodes, which run Linux: where this runs they may have others."""


class _Signal(click.ParamType[str]):
    """A signal by its name, with or without SIG, or its number; the policy language says which there are."""

    name = "signal"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 -- click's signature
        """Those that are known by number, too."""
        wanted = incomplete.upper().removeprefix("SIG")
        return [
            CompletionItem(name, help=str(number))
            for number, name in _LINUX.items()
            if name.removeprefix("SIG").startswith(wanted)
        ]


@click.command("kill", epilog=_EPILOG)
@click.argument("pods", metavar="NUMBER|NAME... [SIGNAL]", nargs=-1, type=POD)
@click.option("--force", "-f", is_flag=True, help="At once, without the pod's grace period.")
@click.option("--signal", "-s", "signal_", metavar="SIGNAL", type=_Signal(), default="", help="SIGTERM, TERM, 15, ...")
@click.option(
    "--container", "-c", metavar="NAME", type=CONTAINER, default="", help="Whose main process gets the signal."
)
@click.option(
    "--resume-after", type=click.IntRange(min=1), metavar="SECONDS", help="With SIGSTOP: when the process goes on."
)
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
@click.pass_obj
async def kill(
    shell: Shell,
    pods: tuple[str, ...],
    force: bool,
    signal_: str,
    container: str,
    resume_after: int | None,
    yes: bool,
) -> int:
    """Kill pods through the API server, or with a signal the main process of a container of each.

    A pod is named by its number in the last list, or by its name, with its namespace before a slash where that is
    another. Without a pod nothing is killed. A killed pod has its own grace period, unless --force is given.
    """
    from seatrial.by_hand.pod_orders import kill_order, signal_order

    *words, last = pods or ("",)
    # Names of pods have no capitals, so that a word of capitals is a signal.
    if last.isupper() and not signal_:
        signal_ = last
    else:
        words = list(pods)
    spec = _signal_spec(signal_, container=container, resume_after=resume_after, force=force)
    chosen = await those_to_end(words, shell, force=force)
    if not chosen:
        shell.output.error("nothing to do: nothing was done")
        return 3
    cluster = shell.session.context.cluster
    order = await (signal_order(chosen, cluster, spec) if spec else kill_order(chosen, cluster, force=force))
    return await act(order, shell, yes=yes)


def _signal_spec(given: str, *, container: str, resume_after: int | None, force: bool) -> Mapping[str, Any]:
    """What the policy's `killContainer` says; empty where no signal was given."""
    if not given:
        if container or resume_after:
            raise click.UsageError(
                "--container and --resume-after go with a signal; without one the whole pod is killed"
            )
        return {}
    if force:
        raise click.UsageError("--force goes without a signal: it kills the whole pod at once")
    name = _signal_name(given)
    spec: dict[str, Any] = {"signal": name}
    if container:
        spec["container"] = container
    if resume_after is not None:
        spec["resumeAfter"] = resume_after
    if name in _RELOADS:
        spec["expectEnd"] = False
    return spec


def _signal_name(given: str) -> str:
    """A signal as policies have it."""
    from seatrial.by_hand.list_numbers import number_in

    if (number := number_in(given)) in _LINUX:
        return _LINUX[number]
    name = given.upper()
    return name if name.startswith("SIG") else f"SIG{name}"
