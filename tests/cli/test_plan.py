import asyncio
import json
import shlex

import pytest

from seatrial.cli.main import run
from tests.cli.programs import seatrial

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


async def test_the_command_it_prints_keeps_guardrails_and_the_way_to_machines(control, plan, write):
    """Without them it would do something else than was shown; a password is in no command that is printed."""
    await control.create_pods("a", "b", app="web")
    given = [
        "--max-pods", "5", "--keep-etcd-quorum", "--protect", "a", "--protect", "b", "--respect-pdb",
        "--no-cloud", "--execution-mode", "ssh", "--remote-user", "core",
    ]  # fmt: skip
    code, output, _ = await plan(write(KILL % 7), *given, "--ssh-password", "hunter2")
    assert code == 0
    assert shlex.split(output.rstrip("\n").rpartition("\n")[2])[6:-2] == given
    assert "hunter2" not in output


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


async def test_what_would_be_refused_has_its_exit_code(control, plan, write):
    """A guardrail of the policy or of the command line that would hold a step back: exit code 3, and the reason."""
    await control.create_pods("a", "b", "c", app="web")
    policy = write(KILL % 7)
    code, output, _ = await plan(policy, "--max-pods", "1")
    assert code == 3
    assert "REFUSED" in output
    assert "maxPods: the step would hit 2 pods, at most 1 may be" in " ".join(output.split())
    made = json.loads((await plan(policy, "-o", "json", "--max-pods", "1"))[1])
    assert (made["format"], made["allowed"]) == ("seatrial.io/plan/v1", False)
    assert (await plan(policy, "--max-pods", "2"))[0] == 0


async def test_a_step_that_can_t_be_planned_yet_spoils_no_other(control, plan, write):
    """What an earlier step has yet to create isn't there: said, and the other steps are planned."""
    await control.create_pods("a", "b", app="web")
    scale = "  - scale: {target: {deployment: {name: cart, namespace: default}}, replicas: 2}\n"
    code, output, _ = await plan(write(KILL % 7 + scale), "-o", "json")
    kill, unknown = json.loads(output)["scenarios"][0]["steps"]
    assert (code, len(kill["victims"])) == (0, 2)
    assert 'deployments.apps "cart" not found' in unknown["unknown"]


@pytest.fixture
def autonomous(control, tmp_path):
    """Runs `seatrial autonomous`, a process of its own, on this API server; answers exit code and all it said."""

    async def of(*arguments):
        known = ["--kubeconfig", control.directory / "kubeconfig", "--state-dir", tmp_path / "state"]
        done = await seatrial("autonomous", *arguments, *known, "--recovery-timeout", "0")
        return done.code, " ".join((done.output + done.errors).split())

    return of


async def test_a_run_is_held_to_its_plan(control, plan, autonomous, write, tmp_path):
    """With the plan's seed and its very victims; once the cluster has drifted it is refused, and says how."""
    await control.create_pods("a", "b", "c", app="web")
    policy = write((KILL % "null").replace("{seed: null}", "{runStrategy: {runs: 1}}"))
    _, output, _ = await plan(policy, "-o", "json")
    saved = tmp_path / "plan.json"
    saved.write_text(output)
    [step] = json.loads(output)["scenarios"][0]["steps"]
    planned = {pod["name"] for pod in step["victims"]}
    code, said = await autonomous("--policy-file", policy, "--plan", saved)
    assert (code, set(await control.pod_names())) == (0, {"a", "b", "c"} - planned), said
    code, said = await autonomous("--policy-file", policy, "--plan", saved)
    assert code == 3
    assert "the plan no longer holds: kill some, step 1 " in said
    assert "no longer would hit pod default/" in said
    assert len(await control.pod_names()) == 1


async def test_a_plan_for_another_policy_or_seed_is_refused(control, plan, autonomous, write, tmp_path):
    """Nothing is hit that the plan did not show."""
    await control.create_pods("a", "b", "c", app="web")
    saved = tmp_path / "plan.json"
    saved.write_text((await plan(write(KILL % 7), "-o", "json"))[1])
    code, said = await autonomous("--policy-file", write(KILL % 7, "same.yml"), "--plan", saved, "--seed", "8")
    assert (code, "the seed is 8, not 7" in said) == (3, True)
    other = write((KILL % 7).replace("size: 2", "size: 1"), "other.yml")
    code, said = await autonomous("--policy-file", other, "--plan", saved)
    assert (code, "the policy says something else" in said) == (3, True)
    assert await control.pod_names() == ["a", "b", "c"]


async def test_a_file_that_is_no_plan_is_wrong_usage(autonomous, write, tmp_path):
    """Exit code 2 before anything is asked; so are combinations that make no sense."""
    policy = write(KILL % 7)
    assert (await autonomous("--policy-file", policy, "--plan", policy))[0] == 2
    assert run(["autonomous", "--policy-file", str(policy), "--plan", str(policy), "--sandbox"]) == 2
