"""`seatrial validate`: check policy files, all of them, and show all that is wrong with each."""

import json
import os
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from seatrial.policy.models import Policy

_STDIN = "-"
_INVALID = 2


@dataclass(frozen=True, kw_only=True)
class Report:
    """What is said about one file; programs read it as JSON."""

    file: str
    valid: bool
    scenarios: int = 0
    steps: int = 0
    error: str = ""
    problems: list[dict[str, Any]] = field(default_factory=list)
    text: str = ""


@click.command()
@click.argument("files", nargs=-1, metavar="FILE...")
@click.option("--policy-file", "more_files", multiple=True, metavar="FILE", help="One more file to check.")
@click.option(
    "--output", "-o", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to report."
)
def validate(files: tuple[str, ...], more_files: tuple[str, ...], output: str) -> int:
    """Check policy files and show every problem of each; `-` stands for standard input.

    Nothing but the files is looked at. The exit code is 0 if all are valid, else 2. Without a FILE, the one that
    the environment variable POLICY_FILE names is checked.
    """
    named = [*files, *more_files] or [each for each in [os.environ.get("POLICY_FILE")] if each]
    if not named:
        raise click.UsageError("name a policy file, or '-' for standard input", click.get_current_context())
    reports = [_check(each) for each in named]
    if output == "json":
        click.echo(json.dumps({"files": [_as_json(each) for each in reports]}, indent=2))
    else:
        for each in reports:
            click.echo(each.text)
    return 0 if all(each.valid for each in reports) else _INVALID


def _check(file: str) -> Report:
    from seatrial.errors import ConfigurationError
    from seatrial.policy.load import load_policy
    from seatrial.policy.problems import InvalidPolicy
    from seatrial.policy.wording import printable
    from seatrial.steps.registry import policy_model

    name = "<stdin>" if file == _STDIN else file
    try:
        policy = load_policy(_read_stdin() if file == _STDIN else Path(file), model=policy_model(), name=name)
    except InvalidPolicy as error:
        return Report(file=name, valid=False, problems=error.to_json(), text=f"{error.details}\n{error.message}")
    except ConfigurationError as error:
        return Report(file=name, valid=False, error=error.message, text=f"{printable(name)}: {error.message}")
    return _report_valid(name, policy)


def _report_valid(name: str, policy: "Policy") -> Report:
    from seatrial.policy.wording import printable

    scenarios, steps = len(policy.scenarios), sum(len(each.steps) for each in policy.scenarios)
    counted = f"{_count(scenarios, 'scenario')}, {_count(steps, 'step')}"
    text = f"{printable(name)}: valid ({counted})"
    return Report(file=name, valid=True, scenarios=scenarios, steps=steps, text=text)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _read_stdin() -> bytes:
    from seatrial.policy.document import LARGEST_BYTES

    return sys.stdin.buffer.read(LARGEST_BYTES + 1)


def _as_json(report: Report) -> dict[str, Any]:
    return {key: value for key, value in asdict(report).items() if key != "text"}
