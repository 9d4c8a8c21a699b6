"""`seatrial notify`: try out who is told, before there is anything to tell."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seatrial.cli.options import output_option, policy_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.policy.notifications import Notification

_EPILOG = """\b
Exit codes:
  0 all took it   1 one did not   2 invalid policy, or something is missing

\b
Examples:
  seatrial notify test --policy-file policy.yml
  seatrial notify test --policy-file policy.yml --channel "on call"
"""


@click.group()
def notify() -> None:
    """Try out who is told of what happens in runs (`config.notify` of a policy)."""


@notify.command(epilog=_EPILOG)
@policy_option
@click.option("--channel", metavar="NAME", help="Test the channel of this name only, as this command shows it.")
@output_option("what came back")
def test(policy_file: Path, channel: str | None, output: str) -> int:
    """Send a test message to each channel of a policy, once, and show what came back.

    The message has the form of a real one, and says that it is a test. Rate limits and what a channel wants to hear of
    don't count.
    """
    import asyncio
    import json

    from seatrial.policy.load import load_policy
    from seatrial.steps.registry import policy_model

    policy = load_policy(policy_file, model=policy_model())
    if not policy.config.notify:
        raise click.UsageError(f"{policy_file} has nothing under config.notify", click.get_current_context())
    answers = asyncio.run(_answers(policy.config.notify, policy=str(policy_file), channel=channel))
    if channel is not None and not answers:
        raise click.UsageError(f"{policy_file} has no channel {channel!r}", click.get_current_context())
    if output == "json":
        click.echo(json.dumps({"channels": answers}, indent=2))
    else:
        for each in answers:
            taken = click.style("taken", fg="green") if each["taken"] else click.style("NOT taken", fg="red")
            click.echo(f"{each['channel']}: {taken}: {each['answer']}")
    return 0 if all(each["taken"] for each in answers) else 1


async def _answers(
    notifications: "Sequence[Notification]", *, policy: str, channel: str | None
) -> list[dict[str, Any]]:
    from seatrial.telemetry.notifications.carriers import open_carriers
    from seatrial.telemetry.notifications.delivery import DeliveryFailed
    from seatrial.telemetry.notifications.trial import trial_message

    carriers = await open_carriers(notifications)
    answers: list[dict[str, Any]] = []
    try:
        for number, carrier in enumerate(carriers, start=1):
            if channel not in (None, carrier.name):
                continue
            try:
                answer, taken = await carrier.deliver(trial_message(policy, channel=number)), True
            except DeliveryFailed as error:
                answer, taken = str(error), False
            answers.append({"channel": carrier.name, "taken": taken, "answer": answer})
    finally:
        for carrier in carriers:
            await carrier.close()
    return answers
