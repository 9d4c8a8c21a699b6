"""The command `seatrial` itself: quick, and clear about what went wrong."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from seatrial import __version__, lazy_commands
from seatrial.cli import main
from seatrial.errors import ClusterError, PolicyError

SEATRIAL = str(Path(sys.executable).with_name("seatrial"))


def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the program as a user would."""
    return subprocess.run([SEATRIAL, *arguments], capture_output=True, text=True, check=False, timeout=60, **options)  # type: ignore[call-overload,no-any-return] # options of subprocess


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Replaces the command `plan` by a function, as a module on the import path would."""

    def install(function: Callable[[], object]) -> None:
        class Module:
            plan = click.command("plan")(function)

        monkeypatch.setattr(lazy_commands, "import_module", lambda _: Module)

    return install


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version(flag: str) -> None:
    """The version is one line."""
    assert run(flag).stdout == f"seatrial {__version__}\n"


def test_the_version_is_quick() -> None:
    """The version costs less than twice the processor time of importing click, on whatever machine."""

    def measure(*command: str) -> float:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return usage.ru_utime + usage.ru_stime

    # Taken in turns: what slows the machine down slows both.
    pairs = [(measure(SEATRIAL, "--version"), measure(sys.executable, "-c", "import click")) for _ in range(5)]
    ours, least = (min(times) for times in zip(*pairs, strict=True))
    assert ours < 2 * least


@pytest.mark.parametrize("argument", ["--version", "--help", "nonsense"])
def test_nothing_heavy_is_imported(argument: str) -> None:
    """Version, help and a wrong command import none of the libraries that take long."""
    code = f"""
import sys
from seatrial.cli.main import run
run([{argument!r}])
heavy = {{"aiohttp", "pydantic", "rich", "yaml", "msgspec", "structlog", "cryptography", "asyncio"}} & set(sys.modules)
sys.exit(",".join(heavy) or None)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_help(arguments: list[str]) -> None:
    """Help names each command with what it does, and shows three examples."""
    done = run(*arguments)
    assert done.returncode == 0
    for name, subcommand in main.COMMANDS.items():
        assert f"  {name}" in done.stdout
        assert subcommand.summary in done.stdout
    assert done.stdout.partition("Examples:")[2].count("seatrial ") == 3


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (
            ["validat"],
            [
                (
                    "error: there is no command 'validat'; did you mean 'validate'? "
                    f"Commands: {', '.join(main.COMMANDS)}"
                ),
                "hint: see 'seatrial --help'",
            ],
        ),
        (
            ["xyz"],
            [
                f"error: there is no command 'xyz'; Commands: {', '.join(main.COMMANDS)}",
                "hint: see 'seatrial --help'",
            ],
        ),
    ],
)
def test_unknown_commands(arguments: list[str], lines: list[str]) -> None:
    """An unknown command is answered with the nearest one and all others."""
    done = run(*arguments)
    assert (done.returncode, done.stderr.splitlines(), done.stdout) == (2, lines, "")


def all_commands(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    """The words that lead to each command, those of groups included."""
    context = click.Context(group)
    yield path
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from all_commands(found, *path, name)
        else:
            yield (*path, name)


def test_help_fits_80_columns() -> None:
    """Also the examples, which can be copied line by line."""
    paths = list(all_commands(main.seatrial))
    assert ("sandbox", "up") in paths
    for path in paths:
        done = CliRunner().invoke(main.seatrial, [*path, "--help"], terminal_width=80)
        too_wide = [line for line in done.output.splitlines() if len(line) > 80]
        assert (path, done.exit_code, too_wide) == (path, 0, [])


def test_unknown_options() -> None:
    """An unknown option is an error of usage, with the help to look at."""
    done = run("validate", "--outptu", "json", "x.yml")
    assert done.returncode == 2
    assert done.stderr.startswith("error: No such option '--outptu'")
    assert done.stderr.endswith("hint: see 'seatrial validate --help'\n")


def test_errors_are_two_lines(
    command: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Message, hint, and the exit code of the error's class; no traceback."""

    def fail() -> None:
        raise ClusterError("the cluster is on fire", hint="call somebody")

    command(fail)
    assert main.run(["plan"]) == ClusterError.exit_code
    assert capsys.readouterr().err == "error: the cluster is on fire\nhint: call somebody\n"


def test_errors_with_details_show_them_first(
    command: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """An invalid policy shows its problems wherever it is met."""

    class DetailedError(PolicyError):
        details = "one\ntwo"

    def fail() -> None:
        raise DetailedError("two problems")

    command(fail)
    assert main.run(["plan"]) == 2
    assert capsys.readouterr().err == "one\ntwo\nerror: two problems\n"


@pytest.mark.parametrize(("result", "code"), [(None, 0), (0, 0), (3, 3)])
def test_commands_return_exit_codes(command: Callable[[Callable[[], object]], None], result: object, code: int) -> None:
    """What a command returns is the exit code; nothing is success."""
    command(lambda: result)
    assert main.run(["plan"]) == code


def test_interruption(command: Callable[[Callable[[], object]], None]) -> None:
    """Ctrl-C where no command handles it itself: exit code 130, no traceback."""

    def fail() -> None:
        raise KeyboardInterrupt

    command(fail)
    assert main.run(["plan"]) == 130


def test_a_reader_that_goes_away() -> None:
    """`seatrial schema | head -1` is quiet."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as broken:
        done = subprocess.run([SEATRIAL, "schema"], stdout=broken, stderr=subprocess.PIPE, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize(
    ("environment", "is_colored"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colour_on_terminals_only(environment: dict[str, str], is_colored: bool) -> None:  # noqa: FBT001 -- a column
    """On a terminal the word "error" is red, unless NO_COLOR (https://no-color.org) or a dumb terminal forbid it."""
    master, slave = pty.openpty()
    inherited = {key: value for key, value in os.environ.items() if key not in {"NO_COLOR", "TERM"}}
    subprocess.run(
        [SEATRIAL, "nonsense"], stderr=slave, check=False, env={**inherited, "TERM": "xterm", **environment}, timeout=60
    )
    os.close(slave)
    shown = os.read(master, 10_000)
    os.close(master)
    assert shown.startswith(b"\x1b[") is is_colored
    assert b"error:" in shown
    assert not run("nonsense").stderr.startswith("\x1b")
