import asyncio

import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from seatrial.kube.errors import Forbidden
from seatrial.kube.resources import DEPLOYMENTS, NODES, PODS
from seatrial.runtime.clock import SystemClock
from seatrial.runtime.events import MeasurementTaken, ProbeSampled, Where
from seatrial.runtime.verdict import Verdict
from seatrial.steps.wait_for import STEP, WaitFor, begin_early, plan, run
from tests.probes.conftest import Answers, listening


def wait_for(until, *, timeout=60, **given):
    return WaitFor.model_validate({"until": until, "timeout": timeout, **given})


async def set_ready(control, name, *, ready=True, resource=PODS):
    """As the kubelet does."""
    status = {"conditions": [{"type": "Ready", "status": "True" if ready else "False", "reason": "Because"}]}
    await control.cluster.patch(resource, name, {"status": status}, namespace="default", subresource="status")


def measured(events):
    return [event for event in events if isinstance(event, MeasurementTaken)]


POD = {"pod": {"name": "web", "namespace": "default"}}
READY_PODS = {"readyPods": {"labels": "app=web", "namespace": "default", "count": 2}}


async def started(task):
    """Give a wait the time to look for the first time, unless it ends."""
    await asyncio.wait({task}, timeout=0.3)


async def test_what_holds_already_takes_no_time(control, on_cluster):
    """The measurement is taken all the same, under its name."""
    await control.create_pods("web")
    await set_ready(control, "web")
    assert (await run(wait_for(POD, measurement="first light"), on_cluster.context)).passed
    [taken] = measured(await on_cluster.events())
    assert (taken.name, taken.of) == ("first light", "Pod web in default to be Ready")
    assert 0 <= taken.seconds < 30


async def test_a_change_ends_the_wait(control, on_cluster):
    """The time is that of the change, as it arrived."""
    await control.create_pods("web")
    loop = asyncio.get_running_loop()
    begun = loop.time()
    waiting = asyncio.create_task(run(wait_for(POD), on_cluster.context))
    await started(waiting)
    assert not waiting.done()
    changed = loop.time() - begun
    await set_ready(control, "web")
    assert (await waiting).passed
    ended = loop.time() - begun
    [taken] = measured(await on_cluster.events())
    assert changed <= taken.seconds <= ended


async def test_an_object_that_is_not_there_is_waited_for(control, on_cluster):
    """It may be created yet."""
    waiting = asyncio.create_task(run(wait_for(POD), on_cluster.context))
    await started(waiting)
    await control.create_pods("web")
    await set_ready(control, "web")
    assert (await waiting).passed


async def test_how_far_it_came_is_told_when_the_time_is_over(control, on_cluster):
    """A failure, with the last state of those that were not there yet; that it takes longer is measured."""
    await control.create_pods("web", "ok", app="web")
    await set_ready(control, "ok")
    await set_ready(control, "web", ready=False)
    until = {"pod": {"labels": "app=web", "namespace": "default"}}
    outcome = await run(wait_for(until, timeout=0.3), on_cluster.context)
    assert outcome.verdict is Verdict.FAILED
    assert outcome.reasons == (
        "waited 0.3 s for each Pod with app=web in default to be Ready: 1 of 2 (web: Ready is False, Because)",
    )
    [taken] = measured(await on_cluster.events())
    assert taken.is_lower_bound
    assert 0.2 < taken.seconds < 30


async def test_an_object_that_never_came_is_told(on_cluster):
    """There is none, not: it was not ready."""
    outcome = await run(wait_for(POD, timeout=0.2), on_cluster.context)
    assert outcome.verdict is Verdict.FAILED
    assert outcome.reasons == ("waited 0.2 s for Pod web in default to be Ready: there is none",)


async def test_so_many_ready_pods_are_waited_for(control, on_cluster):
    """Whichever they are; others don't count."""
    await control.create_pods("a", "b", "c", app="web")
    await control.create_pods("other", app="other")
    await set_ready(control, "other")
    await set_ready(control, "a")
    waiting = asyncio.create_task(run(wait_for(READY_PODS), on_cluster.context))
    await started(waiting)
    assert not waiting.done()
    await set_ready(control, "c")
    assert (await waiting).passed


async def test_too_few_ready_pods_fail(control, on_cluster):
    """How many there were is told."""
    await control.create_pods("a", app="web")
    await set_ready(control, "a")
    outcome = await run(wait_for(READY_PODS, timeout=0.3), on_cluster.context)
    assert outcome.reasons == ("waited 0.3 s for 2 ready pods with app=web in default: 1 of 2 ready",)


async def test_a_deletion_may_be_waited_for(control, on_cluster):
    """`Deleted` holds when there is no such object."""
    await control.create_pods("web")
    waiting = asyncio.create_task(run(wait_for({"pod": {**POD["pod"], "condition": "Deleted"}}), on_cluster.context))
    await started(waiting)
    assert not waiting.done()
    await control.cluster.delete(PODS, "web", namespace="default")
    assert (await waiting).passed


async def test_a_nodes_loss_may_be_waited_for(control, on_cluster):
    """`negative` waits for the end of a condition; nodes are in no namespace."""
    await control.server.api.create("nodes", {"metadata": {"name": "n1"}}, None)
    await set_ready(control, "n1", resource=NODES)
    until = {"node": {"name": "n1", "negative": True}}
    waiting = asyncio.create_task(run(wait_for(until), on_cluster.context))
    await started(waiting)
    assert not waiting.done()
    await set_ready(control, "n1", ready=False, resource=NODES)
    assert (await waiting).passed
    [taken] = measured(await on_cluster.events())
    assert taken.of == "Node n1 to be not Ready"


async def test_a_deployment_is_ready_when_its_status_says_so_of_all_replicas(control, on_cluster):
    """Not before its controller has seen the last change."""
    body = {
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}},
        },
    }
    await control.server.api.create("deployments.apps", body, "default")
    until = {"deployment": {"name": "web", "namespace": "default"}}
    waiting = asyncio.create_task(run(wait_for(until), on_cluster.context))
    for observed, available in ((1, 1), (1, 2)):
        await started(waiting)
        assert not waiting.done()
        counts = {"observedGeneration": observed, "replicas": 2, "updatedReplicas": 2, "readyReplicas": available}
        status = {"status": {**counts, "availableReplicas": available}}
        await control.cluster.patch(DEPLOYMENTS, "web", status, namespace="default", subresource="status")
    assert (await waiting).passed


async def test_what_holds_for_a_moment_only_is_not_enough(control, on_cluster):
    """With `holdsFor` it has to last; the time is when it began to, the last time."""
    await control.create_pods("web")
    await set_ready(control, "web")
    loop = asyncio.get_running_loop()
    begun = loop.time()
    waiting = asyncio.create_task(run(wait_for(POD, holdsFor=3), on_cluster.context))
    await started(waiting)
    await set_ready(control, "web", ready=False)
    await started(waiting)
    again = loop.time() - begun
    await set_ready(control, "web")
    assert (await waiting).passed
    [taken] = measured(await on_cluster.events())
    assert again <= taken.seconds <= loop.time() - begun - 2.9


async def test_what_does_not_hold_for_long_enough_fails_as_unseen(control, on_cluster):
    """It holds when the time is over: since when is not known to be long enough, so nothing is claimed."""
    await control.create_pods("web")
    await set_ready(control, "web")
    outcome = await run(wait_for(POD, timeout=0.3, holdsFor=30), on_cluster.context)
    assert outcome.verdict is Verdict.INCONCLUSIVE


async def test_who_may_not_look_learns_it_at_once(control, on_cluster):
    """The error is for the engine, which makes the step inconclusive."""
    async with await control.connect_as("jane") as cluster:
        with pytest.raises(Forbidden):
            await run(wait_for(POD), replace(on_cluster.context, cluster=cluster))


def probing(url, **given):
    return {"probeHTTP": {"target": {"url": url}, **given}}


@pytest.fixture
def in_real_time(recorder):
    """A context whose clock is the machine's."""
    return replace(recorder.context, clock=SystemClock())


async def test_a_probe_is_repeated_until_it_passes(recorder, in_real_time):
    """Each look is one try, with a pause in between."""
    answers = Answers({"status": 503}, {"status": 503}, {"status": 200})
    async with listening(answers.answer) as server:
        spec = wait_for(probing(str(server.make_url("/")), retries=50), interval=0.01, measurement="up")
        assert (await run(spec, in_real_time)).passed
    events = await recorder.events()
    assert [event.ok for event in events if isinstance(event, ProbeSampled)] == [False, False, True]
    [taken] = measured(events)
    assert (taken.name, taken.of) == ("up", "probeHTTP to pass")
    assert taken.seconds > 0.02


async def test_a_probe_that_never_passes_fails_with_what_it_saw(in_real_time, unused_tcp_port):
    """At the last look."""
    until = {"probeTCP": {"target": {"address": {"host": "127.0.0.1", "port": unused_tcp_port}}}}
    outcome = await run(wait_for(until, timeout=1.5, interval=0.05), in_real_time)
    assert outcome.verdict is Verdict.FAILED
    assert outcome.reasons == (
        f"waited 1.5 s for probeTCP to pass: TCP 127.0.0.1:{unused_tcp_port}: connection refused",
    )


async def test_a_probe_that_passes_now_and_then_does_not_hold(in_real_time):
    """With `holdsFor` every look has to pass."""
    answers = Answers(*[{"status": status} for status in (200, 503) * 500])
    async with listening(answers.answer) as server:
        spec = wait_for(probing(str(server.make_url("/"))), timeout=1.5, interval=0.01, holdsFor=0.2)
        assert (await run(spec, in_real_time)).verdict is Verdict.FAILED


async def test_a_service_that_is_not_there_yet_is_waited_for(control, on_cluster):
    """And told when it never came."""
    context = replace(on_cluster.context, clock=SystemClock())
    until = {"probeHTTP": {"target": {"service": {"name": "web", "namespace": "default"}}}}
    outcome = await run(wait_for(until, timeout=1.5, interval=0.05), context)
    assert outcome.verdict is Verdict.FAILED
    assert 'services "web" not found' in outcome.reasons[0]


async def test_a_cluster_that_is_gone_is_no_failure(control, on_cluster):
    """Nobody looked: inconclusive."""
    context = replace(on_cluster.context, clock=SystemClock())
    await control.server.stop()
    until = {"probeHTTP": {"target": {"service": {"name": "web", "namespace": "default"}}}}
    outcome = await run(wait_for(until, timeout=0.3, interval=0.05), context)
    assert outcome.verdict is Verdict.INCONCLUSIVE


class Since:
    """A scenario in real time, in which a change is made before a `waitFor` that measures since then."""

    def __init__(self, recorder):
        self.context = replace(recorder.context, clock=SystemClock())
        self._recorder = recorder

    async def begin(self, spec):
        """As before the first step of a scenario."""
        await begin_early(spec, self.context)
        assert (await self.context.scope.first_look()).passed

    def change(self, *, step=0, repetition=0):
        """A change is sent; tells when."""
        now = asyncio.get_running_loop().time()
        at = replace(self.context, where=Where(step=step))
        at.mark_change(now, repetition=repetition)
        return now

    async def measured(self):
        await self.context.scope.last_look()
        return measured(await self._recorder.events())


@pytest.fixture
def since(on_cluster):
    return Since(on_cluster)


READY_SINCE = wait_for(POD, since="change")


async def test_since_a_change_the_time_is_right_however_late_the_step_comes(control, since):
    """The objects are followed from before the first step: what came while another step ran is timed by its arrival."""
    await control.create_pods("web")
    await since.begin(READY_SINCE)
    changed = since.change()
    await set_ready(control, "web")
    await asyncio.sleep(1)
    late = asyncio.get_running_loop().time()
    assert (await run(READY_SINCE, since.context)).passed
    [taken] = await since.measured()
    assert not taken.is_lower_bound
    assert taken.seconds < late - changed


async def test_the_last_change_counts_from_its_first_request(control, since):
    """Of several requests of one action the first; what a later step does is another change."""
    await control.create_pods("web")
    await since.begin(READY_SINCE)
    since.change(step=0)
    await asyncio.sleep(0.2)
    changed = since.change(step=1)
    await asyncio.sleep(0.1)
    since.change(step=1)
    await set_ready(control, "web")
    assert (await run(READY_SINCE, since.context)).passed
    ended = asyncio.get_running_loop().time()
    [taken] = await since.measured()
    assert 0.1 <= taken.seconds <= ended - changed


async def test_what_held_all_through_takes_no_time(control, since):
    """It must go on to hold so long after the change all the same."""
    await control.create_pods("web")
    await set_ready(control, "web")
    spec = wait_for(POD, since="change", holdsFor=0.3)
    await since.begin(spec)
    await asyncio.sleep(0.4)
    changed = since.change()
    assert (await run(spec, since.context)).passed
    assert asyncio.get_running_loop().time() - changed >= 0.3
    [taken] = await since.measured()
    assert taken.seconds == 0


async def test_without_a_change_there_is_nothing_to_measure_since(control, since):
    """The step waits, and says why it measured nothing."""
    await control.create_pods("web")
    await set_ready(control, "web")
    await since.begin(READY_SINCE)
    outcome = await run(READY_SINCE, since.context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.reasons == (
        "Pod web in default to be Ready: it holds, but no step has changed anything before, so nothing is measured",
    )
    assert await since.measured() == []


async def test_too_late_since_a_change_is_counted_from_the_change(control, since):
    """A lower bound, as long as it is known not to have held."""
    await control.create_pods("web")
    await since.begin(READY_SINCE)
    since.change()
    await asyncio.sleep(0.3)
    spec = READY_SINCE.model_copy(update={"timeout_seconds": 0.2})
    assert (await run(spec, since.context)).verdict is Verdict.FAILED
    [taken] = await since.measured()
    assert taken.is_lower_bound
    assert taken.seconds >= 0.5


async def test_a_wait_that_is_stopped_takes_longer(control, since):
    """Than until then: it is not left out."""
    await control.create_pods("web")
    waiting = asyncio.create_task(run(wait_for(POD), since.context))
    await started(waiting)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    [taken] = await since.measured()
    assert taken.is_lower_bound


async def test_what_nobody_could_see_is_no_measurement(on_cluster):
    """A look that is not over when the time is says nothing of how long anything takes."""
    until = {"probeCommand": {"command": ["sleep", "60"], "timeout": 60_000}}
    context = replace(on_cluster.context, clock=SystemClock())
    outcome = await run(wait_for(until, timeout=0.2), context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert measured(await on_cluster.events()) == []


@pytest.mark.parametrize(
    "until",
    [
        {"probeCommand": {"command": ["true"]}},
        {"probeHTTP": {"target": {"url": "http://127.0.0.1:9/"}}},
    ],
)
async def test_a_plan_runs_no_probe(recorder, until):
    """It says what would be waited for, and looks at nothing outside of the cluster."""
    planned = await plan(wait_for(until), recorder.context)
    assert planned.summary == f"wait up to 60 s for {next(iter(until))} to pass"
    assert not await recorder.events()


async def test_a_plan_tells_how_far_it_is(control, on_cluster):
    """At present."""
    await control.create_pods("a", app="web")
    planned = await plan(wait_for(READY_PODS), on_cluster.context)
    assert planned.summary == "wait up to 60 s for 2 ready pods with app=web in default"
    assert planned.notes == ("at present: 0 of 2 ready",)
    assert planned.missing_permissions == ()


async def test_a_plan_names_missing_permissions(control, on_cluster):
    """Instead of failing over them."""
    async with await control.connect_as("jane") as cluster:
        planned = await plan(wait_for(READY_PODS), replace(on_cluster.context, cluster=cluster))
    assert planned.missing_permissions == ("list pods in default", "watch pods in default")
    assert planned.notes == ()


@pytest.mark.parametrize(
    "until",
    [
        {},
        {"pod": {"namespace": "n"}},
        {"pod": {"name": "a"}},
        {"pod": {"name": "a", "labels": "b=c", "namespace": "n"}},
        {"pod": {"name": "a,metadata.name!=b", "namespace": "n"}},
        {"pod": {"labels": "", "namespace": "n"}},
        {"pod": {"labels": "(", "namespace": "n"}},
        {"pod": {"name": "a", "namespace": "n", "condition": "Deleted", "negative": True}},
        {"node": {"name": "a", "namespace": "n"}},
        {"readyPods": {"labels": "a=b", "namespace": "n", "count": 0}},
        {"pod": {"name": "a", "namespace": "n"}, "node": {"name": "a"}},
    ],
)
def test_what_can_t_be_waited_for_is_refused(until):
    """Nothing, no object, two ways to name one, a name that would select others."""
    with pytest.raises(ValidationError):
        wait_for(until)


def test_it_changes_nothing():
    """It may run in the background."""
    assert STEP.changes_nothing
