"""`iptables` of the sandbox, and the shell that finds it."""

from pathlib import Path

import pytest

from seatrial.sandbox.images import iptables
from seatrial.sandbox.images.iptables import RULES_VARIABLE, read_rules
from seatrial.sandbox.images.shell import plain_commands
from tests.sandbox.images.containers import Containers

REDIRECT = ("-t", "nat", "-A", "PREROUTING", "-p", "tcp", "--dport", "8080", "-j", "REDIRECT", "--to-port", "10000")


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The file of a pod's rules."""
    return tmp_path / "rules"


def run(rules: Path, *arguments: str) -> int:
    """Run the program in a container that may change its network."""
    return iptables.main(["iptables", *arguments], {RULES_VARIABLE: str(rules)})


def test_a_redirection_is_written_down(rules: Path) -> None:
    """Several ports, each with its target; the rule that was first wins."""
    assert run(rules, *REDIRECT) == 0
    assert (
        run(rules, *REDIRECT[:4], "-i", "eth0", "-p", "tcp", "-m", "tcp", "--dport", "81", *REDIRECT[8:-1], "10001")
        == 0
    )
    assert run(rules, *REDIRECT[:-1], "10002") == 0
    assert read_rules(rules) == {8080: 10000, 81: 10001}


def test_loopback_is_excepted_anyway(rules: Path) -> None:
    """`! -i lo` says what is so here."""
    assert run(rules, *REDIRECT[:4], "!", "-i", "lo", *REDIRECT[4:]) == 0
    assert run(rules, *REDIRECT[:4], "!", "-i", "eth0", *REDIRECT[4:]) == 2
    assert read_rules(rules) == {8080: 10000}


def test_rules_are_checked_listed_and_deleted(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As the original says it."""
    run(rules, *REDIRECT)
    assert run(rules, "-t", "nat", "-C", *REDIRECT[3:]) == 0
    assert run(rules, "-t", "nat", "-S") == 0
    assert capsys.readouterr().out == "-A PREROUTING -p tcp -m tcp --dport 8080 -j REDIRECT --to-ports 10000\n"
    assert run(rules, "-t", "nat", "-D", *REDIRECT[3:]) == 0
    assert run(rules, "-t", "nat", "-D", *REDIRECT[3:]) == 1
    assert "Bad rule" in capsys.readouterr().err
    run(rules, *REDIRECT)
    assert run(rules, "-t", "nat", "-F") == 0
    assert read_rules(rules) == {}


def test_without_the_capability_it_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A container without NET_ADMIN has no file to write to."""
    assert iptables.main(["iptables", *REDIRECT], {}) == 4
    assert "Permission denied (you must be root)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", ["-A INPUT -j DROP", "-t nat -A OUTPUT -p tcp --dport 1 -j REDIRECT --to 2", "-x"]
)
def test_what_the_sandbox_can_not_do_is_said(rules: Path, arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It fails instead of doing nothing."""
    assert run(rules, *arguments.split()) == 2
    assert "the sandbox" in capsys.readouterr().err
    assert read_rules(rules) == {}


@pytest.mark.parametrize(
    ("script", "commands"),
    [
        ("iptables -F", [("", ["iptables", "-F"])]),
        ("sudo /sbin/iptables -F; iptables -S", [("", ["/sbin/iptables", "-F"]), (";", ["iptables", "-S"])]),
        ("iptables -F &&\n iptables -S\n", [("", ["iptables", "-F"]), ("&&", ["iptables", "-S"])]),
        ("iptables -F && echo done", []),
        ("iptables -F | cat", []),
        ("iptables -F &", []),
        ("iptables $FLAGS", []),
        ("iptables 'open", []),
        ("", []),
    ],
)
def test_plain_scripts_are_understood(script: str, commands: list[tuple[str, list[str]]]) -> None:
    """A script that is nothing but the image's commands; any other is the host's shell's."""
    assert plain_commands(script, {"iptables": iptables.main}) == commands


def test_a_negation_needs_no_shell() -> None:
    """The shell's own, before a command, does."""
    programs = {"iptables": lambda _argv, _environ: 0}
    assert plain_commands("iptables ! -i lo", programs) == [("", ["iptables", "!", "-i", "lo"])]
    assert plain_commands("! iptables -i lo", programs) == []


def test_the_images_shell_runs_the_program(containers: Containers, rules: Path) -> None:
    """`sh -c` in an image with iptables finds it; `&&` stops at a failure."""
    environ = {RULES_VARIABLE: str(rules)}
    script = f"iptables {' '.join(REDIRECT)} && iptables -t nat -S"
    code, out, _ = containers.run("gaiadocker/iproute2", "sh", "-c", script, environ=environ)
    assert (code, out.splitlines()) == (0, ["-A PREROUTING -p tcp -m tcp --dport 8080 -j REDIRECT --to-ports 10000"])
    code, out, _ = containers.run(
        "gaiadocker/iproute2", "sh", "-c", "iptables -A INPUT && iptables -S", environ=environ
    )
    assert (code, out) == (2, "")
    code, out, _ = containers.run("gaiadocker/iproute2", "sh", "-c", "echo $((1 + 2))", environ=environ)
    assert (code, out) == (0, "3\n")
