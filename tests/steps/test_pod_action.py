import pytest
from msgspec.structs import replace

from seatrial.errors import Halted
from seatrial.kube.objects import Pod
from seatrial.kube.resources import PODS
from seatrial.runtime.context import Identity, Settings
from seatrial.runtime.events import (
    GuardrailHeld,
    PodKilled,
    PodKillSkipped,
    TargetsChosen,
    TargetsFiltered,
    TargetsMatched,
)
from seatrial.runtime.guardrails import Guardrails
from seatrial.runtime.verdict import Verdict
from seatrial.steps.pod_action import PodAction, plan, run

KILL = {"kill": {"force": True}}


def step(*matches, filters=(), actions=(KILL,), **given):
    return PodAction.model_validate(
        {"matches": list(matches), "filters": list(filters), "actions": list(actions), **given}
    )


def labels(selector, namespace="default"):
    return {"labels": {"selector": selector, "namespace": namespace}}


async def chosen(recorder):
    return [pod.name for event in await recorder.events() if isinstance(event, TargetsChosen) for pod in event.pods]


async def test_it_kills_what_it_matched_and_nothing_else(control, on_cluster):
    """Pods with the label go, others stay, and every kill is told."""
    await control.create_pods("a", "b", app="web")
    await control.create_pods("c", app="db")
    outcome = await run(step(labels("app=web")), on_cluster.context)
    assert outcome.verdict is Verdict.PASSED
    assert await control.pod_names() == ["c"]
    killed = [event.pod.name for event in await on_cluster.events() if isinstance(event, PodKilled)]
    assert sorted(killed) == ["a", "b"]


async def test_several_matchers_make_one_set(control, on_cluster):
    """A pod that two matchers find is acted on once."""
    await control.create_pods("a", "b", app="web")
    await run(step(labels("app=web"), {"namespace": "default"}), on_cluster.context)
    assert await chosen(on_cluster) == ["a", "b"]


@pytest.mark.parametrize(
    ("namespace", "found"),
    [("*", ["x", "y", "z"]), ("", ["x", "y", "z"]), ("team-*", ["y", "z"]), ("team-a", ["y"]), ("team", [])],
)
async def test_namespaces_match_whole_names(control, on_cluster, namespace, found):
    """`*` and an empty string are all namespaces; a glob matches whole names; a part of a name is none."""
    for name in ("team-a", "team-b"):
        await control.server.api.create("namespaces", {"metadata": {"name": name}})
    await control.create_pods("x", app="web")
    await control.create_pods("y", namespace="team-a", app="web")
    await control.create_pods("z", namespace="team-b", app="web")
    await run(step(labels("app=web", namespace), actions=[{"wait": {"seconds": 0}}]), on_cluster.context)
    assert await chosen(on_cluster) == found


async def test_pods_of_a_deployment_are_those_it_owns(control, on_cluster):
    """A pod with the same labels that the Deployment doesn't own is not one of its pods."""
    api = control.server.api
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}}
    selector = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}
    spec = {"selector": selector, "template": template}
    deployment = await api.create("deployments.apps", {"metadata": {"name": "web"}, "spec": spec}, "default")
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": deployment["metadata"]["uid"]}
    replica_set = await api.create(
        "replicasets.apps",
        {
            "metadata": {
                "name": "web-1", "labels": {"app": "web"}, "ownerReferences": [{**owner, "controller": True}],
            },
            "spec": spec,
        },
        "default",
    )  # fmt: skip
    reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": replica_set["metadata"]["uid"]}
    await control.create_pods("mine", owner=reference, app="web")
    await control.create_pods("stray", app="web")
    matcher = {"deployment": {"name": "web", "namespace": "default"}}
    await run(step(matcher, actions=[{"wait": {"seconds": 0}}]), on_cluster.context)
    assert await chosen(on_cluster) == ["mine"]


@pytest.mark.parametrize(
    ("matcher", "reason"),
    [
        (labels("app=nothing"), "no pod matched (labels app=nothing in namespace default)"),
        (
            labels("app=web", "nowhere"),
            "no pod matched (labels app=web in namespace nowhere): there is no namespace 'nowhere'",
        ),
        (
            {"deployment": {"name": "x", "namespace": "default"}},
            "no pod matched (deployment default/x): there is no Deployment default/x",
        ),
        ({"namespace": "team-*"}, "no pod matched (namespace team-*): no namespace is called 'team-*'"),
    ],
)
async def test_nothing_matched_is_inconclusive_with_the_reason(on_cluster, matcher, reason):
    """An empty match is never a pass, and says as far as it can why it is empty."""
    outcome = await run(step(matcher), on_cluster.context)
    assert (outcome.verdict, outcome.reasons) == (Verdict.INCONCLUSIVE, (reason,))
    assert not outcome.ends_scenario


async def test_a_filter_that_leaves_nothing_is_inconclusive(control, on_cluster):
    """Half of one pod is none, and the reason tells how it was rounded."""
    await control.create_pods("a", app="web")
    outcome = await run(step(labels("app=web"), filters=[{"randomSample": {"ratio": 0.5}}]), on_cluster.context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.reasons == ("the filter randomSample left none of 1 pod (0.5 of 1 is 0, rounded down)",)
    assert await control.pod_names() == ["a"]


async def test_an_empty_set_may_be_fine(on_cluster):
    """`emptyOk: true` makes an empty set a skip."""
    assert (await run(step(labels("app=nothing"), emptyOk=True), on_cluster.context)).passed


async def test_counting_means_something_for_an_empty_set(control, on_cluster):
    """`checkPodCount: {count: 0}` passes when there is none and fails when there is one."""
    check = step(labels("app=web"), actions=[{"checkPodCount": {"count": 0}}])
    assert (await run(check, on_cluster.context)).passed
    await control.create_pods("a", app="web")
    outcome = await run(check, on_cluster.context)
    assert (outcome.verdict, outcome.reasons) == (Verdict.FAILED, ("expected 0 pods, found 1",))


async def test_states_are_those_that_kubectl_prints(control, on_cluster):
    """A pod that is not scheduled is Pending; expecting Running fails and names it."""
    await control.create_pods("a", app="web")
    pending = step(labels("app=web"), actions=[{"checkPodState": {"state": "Pending"}}])
    running = step(labels("app=web"), actions=[{"checkPodState": {"state": "Running"}}])
    assert (await run(pending, on_cluster.context)).passed
    outcome = await run(running, on_cluster.context)
    assert outcome.reasons == ("1 of 1 pods are not Running: default/a is Pending",)


async def test_checking_the_state_of_nothing_is_inconclusive(on_cluster):
    """No pod is in the wrong state when there is none, and none is in the right one."""
    check = step(labels("app=nothing"), actions=[{"checkPodState": {"state": "Running"}}])
    assert (await run(check, on_cluster.context)).verdict is Verdict.INCONCLUSIVE


async def test_it_is_tried_again_until_it_passes(control, on_cluster):
    """Retries match, filter and act anew each time."""
    clock = on_cluster.clock
    original = clock.sleep

    async def sleep(seconds):
        if len(clock.slept) == 2:
            await control.create_pods("a", app="web")
        await original(seconds)

    clock.sleep = sleep
    check = step(
        labels("app=web"),
        actions=[{"checkPodCount": {"count": 1}}],
        retries={"retriesTimeout": {"timeout": 60, "sleep": 5}},
    )
    assert (await run(check, on_cluster.context)).passed
    assert clock.slept == [5, 5, 5]


async def test_a_pod_that_was_replaced_under_its_name_is_left_alone(control, on_cluster):
    """Each deletion has the UID of the pod that was chosen: its namesake lives, and the step had nothing to do."""
    from seatrial.actions.pods.kill import Kill
    from seatrial.actions.pods.kill import run as kill

    await control.create_pods("a", app="web")
    pods = (await control.cluster.list(PODS, namespace="default", type=Pod)).items
    await control.server.api.delete("pods", "a", "default")
    await control.create_pods("a", app="web")
    outcome = await kill(Kill(force=True), tuple(pods), on_cluster.context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.reasons == ("every chosen pod was gone before the kill arrived",)
    assert await control.pod_names() == ["a"]
    [event] = [event for event in await on_cluster.events() if isinstance(event, PodKillSkipped)]
    assert event.reason == "was gone before the kill arrived"


async def test_a_missing_permission_is_named_and_nothing_is_counted_as_passed(control):
    """A user who may list and not delete: inconclusive, with the verb, the resource and the user."""
    from tests.conftest import Recorder

    api = control.server.api
    await api.create(
        "clusterroles.rbac.authorization.k8s.io",
        {
            "metadata": {"name": "reader"},
            "rules": [{"apiGroups": [""], "resources": ["*"], "verbs": ["get", "list", "watch"]}],
        },
    )
    await api.create(
        "clusterrolebindings.rbac.authorization.k8s.io",
        {
            "metadata": {"name": "reader"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}],
        },
    )
    await control.create_pods("a", "b", app="web")
    async with await control.connect_as("jane") as cluster:
        recorder = Recorder(cluster)
        outcome = await run(step(labels("app=web")), recorder.context)
        await recorder.close()
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.ends_scenario
    assert outcome.reasons[0].startswith("2 of 2 pods could not be killed: ")
    assert 'User "jane" cannot delete resource "pods"' in outcome.reasons[0]
    assert await control.pod_names() == ["a", "b"]


async def test_its_own_pod_is_never_hit(control, on_cluster):
    """The pod that Seatrial runs in is left out; a namesake elsewhere is not it."""
    await control.create_pods("seatrial", "other", app="web")
    context = replace(on_cluster.context, identity=Identity(pod_name="seatrial", pod_namespace="default"))
    await run(step(labels("app=web")), context)
    assert await control.pod_names() == ["seatrial"]


async def test_probability_is_drawn_for_each_pod(control, on_cluster):
    """With probability 0.5 some of twenty pods die and some are spared, and each is told."""
    await control.create_pods(*(f"p{number}" for number in range(20)), app="web")
    outcome = await run(
        step(labels("app=web"), actions=[{"kill": {"force": True, "probability": 0.5}}]), on_cluster.context
    )
    assert outcome.passed
    events = list(await on_cluster.events())
    killed = sum(isinstance(event, PodKilled) for event in events)
    spared = sum(isinstance(event, PodKillSkipped) for event in events)
    assert killed + spared == 20
    assert 4 <= killed <= 16
    assert len(await control.pod_names()) == spared


async def test_a_plan_names_exactly_what_the_run_then_hits(control, on_cluster):
    """Same seed, same cluster: the victims of the plan are the victims of the run, sample and dice included."""
    await control.create_pods(*(f"p{number}" for number in range(20)), app="web")
    spec = step(
        labels("app=web"),
        filters=[{"randomSample": {"size": 10}}],
        actions=[{"kill": {"force": True, "probability": 0.5}}],
    )
    planned = await plan(spec, on_cluster.context)
    assert len(await control.pod_names()) == 20
    await run(spec, on_cluster.context)
    left = set(await control.pod_names())
    assert {pod.name for pod in planned.victims} == {f"p{number}" for number in range(20)} - left
    assert planned.matched == 20
    assert len(planned.targets) == 10


async def test_a_plan_says_what_forbids_it(control):
    """The permissions that the user lacks are in the plan."""
    from tests.conftest import Recorder

    api = control.server.api
    await api.create(
        "roles.rbac.authorization.k8s.io",
        {"metadata": {"name": "r"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]},
        "default",
    )
    await api.create(
        "rolebindings.rbac.authorization.k8s.io",
        {
            "metadata": {"name": "r"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "joe"}],
        },
        "default",
    )
    await control.create_pods("a", app="web")
    async with await control.connect_as("joe") as cluster:
        recorder = Recorder(cluster)
        planned = await plan(step(labels("app=web")), recorder.context)
        await recorder.close()
    assert planned.missing_permissions == ("delete pods in default", "watch pods in default")


async def test_a_plan_shows_budgets_that_would_break(control, on_cluster):
    """A PodDisruptionBudget that allows less than the step disrupts is broken."""
    await control.create_pods("a", "b", app="web")
    await control.server.api.create(
        "poddisruptionbudgets.policy",
        {"metadata": {"name": "web"}, "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}},
        "default",
    )
    [budget] = (await plan(step(labels("app=web")), on_cluster.context)).budgets
    assert (budget.budget, budget.allowed, budget.hit, budget.broken) == ("web", 0, 2, True)


async def test_a_plan_doesn_t_call_broken_what_an_eviction_asks(control, on_cluster):
    """The API server holds the budget: the plan says what it would block instead."""
    await control.create_pods("a", "b", app="web")
    spec = {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}
    await control.server.api.create(
        "poddisruptionbudgets.policy", {"metadata": {"name": "web"}, "spec": spec}, "default"
    )
    planned = await plan(step(labels("app=web"), actions=[{"evict": {}}]), on_cluster.context)
    assert planned.budgets == ()
    assert planned.notes == ("PodDisruptionBudget default/web would block 2 of 2 evictions",)


async def test_everything_it_decides_is_told(control, on_cluster):
    """Matched, filtered with how it was rounded, chosen: each is an event."""
    await control.create_pods("a", "b", "c", app="web")
    await run(step(labels("app=web"), filters=[{"randomSample": {"ratio": 0.5}}]), on_cluster.context)
    told = [event for event in await on_cluster.events() if not isinstance(event, PodKilled)]
    assert told[0] == TargetsMatched(matcher="labels app=web in namespace default", count=3)
    assert told[1] == TargetsFiltered(filter="randomSample", before=3, after=1, note="0.5 of 3 is 1, rounded down")
    assert (told[2].matched, len(told[2].pods)) == (3, 1)


async def test_a_pod_that_is_going_anyway_is_no_victim(control, on_cluster):
    """A graceful kill leaves a terminating pod out and says so; a forced one ends it."""
    await control.create_pods("a", app="web")
    await control.server.api.patch("pods", "a", "default", {"metadata": {"finalizers": ["example.com/wait"]}})
    await control.server.api.delete("pods", "a", "default")
    outcome = await run(step(labels("app=web"), actions=[{"kill": {}}]), on_cluster.context)
    assert outcome.reasons == ("no pod was killed: it is terminating already",)
    assert (await run(step(labels("app=web")), on_cluster.context)).passed


def limited(recorder, **limits):
    return replace(recorder.context, settings=Settings(guardrails=Guardrails(**limits)))


async def test_a_guardrail_holds_the_step_back_before_it_acts(control, on_cluster):
    """Three pods where two may be hit: not one of them is, and both plan and run say why."""
    await control.create_pods("a", "b", "c", app="web")
    context = limited(on_cluster, most_pods=2)
    reason = "maxPods: the step would hit 3 pods, at most 2 may be"
    assert (await plan(step(labels("app=web")), context)).refused == (reason,)
    outcome = await run(step(labels("app=web")), context)
    assert (outcome.verdict, outcome.reasons) == (Verdict.INCONCLUSIVE, (f"refused by a guardrail: {reason}",))
    assert await control.pod_names() == ["a", "b", "c"]
    assert [event.guardrail for event in await on_cluster.events() if isinstance(event, GuardrailHeld)] == ["maxPods"]


async def test_the_dice_come_before_the_guardrail(control, on_cluster):
    """What counts is who would be hit, not who was chosen."""
    await control.create_pods(*(f"p{number}" for number in range(20)), app="web")
    spec = step(labels("app=web"), actions=[{"kill": {"force": True, "probability": 0.5}}])
    hit = len((await plan(spec, on_cluster.context)).victims)
    assert 0 < hit < 20
    assert (await run(spec, limited(on_cluster, most_pods=hit))).passed


async def test_retries_don_t_add_up_beyond_the_limit(control, on_cluster):
    """A step that is tried again may hit two pods in all, not two in each attempt."""
    await control.create_pods("a", "b", "c", "d", app="web")
    spec = step(
        labels("app=web"),
        filters=[{"randomSample": {"size": 2}}],
        actions=[{"kill": {"force": True}}, {"checkPodCount": {"count": 0}}],
        retries={"retriesCount": {"count": 3, "sleep": 0.1}},
    )
    outcome = await run(spec, limited(on_cluster, most_pods=2))
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "with those it hit before, at most 2 may be" in outcome.reasons[0]
    assert len(await control.pod_names()) == 2


async def test_kube_system_is_spared_unless_it_is_named(control, on_cluster):
    """A matcher for all namespaces that finds a pod there is refused; one that names the namespace isn't."""
    await control.create_pods("dns", namespace="kube-system", app="web")
    outcome = await run(step(labels("app=web", "*")), on_cluster.context)
    reason = "protectNamespaces: the namespace kube-system is protected unless a matcher names it exactly"
    assert outcome.reasons == (f"refused by a guardrail: {reason}",)
    assert (await run(step(labels("app=web", "kube-system")), on_cluster.context)).passed


async def test_to_look_is_no_harm(control, on_cluster):
    """Actions that disrupt nobody are not held back."""
    await control.create_pods("dns", namespace="kube-system", app="web")
    spec = step(labels("app=web", "*"), actions=[{"checkPodCount": {"count": 1}}])
    assert (await run(spec, limited(on_cluster, most_pods=0))).passed


async def test_a_halt_is_looked_at_before_each_action(control, on_cluster):
    """Halted between the first action and the second: the second is not begun."""
    await control.create_pods("a", app="web")

    class HaltedLater:
        looks = 0

        async def check(self):
            self.looks += 1
            if self.looks == 2:
                raise Halted("halted by somebody")

    actions = [{"checkPodCount": {"count": 1}}, {"kill": {"force": True}}]
    with pytest.raises(Halted):
        await run(step(labels("app=web"), actions=actions), replace(on_cluster.context, halt=HaltedLater()))
    assert await control.pod_names() == ["a"]


@pytest.mark.parametrize(
    ("spec", "limits", "nodes"),
    [
        ({}, {}, 0),
        ({"filters": [{"property": {"name": "state", "value": "Pending"}}]}, {}, 1),
        ({"filters": [{"property": {"name": "name", "value": "a"}}]}, {}, 0),
        ({"actions": [KILL, {"checkPodState": {"state": "Pending"}}]}, {}, 1),
        ({}, {"least_left": 1}, 1),
    ],
)
async def test_pods_are_read_whole_only_where_that_is_needed(control, on_cluster, spec, limits, nodes):
    """A kill reads names and owners alone, unless a filter, an action or a guardrail asks for a pod's state."""
    await control.server.api.create("nodes", {"metadata": {"name": "n1"}})
    await control.server.api.create(
        "pods",
        {
            "metadata": {"name": "a", "labels": {"app": "web"}},
            "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "busybox"}]},
        },
        "default",
    )
    await run(step(labels("app=web"), **spec), limited(on_cluster, **limits))
    [told] = [event for event in await on_cluster.events() if isinstance(event, TargetsChosen)]
    assert [pod.node for pod in told.pods] == ["n1" if nodes else ""]
