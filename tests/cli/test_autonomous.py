import json
import logging
import os
import pty
import pwd
import re
import subprocess
import sys

import pytest

from seatrial.cli.main import run
from tests.cli.conftest import WAITS
from tests.e2e.conftest import Program

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


@pytest.fixture
def program(tmp_path):
    """The program with a state directory of its own."""
    made = Program(tmp_path)
    yield made
    made.close()


@pytest.fixture
def fails(capsys, tmp_path):
    """Runs `seatrial autonomous` where it can't begin; answers its exit code and what it says."""

    def autonomous(*arguments):
        code = run(["autonomous", *map(str, arguments), "--state-dir", str(tmp_path / "state")])
        said = capsys.readouterr()
        assert said.out == ""
        assert "Traceback" not in said.err
        return code, said.err

    return autonomous


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        ("{apiVersion: v1, kind: Pod, metadata: {name: p, labels: [x]}}", "object 1 has labels that are no map"),
        ("{apiVersion: v1, kind: Pod, metadata: {name: 5}}", "object 1 needs apiVersion, kind and metadata.name"),
        ("[" * 500 + "]" * 500, "is nested too deeply"),
        ("{a: [}", "is no YAML"),
    ],
)
def test_a_bad_manifest_is_an_error_before_anything_begins(fails, write, nowhere, manifest, problem):
    """What can't be loaded is said with its file, exit code 2, and no state directory is made."""
    policy = write(WAITS % 0)
    code, said = fails("--policy-file", policy, "--kubeconfig", nowhere, "--load", write(manifest, "bad.yml"))
    assert code == 2
    assert said.startswith("error: ")
    assert problem in said
    assert "bad.yml" in said
    assert not (policy.parent / "state").exists()


@pytest.mark.parametrize("given", [["--kubeconfig", "x"], ["--context", "x"]])
def test_a_sandbox_goes_without_a_cluster(fails, write, given):
    """Two clusters for one run are an error of usage."""
    code, said = fails("--policy-file", write(WAITS % 0), "--sandbox", *given)
    assert code == 2
    assert "--sandbox goes without --kubeconfig and --context" in said


@pytest.mark.parametrize("given", [["--max-parallel", "0"], ["--recovery-timeout", "-1"], ["--load-timeout", "x"]])
def test_numbers_have_their_ranges(fails, write, given):
    """A number that makes no sense is an error of usage that names the flag."""
    code, said = fails("--policy-file", write(WAITS % 0), *given)
    assert code == 2
    assert given[0] in said


def test_a_user_without_a_home_is_told_what_to_do(monkeypatch, write, nowhere, capsys):
    """No HOME and no entry for this user: the kubeconfig is found all the same, the state directory is asked for."""

    def unknown(uid):
        raise KeyError(uid)

    for name in ("HOME", "SEATRIAL_STATE_DIR", "XDG_STATE_HOME", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    policy = str(write(WAITS % 0))
    assert run(["autonomous", "--policy-file", policy, "--kubeconfig", str(nowhere)]) == 3
    said = capsys.readouterr().err
    assert said.startswith("error: there is no state directory: this user has no home directory\nhint: ")
    assert run(["plan", policy]) == 2
    assert "no cluster found" in capsys.readouterr().err


@pytest.fixture
def autonomous(capsys, tmp_path, somewhere):
    """Runs `seatrial autonomous` where no step needs a cluster; answers exit code, output and errors."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def of(policy, *arguments):
        given = ["--policy-file", policy, "--kubeconfig", somewhere, "--state-dir", tmp_path / "state", *arguments]
        return run(["autonomous", *map(str, given)]), *capsys.readouterr()

    yield of
    root.handlers[:], root.level = handlers, level


def test_control_characters_in_names_do_not_reach_the_terminal(autonomous, write):
    """A scenario whose name would clear the screen and ring the bell is shown with escapes."""
    code, output, _ = autonomous(write((WAITS % 0).replace("waits a moment", r'"evil\e[2J\a\x9b31mname"')))
    assert code == 0
    assert r"evil\u001b[2J\u0007\u009b31mname" in output
    assert CONTROL.findall(output) == []


def test_json_is_alone_on_standard_output(autonomous, write):
    """The summary can be piped: the log goes to standard error, a JSON object a line where that is asked for."""
    code, output, errors = autonomous(write(WAITS % 0), "--output", "json", "--log-format", "json")
    assert (code, json.loads(output)["verdict"]) == (0, "passed")
    logged = [json.loads(line)["event"] for line in errors.splitlines()]
    assert (logged[0], logged[-1]) == ("run_started", "run_finished")


def test_silent_says_the_summary_only(autonomous, write):
    """`--silent`: nothing on standard error."""
    code, output, errors = autonomous(write(WAITS % 0), "--silent")
    assert (code, errors) == (0, "")
    assert "PASSED" in output


def test_a_seed_of_five_thousand_digits_is_taken(autonomous, write):
    """A number longer than Python likes to convert starts a run like any other."""
    code, output, _ = autonomous(write(WAITS % 0), "--seed", "9" * 5000, "--output", "json")
    assert (code, json.loads(output)["seed"]) == (0, "9" * 5000)


def test_the_exit_code_is_that_of_the_run(autonomous, write, unused_tcp_port):
    """A failed probe makes 1, a policy without scenarios 3; both say why on standard output."""
    probe = f"probeHTTP: {{target: {{url: 'http://127.0.0.1:{unused_tcp_port}'}}, retries: 1}}"
    code, output, _ = autonomous(write((WAITS % 0).replace("wait: {seconds: 0}", probe)))
    assert code == 1
    assert "FAILED" in output
    code, output, _ = autonomous(write("scenarios: []", "empty.yml"))
    assert code == 3
    assert "the policy has no scenarios" in output


@pytest.mark.parametrize(
    ("environ", "arguments", "is_coloured"),
    [
        ({}, [], True),
        ({"NO_COLOR": "1"}, [], False),
        ({"NO_COLOR": "1"}, ["--log-format", "text"], False),
    ],
)
def test_colours_go_where_they_are_wanted(program, write, somewhere, environ, arguments, is_coloured):
    """On a terminal the account, the log and the summary have colours unless NO_COLOR says no."""
    policy = write(WAITS % 0)
    text = shown_on_a_terminal(
        {**program.environ, "TERM": "xterm", **environ},
        ["autonomous", "--policy-file", policy, "--kubeconfig", somewhere, *arguments],
    )
    assert "PASSED" in text
    assert bool(re.search(r"\x1b\[(?:[0-9]+;)*(?:3[0-7]|9[0-7])[;m]", text)) is is_coloured


def shown_on_a_terminal(environ, arguments):
    """What the program writes when both of its outputs are a terminal."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "seatrial", *map(str, arguments)]
    process = subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave)
    os.close(slave)
    with os.fdopen(master, "rb", buffering=0) as terminal, process:
        said = b""
        try:
            while piece := terminal.read(65536):
                said += piece
        except OSError:  # Linux's word for the end of a terminal
            pass
    return said.decode()
