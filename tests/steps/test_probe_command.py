import asyncio
import os
import sys
from pathlib import Path

import psutil
import pytest
from pydantic import ValidationError

from seatrial.errors import UsageError
from seatrial.probes.command import run_command
from seatrial.runtime.verdict import Verdict
from seatrial.steps.probe_command import STEP, ProbeCommand, plan, run


def probe(*command, **given):
    return ProbeCommand.model_validate({"command": list(command), "retries": 1, **given})


def python(script):
    return sys.executable, "-c", script


async def test_a_program_that_ends_as_expected_passes(recorder):
    """Its exit code and time are recorded, its arguments are not: they may hold secrets."""
    assert (await run(probe("echo", "secret"), recorder.context)).passed
    [sample] = await recorder.events()
    assert (sample.ok, sample.via, sample.target, sample.answer) == (True, "command", "echo", "exit code 0")
    assert sample.latency_ms > 0


async def test_another_exit_code_fails(recorder):
    """With the last line of its errors."""
    outcome = await run(probe("sh", "-c", "echo first >&2; echo broken >&2; exit 3"), recorder.context)
    assert outcome.verdict is Verdict.FAILED
    assert outcome.reasons == ("command 'sh': expected exit code 0, got exit code 3 ('broken')",)


async def test_another_exit_code_may_be_the_expected_one(recorder):
    """That something is broken may be what is to be shown."""
    assert (await run(probe("sh", "-c", "exit 3", exitCode=3), recorder.context)).passed


async def test_a_program_that_dies_of_a_signal_fails(recorder):
    """Which one is said."""
    outcome = await run(probe("sh", "-c", "kill -TERM $$"), recorder.context)
    assert outcome.reasons == ("command 'sh': expected exit code 0, got signal 15",)


async def test_the_output_must_match(recorder):
    """A regular expression, found anywhere in standard output."""
    assert (await run(probe("printf", "a\nready: 3\n", output=r"ready: \d"), recorder.context)).passed
    outcome = await run(probe("printf", "ready: none", output=r"ready: \d"), recorder.context)
    assert outcome.reasons == (r"command 'printf': nothing in its output matches 'ready: \d'",)


async def test_there_is_no_shell(recorder):
    """Arguments arrive as they are."""
    assert (await run(probe("printf", "%s", "$HOME; *", output=r"^\$HOME; \*$"), recorder.context)).passed


async def test_variables_are_added_to_those_of_seatrial(recorder, monkeypatch):
    """And win over them."""
    monkeypatch.setenv("KEPT", "kept")
    monkeypatch.setenv("CHANGED", "before")
    environment = [{"name": "CHANGED", "value": "after"}, {"name": "ADDED", "value": "a=b"}]
    spec = probe("sh", "-c", "echo $KEPT $CHANGED $ADDED", environment=environment, output="^kept after a=b$")
    assert (await run(spec, recorder.context)).passed


async def test_it_reads_nothing(recorder):
    """A program that waits for input comes to its end at once."""
    assert (await run(probe("cat"), recorder.context)).passed


async def test_a_program_that_takes_too_long_is_killed_with_all_that_it_started(recorder, tmp_path):
    """Also what does not listen to signals."""
    script = f"trap '' TERM; sh -c 'trap \"\" TERM; echo $$ > {tmp_path}/child; sleep 600 & wait' & wait"
    outcome = await run(probe("sh", "-c", script, timeout=3000), recorder.context)
    assert outcome.reasons == ("command 'sh': did not end within 3000 ms",)
    await _gone(int((tmp_path / "child").read_text()))


async def test_what_a_program_leaves_behind_ends_with_it(recorder, tmp_path):
    """A background process neither outlives the probe nor holds it up, though it holds its output open."""
    script = f"sleep 600 & echo $! > {tmp_path}/child; echo done"
    assert (await run(probe("sh", "-c", script, output="done"), recorder.context)).passed
    await _gone(int((tmp_path / "child").read_text()))


async def test_a_probe_that_is_cancelled_leaves_nothing(tmp_path):
    """The experiment was stopped in the middle."""
    child = tmp_path / "child"
    script = f"sleep 600 & echo $! > {child}.new; mv {child}.new {child}; wait"
    task = asyncio.create_task(run_command(["sh", "-c", script], environment={}, timeout_seconds=600))
    while not child.exists():  # noqa: ASYNC110 -- another process makes it
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _gone(int(child.read_text()))


async def _gone(pid):
    """Wait until a process has ended; one that nobody has buried yet has."""
    async with asyncio.timeout(30):
        while psutil.pid_exists(pid) and _runs(pid):  # noqa: ASYNC110 -- it is nobody's child here
            await asyncio.sleep(0.01)


def _runs(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_output_is_bounded():
    """The first MiB is kept, and the program is not held up by the rest."""
    result = await run_command(python("print('x' * 5_000_000)"), environment={}, timeout_seconds=60)
    assert (result.exit_code, len(result.stdout)) == (0, 1024 * 1024)


async def test_output_of_any_bytes_is_text():
    """What is no UTF-8 is replaced."""
    result = await run_command(["printf", r"\377\376ok"], environment={}, timeout_seconds=60)
    assert result.stdout.endswith("ok")


@pytest.mark.parametrize("name", ["nosuch-program", "/", os.devnull])
async def test_a_program_that_can_t_be_run_is_no_finding(recorder, name):
    """The error is for the engine, which makes the step inconclusive."""
    with pytest.raises(UsageError, match="can't be run"):
        await run(probe(name), recorder.context)


async def test_descriptors_are_not_leaked(recorder):
    """As often as it runs."""
    await run(probe("true"), recorder.context)
    before = len(list(Path("/proc/self/fd").iterdir()))
    await run(probe("true", count=20), recorder.context)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


async def test_a_plan_tells_the_program(recorder):
    """And that nobody knows what it does; arguments are not shown."""
    planned = await plan(probe("kubectl", "--token=secret"), recorder.context)
    assert planned.summary == "run 'kubectl' here, expecting exit code 0"
    assert planned.notes


@pytest.mark.parametrize(
    "given",
    [
        {"command": []},
        {"command": "ls -l"},
        {"command": ["ls"], "output": "("},
        {"command": ["ls", "a\0b"]},
        {"command": ["ls"], "environment": [{"name": "A=B", "value": ""}]},
    ],
)
def test_what_can_t_be_run_is_refused(given):
    """No words, one text for a shell, a broken pattern, characters that no program can be given."""
    with pytest.raises(ValidationError):
        ProbeCommand.model_validate(given)


def test_it_may_run_in_the_background():
    """It counts as a step that changes nothing."""
    assert STEP.changes_nothing
