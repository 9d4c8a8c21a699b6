"""The step `probeCommand`: run a program of this machine and fail unless it ends, and says, what is expected."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from seatrial.policy.base import Model, complain
from seatrial.policy.scalars import FilledItems, Integer, Items, Number
from seatrial.policy.wording import quote
from seatrial.probes.command import CommandResult, run_command
from seatrial.probes.sampling import Look, sample
from seatrial.runtime.context import Context
from seatrial.runtime.plan import StepPlan
from seatrial.runtime.verdict import Outcome
from seatrial.steps.step_type import StepType


def _as_pattern(value: str) -> str:
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        raise complain(f"is no valid regular expression: {error}") from None
    return value


class EnvironmentVariable(Model):
    """A variable that the program finds beside those of Seatrial itself."""

    name: Annotated[str, Field(pattern=r"^[^=\x00]+$")]
    """The variable's name."""

    value: Annotated[str, Field(pattern=r"^[^\x00]*$")]
    """Its value."""


class ProbeCommand(Model):
    """Run a program on the machine that Seatrial runs on, and fail unless it ends as expected."""

    command: FilledItems[Annotated[str, Field(pattern=r"^[^\x00]*$")]]
    """The program and its arguments, one a list item; there is no shell in between."""

    exit_code: Annotated[Integer, Field(ge=0, le=255)] = 0
    """The expected exit code."""

    output: Annotated[str, AfterValidator(_as_pattern)] | None = None
    """A regular expression that must be found in what the program writes to standard output (its first MiB)."""

    environment: Items[EnvironmentVariable] = ()
    """More environment variables for the program."""

    retries: Annotated[Integer, Field(ge=1)] = 3
    """How often to try before the probe fails."""

    delay_ms: Annotated[Number, Field(ge=0)] = Field(default=100.0, alias="delay")
    """The pause between two tries, in milliseconds."""

    timeout_ms: Annotated[Number, Field(ge=1)] = Field(default=10000.0, alias="timeout")
    """How long the program may take, in milliseconds. After that it is killed, with all that it started."""

    count: Annotated[Integer, Field(ge=1)] = 1
    """How often to run it; each time it has to succeed."""


async def run(spec: ProbeCommand, context: Context) -> Outcome:
    """Run the program as often as asked for, and fail unless it ends as expected each time."""
    environment = {variable.name: variable.value for variable in spec.environment}

    async def look() -> Look:
        result = await run_command(spec.command, environment=environment, timeout_seconds=spec.timeout_ms / 1000)
        return Look(problem=_problem(spec, result), answer=_ending(result), latency_ms=result.elapsed_ms)

    # Arguments may hold secrets: the program's name has to do.
    name = spec.command[0]
    return await sample(spec, context, what=f"command {quote(name)}", target=name, via="command", look=look)


def _problem(spec: ProbeCommand, result: CommandResult) -> str:
    if result.exit_code is None:
        return f"did not end within {spec.timeout_ms:g} ms"
    if result.exit_code != spec.exit_code:
        last = next((line.strip() for line in reversed(result.stderr.splitlines()) if line.strip()), "")
        said = f" ({quote(last)})" if last else ""
        return f"expected exit code {spec.exit_code}, got {_ending(result)}{said}"
    if spec.output is not None and not re.search(spec.output, result.stdout):
        return f"nothing in its output matches {quote(spec.output)}"
    return ""


def _ending(result: CommandResult) -> str:
    if result.exit_code is None:
        return ""
    return f"signal {-result.exit_code}" if result.exit_code < 0 else f"exit code {result.exit_code}"


async def plan(spec: ProbeCommand, context: Context) -> StepPlan:  # noqa: ARG001 -- every step gets it
    """A program of which Seatrial can't know what it does."""
    often = f"{spec.count} x " if spec.count > 1 else ""
    return StepPlan(
        summary=f"{often}run {quote(spec.command[0])} here, expecting exit code {spec.exit_code}",
        notes=("what the program itself changes can't be known",),
    )


STEP = StepType(key="probeCommand", model=ProbeCommand, run=run, plan=plan, changes_nothing=True)
