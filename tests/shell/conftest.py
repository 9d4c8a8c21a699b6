"""The shell, driven as the loop drives it: commands in, what is shown and asked out; on clusters that are real.

`shell` works on an API server in this process, which has no controllers: pods are what a test makes them, and deleting
one removes it at once. `sandbox_shell` works on a whole cluster that the tests of a module share.
"""

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from seatrial.by_hand.live.cluster import LiveCluster
from seatrial.by_hand.session import HandSession
from seatrial.cli.hand_session import EMPTY_POLICY, hand_session
from seatrial.cli.session import SessionOptions
from seatrial.engine.interrupts import Interrupts
from seatrial.kube.client import connect
from seatrial.kube.resources import DEPLOYMENTS
from seatrial.runtime.guardrails import Guardrails
from seatrial.shell.lines import commands_in
from seatrial.shell.loop import carry_out
from seatrial.shell.output import Output
from seatrial.shell.shell import Connection, Shell, ShellSettings
from seatrial.testing import sandbox_cluster
from tests.programs import ROOT


class PreparedFront:
    """A person whose answers are prepared, in the order of the questions; to one too many the answer is empty.

    `is_interactive` may be set to False, for a script. `lines` are what `run_shell` takes.
    """

    def __init__(self, *lines: str) -> None:
        self.is_interactive = True
        self.lines = list(lines)
        self.answers: list[str] = []
        self.questions: list[str] = []

    async def next_line(self) -> str | None:
        return self.lines.pop(0) if self.lines else None

    async def ask(self, question: str) -> str:
        self.questions.append(question)
        return self.answers.pop(0) if self.answers else ""


class DrivenShell:
    """A shell that is connected: `await shell.do("kill 1", "y")` answers the exit code of the last command."""

    def __init__(self, *, width: int = 80, **settings: object) -> None:
        self.front = PreparedFront()
        self._out, self._errors = io.StringIO(), io.StringIO()
        self.output = Output(out=self._out, errors=self._errors)
        self.output.console.width = width
        self.shell = Shell(self.front, self.output, ShellSettings(**settings))  # type: ignore[arg-type]

    @property
    def session(self) -> HandSession:
        return self.shell.session

    @property
    def questions(self) -> Sequence[str]:
        return self.front.questions

    @property
    def shown(self) -> str:
        """All that was written to standard output so far."""
        return self._out.getvalue()

    @property
    def errors(self) -> str:
        """All that was written to standard error so far."""
        return self._errors.getvalue()

    @property
    def words(self) -> str:
        """What was shown, however it was wrapped and aligned."""
        return " ".join(self.shown.split())

    def forget(self) -> None:
        """Begin anew with what is shown, and with what is asked."""
        self._out.truncate(self._out.seek(0))
        self._errors.truncate(self._errors.seek(0))
        self.front.questions.clear()

    async def do(self, line: str, *answers: str) -> int:
        """Carry out a line of commands, up to the first that fails, as `-c` does."""
        self.front.answers.extend(answers)
        for words in commands_in(line):
            code = await carry_out(words, self.shell)
            if code:
                return code
        return 0


@asynccontextmanager
async def driven_shell(
    kubeconfig: Path,
    state: Path,
    *,
    namespace: str = "default",
    recovery_timeout_seconds: float = 60,
    guardrails: Guardrails | None = None,
    context_name: str = "",
    **settings: object,
) -> AsyncIterator[DrivenShell]:
    """A shell with a session of its own, put together as the program does it; `context_name` instead of its own."""
    driven = DrivenShell(namespace=namespace, **settings)
    options = SessionOptions(
        policy=EMPTY_POLICY,
        policy_name="by hand",
        kubeconfig=kubeconfig,
        seed=7,
        state_directory=state,
        recovery_timeout_seconds=recovery_timeout_seconds,
        halt_namespace=driven.shell.settings.halt_namespace,
        guardrails=guardrails or Guardrails(),
    )

    @asynccontextmanager
    async def opening() -> AsyncIterator[Connection]:
        keeps = lambda: driven.shell.keeps  # noqa: E731 -- as the command line has it
        async with hand_session(options, [driven.output], Interrupts(), keeps=keeps) as session:
            cluster = session.context.cluster
            async with LiveCluster(cluster) as live:
                yield Connection(
                    session=session, live=live, namespace=namespace, context_name=context_name or cluster.context_name
                )

    leaving = asyncio.Event()
    connection = asyncio.create_task(driven.shell.stay_connected(opening, leaving))
    await asyncio.sleep(0)
    await driven.shell.connected()
    try:
        yield driven
    finally:
        leaving.set()
        await connection


@pytest.fixture
async def shell(control, tmp_path) -> AsyncIterator[DrivenShell]:
    """A shell on the API server of `control`."""
    state = tmp_path / "state"
    async with driven_shell(control.directory / "kubeconfig", state, recovery_timeout_seconds=0.5) as driven:
        yield driven


async def _until_goldpinger_is_ready(kubeconfig: Path) -> None:
    async with (
        asyncio.timeout(60),
        await connect(kubeconfig=kubeconfig) as cluster,
        cluster.watch(DEPLOYMENTS, namespace="default") as watch,
    ):
        [now] = watch.snapshot
        while now.get("status", {}).get("readyReplicas") != now["spec"]["replicas"]:
            now = (await anext(watch)).object


@pytest.fixture(scope="module")
def sandbox():
    """A sandbox with goldpinger that a module's tests share."""
    with asyncio.Runner() as runner:
        block = sandbox_cluster(nodes=2, load=[ROOT / "examples/manifests/goldpinger.yml"])
        cluster = runner.run(block.__aenter__())
        runner.run(_until_goldpinger_is_ready(cluster.kubeconfig))
        yield cluster
        runner.run(block.__aexit__(None, None, None))


@pytest.fixture
async def sandbox_shell(sandbox, tmp_path) -> AsyncIterator[DrivenShell]:
    """A shell on that sandbox."""
    async with driven_shell(sandbox.kubeconfig, tmp_path / "state") as driven:
        yield driven
