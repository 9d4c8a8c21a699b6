import shutil
import subprocess

import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from seatrial.actions.pods.container_pause import PAUSE, RESUME
from seatrial.actions.pods.kill_container import _SIGNAL_SHARED, ACTION, KillContainer, plan, run
from seatrial.kube.objects import Pod
from seatrial.kube.resources import PODS
from seatrial.runtime.events import (
    ContainerRestarted,
    ContainerSignalled,
    FaultCleared,
    FaultProven,
    MeasurementTaken,
    ProofMissing,
    UndoDone,
)
from seatrial.runtime.verdict import Verdict
from seatrial.testing import FakeClock


def kill(**given):
    return KillContainer.model_validate(given)


async def look(whole, pod):
    return await whole.cluster.get(PODS, pod.metadata.name, namespace=whole.namespace, type=Pod)


@pytest.mark.parametrize("via", ["exec", "ephemeral"])
async def test_a_container_that_ends_is_seen_to_end_and_to_return(whole, via):
    """The pod keeps its name and UID, its container restarts: both are proven from outside and measured."""
    [pod] = await whole.deploy("web")
    assert (await run(kill(via=via), (pod,), whole.context)).passed
    assert (await whole.context.scope.settle(timeout_seconds=60)).passed
    after = await look(whole, pod)
    assert after.metadata.uid == pod.metadata.uid
    assert after.status.container_statuses[0].restart_count == 1
    told = list(await whole.events())
    subject = f"container main of pod {whole.namespace}/{pod.metadata.name}"
    assert [event.via for event in told if isinstance(event, ContainerSignalled)] == [via]
    assert [(event.subject, event.proof.partition(";")[0]) for event in told if isinstance(event, FaultProven)] == [
        (subject, "it ended with exit code 3")
    ]
    assert [event.subject for event in told if isinstance(event, FaultCleared)] == [subject]
    [restart] = [event for event in told if isinstance(event, ContainerRestarted)]
    assert 0 < restart.ended_ms < restart.ready_ms
    assert [event.name for event in told if isinstance(event, MeasurementTaken)] == ["containerRestart"]


@pytest.mark.parametrize("via", ["exec", "ephemeral"])
async def test_a_signal_without_a_handler_is_refused_before_it_is_sent(whole, via):
    """The kernel would not pass it on: inconclusive at once, not after a timeout, and the container runs on."""
    [pod] = await whole.deploy("web", command="touch /tmp/up; while true; do sleep 0.05; done")
    outcome = await run(kill(via=via), (pod,), whole.context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "has no handler for SIGTERM, so the kernel shields it from it" in outcome.reasons[0]
    assert (await look(whole, pod)).status.container_statuses[0].restart_count == 0
    assert [event for event in await whole.events() if isinstance(event, ContainerSignalled)] == []


async def test_what_a_signal_cannot_reach_is_no_victim(whole):
    """A plan that named it would be wrong, and a guardrail that counted it too strict."""
    pods = await whole.deploy("web", replicas=1)
    victims = ACTION.victims
    assert victims(KillContainer(signal="SIGTERM"), pods, whole.context) == list(pods)
    assert victims(KillContainer(signal="SIGKILL"), pods, whole.context) == []


async def test_sigkill_is_refused_where_the_kernel_shields_the_process(whole):
    """In the run and in the plan, with what would work instead."""
    [pod] = await whole.deploy("web")
    outcome = await run(kill(signal="SIGKILL"), (pod,), whole.context)
    [note] = (await plan(kill(signal="SIGKILL"), (pod,), whole.context)).notes
    assert (outcome.verdict, outcome.reasons) == (Verdict.INCONCLUSIVE, (note,))
    assert "set shareProcessNamespace: true in the pod, use SIGTERM, or the action kill" in note


async def test_sigstop_is_refused_where_the_kernel_shields_the_process(whole):
    """As SIGKILL: in the run and in the plan, and nothing is armed or written down."""
    [pod] = await whole.deploy("web")
    spec = kill(signal="SIGSTOP", resumeAfter=60)
    outcome = await run(spec, (pod,), whole.context)
    [note] = (await plan(spec, (pod,), whole.context)).notes
    assert (outcome.verdict, outcome.reasons) == (Verdict.INCONCLUSIVE, (note,))
    assert note.endswith("set shareProcessNamespace: true in the pod")
    assert whole.context.journal.newer_than(0) == []


async def test_a_pause_that_the_kernel_does_not_let_through_is_no_pause(whole):
    """The sandbox shares no process tables: the process is seen to run on, and clean-up leaves no timer."""
    [pod] = await whole.deploy("web", pod={"shareProcessNamespace": True})
    spec = kill(signal="SIGSTOP", resumeAfter=3600)
    [change] = (await plan(spec, (pod,), whole.context)).changes
    assert change.endswith(", and SIGCONT after 3600 s or at clean-up")
    outcome = await run(spec, (pod,), whole.context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "could not be paused: its state is" in outcome.reasons[0]
    assert await whole.undo() == []
    told = list(await whole.events())
    assert [event for event in told if isinstance(event, ContainerSignalled | FaultProven)] == []
    look = ["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"]
    found = await whole.cluster.exec(pod.metadata.name, namespace=whole.namespace, command=look)
    assert b"seatrial-timer-" not in found.stdout


async def test_a_pause_whose_container_is_gone_is_over(whole):
    """Clean-up says so, and signals nobody else."""
    [pod] = await whole.deploy("web", pod={"shareProcessNamespace": True})
    await run(kill(signal="SIGSTOP", resumeAfter=3600), (pod,), whole.context)
    await whole.cluster.delete(PODS, pod.metadata.name, namespace=whole.namespace, grace_period_seconds=0)
    assert await whole.undo() == []
    assert [event.note for event in await whole.events() if isinstance(event, UndoDone)] == ["the pod is gone"]


@pytest.mark.parametrize(
    "given",
    [
        {"signal": "SIGSTOP"},
        {"signal": "SIGTERM", "resumeAfter": 5},
        {"signal": "SIGSTOP", "resumeAfter": 5, "expectEnd": True},
        {"signal": "SIGSTOP", "resumeAfter": 5, "repeat": {"times": 2}},
        {"signal": "SIGCONT"},
    ],
)
def test_a_pause_has_an_end_and_nothing_else_has(given):
    """`resumeAfter` goes with SIGSTOP, and SIGCONT is sent by nobody but the pause."""
    with pytest.raises(ValidationError):
        kill(**given)


async def test_a_pattern_ends_the_container_again_when_it_is_back(whole):
    """Each time counted; the container that runs by then is hit, in the same pod."""
    [pod] = await whole.deploy("web")
    scope = whole.context.scope

    class UntilItIsBack(FakeClock):
        async def sleep(self, seconds):
            await super().sleep(seconds)
            assert (await scope.settle(timeout_seconds=60)).passed

    context = replace(whole.context, clock=UntilItIsBack())
    assert (await run(kill(repeat={"times": 2, "every": 30}), (pod,), context)).passed
    assert (await scope.settle(timeout_seconds=60)).passed
    after = await look(whole, pod)
    assert (after.metadata.uid, after.status.container_statuses[0].restart_count) == (pod.metadata.uid, 2)
    sent = [event for event in await whole.events() if isinstance(event, ContainerSignalled)]
    assert [(event.number, event.times) for event in sent] == [(1, 2), (2, 2)]


async def test_a_signal_that_need_not_end_the_container(whole):
    """With `expectEnd: false` the step passes when the signal was sent, and the program has seen it."""
    [pod] = await whole.deploy(
        "web", command="trap 'touch /tmp/seen' USR1; touch /tmp/up; while true; do sleep 0.05; done"
    )
    assert (await run(kill(signal="SIGUSR1", expectEnd=False), (pod,), whole.context)).passed
    seen = "for i in $(seq 100); do [ -e /tmp/seen ] && exit 0; sleep 0.1; done; exit 1"
    name = pod.metadata.name
    assert (await whole.cluster.exec(name, namespace=whole.namespace, command=["sh", "-c", seen])).exit_code == 0


async def test_a_container_that_takes_the_signal_and_goes_on_is_no_proof(whole):
    """Sent, but not seen to end in time: inconclusive, with what was waited for."""
    [pod] = await whole.deploy("web", command="trap : TERM; touch /tmp/up; while true; do sleep 0.05; done")
    outcome = await run(kill(timeout=0.5), (pod,), whole.context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.reasons[0].endswith("it was not seen to end within 0.5 s of SIGTERM")
    assert [event.reason for event in await whole.events() if isinstance(event, ProofMissing)]


async def test_an_ephemeral_container_that_can_t_start_is_said(whole):
    """An image that isn't there: inconclusive with the kubelet's reason."""
    pods = await whole.deploy("web")
    outcome = await run(kill(via="ephemeral", image="nobody/has-this:1"), pods, whole.context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "the ephemeral container can't run: " in outcome.reasons[0]


async def test_a_pod_that_is_gone_is_said(whole):
    """Chosen a moment ago, gone by now."""
    [pod] = await whole.deploy("web")
    await whole.cluster.delete(PODS, pod.metadata.name, namespace=whole.namespace, grace_period_seconds=0)
    outcome = await run(kill(), (pod,), whole.context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.reasons[0].endswith("was gone before the signal was sent")


def may_make_namespaces():
    made = subprocess.run(["unshare", "-Urpm", "--fork", "--mount-proc", "true"], check=False, capture_output=True)
    return made.returncode == 0


@pytest.mark.skipif(not (shutil.which("nsenter") and may_make_namespaces()), reason="the kernel makes no namespaces")
def test_in_a_shared_process_table_the_containers_own_main_process_is_found(tmp_path):
    """Two containers with file trees of their own in one process table: SIGKILL ends the second one's alone."""
    script = tmp_path / "signal.sh"
    script.write_text(f"set -- KILL 9\n{_SIGNAL_SHARED}")
    pod = f"""
        unshare -m sh -c 'exec sleep 100' & first=$!
        unshare -m sh -c 'echo > {tmp_path}/up; exec sleep 200' & second=$!
        until [ -e {tmp_path}/up ]; do :; done
        nsenter -t $second -m sh {script}; echo "signalled: $?"
        wait $second; echo "second: $?"
        kill -0 $first && echo "first: alive"
        kill -KILL $first
    """
    command = ["unshare", "-Urpm", "--fork", "--mount-proc", "sh", "-c", pod]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["signalled: 0", "second: 137", "first: alive"], done.stderr


@pytest.mark.skipif(not (shutil.which("nsenter") and may_make_namespaces()), reason="the kernel makes no namespaces")
def test_in_a_shared_process_table_the_main_process_is_paused_and_goes_on(tmp_path):
    """Its state is T, and is no more afterwards; the other container's process is never stopped."""
    (tmp_path / "pause.sh").write_text(PAUSE)
    (tmp_path / "resume.sh").write_text(RESUME)
    pod = f"""
        unshare -m sh -c 'exec sleep 100' & first=$!
        unshare -m sh -c 'echo > {tmp_path}/up; exec sleep 200' & second=$!
        until [ -e {tmp_path}/up ]; do :; done
        state() {{ grep State /proc/$1/status; }}
        [ "$(nsenter -t $second -m sh {tmp_path}/pause.sh)" = "$second" ] && echo "$(state $second), $(state $first)"
        nsenter -t $second -m sh {tmp_path}/resume.sh && state $second
        kill -KILL $first $second
    """
    command = ["unshare", "-Urpm", "--fork", "--mount-proc", "sh", "-c", pod]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    paused, said, resumed = done.stdout.splitlines()
    assert paused == "State:\tT (stopped), State:\tS (sleeping)", done.stderr
    assert said in {"S", "R"}
    assert "T (stopped)" not in resumed


async def test_a_plan_says_what_stays_behind(whole):
    """An ephemeral container can't be taken out of a pod again."""
    [pod] = await whole.deploy("web")
    name = f"{whole.namespace}/{pod.metadata.name}"
    assert (await plan(kill(via="ephemeral"), (pod,), whole.context)).changes == (
        f"send SIGTERM to container main of pod {name}",
        f"add an ephemeral container to pod {name}, which stays there until the pod is gone",
    )
    assert (await plan(kill(), (pod,), whole.context)).changes == (f"send SIGTERM to container main of pod {name}",)
