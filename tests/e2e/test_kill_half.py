import json

from tests.e2e.conftest import EXAMPLES
from tests.processes import processes_that_mention

ARGUMENTS = ("--load", EXAMPLES / "manifests" / "goldpinger.yml", "--policy-file", EXAMPLES / "kill-half.yml")


def test_the_first_experiment_passes_on_a_cluster_that_comes_with_the_tool(program):
    """Three pods matched, one chosen and killed, seen by its peers, replaced; exit code 0, and nothing is left."""
    done = program.run("autonomous", "--sandbox", *ARGUMENTS, "--output", "json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["verdict"] == "passed"
    assert {key: result["pods"][key] for key in ("matched", "chosen", "killed")} == {
        "matched": 3,
        "chosen": 1,
        "killed": 1,
    }
    recovery = result["recovery"]
    assert recovery["recovered"] == 1
    assert 0 < recovery["gone"]["max"] <= recovery["ready"]["max"]
    assert recovery["created"]["max"] <= recovery["scheduled"]["max"] <= recovery["running"]["max"]
    mesh = result["mesh"]
    assert mesh["degraded"] >= 1
    assert mesh["wholeAtEnd"] is True
    [victim] = result["pods"]["victims"]
    assert all(pair.endswith(victim.partition("/")[2]) for pair in mesh["failedPairs"])
    assert processes_that_mention(str(program.state)) == []
    assert list((program.state / "sandboxes").iterdir()) == []


def test_its_summary_is_for_people(program):
    """Without `--output json` the summary on standard output says the same in words, the log goes to standard error."""
    done = program.run("autonomous", "--sandbox", *ARGUMENTS)
    assert done.returncode == 0, done.stderr
    assert "PASSED" in done.stdout
    assert "3 matched, 1 chosen, 1 killed" in done.stdout
    assert "whole at the end" in " ".join(done.stdout.split())
    assert "\x1b" not in done.stdout + done.stderr
    assert "pod_killed" in done.stderr
    assert "Traceback" not in done.stderr
