"""`seatrial plan`: show exactly what a policy would hit, with the seed that makes it so, and touch nothing."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from seatrial.cli.machine_options import MachineChoice, machine_options
from seatrial.cli.option_group import SectionedCommand, given_again
from seatrial.cli.options import FILE, cluster_options, guardrail_options, output_option, parse_seed, seed_option

if TYPE_CHECKING:
    from seatrial.runtime.guardrails import Guardrails

_EPILOG = """\b
Exit codes:
  0 nothing stands against it   2 wrong usage or invalid policy
  3 a guardrail or a missing permission would stop a step,
    or the cluster could not be asked

\b
Examples:
  seatrial plan policy.yml
  seatrial plan policy.yml --seed 7
  # run only if the cluster is still as the plan found it
  seatrial plan policy.yml --output json > plan.json
  seatrial autonomous --policy-file policy.yml --plan plan.json
  seatrial plan policy.yml --output json | jq '.scenarios[].steps[].victims'
"""


@click.command(cls=SectionedCommand, epilog=_EPILOG)
@click.argument("policy_file", metavar="FILE", type=FILE, envvar="POLICY_FILE")
@cluster_options
@seed_option
@output_option("the plan")
@guardrail_options
@machine_options
def plan(
    policy_file: Path,
    kubeconfig: Path | None,
    kube_context: str | None,
    seed: str | None,
    output: str,
    guardrails: "Guardrails",
    machines: MachineChoice,
) -> int:
    """Show what the first round of a policy would hit and change, what is left of pods' owners, and what forbids it.

    It shows the cluster as it is: a step that changes the cluster changes what those after it find.
    """
    import asyncio

    from rich.console import Console

    from seatrial.cli.planning import plan_of
    from seatrial.cli.policy_names import policy_name
    from seatrial.cli.session import SessionOptions
    from seatrial.policy.load import load_policy
    from seatrial.report.plan import plan_as_json, print_plan
    from seatrial.steps.registry import policy_model

    options = SessionOptions(
        policy=load_policy(policy_file, model=policy_model()),
        policy_name=policy_name(policy_file),
        kubeconfig=kubeconfig,
        kube_context=kube_context,
        seed=parse_seed(seed),
        guardrails=guardrails,
        machines=machines,
    )
    made = asyncio.run(plan_of(options))
    if output == "json":
        click.echo(plan_as_json(made))
    else:
        given = given_again(without={"policy_file", "seed", "output"})
        print_plan(made, Console(highlight=False), arguments=given)
    return 0 if made.allowed else 3
