import pytest

from seatrial.actions.pods.exec import Exec, plan, run
from seatrial.kube.resources import PODS
from seatrial.runtime.events import PodCommandExecuted
from seatrial.runtime.verdict import Verdict


def sh(script, **given):
    return Exec.model_validate({"command": ["sh", "-c", script], **given})


async def read(whole, pod, path):
    found = await whole.cluster.exec(pod.metadata.name, namespace=whole.namespace, command=["cat", path])
    return found.stdout.decode() if found.exit_code == 0 else None


async def test_a_command_runs_in_each_pod_and_is_told(whole):
    """In every pod of the set, with its exit code and what it printed."""
    pods = await whole.deploy("web", replicas=2)
    assert (await run(sh("echo hello; touch /tmp/x"), pods, whole.context)).passed
    assert [await read(whole, pod, "/tmp/x") for pod in pods] == ["", ""]
    told = [event for event in await whole.events() if isinstance(event, PodCommandExecuted)]
    assert sorted(event.pod.name for event in told) == sorted(pod.metadata.name for pod in pods)
    assert {(event.container, event.exit_code, event.output) for event in told} == {("main", 0, "hello\n")}


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (sh("echo oh no >&2; exit 2"), "ended with 2, expected 0: oh no"),
        (sh("exit 0", exitCode=1), "ended with 0, expected 1"),
        (sh("echo up", output="down"), "no line of what 'sh' printed in"),
    ],
)
async def test_another_exit_code_or_output_than_expected_fails(whole, spec, reason):
    """The command could be run, and the system did not do what the policy expects."""
    outcome = await run(spec, await whole.deploy("web"), whole.context)
    assert outcome.verdict is Verdict.FAILED
    assert reason in outcome.reasons[0]


async def test_any_line_may_match(whole):
    """The expression is compared with the beginning of each line."""
    assert (await run(sh("echo one; echo two", output="TWO$"), await whole.deploy("web"), whole.context)).passed


async def test_what_can_t_be_run_is_inconclusive(whole):
    """A container that isn't there, a pod that is gone: nothing was shown, and the reason says why."""
    pods = await whole.deploy("web")
    outcome = await run(sh("true", container="other"), pods, whole.context)
    assert (outcome.verdict, outcome.reasons[0].rpartition("/")[2].partition(" ")[2]) == (
        Verdict.INCONCLUSIVE,
        "has no container 'other'",
    )
    for pod in pods:
        await whole.cluster.delete(PODS, pod.metadata.name, namespace=whole.namespace, grace_period_seconds=0)
    outcome = await run(sh("true"), pods, whole.context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "could not be run in" in outcome.reasons[0]


async def test_clean_up_runs_the_undo_in_the_same_pod(whole):
    """What the command did is taken back by the command that the policy names; a second time does no harm."""
    [pod] = await whole.deploy("web")
    spec = sh("echo broken > /tmp/state", undo=["rm", "-f", "/tmp/state"])
    assert (await run(spec, (pod,), whole.context)).passed
    assert await read(whole, pod, "/tmp/state") == "broken\n"
    assert await whole.undo() == []
    assert await read(whole, pod, "/tmp/state") is None


async def test_an_undo_that_fails_is_said(whole):
    """The clean-up is incomplete, with what the command said."""
    pods = await whole.deploy("web")
    await run(sh("true", undo=["sh", "-c", "echo no way >&2; exit 4"]), pods, whole.context)
    [failure] = await whole.undo()
    assert "the command ended with 4: no way" in failure


async def test_a_pod_that_is_gone_needs_no_undo(whole):
    """Its container took with it what was done there."""
    [pod] = await whole.deploy("web")
    await run(sh("true", undo=["false"]), (pod,), whole.context)
    await whole.cluster.delete(PODS, pod.metadata.name, namespace=whole.namespace, grace_period_seconds=0)
    assert await whole.undo() == []


async def test_a_plan_says_what_would_run_and_what_takes_it_back(whole):
    """With the container that would be taken, and nothing run."""
    [pod] = await whole.deploy("web")
    planned = await plan(sh("touch /tmp/x", undo=["rm", "/tmp/x"]), (pod,), whole.context)
    name = f"{whole.namespace}/{pod.metadata.name}"
    assert planned.changes == (f"run 'sh -c 'touch /tmp/x'' in {name}, container main, and 'rm /tmp/x' at clean-up",)
    assert await read(whole, pod, "/tmp/x") is None
