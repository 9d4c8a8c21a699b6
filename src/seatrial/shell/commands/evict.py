"""`evict`: ask for the eviction of pods, as `kubectl drain` does."""

from typing import Any

import click

from seatrial.shell.acting import act
from seatrial.shell.pointed_pods import those_to_end
from seatrial.shell.shell import Shell
from seatrial.shell.values import POD

_EPILOG = """\b
Examples:
  evict 1
  evict web-7d4b9 --grace-period 5
  # try again while a PodDisruptionBudget forbids it
  evict 1 2 --timeout 60
"""


@click.command("evict", epilog=_EPILOG)
@click.argument("pods", metavar="NUMBER|NAME...", nargs=-1, type=POD)
@click.option(
    "--grace-period", type=click.IntRange(min=0), metavar="SECONDS",
    help="How long a pod may take to end.  [default: as long as it says itself]",
)  # fmt: skip
@click.option(
    "--timeout", "timeout_seconds", type=click.FloatRange(min=0), default=0, show_default=True, metavar="SECONDS",
    help="How long to try again where a PodDisruptionBudget forbids it.",
)  # fmt: skip
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
@click.pass_obj
async def evict(
    shell: Shell, pods: tuple[str, ...], grace_period: int | None, timeout_seconds: float, yes: bool
) -> int:
    """Evict pods: they are deleted as far as PodDisruptionBudgets allow. Without a pod nothing is evicted."""
    from seatrial.by_hand.pod_orders import eviction_order

    spec: dict[str, Any] = {"timeout": timeout_seconds} if timeout_seconds else {}
    if grace_period is not None:
        spec["gracePeriodSeconds"] = grace_period
    chosen = await those_to_end(pods, shell)
    if not chosen:
        shell.output.error("nothing to do: nothing was done")
        return 3
    return await act(await eviction_order(chosen, shell.session.context.cluster, spec), shell, yes=yes)
