"""The commands of the pages that a newcomer follows, run one after the other as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT
from tests.kubectls import newest
from tests.processes import processes_that_mention

TUTORIAL = ROOT / "docs" / "tutorial" / "first-experiment.md"


def commands_of(page):
    """The commands in a page's blocks: indented by four spaces, or between fences without a language."""
    text = page.read_text()
    fenced = [
        line for block in re.findall(r"^```\n(.*?)^```", text, re.DOTALL | re.MULTILINE) for line in block.splitlines()
    ]
    indented = re.findall(r"^ {4}(\S.*)$", text, re.MULTILINE)
    return [
        line for line in (*indented, *fenced) if re.match(r"(\.venv/bin/)?seatrial |kubectl |export KUBECONFIG", line)
    ]


def follow(commands, state):
    """Run commands as one shell session; tells its output, or fails with it."""
    script = "set -euxo pipefail\n" + "\n".join(commands)
    binaries = Path(sys.executable).parent
    kubectl = state / "bin" / "kubectl"
    kubectl.parent.mkdir()
    kubectl.symlink_to(newest() or "missing")
    environ = {
        "PATH": f"{kubectl.parent}:{binaries}:{os.environ['PATH']}",
        "HOME": str(state),
        "SEATRIAL_STATE_DIR": str(state / "state"),
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(newest() is None, reason="the page uses kubectl, of which there is none on this machine")
def test_the_tutorial_works_as_it_is_written(tmp_path):
    """Every command of the tutorial succeeds in order; watching is left out, since it never ends."""
    commands = [command.replace(" --watch", "") for command in commands_of(TUTORIAL)]
    assert len(commands) >= 8
    # A reader takes a while between two commands; the script waits for what that while is for.
    ready = "kubectl wait --for=condition=Available deployment/goldpinger --timeout=60s"
    commands.insert(next(index for index, each in enumerate(commands) if "get pods" in each), ready)
    output = follow(commands, tmp_path)
    assert output.count("Ready") >= 4
    assert "goldpinger" in output
    assert "would hit" in output
    assert "PASSED" in output
    assert processes_that_mention(str(tmp_path)) == []


def test_the_commands_of_the_readme_work(tmp_path):
    """The README's commands, copied; those for a cluster of one's own run on a sandbox with goldpinger."""
    commands = [command.removeprefix(".venv/bin/") for command in commands_of(ROOT / "README.md")]
    assert len(commands) == 5
    before = [
        "seatrial sandbox up --detach",
        'export KUBECONFIG="$(seatrial sandbox kubeconfig)"',
        "seatrial sandbox load examples/manifests/goldpinger.yml",
    ]
    output = follow([*before, *commands, "seatrial sandbox down"], tmp_path)
    assert "seatrial autonomous --policy-file examples/kill-half.yml --seed 7" in output
    assert output.count("PASSED") == 2
