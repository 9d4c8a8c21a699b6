"""`seatrial dashboard` where it can't be shown."""

import sys

from seatrial.cli.main import run


def test_without_the_extra_it_says_what_to_install(monkeypatch, capsys):
    """One line and the command, no traceback."""
    monkeypatch.setitem(sys.modules, "textual", None)
    assert run(["dashboard", "--sandbox"]) == 2
    said = capsys.readouterr().err
    assert "the dashboard needs the extra 'tui'" in said
    assert "pip install 'seatrial[tui]'" in said


def test_without_a_terminal_it_points_to_the_shell(capsys):
    """A script has no keys to press."""
    assert run(["dashboard", "--sandbox"]) == 2
    said = capsys.readouterr().err
    assert "the dashboard needs a terminal" in said
    assert "seatrial interactive -c" in said


def test_a_sandbox_goes_without_a_kubeconfig(capsys):
    """It is one cluster or the other."""
    assert run(["dashboard", "--sandbox", "--context", "staging"]) == 2
    assert "--sandbox goes without" in capsys.readouterr().err


def test_the_help_tells_what_is_left_at_the_end(capsys):
    """With examples and exit codes."""
    assert run(["dashboard", "--help"]) == 0
    said = capsys.readouterr().out
    assert "seatrial dashboard --sandbox --load examples/manifests/goldpinger.yml" in said
    assert "130" in said
