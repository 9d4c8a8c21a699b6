import asyncio
import json
import shlex
import signal

import pytest

from seatrial.cli.label import _namespaces
from seatrial.cli.main import run
from tests.cli.test_autonomous import Program

WILLING = {"seal/enabled": "true", "seal/days": "mon_tue_wed_thu_fri_sat_sun"}
ALWAYS = {**WILLING, "seal/start-time": "00-00-00", "seal/end-time": "23-59-59"}


@pytest.fixture
def label(control, capsys):
    """Runs `seatrial label` on the API server of this process; answers exit code, output and errors."""

    async def of(*arguments):
        where = ["--kubeconfig", control.directory / "kubeconfig"]
        state = [] if "--dry-run" in arguments else ["--state-dir", control.directory / "state"]
        code = await asyncio.to_thread(run, ["label", *map(str, [*where, *state, *arguments])])
        return code, *capsys.readouterr()

    return of


@pytest.fixture
def program(control):
    """The program as a process of its own, on that API server."""
    made = Program(control.directory, control.directory / "kubeconfig")
    yield made
    made.close()


async def finished(process):
    output, errors = await asyncio.to_thread(process.communicate, timeout=100)
    return process.returncode, output, errors


ONE_ROUND = ("label", "--runs", "1", "--recovery-timeout", "0", "--output", "json", "--log-format", "json")


async def test_a_round_kills_what_asks_for_it(control, program):
    """One of three pods; exit code 0, the account in the log, the result as JSON."""
    await control.create_pods("willing", **ALWAYS)
    await control.create_pods("silent")
    await control.create_pods("picky", **{**ALWAYS, "seal/kill-probability": "0"})
    code, output, errors = await finished(program.start(*ONE_ROUND))
    assert code == 0, errors
    result = json.loads(output)
    assert (result["verdict"], result["policy"]) == ("passed", "label mode (namespace default)")
    assert result["pods"]["victims"] == ["default/willing"]
    assert result["pods"]["notKilled"] == {"spared by its probability 0": 1}
    logged = {line["event"]: line for line in map(json.loads, errors.splitlines())}
    assert logged["pod_spared"]["pod"] == "default/picky"
    assert await control.pod_names() == ["picky", "silent"]


async def test_nothing_to_kill_is_inconclusive(program):
    """Exit code 3, with what was looked for and where."""
    code, output, _ = await finished(program.start(*ONE_ROUND, "--kubernetes-namespace", "default,kube-system"))
    assert code == 3
    [reason] = json.loads(output)["reasons"]
    assert reason == (
        "no pod in namespace default or namespace kube-system has the label or annotation seal/enabled=true"
    )


async def test_ctrl_c_stops_it_between_rounds(control, program):
    """It goes on until stopped; then exit code 130, and what it did is told."""
    await control.create_pods("willing", **ALWAYS)
    process = program.start(
        "label", "--recovery-timeout", "0", "--log-format", "json", "--min-seconds-between-runs", "250"
    )

    def stop_at_the_pause():
        for line in process.stderr:
            if json.loads(line)["event"] == "pause_started":
                process.send_signal(signal.SIGINT)
                break

    await asyncio.to_thread(stop_at_the_pause)
    code, output, _ = await finished(process)
    assert code == 130
    assert "1 killed: default/willing" in " ".join(output.split())


async def test_a_dry_run_touches_nothing(control, label):
    """It names the victims and those who are spared, with the reasons; the command it prints does exactly this."""
    await control.create_pods("willing", **ALWAYS)
    await control.create_pods("picky", **{**ALWAYS, "seal/kill-probability": "0"})
    code, output, _ = await label("--dry-run", "--seed", "7", "--timezone", "Europe/Vienna")
    assert code == 0
    said = " ".join(output.split())
    assert "would hit default/willing" in said
    assert "default/picky is left alone: spared by its probability 0" in said
    assert shlex.split(output.rstrip("\n").rpartition("\n")[2]) == [
        "seatrial", "label", "--kubernetes-namespace", "default",
        "--kubeconfig", str(control.directory / "kubeconfig"), "--timezone", "Europe/Vienna", "--seed", "7",
    ]  # fmt: skip
    assert await control.pod_names() == ["picky", "willing"]


async def test_a_dry_run_as_json(control, label):
    """The plan in the form of `seatrial plan`."""
    await control.create_pods("willing", **ALWAYS)
    code, output, _ = await label("--dry-run", "--output", "json")
    [scenario] = json.loads(output)["scenarios"]
    assert code == 0
    assert [each["name"] for each in scenario["steps"][0]["victims"]] == ["willing"]


async def test_a_dry_run_tells_by_its_exit_code_that_something_stands_against_it(control, label):
    """As `seatrial plan` does: here a user that may look, and not kill."""
    await control.create_pods("willing", **ALWAYS)
    api = control.server.api
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]}]
    await api.create("clusterroles.rbac.authorization.k8s.io", {"metadata": {"name": "r"}, "rules": rules})
    binding = {
        "metadata": {"name": "r"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "joe"}],
    }
    await api.create("clusterrolebindings.rbac.authorization.k8s.io", binding)
    await (await control.connect_as("joe")).close()  # it writes joe's kubeconfig
    code, output, _ = await label("--dry-run", "--kubeconfig", control.directory / "joe.kubeconfig")
    assert code == 3
    assert "delete pods in default" in output


async def test_guardrails_of_the_command_line_hold(control, label):
    """With `--max-pods 1` one of two is killed; with `--protect default` none."""
    await control.create_pods("a", "b", **ALWAYS)
    _, output, _ = await label("--dry-run", "--max-pods", "1", "--output", "json")
    step = json.loads(output)["scenarios"][0]["steps"][0]
    assert len(step["victims"]) == 1
    assert any("2 pods are due, at most 1 may be killed at once" in note for note in step["notes"])
    _, output, _ = await label("--dry-run", "--protect", "default", "--output", "json")
    assert json.loads(output)["scenarios"][0]["steps"][0]["victims"] == []


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (["--timezone", "Mars/Olympus"], "'Mars/Olympus', which is no timezone of the IANA database"),
        (["--min-seconds-between-runs", "400"], "--max-seconds-between-runs (300) is less than the minimum (400)"),
        (["--runs", "0"], "--runs"),
        (["--min-seconds-between-runs", "nan"], "--min-seconds-between-runs: Input should be a finite number"),
        (["--max-seconds-between-runs", "inf"], "--max-seconds-between-runs: Input should be a finite number"),
    ],
)
def test_what_makes_no_sense_is_an_error_of_usage(given, problem, capsys):
    """Exit code 2 before anything is looked at."""
    assert run(["label", *given]) == 2
    said = capsys.readouterr().err
    assert problem in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("text", "namespaces"),
    [
        ("default", ["default"]),
        ("a,b", ["a", "b"]),
        (" a , b ,a", ["a", "b"]),
        ("", [""]),
        ("  ", [""]),
        ("a,", ["a"]),
        (",a", ["a"]),
        ("*", ["*"]),
    ],
)
def test_a_comma_too_many_does_not_mean_all_namespaces(text, namespaces):
    """Only a text without any name does."""
    assert _namespaces(text) == namespaces
