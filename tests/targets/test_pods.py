import asyncio

import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from seatrial.kube.client import Client
from seatrial.kube.objects import ObjectMeta, OwnerReference, Pod, PodSpec
from seatrial.runtime.context import Identity
from seatrial.runtime.events import PodRef
from seatrial.targets.pods import PodMatcher, describe, is_own_pod, match_pods, pod_ref


def matcher(spec):
    return PodMatcher.model_validate(spec)


def labels(selector, namespace="default"):
    return matcher({"labels": {"selector": selector, "namespace": namespace}})


def names(matched):
    return [f"{pod.metadata.namespace}/{pod.metadata.name}" for pod in matched.pods]


async def make_namespaces(control, *wanted):
    for name in wanted:
        await control.server.api.create("namespaces", {"metadata": {"name": name}})


@pytest.mark.parametrize("selector", ["", "  ", "-x", "app=web,", "a=b c", "a in b"])
def test_a_selector_that_selects_nothing_or_makes_no_sense_is_refused(selector):
    """An empty selector would be every pod of a namespace by accident: neither it nor a broken one is a matcher."""
    with pytest.raises(ValidationError):
        labels(selector)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"namespace": "shop"}, "namespace shop"),
        ({"namespace": "*"}, "all namespaces"),
        ({"namespace": ""}, "all namespaces"),
        ({"deployment": {"name": "cart", "namespace": "shop"}}, "deployment shop/cart"),
        ({"labels": {"selector": "app=web", "namespace": "*"}}, "labels app=web in all namespaces"),
        ({"labels": {"selector": "app=web", "namespace": "team-*"}}, "labels app=web in namespace team-*"),
        ({"statefulSet": {"name": "db", "namespace": "shop"}}, "statefulSet shop/db"),
        ({"daemonSet": {"name": "log", "namespace": "shop"}}, "daemonSet shop/log"),
        ({"job": {"name": "sum", "namespace": "shop"}}, "job shop/sum"),
        ({"replicaSet": {"name": "cart-1", "namespace": "shop"}}, "replicaSet shop/cart-1"),
        ({"owner": {"kind": "CronJob", "name": "sum", "namespace": "shop"}}, "owner CronJob shop/sum"),
        ({"owner": {"kind": "Node", "name": "n1"}}, "owner Node n1"),
        ({"service": {"name": "cart", "namespace": "shop"}}, "service shop/cart"),
        ({"node": {"name": "n1"}}, "node n1, all namespaces"),
        ({"zone": {"name": "west", "namespace": "shop"}}, "zone west, namespace shop"),
        (
            {"field": {"selector": "status.phase=Pending", "namespace": "*"}},
            "field status.phase=Pending in all namespaces",
        ),
    ],
)
def test_a_matcher_in_words(spec, words):
    """What a matcher is about, as the account and the reasons say it."""
    assert describe(matcher(spec)) == words


async def test_pods_come_in_the_order_of_namespace_and_name(control, on_cluster):
    """Whatever the order of matchers and creation, so that a seed picks the same pods again."""
    await make_namespaces(control, "b", "a")
    await control.create_pods("z", "y", namespace="b", app="web")
    await control.create_pods("x", namespace="a", app="web")
    matched = await match_pods([labels("app=web", "b"), labels("app=web", "a")], on_cluster.context)
    assert names(matched) == ["a/x", "b/y", "b/z"]


async def test_a_pod_that_several_matchers_find_counts_once(control, on_cluster):
    """Matchers make one set."""
    await control.create_pods("x", app="web", tier="front")
    matched = await match_pods([labels("app=web"), labels("tier=front")], on_cluster.context)
    assert names(matched) == ["default/x"]


@pytest.mark.parametrize("pattern", ["team-?", "team-[ab]", "t*-*"])
async def test_globs_take_whole_names(control, on_cluster, pattern):
    """`?`, `[...]` and `*` match as in a shell, the whole name, with upper and lower case told apart."""
    await make_namespaces(control, "team-a", "team-b", "my-team-a", "team-ab2")
    for namespace in ("team-a", "team-b", "my-team-a"):
        await control.create_pods("x", namespace=namespace, app="web")
    assert names(await match_pods([labels("app=web", pattern)], on_cluster.context)) == ["team-a/x", "team-b/x"]


async def test_a_matcher_that_finds_nothing_does_not_spoil_the_others(control, on_cluster):
    """The pods of one matcher, and a note why the other has none."""
    await control.create_pods("x", app="web")
    matched = await match_pods([labels("app=web"), labels("app=web", "nowhere")], on_cluster.context)
    assert names(matched) == ["default/x"]
    assert matched.notes == ("there is no namespace 'nowhere'",)


async def test_many_matchers_are_asked_at_once(on_cluster, control, monkeypatch):
    """Hundreds of pods that were named one by one take no longer than a few: each list waits for the others here."""
    await control.create_pods("a", "b", "c")
    listed, everybody = Client.list, asyncio.Barrier(3)

    async def list_together(*arguments, **options):
        await everybody.wait()
        return await listed(*arguments, **options)

    monkeypatch.setattr(Client, "list", list_together)
    matchers = [matcher({"field": {"namespace": "default", "selector": f"metadata.name={name}"}}) for name in "abc"]
    async with asyncio.timeout(30):
        assert names(await match_pods(matchers, on_cluster.context)) == ["default/a", "default/b", "default/c"]


async def test_a_deployment_without_pods_matches_none(control, on_cluster):
    """A Deployment that has not made its ReplicaSet owns nothing, not even pods with its labels."""
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
    await control.server.api.create("deployments.apps", {"metadata": {"name": "web"}, "spec": spec}, "default")
    await control.create_pods("stray", app="web")
    matched = await match_pods([matcher({"deployment": {"name": "web", "namespace": "default"}})], on_cluster.context)
    assert names(matched) == []


async def test_seatrials_own_pod_is_left_out_and_said_where_nothing_else_is_left(control, on_cluster):
    """Only the pod it runs in matched: the set is empty, with that as its reason."""
    await control.create_pods("me", app="web")
    context = replace(on_cluster.context, identity=Identity(pod_name="me", pod_namespace="default"))
    matched = await match_pods([labels("app=web")], context)
    assert names(matched) == []
    assert matched.notes == ("only Seatrial's own pods, which are left out",)


@pytest.mark.parametrize(
    ("pod_name", "pod_namespace", "is_own"),
    [("me", "ops", True), ("me", "", True), ("me", "other", False), ("", "ops", False), ("you", "ops", False)],
)
def test_its_own_pod_is_known_by_name_and_namespace(pod_name, pod_namespace, is_own):
    """A namesake elsewhere is not it; where only the name is known, each namesake is spared."""
    pod = Pod(metadata=ObjectMeta(name="me", namespace="ops", uid="1"))
    assert is_own_pod(pod, Identity(pod_name=pod_name, pod_namespace=pod_namespace)) is is_own


def test_the_pods_that_commands_go_through_are_its_own():
    """A chaos step that hit one would cut off its own clean-up; the labels tell, of whatever run the pod is."""
    labels = {"app.kubernetes.io/managed-by": "seatrial", "app.kubernetes.io/component": "node-shell"}
    assert is_own_pod(Pod(metadata=ObjectMeta(name="x", labels={**labels, "seatrial.io/run": "r"})), Identity())
    assert not is_own_pod(Pod(metadata=ObjectMeta(name="x", labels={"seatrial.io/run": "r"})), Identity())


def test_events_name_a_pod_with_its_node_and_its_controller():
    """Of several owners the one that manages the pod is named."""
    owners = (
        OwnerReference(kind="Node", name="n", uid="1"),
        OwnerReference(kind="ReplicaSet", name="web-1", uid="2", controller=True),
    )
    meta = ObjectMeta(name="p", namespace="shop", uid="3", owner_references=owners)
    pod = Pod(metadata=meta, spec=PodSpec(node_name="node1"))
    assert pod_ref(pod) == PodRef(namespace="shop", name="p", uid="3", node="node1", owner="ReplicaSet/web-1")
    assert str(pod_ref(pod)) == "shop/p"
