"""`seatrial plan`: show exactly what a policy would hit, with the seed that makes it so, and touch nothing."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from seatrial.cli.options import FILE, cluster_options, output_option, parse_seed, seed_option

if TYPE_CHECKING:
    from seatrial.policy.models import Policy
    from seatrial.runtime.plan import Plan

_EPILOG = """\b
Examples:
  seatrial plan policy.yml
  seatrial plan policy.yml --seed 7 && seatrial autonomous --policy-file policy.yml --seed 7
  seatrial plan policy.yml --output json | jq '.scenarios[].steps[].victims'
"""


@click.command(epilog=_EPILOG)
@click.argument("policy_file", metavar="FILE", type=FILE, envvar="POLICY_FILE")
@cluster_options
@seed_option
@output_option("the plan")
def plan(policy_file: Path, kubeconfig: Path | None, kube_context: str | None, seed: str | None, output: str) -> int:
    """Show which pods the first round of a policy would hit, what is left of their owners, and what forbids it.

    It shows the cluster as it is: a step that changes the cluster changes what those after it find.
    """
    import asyncio

    from rich.console import Console

    from seatrial.policy.load import load_policy
    from seatrial.report.plan import plan_as_json, print_plan
    from seatrial.steps.registry import policy_model

    policy = load_policy(policy_file, model=policy_model())
    made = asyncio.run(_plan(policy, policy_file, kubeconfig, kube_context, parse_seed(seed)))
    if output == "json":
        click.echo(plan_as_json(made))
    else:
        where = [("--kubeconfig", kubeconfig), ("--context", kube_context)]
        given = [part for flag, value in where if value is not None for part in (flag, str(value))]
        print_plan(made, Console(highlight=False), arguments=given)
    return 0


async def _plan(
    policy: "Policy", file: Path, kubeconfig: Path | None, kube_context: str | None, seed: int | str | None
) -> "Plan":
    from seatrial.cli.session import own_identity
    from seatrial.engine.plan import make_plan
    from seatrial.kube.client import connect
    from seatrial.runtime.clock import SystemClock
    from seatrial.runtime.context import Context
    from seatrial.runtime.events import EventStream
    from seatrial.runtime.journal import Journal, RunJournal
    from seatrial.runtime.randomness import Randomness, new_seed

    chosen = seed if seed is not None else policy.config.seed
    clock = SystemClock()
    async with await connect(kubeconfig=kubeconfig, context=kube_context) as cluster:
        journal = Journal.in_memory()
        context = Context(
            run_id="plan",
            cluster=cluster,
            journal=RunJournal(journal, "plan"),
            events=EventStream(clock),
            randomness=Randomness(str(new_seed() if chosen is None else chosen)),
            clock=clock,
            identity=own_identity(),
        )
        try:
            return await make_plan(policy, context, name=str(file))
        finally:
            await journal.close()
