"""The public fixtures, in somebody else's test suite."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seatrial import testing

_CONFTEST = "from seatrial.testing import sandbox\n"
_TESTS = """
import ssl

async def test_asynchronous(sandbox):
    assert sandbox.kubeconfig.exists()

def test_plain(sandbox):
    assert sandbox.timings["ready_ms"] > 0
"""


def test_sandbox_fixture(tmp_path: Path) -> None:
    """A conftest.py that imports `sandbox` has the fixture, for plain and for asynchronous tests."""
    (tmp_path / "conftest.py").write_text(_CONFTEST)
    (tmp_path / "test_mine.py").write_text(_TESTS)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environ,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


async def test_a_fake_clocks_wall_can_jump() -> None:
    """As when somebody sets it, or a laptop sleeps: the monotonic clock doesn't notice."""
    clock = testing.FakeClock()
    begun = clock.now()
    clock.jump(3600, after=10)
    clock.jump(-60)
    assert (clock.now() - begun).total_seconds() == -60
    await clock.sleep(9)
    assert (clock.now() - begun).total_seconds() == 9 - 60
    await clock.sleep(1)
    assert (clock.now() - begun).total_seconds() == 10 - 60 + 3600
    assert clock.monotonic() == 10


def test_public_names() -> None:
    """What `seatrial.testing` lists is there; asking for more is an AttributeError."""
    assert {"Sandbox", "sandbox", "sandbox_cluster"} <= set(testing.__all__)
    for name in testing.__all__:
        assert getattr(testing, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = testing.nothing
