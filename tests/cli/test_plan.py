import asyncio
import json
import shlex

import pytest

from seatrial.cli.main import run

KILL = """
config: {seed: %s}
scenarios:
- name: kill some
  steps:
  - podAction:
      matches: [{labels: {selector: app=web, namespace: default}}]
      filters: [{randomSample: {size: 2}}]
      actions: [{kill: {force: true}}]
"""


@pytest.fixture
def plan(control, capsys):
    """Runs `seatrial plan` on the API server of this process; answers exit code, output and errors."""

    async def of(*arguments):
        known = ["--kubeconfig", control.directory / "kubeconfig"] if "--kubeconfig" not in arguments else []
        code = await asyncio.to_thread(run, ["plan", *map(str, [*arguments, *known])])
        return code, *capsys.readouterr()

    return of


async def test_it_names_the_victims_and_touches_nothing(control, plan, write):
    """Two of three pods would be hit; all three are there afterwards, and the state directory stays empty."""
    await control.create_pods("a", "b", "c", app="web")
    code, output, errors = await plan(write(KILL % 7), "--output", "json")
    assert (code, errors) == (0, "")
    made = json.loads(output)
    assert len(made["scenarios"][0]["steps"][0]["victims"]) == 2
    assert (made["seed"], made["server"]) == ("7", control.cluster.server)
    assert await control.pod_names() == ["a", "b", "c"]


async def test_the_command_it_prints_leads_to_the_same_cluster(control, plan, write):
    """--kubeconfig and --context are repeated, quoted for a shell, with the seed and the policy."""
    await control.create_pods("a", "b", app="web")
    kubeconfig = control.directory / "it's a kubeconfig"
    kubeconfig.write_text((control.directory / "kubeconfig").read_text())
    context = control.cluster.context_name
    policy = write(KILL % 7, "a policy.yml")
    code, output, _ = await plan(policy, "--kubeconfig", kubeconfig, "--context", context)
    assert code == 0
    assert shlex.split(output.rstrip("\n").rpartition("\n")[2]) == [
        "seatrial", "autonomous", "--policy-file", str(policy),
        "--kubeconfig", str(kubeconfig), "--context", context, "--seed", "7",
    ]  # fmt: skip


async def test_the_seed_of_the_flag_wins(control, plan, write):
    """The flag, then the policy, then one made up and shown."""
    await control.create_pods("a", "b", app="web")
    policy = write(KILL % 7)
    made_up = [json.loads((await plan(write(KILL % "null", "x.yml"), "-o", "json"))[1])["seed"] for _ in range(2)]
    assert json.loads((await plan(policy, "-o", "json"))[1])["seed"] == "7"
    assert json.loads((await plan(policy, "-o", "json", "--seed", "8"))[1])["seed"] == "8"
    assert made_up[0] != made_up[1]


async def test_a_seed_of_five_thousand_digits_is_taken(control, plan, write):
    """No traceback for a number that is too long for one."""
    await control.create_pods("a", "b", app="web")
    code, output, errors = await plan(write(KILL % 7), "--seed", "9" * 5000, "-o", "json")
    assert (code, errors) == (0, "")
    assert json.loads(output)["seed"] == "9" * 5000


@pytest.mark.parametrize("seed", ["9" * 5000, "-" + "9" * 5000])
def test_a_policy_with_a_seed_of_five_thousand_digits_is_an_error_with_its_place(write, nowhere, capsys, seed):
    """What can't be read as a number is said as a problem of the file, or taken as a text; never a traceback."""
    code = run(["plan", str(write(f"config: {{seed: {seed}}}\nscenarios: []\n")), "--kubeconfig", str(nowhere)])
    assert code in {0, 2}
    assert "Traceback" not in capsys.readouterr().err


def test_a_cluster_that_does_not_answer_is_said(write, nowhere, capsys):
    """One line, exit code 3."""
    assert run(["plan", str(write(KILL % 7)), "--kubeconfig", str(nowhere)]) == 3
    assert "connection refused" in capsys.readouterr().err.lower()


def test_an_invalid_policy_asks_no_cluster(write, capsys):
    """All problems with their places, exit code 2, though the kubeconfig isn't there either."""
    policy = write("scenarios: [{nam: x, step: []}]\n")
    assert run(["plan", str(policy), "--kubeconfig", "/nonexistent"]) == 2
    errors = capsys.readouterr().err
    assert errors.count("unknown key") == 2
    assert "/nonexistent" not in errors
