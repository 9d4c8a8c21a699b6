"""Programs of the tests are processes as anybody has them."""

import os
import signal
import subprocess
from contextlib import ExitStack

import pytest

from tests.programs import Process, stop_server


@pytest.fixture
def start(tmp_path):
    """Start `seatrial` with an environment of its own."""
    with ExitStack() as started:

        def start(*arguments, **environ):
            environ = {"HOME": str(tmp_path), "SEATRIAL_STATE_DIR": str(tmp_path / "state"), **environ}
            return started.enter_context(Process(arguments, environ=environ, directory=tmp_path))

        yield start


def test_output_errors_and_exit_code_are_its_own(start):
    """Of two at a time."""
    good, bad = start("--version"), start("no-such-command")
    assert good.communicate(timeout=60)[0].startswith("seatrial ")
    assert "there is no command" in bad.communicate(timeout=60)[1]
    assert (good.returncode, bad.returncode) == (0, 2)


def test_arguments_directory_and_environment_are_its_own(start, tmp_path):
    """A file is found from where the program is."""
    (tmp_path / "policy.yml").write_text("scenarios: []")
    (tmp_path / "options.yml").write_text("no-such-option: 1")
    assert start("validate", "policy.yml").wait(60) == 0
    assert "no-such-option" in start("validate", "policy.yml", CONFIG="options.yml").communicate(timeout=60)[1]


@pytest.fixture
def reading(start, tmp_path):
    """A program that reads a policy which nobody writes."""
    pipe = tmp_path / "policy.yml"
    os.mkfifo(pipe)
    process = start("validate", "policy.yml")
    with pipe.open("w"):  # as soon as the program reads
        yield process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_signals_end_it(reading, start, number, code):
    """By itself where it can, and the server goes on."""
    assert reading.poll() is None
    reading.send_signal(number)
    assert reading.wait(60) == code
    assert start("--version").wait(60) == 0


def test_who_waits_no_longer_is_told(reading):
    """As subprocess does."""
    with pytest.raises(subprocess.TimeoutExpired):
        reading.wait(0.01)
    reading.kill()
    assert reading.communicate(timeout=60) == ("", "")


def test_a_server_that_was_stopped_is_started_again(start):
    """With the next program."""
    assert start("--version").wait(60) == 0
    stop_server()
    assert start("--version").communicate(timeout=60)[0].startswith("seatrial ")
