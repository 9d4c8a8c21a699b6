import pytest
from pydantic import ValidationError

from seatrial.actions.dead_man_timer import DeadManTimer
from seatrial.actions.pods.exec import Exec, plan, run
from seatrial.actions.pods.pod_timers import Place, disarm
from seatrial.kube.resources import PODS
from seatrial.runtime.events import PodCommandExecuted, ProofMissing, TimerArmed, UndoDone
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


BREAK = "echo broken > /tmp/state"
MEND = ["sh", "-c", "rm -f /tmp/state; echo mended >> /tmp/mended"]
MENDED = "while ! [ -e /tmp/mended ]; do sleep 0.1; done; cat /tmp/mended"


async def timers_in(whole, pod):
    """The command lines of the shells in a pod that are timers; this look's own is none."""
    look = "for each in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $each; echo; done 2>/dev/null"
    found = await whole.cluster.exec(pod.metadata.name, namespace=whole.namespace, command=["sh", "-c", look])
    return [line for line in found.stdout.decode().splitlines() if "seatrial-timer-" in line]


async def test_a_fault_ends_by_itself_when_its_time_is_over(whole):
    """Nobody asks for it: the pod's own timer runs the undo; clean-up later is safe, and says that it was late."""
    [pod] = await whole.deploy("web")
    assert (await run(sh(BREAK, undo=MEND, expiresAfter=1), (pod,), whole.context)).passed
    found = await whole.cluster.exec(pod.metadata.name, namespace=whole.namespace, command=["sh", "-c", MENDED])
    assert found.stdout == b"mended\n"
    assert await read(whole, pod, "/tmp/state") is None
    assert await whole.undo() == []
    events = list(await whole.events())
    [armed] = [event for event in events if isinstance(event, TimerArmed)]
    assert (armed.place, armed.seconds) == (f"container main of pod {whole.namespace}/{pod.metadata.name}", 1)
    assert [event.reason for event in events if isinstance(event, ProofMissing)] == [
        "its timer was not there any more: it may have ended before clean-up"
    ]


async def test_clean_up_before_that_disarms_the_timer(whole):
    """The undo runs at once and once, and no timer is left that could fire into a later experiment."""
    [pod] = await whole.deploy("web")
    assert (await run(sh(BREAK, undo=MEND, expiresAfter=3600), (pod,), whole.context)).passed
    assert len(await timers_in(whole, pod)) == 1
    assert await whole.undo() == []
    assert await timers_in(whole, pod) == []
    assert await read(whole, pod, "/tmp/mended") == "mended\n"
    assert [event for event in await whole.events() if isinstance(event, ProofMissing)] == []


async def test_an_undo_that_fails_leaves_the_timer_to_try_again(whole):
    """Clean-up is incomplete; what a person would type ends the timer, too."""
    [pod] = await whole.deploy("web")
    spec = sh("true", undo=["test", "-e", "/tmp/not-there"], expiresAfter=3600)
    assert (await run(spec, (pod,), whole.context)).passed
    [written] = whole.context.journal.newer_than(0)
    assert written.undo.manual.count("kubectl exec -n") == 2
    [failure] = await whole.undo()
    assert "the command ended with 1" in failure
    assert len(await timers_in(whole, pod)) == 1
    timer = DeadManTimer.from_json(written.undo.args["timer"])
    place = Place(namespace=whole.namespace, name=pod.metadata.name, container="main")
    assert await disarm(timer, place, whole.context.world, patience_seconds=10)


@pytest.mark.parametrize(
    ("image", "undo", "reason"),
    [
        ("ghcr.io/shopify/toxiproxy:2.9.0", ["true"], "expiresAfter needs a shell in container main of pod"),
        ("busybox:1.36", ["no-such-program"], "there is no program 'no-such-program'"),
    ],
    ids=["no shell", "no undo"],
)
async def test_where_no_timer_can_be_armed_nothing_is_done(whole, image, undo, reason):
    """Refused before the command, and nothing stays in the journal: there is nothing to be undone."""
    container = {"image": image}
    if "toxiproxy" in image:
        container |= {"command": None, "readinessProbe": None}
    [pod] = await whole.deploy("web", container=container)
    outcome = await run(sh("touch /tmp/x", undo=undo, expiresAfter=60), (pod,), whole.context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert reason in outcome.reasons[0]
    assert whole.context.journal.newer_than(0) == []
    events = list(await whole.events())
    assert [event for event in events if isinstance(event, PodCommandExecuted | UndoDone | TimerArmed)] == []


@pytest.mark.parametrize("given", [{"expiresAfter": 5}, {"expiresAfter": 0, "undo": ["true"]}])
def test_a_timer_needs_an_undo_and_a_time(given):
    """Without them the policy is invalid."""
    with pytest.raises(ValidationError):
        sh("true", **given)


async def test_a_plan_says_when_a_fault_ends_by_itself(whole):
    """At clean-up, or after so many seconds."""
    [pod] = await whole.deploy("web")
    planned = await plan(sh(BREAK, undo=["true"], expiresAfter=60), (pod,), whole.context)
    assert planned.changes[0].endswith("and 'true' at clean-up or after 60 s")
