import pytest

from seatrial.kube.errors import Forbidden
from seatrial.kube.objects import Pod
from seatrial.kube.resources import PODS
from seatrial.targets.impact import budget_impacts, owner_impacts

OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "owner-1"}


async def pods(control, *names):
    listed = (await control.cluster.list(PODS, namespace="default", type=Pod)).items
    return [pod for pod in listed if pod.metadata.name in names]


async def make_ready(control, *names):
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    for name in names:
        await control.server.api.patch("pods", name, "default", {"status": status}, subresource="status")


async def make_budget(control, name="web", selector=None, *, allowed=1, observed=1):
    spec = {"minAvailable": 1, **({} if selector is None else {"selector": selector})}
    body = {"metadata": {"name": name}, "spec": spec}
    await control.server.api.create("poddisruptionbudgets.policy", body, "default")
    status = {"disruptionsAllowed": allowed, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1}
    status["observedGeneration"] = observed
    await control.server.api.patch(
        "poddisruptionbudgets.policy", name, "default", {"status": status}, subresource="status"
    )


async def test_an_owner_loses_only_its_ready_pods(control):
    """Three pods, two Ready; one Ready and the other one are hit: one Ready pod is left."""
    await control.create_pods("a", "b", "c", owner=OWNER)
    await make_ready(control, "a", "b")
    [impact] = await owner_impacts(await pods(control, "b", "c"), control.cluster)
    assert (impact.owner, impact.namespace) == ("ReplicaSet/web-1", "default")
    assert (impact.ready, impact.hit, impact.ready_hit, impact.left) == (2, 2, 1, 1)


async def test_owners_are_told_apart_and_pods_without_one_have_none(control):
    """Each owner of a victim has its own figures; a bare pod has no owner that could lose it."""
    await control.create_pods("a", owner=OWNER)
    await control.create_pods("b", owner={**OWNER, "kind": "StatefulSet", "name": "db", "uid": "owner-2"})
    await control.create_pods("bare")
    impacts = await owner_impacts(await pods(control, "a", "b", "bare"), control.cluster)
    assert sorted((each.owner, each.hit) for each in impacts) == [("ReplicaSet/web-1", 1), ("StatefulSet/db", 1)]


async def test_losing_nothing_has_no_impact(control):
    """Without victims nobody is asked anything."""
    assert await owner_impacts([], control.cluster) == ()
    assert await budget_impacts([], control.cluster) == ()


@pytest.mark.parametrize(("allowed", "is_broken"), [(0, True), (1, True), (2, False)])
async def test_a_budget_is_broken_when_more_is_hit_than_it_allows(control, allowed, is_broken):
    """Two victims, and what the budget's own controller says it allows at the moment."""
    await control.create_pods("a", "b", app="web")
    await make_budget(control, selector={"matchLabels": {"app": "web"}}, allowed=allowed)
    [impact] = await budget_impacts(await pods(control, "a", "b"), control.cluster)
    assert (impact.budget, impact.allowed, impact.hit, impact.broken) == ("web", allowed, 2, is_broken)


async def test_a_budget_for_others_or_for_nobody_is_no_concern(control):
    """Budgets that select none of the victims aren't shown; one without a selector selects no pod."""
    await control.create_pods("a", app="web")
    await make_budget(control, "others", {"matchLabels": {"app": "db"}})
    await make_budget(control, "nobody")
    assert await budget_impacts(await pods(control, "a"), control.cluster) == ()


async def test_an_empty_selector_is_every_pod_of_the_namespace(control):
    """`selector: {}` of a budget (policy/v1) selects all."""
    await control.create_pods("a", app="web")
    await make_budget(control, "all", {})
    assert [each.hit for each in await budget_impacts(await pods(control, "a"), control.cluster)] == [1]


async def test_who_may_not_look_at_budgets_sees_none(control):
    """A missing permission on budgets does not spoil the plan."""
    await control.create_pods("a", app="web")
    await make_budget(control, selector={"matchLabels": {"app": "web"}})
    victims = await pods(control, "a")
    async with await control.connect_as("jane") as cluster:
        assert await budget_impacts(victims, cluster) == ()


async def test_a_budget_that_its_controller_has_not_looked_at_allows_nothing(control):
    """The eviction API sees a budget that was changed a moment ago so, and so do we."""
    await control.create_pods("a", app="web")
    await make_budget(control, selector={"matchLabels": {"app": "web"}}, allowed=5, observed=0)
    [impact] = await budget_impacts(await pods(control, "a"), control.cluster)
    assert (impact.allowed, impact.broken) == (0, True)


async def test_the_strict_look_says_what_may_not_be_read(control):
    """Who has to be sure about budgets is told that they can't be seen."""
    await control.create_pods("a", app="web")
    victims = await pods(control, "a")
    async with await control.connect_as("jane") as cluster:
        with pytest.raises(Forbidden):
            await budget_impacts(victims, cluster, strictly=True)


async def test_pods_of_two_replica_sets_of_one_deployment_have_one_owner(control):
    """In the middle of a rollout, what the Deployment has left is what counts."""
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "d-1", "controller": True}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}}
    for number in (1, 2):
        name = f"web-{number}"
        made = await control.server.api.create(
            "replicasets.apps",
            {
                "metadata": {"name": name, "ownerReferences": [deployment]},
                "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template},
            },
            "default",
        )
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": made["metadata"]["uid"]}
        await control.create_pods(f"{name}-a", f"{name}-b", owner=owner, app="web")
    await make_ready(control, "web-1-a", "web-2-a", "web-2-b")
    [impact] = await owner_impacts(await pods(control, "web-1-a", "web-1-b"), control.cluster)
    assert (impact.owner, impact.ready, impact.hit, impact.left) == ("Deployment/web", 3, 2, 2)


async def test_many_namespaces_are_read_at_once_or_one_by_one_to_the_same_end(control):
    """Pods of a node may be in a hundred of them; who may not list everything may list each."""
    spaces = [f"team-{number}" for number in range(5)]
    await control.connect_as("jane")
    for space in (*spaces, "other"):
        await control.server.api.create("namespaces", {"metadata": {"name": space}})
        await control.create_pods("a", "b", namespace=space, owner={**OWNER, "uid": f"owner-of-{space}"}, app="web")
        spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
        await control.server.api.create(
            "poddisruptionbudgets.policy", {"metadata": {"name": "web"}, "spec": spec}, space
        )
    for space in spaces:
        await may_list(control, "jane", space)
    listed = (await control.cluster.list(PODS, type=Pod)).items
    victims = [pod for pod in listed if pod.metadata.name == "a" and pod.metadata.namespace in spaces]
    async with await control.connect_as("jane") as jane:
        for cluster in (control.cluster, jane):
            owners = await owner_impacts(victims, cluster)
            assert [(each.namespace, each.hit) for each in owners] == [(space, 1) for space in spaces]
            budgets = await budget_impacts(victims, cluster, strictly=True)
            assert [(each.namespace, each.hit) for each in budgets] == [(space, 1) for space in spaces]


async def may_list(control, user, namespace):
    group = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": ["", "apps", "policy"], "resources": ["*"], "verbs": ["list"]}]
    await control.server.api.create(f"roles.{group}", {"metadata": {"name": user}, "rules": rules}, namespace)
    binding = {
        "metadata": {"name": user},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": user},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }
    await control.server.api.create(f"rolebindings.{group}", binding, namespace)
