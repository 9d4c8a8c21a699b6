"""`tc` of the sandbox: a delay is written down, what it can't do is refused."""

from pathlib import Path

import pytest

from seatrial.sandbox.images import iptables, tc
from seatrial.sandbox.images.iptables import RULES_VARIABLE, read_rules
from seatrial.sandbox.images.tc import Delay, read_delay

ROOT = ("dev", "eth0", "root")


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The file of a pod's network."""
    return tmp_path / "rules"


def run(rules: Path, *arguments: str) -> int:
    """Run the program in a container that may change its network."""
    return tc.main(["tc", *arguments], {RULES_VARIABLE: str(rules)})


@pytest.mark.parametrize(
    ("times", "delay"),
    [
        (["100ms"], Delay(0.1)),
        (["0.25s"], Delay(0.25)),
        (["1500us", "500us"], Delay(0.0015, 0.0005)),
        (["2000"], Delay(0.002)),
    ],
)
def test_a_delay_is_written_down(rules: Path, times: list[str], delay: Delay) -> None:
    """In tc's units; a number alone is microseconds."""
    assert run(rules, "qdisc", "add", *ROOT, "netem", "delay", *times) == 0
    assert read_delay(rules) == delay


def test_a_delay_is_changed_shown_and_deleted(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As the original says it; a second one is not added."""
    assert run(rules, "qdisc", "del", *ROOT) == 2
    assert run(rules, "qdisc", "add", *ROOT, "netem", "delay", "100ms") == 0
    assert run(rules, "qdisc", "add", *ROOT, "netem", "delay", "200ms") == 2
    assert run(rules, "qdisc", "change", *ROOT, "netem", "delay", "200ms", "10ms") == 0
    assert run(rules, "qdisc", "show", "dev", "eth0") == 0
    assert run(rules, "qdisc", "del", *ROOT) == 0
    assert run(rules, "qdisc", "show", "dev", "eth0") == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "qdisc netem 8001: dev eth0 root refcnt 2 limit 1000 delay 200ms  10ms",
        "qdisc noqueue 0: dev eth0 root refcnt 2",
    ]
    assert "Exclusivity flag on" in printed.err
    assert read_delay(rules) is None


@pytest.mark.parametrize(
    "arguments",
    [
        ["qdisc", "add", *ROOT, "netem", "loss", "10%"],
        ["qdisc", "add", *ROOT, "netem", "delay", "100ms", "10ms", "loss", "1%"],
        ["qdisc", "add", *ROOT, "netem", "delay", "soon"],
        ["qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"],
        ["qdisc", "sing", *ROOT],
        ["class", "add", *ROOT],
        [],
    ],
)
def test_what_it_can_not_do_is_refused(rules: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With a reason, and without a trace."""
    assert run(rules, *arguments) > 0
    assert capsys.readouterr().err.strip()
    assert read_delay(rules) is None


def test_it_needs_net_admin(capsys: pytest.CaptureFixture[str]) -> None:
    """As everywhere."""
    assert tc.main(["tc", "qdisc", "add", *ROOT, "netem", "delay", "1ms"], {}) == 2
    assert "Operation not permitted" in capsys.readouterr().err


def test_delays_and_redirections_stand_side_by_side(rules: Path) -> None:
    """Neither program touches what is the other's."""
    redirect = ["iptables", "-t", "nat", "-A", "PREROUTING", "!", "-i", "lo", "-p", "tcp", "--dport", "8080"]
    environ = {RULES_VARIABLE: str(rules)}
    rules.touch()
    assert run(rules, "qdisc", "add", *ROOT, "netem", "delay", "100ms") == 0
    assert iptables.main([*redirect, "-j", "REDIRECT", "--to-ports", "10000"], environ) == 0
    assert run(rules, "qdisc", "change", *ROOT, "netem", "delay", "50ms") == 0
    assert (read_rules(rules), read_delay(rules)) == ({8080: 10000}, Delay(0.05))
