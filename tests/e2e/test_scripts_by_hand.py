"""`seatrial interactive` from a script: commands in, exit code out."""

from tests.e2e.conftest import EXAMPLES

GOLDPINGER = ("--sandbox", "--load", EXAMPLES / "manifests" / "goldpinger.yml")


def test_a_script_looks_kills_and_waits_for_the_recovery(program):
    """The pods are listed, the first is killed and seen to be replaced before the next command; the code is 0."""
    ended = program.run("interactive", *GOLDPINGER, "-c", "pods default; kill 1 --force --yes; probe goldpinger:8080/")
    assert ended.returncode == 0, ended.stderr
    moments = [ended.stdout.index(f"\n {each} ") for each in ("would", "killed", "recovered", "probe")]
    assert moments == sorted(moments)
    assert "\x1b" not in ended.stdout


def test_a_script_that_nobody_agreed_to_does_nothing(program):
    """Without `--yes` it is refused, with code 3, and what comes after it isn't done."""
    ended = program.run("interactive", *GOLDPINGER, "-c", "pods; kill 1", "-c", "pods")
    assert ended.returncode == 3
    assert "nobody can be asked, so nothing was done" in ended.stderr
    assert ended.stdout.count("NAME") == 1


def test_what_a_script_changed_is_taken_back_when_it_ends(program):
    """Its last command isn't the end: the replicas are as before when the program is."""
    ended = program.run("interactive", *GOLDPINGER, "--yes", "-c", "scale deployment/goldpinger 4")
    assert ended.returncode == 0, ended.stderr
    assert "4 Ready replicas of 4, 3 before" in ended.stdout
    assert "scale Deployment default/goldpinger back to 3" in ended.stdout
