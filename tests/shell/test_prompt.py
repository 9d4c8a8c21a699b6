"""The prompt, as a person has it: the program in a pseudo-terminal, keys that are typed, what stands on the screen."""

import asyncio
import re
import signal
import stat
import sys
from pathlib import Path

import pytest

from seatrial.engine.halt_mark import own_mark, set_mark
from seatrial.kube.resources import DEPLOYMENTS, NODES
from tests.shell.terminals import BACKSPACE, CTRL_C, CTRL_D, CTRL_R, CTRL_Z, DOWN, ENTER, ESCAPE, TAB, UP, Terminal

GOLDEN = Path(__file__).parent / "golden"

# Python 3.12 warns of forks where there are threads; the child executes the program at once.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of forkpty:DeprecationWarning")


class Windows:
    """Opens windows with a shell in them, on the API server of `control`."""

    def __init__(self, control, directory):
        self.kubeconfig = control.directory / "kubeconfig"
        self.directory = directory
        self.state = directory / "state"

    def open(self, *arguments, kubeconfig=None, environ=None, **size):
        command = [sys.executable, "-m", "seatrial", "interactive", "--kubeconfig", kubeconfig or self.kubeconfig]
        environ = {"HOME": str(self.directory), "SEATRIAL_STATE_DIR": str(self.state), **(environ or {})}
        return Terminal([*map(str, command), *arguments], environ=environ, **size)


@pytest.fixture
def windows(control, tmp_path):
    return Windows(control, tmp_path)


@pytest.fixture
async def window(windows):
    """A window of 80x24 with a shell that has reached the cluster."""
    async with windows.open() as window:
        await window.until("namespace default")
        await window.at_prompt()
        yield window


@pytest.fixture
async def node(control):
    """A node that `cordon` works on."""
    await control.server.api.create("nodes", {"metadata": {"name": "node-1"}}, None)


async def is_cordoned(control):
    found = await control.cluster.get(NODES, "node-1")
    return bool(found["spec"].get("unschedulable"))


def golden(name, window):
    """The screen is as it is written down; the API server's port is another each time."""
    shown = re.sub(r"127\.0\.0\.1:\d+", "SERVER", window.shown)
    assert shown == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8").rstrip("\n")


async def test_the_first_prompt(window):
    """Two lines: how to get help, and the prompt; at the bottom which cluster and which namespace."""
    golden("first_prompt", window)


async def test_what_may_stand_there_is_offered_while_one_types(window):
    """A menu with descriptions opens by itself."""
    window.type("exi")
    await window.until("Leave")
    golden("menu", window)


async def test_a_completion_is_taken_before_the_line_is_carried_out(window):
    """Tab or the arrows choose, Enter takes what was chosen, the next Enter carries it out."""
    window.type("exi")
    await window.until("Leave")
    window.type(DOWN)
    await window.at_prompt("exit")
    window.type(ENTER)
    await window.until(lambda each: "Leave" not in each.shown)
    assert window.line.rstrip() == "seatrial> exit"
    window.type(ENTER)
    assert await window.ended() == 0


async def test_names_of_the_cluster_are_completed(windows, control):
    """Pods are offered as soon as they are known, and one that is made while the shell runs."""
    await control.create_pods("web-1")
    async with windows.open() as window:
        await window.until("namespace default")
        window.type("kill we")
        await window.until(lambda each: "web-1" in each.shown)
        await control.create_pods("web-2")
        await window.until_typing_shows("web-2", keys=BACKSPACE + "e")
        window.type(TAB)
        await window.until(lambda each: each.line.startswith("seatrial> kill web-"))


async def test_a_menu_opens_when_what_it_offers_is_known(windows, control):
    """Who has typed a line before the cluster was reached need not type on to be offered its names."""
    await control.create_pods("web-1")
    async with windows.open() as window:
        await window.until("connecting…")
        window.type("kill we")
        await window.until(lambda each: "web-1" in each.shown)
        assert window.line == "seatrial> kill we"


async def test_enter_on_an_empty_line_does_nothing(window):
    """There is only another prompt: nothing is repeated."""
    window.type("undo" + ENTER)
    await window.until("nothing")
    said = window.shown.count("nothing")
    window.type(ENTER + ENTER + "x")
    await window.at_prompt("x")
    assert window.shown.count("nothing") == said
    assert [row for row in window.rows if row.startswith("seatrial>")] == [
        "seatrial> undo", "seatrial>", "seatrial>", "seatrial> x",
    ]  # fmt: skip


async def test_ctrl_c_clears_the_line_and_ctrl_d_leaves(window):
    """On an empty line Ctrl-C leaves nothing but tells how one leaves."""
    window.type("pods" + CTRL_C)
    await window.at_prompt()
    window.type(CTRL_C)
    await window.until("'exit' or Ctrl-D leaves")
    window.type(CTRL_D)
    assert await window.ended() == 0


async def test_ctrl_z_leaves_the_terminal_to_the_shell_around(windows, node):
    """Who does so is told what that means for what stands; `fg` goes on with the line that was typed."""
    environ = {"HOME": str(windows.directory), "SEATRIAL_STATE_DIR": str(windows.state), "PS1": "around$ "}
    async with Terminal(["bash", "--norc", "--noprofile", "-i"], environ=environ) as window:
        await window.until("around$")
        window.type(f"{sys.executable} -m seatrial interactive --kubeconfig {windows.kubeconfig}" + ENTER)
        await window.until("namespace default")
        window.type("cordon node-1 --yes" + ENTER)
        await window.until("1 to undo")
        window.type("help")
        await window.at_prompt("help")
        window.type(CTRL_Z)
        await window.until("a halt is not heeded before 'fg'")
        await window.at_prompt(prompt="around$ ")
        window.type("fg" + ENTER)
        await window.at_prompt("help")
        window.type(CTRL_C)
        await window.at_prompt()
        window.type(CTRL_D)
        await window.at_prompt(prompt="around$ ")
        window.type("exit" + ENTER)
        assert await window.ended() == 0


async def test_sigint_of_another_program_is_ctrl_c(window):
    """It clears the line, as the key does."""
    window.type("pods")
    await window.at_prompt("pods")
    window.signal(signal.SIGINT)
    await window.at_prompt()
    window.signal(signal.SIGINT)
    await window.until("'exit' or Ctrl-D leaves")


async def test_ctrl_c_stops_the_command_that_runs_and_takes_back_what_it_did(window, control):
    """A Deployment that waits for its replicas is scaled back, and one goes on at the prompt."""
    template = {"metadata": {"labels": {"app": "cart"}}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "cart"}}, "template": template}
    await control.server.api.create("deployments.apps", {"metadata": {"name": "cart"}, "spec": spec}, "default")

    async with control.cluster.watch(DEPLOYMENTS, namespace="default") as watch:
        window.type("scale deployment/cart 3 --yes" + ENTER)
        async for event in watch:
            if event.object["spec"]["replicas"] == 3:
                break
    window.type(CTRL_C)
    await window.until("stopped")
    await window.at_prompt()
    assert (await control.cluster.get(DEPLOYMENTS, "cart", namespace="default"))["spec"]["replicas"] == 1
    window.type("help undo" + ENTER)
    await window.until("Take back")


async def test_earlier_lines_are_found_by_some_of_their_letters(window):
    """Ctrl-R looks for letters in that order; Enter takes the line, Escape goes back to what stood there."""
    for line in ("help pods", "help undo", "help exit"):
        window.type(line + ENTER)
        await window.at_prompt()
    window.type("pod" + CTRL_R)
    await window.at_prompt("pod", prompt="history> ")
    window.type(ESCAPE)
    await window.at_prompt("pod")
    window.type(CTRL_C + CTRL_R + "hun")
    await window.at_prompt("hun", prompt="history> ")
    await window.until(lambda each: "help undo" in each.rows[each.rows.index("history> hun") + 1])
    window.type(ENTER)
    await window.at_prompt("help undo")


async def test_history_outlives_the_shell(windows):
    """The next shell has the lines of the last, in a file of this user's; what begins with a blank is not kept."""
    async with windows.open() as window:
        await window.at_prompt()
        window.type(" help pods" + ENTER)
        await window.at_prompt()
        window.type("help undo" + ENTER)
        await window.at_prompt()
        window.type(CTRL_D)
        assert await window.ended() == 0
    file = windows.state / "interactive_history"
    assert file.read_text() == "help undo\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    async with windows.open() as window:
        await window.at_prompt()
        window.type("h")
        await window.until("help undo")  # suggested
        window.type(CTRL_C)
        await window.at_prompt()
        window.type(UP)
        await window.at_prompt("help undo")


async def test_several_lines_that_are_pasted_are_shown_first(windows):
    """They are commands one after the other, and none is carried out before Enter."""
    async with windows.open(lines=60) as window:
        await window.at_prompt()
        window.paste("help undo\nhelp exit\n")
        await window.until(lambda each: "> help exit" in each.line)
        await window.until("Enter carries these lines out")
        assert "Take back" not in window.shown
        window.type(ENTER)
        await window.until("Leave the shell")
        assert "Take back" in window.shown
        await window.at_prompt()


async def test_lines_are_coloured_by_what_they_mean(window):
    """Green what is there, red what breaks something, underlined what there isn't; options and numbers apart."""
    window.type("help; kill 987654 --force; nonsense 'text'")
    await window.until("'text'")
    assert window.colour_of("help") == ("green", False, False)
    assert window.colour_of("kill") == ("red", True, False)
    assert window.colour_of("nonsense") == ("default", False, True)
    assert window.colour_of("--force") == ("cyan", False, False)
    assert window.colour_of("987654") == ("magenta", False, False)
    assert window.colour_of("'text'") == ("brown", False, False)


async def test_the_menu_of_commands_warns_of_those_that_break_something(window):
    """They are red there, too; the rest, and what is said of them, can be read on dark and on light."""
    window.type("s")
    await window.until("Switch machines off")
    assert window.colour_of("stop")[:2] == ("red", True)
    assert window.colour_of("sync") == ("default", False, False)
    assert {cell.bg for row in window.cells[:10] for cell in row} == {"default"}


async def test_no_color_is_heeded(windows):
    """With NO_COLOR everything is in the terminal's own colour."""
    async with windows.open(environ={"NO_COLOR": "1"}) as window:
        await window.at_prompt()
        window.type("kill --force")
        await window.until("--force")
        assert window.colour_of("--force")[0] == "default"
        assert re.search(rb"\x1b\[(\d+;)*(3[0-7]|38;|9[0-7])", window.sent) is None


async def test_the_status_bar_keeps_to_the_window(window, node):
    """It stands at the bottom of a window that was made smaller, shortened to its width, and of a larger one."""
    window.type("cordon node-1 --yes" + ENTER)
    await window.until("1 to undo")
    window.resize(columns=40, lines=12)
    await window.until(lambda each: each.rows[-1].strip().endswith("1 to undo"))
    assert "127.0.0.1" not in window.rows[-1]
    window.resize(columns=120, lines=30)
    await window.until(lambda each: "127.0.0.1" in each.rows[-1])


async def test_what_happens_is_told_above_the_prompt(window, control, node):
    """A halt by somebody else is a line above what one types, and in the status bar; what was done is taken back."""
    window.type("cordon node-1 --yes" + ENTER)
    await window.until("1 to undo")
    await window.at_prompt()
    window.type("help pods")
    await window.at_prompt("help pods")
    await set_mark(control.cluster, own_mark("slow"), namespace="default")
    await window.until(lambda each: "halted by" in "\n".join(each.rows[:-1]))
    await window.until(lambda each: "halted by" in each.rows[-1])
    await window.until(lambda each: "to undo" not in each.rows[-1])
    await window.at_prompt("help pods")
    assert not await is_cordoned(control)


async def test_a_question_is_answered_at_a_prompt_of_its_own(window, control, node):
    """Ctrl-C and Enter mean no, answers are not kept in the history, and y means yes."""
    for answer, is_yes in ((CTRL_C, False), (ENTER, False), ("y" + ENTER, True)):
        window.type("cordon node-1" + ENTER)
        await window.until(lambda each: each.line.endswith("[y/N] "))
        window.type(answer)
        await window.at_prompt()
        assert await is_cordoned(control) == is_yes
    window.type(UP)
    await window.at_prompt("cordon node-1")


async def test_a_question_in_plain_mode_is_answered_by_a_line(windows, control, node):
    """Ctrl-D at it is no answer, and leaves as little as Ctrl-C and Enter do."""
    async with windows.open("--plain") as window:
        for answer, is_yes in ((CTRL_D, False), (CTRL_C, False), (ENTER, False), ("y" + ENTER, True)):
            await window.at_prompt()
            window.type("cordon node-1" + ENTER)
            await window.until(lambda each: each.line.endswith("[y/N] "))
            window.type(answer)
            await window.at_prompt()
            assert await is_cordoned(control) == is_yes


@pytest.mark.parametrize("how", [[], ["--plain"]], ids=["prompt", "plain"])
async def test_what_was_typed_before_a_question_is_no_answer_to_it(windows, control, node, how):
    """Who types on has not read what would be hit: the question waits for an answer of its own."""
    async with windows.open(*how) as window:
        await window.at_prompt()
        window.type("cordon node-1" + ENTER + "y" + ENTER)
        await window.until(lambda each: each.line.endswith("[y/N] "))
        assert not await is_cordoned(control)
        window.type("n" + ENTER)
        await window.until("nothing was done")
        await window.at_prompt()
        assert not await is_cordoned(control)


async def test_long_tables_go_through_the_pager(windows, control):
    """One that fits the window doesn't, nor any with --no-pager."""
    await control.create_pods(*(f"web-{number}" for number in range(30)))
    pager = {"PAGER": "sh -c 'head -3; echo paged'"}
    async with windows.open(environ=pager) as window:
        await window.at_prompt()
        window.type("pods" + ENTER)
        await window.until("paged")
        await window.at_prompt()
        assert "web-29" not in window.shown
        window.type("namespaces" + ENTER)
        await window.until("kube-system")
        assert window.shown.count("paged") == 1
    async with windows.open("--no-pager", environ=pager) as window:
        await window.at_prompt()
        window.type("pods" + ENTER)
        await window.until("web-29")
        assert "paged" not in window.shown


async def test_a_pager_that_is_not_there_is_done_without(windows, control):
    """The table is printed."""
    await control.create_pods(*(f"web-{number}" for number in range(30)))
    async with windows.open(environ={"PAGER": "no-such-program"}) as window:
        await window.at_prompt()
        window.type("pods" + ENTER)
        await window.until("web-29")
        await window.at_prompt()


async def test_a_pager_that_is_no_command_is_told_at_once(windows):
    """It is a mistake of whoever set it: one line, and the exit code of wrong usage."""
    async with windows.open(environ={"PAGER": "less '"}) as window:
        assert await window.ended() == 2
        assert "error: PAGER is no command: less ' (no closing quotation)" in window.shown


async def test_leaving_tells_what_is_taken_back(window, control, node):
    """One line each, before it happens; what was asked to be kept is named too."""
    window.type("cordon node-1 --yes" + ENTER)
    await window.until("1 to undo")
    window.type(CTRL_D)
    assert await window.ended() == 0
    assert "taking back: cordon node-1" in window.shown
    assert not await is_cordoned(control)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
async def test_a_signal_leaves_with_clean_up(window, control, node, name):
    """As in autonomous mode: the exit code is 130, everything is taken back."""
    window.type("cordon node-1 --yes" + ENTER)
    await window.until("1 to undo")
    window.type("help")  # half a line
    await window.at_prompt("help")
    window.signal(signal.Signals[name])
    assert await window.ended() == 130
    assert not await is_cordoned(control)


async def test_a_window_that_is_closed_leaves_with_clean_up(window, control, node):
    """The terminal has gone: nothing can be told, everything is taken back."""
    window.type("cordon node-1 --yes" + ENTER)
    await window.until("1 to undo")
    window.hang_up()
    await window.ended()
    assert not await is_cordoned(control)


async def test_a_cluster_that_cannot_be_reached_ends_the_shell(windows, tmp_path):
    """What is wrong is told above the prompt that was there, with the exit code of other commands."""
    nowhere = tmp_path / "nowhere"
    nowhere.write_text(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:1", windows.kubeconfig.read_text()))
    async with windows.open(kubeconfig=nowhere) as window:
        assert await window.ended() == 3
        assert "error:" in window.shown


async def test_a_slow_cluster_is_waited_for_by_the_command_that_needs_it(windows, tmp_path):
    """The prompt is there meanwhile, other commands work, Ctrl-C stops waiting, and one can leave."""
    held: list[asyncio.StreamWriter] = []
    async with await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        slow = tmp_path / "slow"
        slow.write_text(re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", windows.kubeconfig.read_text()))
        async with windows.open(kubeconfig=slow) as window:
            await window.until("connecting…")
            window.type("help undo" + ENTER)
            await window.until("Take back")
            await window.at_prompt()
            window.type("pods" + ENTER)
            await window.until("waiting for the cluster; Ctrl-C stops waiting")
            window.type(CTRL_C)
            await window.until("stopped")
            await window.at_prompt()
            window.type(CTRL_D)
            assert await window.ended() == 0
        for writer in held:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in held), return_exceptions=True)


@pytest.mark.parametrize("how", [["--plain"], []], ids=["plain", "dumb"])
async def test_plain_mode_writes_nothing_but_text(windows, control, node, how):
    """With --plain, or on a terminal that is dumb: no colours, nothing drawn, no cursor moved; all else as ever."""
    async with windows.open(*how, environ={} if how else {"TERM": "dumb"}) as window:
        await window.at_prompt()
        window.type("cordon node-1" + ENTER)
        await window.until("[y/N]")
        window.type("y" + ENTER)
        await window.until("'undo' takes it back")
        await window.at_prompt()
        assert await is_cordoned(control)
        window.type("half a line" + CTRL_C)
        await window.until("'exit' or Ctrl-D leaves")
        await window.at_prompt()
        window.type("nonsense" + ENTER)
        await window.until("there is no command 'nonsense'")
        window.type(CTRL_D)
        assert await window.ended() == 0
        assert b"\x1b" not in window.sent
        assert not await is_cordoned(control)


async def test_what_happens_has_lines_of_its_own_in_plain_mode(windows, control):
    """What comes while a line is awaited begins below the prompt, and the prompt follows it once more."""
    async with windows.open("--plain") as window:
        await window.at_prompt()
        window.type("namespaces" + ENTER)  # by then the cluster is reached
        await window.until("kube-system")
        await window.at_prompt()
        await set_mark(control.cluster, own_mark("slow"), namespace="default")
        await window.until("halted by")
        await window.at_prompt()
        halted = next(number for number, row in enumerate(window.rows) if "halted by" in row)
        assert window.rows[halted - 1] == "seatrial>"
        assert not window.rows[halted].startswith("seatrial>")
        window.type("help exit" + ENTER)
        await window.until("Leave the shell")
