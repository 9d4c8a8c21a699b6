"""From lines to commands: a person goes on after what went wrong, a script ends; who leaves has all taken back."""

import asyncio
import io
import os
import re
import signal
import sys
from contextlib import asynccontextmanager

import pytest

from seatrial.by_hand.live.cluster import LiveCluster
from seatrial.cli.hand_session import EMPTY_POLICY, hand_session
from seatrial.cli.session import SessionOptions
from seatrial.engine.interrupts import Interrupts
from seatrial.errors import ClusterError, SeatrialError
from seatrial.kube.resources import NODES
from seatrial.shell.command_table import COMMANDS, SESSION, Entry
from seatrial.shell.loop import run_shell
from seatrial.shell.output import Output
from seatrial.shell.shell import Connection, Shell, ShellSettings

PATIENCE_SECONDS = 60


class Typist:
    """Types the next line when the last is done with; `None` is Ctrl-D, or the end of a script."""

    def __init__(self, *lines, is_interactive=True):
        self.lines = [*lines, None]
        self.is_interactive = is_interactive
        self.interrupted = asyncio.Event()
        self.waits = asyncio.Event()

    async def next_line(self):
        if self.lines:
            return self.lines.pop(0)
        self.waits.set()
        return await asyncio.get_running_loop().create_future()

    async def ask(self, question):
        return ""

    def interrupt(self):
        self.interrupted.set()
        return True


class Told(io.StringIO):
    """What is written, and a way to wait for it."""

    def __init__(self):
        super().__init__()
        self._written = asyncio.Event()

    def write(self, text):
        self._written.set()
        return super().write(text)

    async def until(self, text):
        async with asyncio.timeout(PATIENCE_SECONDS):
            while text not in self.getvalue():
                self._written.clear()
                await self._written.wait()


class Room:
    """What `run_shell` needs, on the API server of `control`."""

    def __init__(self, control, directory):
        self.control = control
        self.told = Told()
        self.interrupts = Interrupts()
        self._options = SessionOptions(
            policy=EMPTY_POLICY,
            policy_name="by hand",
            kubeconfig=control.directory / "kubeconfig",
            state_directory=directory / "state",
        )

    @asynccontextmanager
    async def opening(self):
        async with (
            hand_session(self._options, [self.output], self.interrupts, keeps=lambda: False) as session,
            LiveCluster(session.context.cluster) as live,
        ):
            yield Connection(session=session, live=live, namespace="default", context_name="test")

    async def run(self, typist, opening=None):
        self.output = Output(out=self.told, errors=self.told)
        shell = Shell(typist, self.output, ShellSettings())
        return await run_shell(shell, opening or self.opening, self.interrupts)

    async def is_cordoned(self):
        return bool((await self.control.cluster.get(NODES, "node-1"))["spec"].get("unschedulable"))


@pytest.fixture
async def room(control, tmp_path):
    await control.server.api.create("nodes", {"metadata": {"name": "node-1"}}, None)
    return Room(control, tmp_path)


@pytest.fixture(autouse=True)
def _linger(monkeypatch):
    """There is a command that goes on until it is stopped."""
    monkeypatch.setitem(COMMANDS, "linger", Entry("tests.shell.lingering:linger", "Wait.", SESSION))


async def test_a_person_goes_on_after_an_error(room):
    """What is wrong is told, the rest of that line is left out, the next line is carried out; the exit code is 0."""
    assert await room.run(Typist("nonsense; help pods", "cordon node-1 'x", "help exit")) == 0
    assert "there is no command 'nonsense'" in room.told.getvalue()
    assert "no closing '" in room.told.getvalue()
    assert "List the pods" not in room.told.getvalue()
    assert "Leave the shell" in room.told.getvalue()


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["help exit", "namespaces"], 0),
        (["nonsense", "linger"], 2),
        (["cordon nowhere --yes; linger"], 2),
        (["cordon node-1", "linger"], 3),
        (["namespaces 'x", "linger"], 2),
    ],
    ids=["all well", "unknown command", "unknown node", "nobody to ask", "no quotation"],
)
async def test_a_script_ends_with_the_first_command_that_fails(room, lines, code):
    """Its exit code is that command's; nothing after it is carried out."""
    assert await room.run(Typist(*lines, is_interactive=False)) == code
    assert "lingering" not in room.told.getvalue()
    assert not await room.is_cordoned()


async def test_exit_leaves_what_comes_after_it_undone(room):
    """Also on the same line."""
    assert await room.run(Typist("exit; linger", "linger")) == 0
    assert "lingering" not in room.told.getvalue()


async def test_leaving_takes_back_what_was_done_and_tells_it_before(room):
    """One line each."""
    assert await room.run(Typist("cordon node-1 --yes")) == 0
    told = room.told.getvalue()
    assert told.index("taking back: cordon node-1") < told.index("undone")
    assert not await room.is_cordoned()


async def test_ctrl_c_stops_a_command_and_once_more_hurries_it(room):
    """A command hears both; the shell goes on."""
    typist = Typist("linger; help pods", "help exit")
    running = asyncio.create_task(room.run(typist))
    await room.told.until("lingering")
    os.kill(os.getpid(), signal.SIGINT)
    await room.told.until("cleaning up")
    assert "hurried" not in room.told.getvalue()
    os.kill(os.getpid(), signal.SIGINT)
    assert await running == 0
    assert "stopped" in room.told.getvalue()
    assert "List the pods" not in room.told.getvalue()
    assert "Leave the shell" in room.told.getvalue()


async def test_ctrl_c_at_the_prompt_is_the_fronts(room):
    """No command runs: the line is forgotten, the shell stays."""
    typist = Typist()
    typist.lines.clear()
    running = asyncio.create_task(room.run(typist))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await typist.waits.wait()
        os.kill(os.getpid(), signal.SIGINT)
        await typist.interrupted.wait()
        assert not running.done()
        os.kill(os.getpid(), signal.SIGTERM)
        assert await running == 130


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
async def test_a_signal_ends_a_script_with_clean_up(room, name):
    """What it did is taken back, the exit code is 130, nothing after it is carried out."""
    typist = Typist("cordon node-1 --yes; linger; help exit", "help exit", is_interactive=False)
    running = asyncio.create_task(room.run(typist))
    await room.told.until("lingering")
    assert await room.is_cordoned()
    os.kill(os.getpid(), signal.Signals[name])
    await room.told.until("cleaning up")
    assert not room.interrupts.hurry.is_set()
    os.kill(os.getpid(), signal.Signals[name])
    await asyncio.wait_for(room.interrupts.hurry.wait(), PATIENCE_SECONDS)
    running.cancel()  # what `linger` waits for hears of a second cancellation only
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not await room.is_cordoned()


async def test_a_cluster_that_cannot_be_reached_ends_the_shell(room):
    """The error is raised once, and no command that waits for it tells it as well."""

    @asynccontextmanager
    async def opening():
        await asyncio.sleep(0)
        raise ClusterError("nobody answers")
        yield

    for typist in (Typist("namespaces"), Typist("namespaces", is_interactive=False)):
        with pytest.raises(ClusterError, match="nobody answers"):
            await room.run(typist, opening)
        assert room.told.getvalue() == ""


async def test_leaving_before_the_cluster_is_reached_waits_for_nothing(room):
    """What was begun to reach it is given up."""
    given_up = []

    @asynccontextmanager
    async def opening():
        try:
            await asyncio.Event().wait()
        finally:
            given_up.append(True)
        yield

    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await room.run(Typist("help exit"), opening) == 0
    assert given_up == [True]


async def test_clean_up_that_is_incomplete_outweighs_the_rest(room):
    """What the session ends with is raised, whatever the commands came to."""

    class IncompleteError(SeatrialError):
        exit_code = 4

    @asynccontextmanager
    async def opening():
        async with room.opening() as connection:
            yield connection
        raise IncompleteError("clean-up is incomplete")

    with pytest.raises(IncompleteError):
        await room.run(Typist("namespaces; nonsense", is_interactive=False), opening)


class Script:
    """`seatrial interactive` in a process of its own, as a script starts it."""

    def __init__(self, control, directory):
        kubeconfig = control.directory / "kubeconfig"
        self._command = [sys.executable, "-m", "seatrial", "interactive", "--kubeconfig", kubeconfig]
        self._environ = {"HOME": str(directory), "SEATRIAL_STATE_DIR": str(directory / "state")}

    async def start(self, *arguments, stdin=asyncio.subprocess.PIPE):
        pipe = asyncio.subprocess.PIPE
        command = map(str, [*self._command, *arguments])
        return await asyncio.create_subprocess_exec(*command, env=self._environ, stdin=stdin, stdout=pipe, stderr=pipe)

    async def run(self, *arguments, text="", stdin=asyncio.subprocess.PIPE):
        process = await self.start(*arguments, stdin=stdin)
        async with asyncio.timeout(PATIENCE_SECONDS):
            said, errors = await process.communicate(text.encode() if process.stdin else None)
        return process.returncode, said.decode(), errors.decode()


@pytest.fixture
def script(control, tmp_path):
    return Script(control, tmp_path)


async def test_commands_from_the_command_line_and_from_standard_input_are_the_same(script, control):
    """Nothing but what the commands say is written, without colours; lines may end as in Windows' files."""
    await control.create_pods("web-1")
    by_option = await script.run("-c", "pods default; help exit")
    by_input = await script.run(text="# a comment\r\npods default\r\n\r\nhelp exit")
    assert by_option[0] == by_input[0] == 0
    without_ages = [re.sub(r"\d+s", "", each[1]) for each in (by_option, by_input)]
    assert without_ages[0] == without_ages[1]
    assert "web-1" in by_option[1]
    assert "\x1b" not in by_option[1]
    assert by_option[2] == by_input[2] == ""


async def test_a_file_may_be_standard_input(script, tmp_path):
    """It ends with its last line."""
    file = tmp_path / "commands"
    file.write_text("help exit\nnonsense\nhelp pods")
    with file.open() as commands:
        code, said, errors = await script.run(stdin=commands)
    assert code == 2
    assert "Leave the shell" in said
    assert "List the pods" not in said
    assert "there is no command 'nonsense'" in errors


async def test_no_input_at_all_ends_at_once(script, control):
    """Be it empty or closed."""
    assert await script.run(stdin=asyncio.subprocess.DEVNULL) == (0, "", "")
    process = await asyncio.create_subprocess_shell(
        f"{sys.executable} -m seatrial interactive --kubeconfig {control.directory / 'kubeconfig'} <&-",
        env={**os.environ, "SEATRIAL_STATE_DIR": str(control.directory / "state")},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(PATIENCE_SECONDS):
        said, _ = await process.communicate()
    assert (process.returncode, said) == (0, b"")


async def test_lines_are_carried_out_as_they_come(script):
    """A program may talk to the shell through a pipe; while the shell waits for it, a signal ends it."""
    process = await script.start()
    process.stdin.write(b"help exit\n")
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert b"Usage: exit" in await process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 130
        process.stdin.close()


async def test_a_script_that_is_stopped_takes_back_what_it_did(script, control):
    """Ctrl-C ends it with 130."""
    await control.server.api.create("nodes", {"metadata": {"name": "node-1"}}, None)
    process = await script.start()
    process.stdin.write(b"cordon node-1 --yes\n")
    async with asyncio.timeout(PATIENCE_SECONDS):
        async with control.cluster.watch(NODES) as watch:
            async for event in watch:
                if event.object["spec"].get("unschedulable"):
                    break
        process.send_signal(signal.SIGINT)
        said, _ = await process.communicate()
    assert process.returncode == 130
    assert b"undone" in said
    assert not (await control.cluster.get(NODES, "node-1"))["spec"].get("unschedulable")


async def test_every_problem_of_a_policy_is_shown(script, tmp_path):
    """`run` shows them as `seatrial validate` does."""
    policy = tmp_path / "wrong.yml"
    policy.write_text("scenarios: [{name: a, steps: [{kll: 1}]}, {nam: b}]")
    code, _, errors = await script.run("-c", f"run {policy}")
    assert code == 2
    assert "kll" in errors
    assert "nam" in errors


async def test_a_reader_that_has_gone_ends_the_shell_quietly(script):
    """As with `| head -1`: no traceback, and what was done is taken back."""
    process = await script.start("-c", "help", "-c", "help")
    async with asyncio.timeout(PATIENCE_SECONDS):
        process.stdout._transport.close()
        errors = await process.stderr.read()
        assert await process.wait() in {0, 141}
    assert errors == b""
