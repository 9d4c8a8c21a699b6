"""Runs recorded kubectl sessions with real kubectls against a whole sandbox, and compares what they print.

A flow (`golden/kubectl/<flow>.<version>.json`) is a list of steps: commands, files they read, objects that stand there
beforehand, and what to wait for. Each flow gets a sandbox of three nodes of its own and the kubectl of its version, or
the nearest one that is found. `python -m tests.conformance get-basics.1.36` shows what differs in one flow.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seatrial.sandbox.ephemeral import ephemeral_sandbox
from seatrial.sandbox.timing import REALISTIC
from tests.conformance.bystander import Bystander, NeverReachedError
from tests.conformance.deliberate import excuse
from tests.conformance.kubectl_masking import compare_output, mask_text
from tests.conformance.scores import Outcome, Score, Suite
from tests.kubectls import nearest

_RANDOM = "[bcdfghjklmnpqrstvwxz2456789]{5}"
_GENERATED = re.compile(rf"\b[a-z][a-z0-9-]*-([4-9bcdf]{{6,10}}(-{_RANDOM})?|{_RANDOM})(?![\w.-])")
_READING = frozenset({"get", "describe", "events", "logs", "cp", "--watch=false"})
_PATIENCE_SECONDS = 60
_QUIET_SECONDS = 3
_PAUSES_SECONDS = (0.4, 0.8, 1.6)
# Slow enough that a busy machine sees the states in between, as the recordings do.
_TIMING = replace(REALISTIC, pod_start_seconds=0.8, pod_stop_seconds=1.2)


@dataclass(frozen=True)
class Printed:
    """What a command left behind."""

    exit: int
    stdout: str
    stderr: str


class FlowReplay:
    """Replays one flow with one kubectl.

    Args:
        flow: the recording.
        program: the kubectl.
        home: an empty directory: kubectl's home and current directory.
        kubeconfig: the sandbox's.
        bystander: the other client.
    """

    def __init__(
        self, flow: Mapping[str, Any], *, program: str, home: Path, kubeconfig: Path, bystander: Bystander
    ) -> None:
        self._flow = flow
        self._program = program
        self._home = home
        self._bystander = bystander
        self._environ = {
            "HOME": str(home),
            "KUBECONFIG": str(kubeconfig),
            "PATH": os.environ["PATH"],
            "TZ": "UTC",
            "LANG": "C.UTF-8",
        }

    async def run(self) -> list[Outcome]:
        """Take every step in order."""
        if self._flow["namespace"]:
            await self._bystander.create_namespace(self._flow["namespace"])
        outcomes = []
        before = -1
        for step in self._flow["steps"]:
            if step["step"] > before + 1:
                await self._bystander.rest()  # what was left out of the recording took its time
            before = step["step"]
            if outcome := await self._take(step):
                outcomes.append(outcome)
        return outcomes

    async def _take(self, step: Mapping[str, Any]) -> Outcome | None:
        if "file" in step:
            (self._home / step["file"]).write_text(step["text"])
        elif "setup" in step:
            await self._bystander.create(step["objects"])
        elif "wait" in step:
            try:
                await self._bystander.wait(step["wait"])
            except NeverReachedError as error:
                return Outcome(f"{step['step']} wait: {step['wait']}", [str(error)])
        else:
            outcome = await self._command(step)
            excuse(f"kubectl/{self._flow['flow']}", outcome)
            return outcome
        return None

    async def _command(self, step: Mapping[str, Any]) -> Outcome:
        argv = [await self._ours(argument, step) for argument in step["argv"]]
        outcome = Outcome(f"{step['step']} {' '.join(step['argv'])}")
        outcome.problems = await self._problems(argv, step)
        for pause_seconds in _PAUSES_SECONDS if _is_reading(step) and outcome.problems else ():
            await asyncio.sleep(pause_seconds)
            if not await self._problems(argv, step):
                outcome.problems = []
                break
        return outcome

    async def _problems(self, argv: Sequence[str], step: Mapping[str, Any]) -> list[str]:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                printed = await self._execute(argv, step)
        except TimeoutError:
            return [f"no end within {_PATIENCE_SECONDS} s"]
        except NotImplementedError as error:
            return [f"nobody knows here how to do this meanwhile: {error}"]
        problems = compare_output(printed.stdout, step["stdout"], argv=argv)
        problems += [f"stderr {each}" for each in compare_output(printed.stderr, step["stderr"], argv=argv)]
        if printed.exit != step["exit"]:
            problems.insert(0, f"exit code {printed.exit}, expected {step['exit']}")
        return problems

    async def _ours(self, argument: str, step: Mapping[str, Any]) -> str:
        """An argument with what was chosen at random or by the scheduler as it is called here."""
        if argument.startswith("spec.nodeName="):
            pods = [line.split()[0] for line in step["stdout"].splitlines()[1:]]
            return f"spec.nodeName={await self._bystander.node_of(pods)}"
        if found := re.search(r'"nodeName":"(\w+)"', argument):
            # Where a pod is already, or elsewhere: as in the recording.
            node = await self._bystander.node_for(step["argv"][5], elsewhere=step["exit"] != 0)
            return argument.replace(found[1], node)
        for found in _GENERATED.finditer(argument):
            argument = argument.replace(found[0], await self._bystander.called_like(found[0]))
        return argument

    async def _execute(self, argv: Sequence[str], step: Mapping[str, Any]) -> Printed:
        process = await asyncio.create_subprocess_exec(
            self._program,
            *argv[1:],
            cwd=self._home,
            env=self._environ,
            stdin=asyncio.subprocess.PIPE if "stdin" in step else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            return await self._attend(process, step)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _attend(self, process: asyncio.subprocess.Process, step: Mapping[str, Any]) -> Printed:
        """Feed a command, let the other client act meanwhile, and interrupt it where that was done."""
        assert process.stdout is not None
        assert process.stderr is not None
        output = _Output(process.stdout)
        stderr = asyncio.create_task(process.stderr.read())
        if process.stdin is not None:
            process.stdin.write(step["stdin"].encode())
            process.stdin.close()
        for action in step.get("meanwhile", ()):
            await output.reaches(_lines_before(step, action["ms"]), within_seconds=action["ms"] / 1000)
            await self._bystander.act(action["did"], argv=step["argv"])
        if "stopped" in step:
            await output.says_all_of(step["stdout"], within_seconds=step["ms"] / 1000 + _QUIET_SECONDS)
            process.send_signal(signal.SIGINT if step["exit"] >= 0 else signal.SIGKILL)
        await process.wait()
        return Printed(process.returncode or 0, await output.rest(), (await stderr).decode())


class _Output:
    """What a command prints, as it comes."""

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self._text = ""
        self._arrived = asyncio.Condition()
        self._reading = asyncio.create_task(self._read(stream))

    async def reaches(self, lines: int, *, within_seconds: float) -> None:
        """Wait for so many lines, or the moment at which they were there; a command that says nothing needs it all."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_seconds), self._arrived:
                await self._arrived.wait_for(lambda: 0 < lines <= self._text.count("\n"))

    async def says_all_of(self, expected: str, *, within_seconds: float) -> None:
        """Wait until each kind of line that is expected was printed, or nothing more comes, or for so long."""
        wanted = _kinds(expected)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_seconds), self._arrived:
                while not wanted <= _kinds(self._text) and not self._reading.done():
                    await asyncio.wait_for(self._arrived.wait(), _QUIET_SECONDS)

    async def rest(self) -> str:
        """Everything, once it has ended."""
        await self._reading
        return self._text

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while piece := await stream.read(65536):
            async with self._arrived:
                self._text += piece.decode(errors="replace")
                self._arrived.notify_all()
        async with self._arrived:
            self._arrived.notify_all()


def _kinds(text: str) -> set[str]:
    return {mask_text(line) for line in text.splitlines()}


def _is_reading(step: Mapping[str, Any]) -> bool:
    """Whether a command only looks: what it shows may come a moment later here."""
    return "stopped" not in step and not _READING.isdisjoint(step["argv"])


def _lines_before(step: Mapping[str, Any], ms: int) -> int:
    chunks = step.get("stdoutChunks", ())
    return sum(chunk["text"].count("\n") for chunk in chunks if chunk["ms"] < ms)


async def replay_flow(golden: Path, topic: str) -> Score:
    """Replay a recorded flow on a fresh sandbox; a note says with which kubectl.

    Args:
        golden: the folder of recordings.
        topic: flow and version: `get-basics.1.36`.
    """
    flow = json.loads((golden / "kubectl" / f"{topic}.json").read_text(encoding="utf-8"))
    recorded = ".".join(flow["kubectl"].split(".")[:2])
    found = nearest(recorded)
    if found is None:
        return Score(0, 0, (), ("there is no kubectl on this machine: python -m tests.kubectl_download",))
    version, program = found
    with tempfile.TemporaryDirectory() as home:
        async with (
            ephemeral_sandbox(nodes=3, timing=_TIMING) as sandbox,
            await Bystander.connect(sandbox.kubeconfig, flow["namespace"]) as bystander,
        ):
            replay = FlowReplay(
                flow, program=program, home=Path(home), kubeconfig=sandbox.kubeconfig, bystander=bystander
            )
            outcomes = await replay.run()
    return Score.of(outcomes, [f"replayed with kubectl {version}, recorded with {flow['kubectl']}"])


SUITE = Suite("kubectl", ".json", replay_flow)
