"""The dashboard as a person has it: the program in a pseudo-terminal, and what stays on the terminal after it."""

import re
import signal
import sys
from pathlib import Path

import pytest

from seatrial.kube.resources import NODES
from tests.dashboard.conftest import create_pod
from tests.shell.terminals import CTRL_C, ENTER, Terminal

GOLDEN = Path(__file__).parent / "golden" / "screen.txt"

# Python 3.12 warns of forks where there are threads; the child executes the program at once.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of forkpty:DeprecationWarning")


def dashboard(kubeconfig, directory, *, program=("-m", "seatrial"), **environ):
    """The program in a window of 80x24."""
    command = [sys.executable, *program, "dashboard", "--kubeconfig", str(kubeconfig)]
    return Terminal(
        command, environ={**environ, "HOME": str(directory), "SEATRIAL_STATE_DIR": str(directory / "state")}
    )


@pytest.fixture
async def window(control, nodes, tmp_path):
    """A window of 80x24 with a dashboard."""
    await create_pod(control, "web-1", node="node-1")
    await create_pod(control, "web-2", node="node-1", ready=False)
    await create_pod(control, "web-3", node="node-3")
    async with dashboard(control.directory / "kubeconfig", tmp_path) as window:
        await window.until("3 of 3 Ready, 3 pods")
        yield window


async def is_cordoned(control):
    return bool((await control.cluster.get(NODES, "node-1"))["spec"].get("unschedulable"))


async def cordon(window):
    window.type("c")
    await window.until("cordon node-1?")
    window.type("y")
    await window.until("1 to undo")


async def test_the_first_screen(window):
    """All that there is fits into 80x24: the cluster, its nodes, their pods, what the marks mean, the keys."""
    shown = re.sub(r"\d\d:\d\d:\d\d", "12:34:56", window.shown)
    shown = re.sub(r"127\.0\.0\.1:\d{5}", "127.0.0.1:12345", shown)
    assert shown == GOLDEN.read_text(encoding="utf-8").rstrip("\n")


async def test_what_was_done_is_taken_back_and_told_at_the_end(window, control):
    """After the screen has gone, the terminal says what was undone; the exit code is 0."""
    await cordon(window)
    assert await is_cordoned(control)
    window.type("q")
    await window.until("take it back")
    window.type(ENTER)
    assert await window.ended() == 0
    assert not await is_cordoned(control)
    assert "uncordon node node-1" in window.sent.decode()
    assert b"\x1b[?1049l" in window.sent  # the terminal has its own screen back


async def test_what_is_kept_is_kept(window, control):
    """Who says so leaves it as it is, and is told how to take it back later."""
    await cordon(window)
    window.type("q")
    await window.until("leave it as it is")
    window.type("k")
    assert await window.ended() == 0
    assert await is_cordoned(control)
    assert "seatrial recover" in window.sent.decode()


async def test_a_mistake_of_ours_ends_it_with_clean_up(control, nodes, tmp_path):
    """One line says so, below a traceback without the values of variables, among which there may be credentials."""
    broken = (
        "from seatrial.cli.main import main; from seatrial.dashboard.app import Dashboard\n"
        "def action_help(self):\n"
        "    token = 'abc' + 'def'\n"
        "    raise ZeroDivisionError\n"
        "Dashboard.action_help = action_help\n"
        "main()"
    )
    async with dashboard(control.directory / "kubeconfig", tmp_path, program=["-c", broken]) as window:
        await window.until("✓ Ready")
        await cordon(window)
        window.type("?")
        assert await window.ended() == 1
        assert "error: the dashboard failed: ZeroDivisionError" in window.shown
        assert b"abcdef" not in window.sent
        assert not await is_cordoned(control)


async def test_a_signal_ends_it_with_clean_up(window, control):
    """Nothing is asked; what was done is undone, the terminal is as before, the exit code is 130."""
    await cordon(window)
    window.signal(signal.SIGTERM)
    assert await window.ended() == 130
    assert not await is_cordoned(control)
    assert b"\x1b[?1049l" in window.sent


async def test_a_window_that_is_closed_ends_it_with_clean_up(window, control):
    """The terminal is gone; what was done is undone all the same."""
    await cordon(window)
    window.hang_up()
    await window.ended()
    assert not await is_cordoned(control)


async def test_a_window_that_is_made_wider_is_used(window):
    """The panels come to stand side by side, and go again; Ctrl-C leaves, as `q` does."""
    window.resize(columns=130, lines=30)
    await window.until("4 Experiments")
    window.resize(columns=80, lines=24)
    await window.until(lambda each: "4 Experiments" not in each.shown and "3 of 3 Ready" in each.shown)
    window.type(CTRL_C)
    assert await window.ended() == 0


@pytest.mark.parametrize(("change", "code", "said"), [("gone", 2, "nowhere"), ("away", 3, "connection refused")])
async def test_a_cluster_that_can_not_be_reached_is_said_before_any_screen(control, tmp_path, change, code, said):
    """The terminal stays as it is, with one line on it and what to do."""
    kubeconfig = tmp_path / "nowhere"
    if change == "away":
        there = (control.directory / "kubeconfig").read_text(encoding="utf-8")
        kubeconfig.write_text(there.replace(control.server.url, "https://127.0.0.1:1"), encoding="utf-8")
    async with dashboard(kubeconfig, tmp_path) as window:
        assert await window.ended() == code
        assert said in window.shown
        assert "hint:" in window.shown
        assert "Traceback" not in window.shown
        assert b"\x1b[?1049h" not in window.sent


async def test_a_terminal_that_draws_nothing_is_refused(tmp_path):
    """Who has such a terminal is told of the plain shell."""
    async with dashboard(tmp_path / "nowhere", tmp_path, TERM="dumb") as window:
        assert await window.ended() == 2
        assert "seatrial interactive --plain" in window.shown


async def test_without_colours_everything_is_said_by_marks_and_words(control, nodes, tmp_path):
    """NO_COLOR is heard: the screen has shades of grey alone, and says the same."""
    async with dashboard(control.directory / "kubeconfig", tmp_path, NO_COLOR="1", COLORTERM="truecolor") as window:
        await window.until("✓ Ready")
        red, green, blue = (int(window.colour_of("✓ Ready")[0][at : at + 2], 16) for at in (0, 2, 4))
        assert red == green == blue
