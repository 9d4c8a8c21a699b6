import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from seatrial.runtime.context import Identity, Settings
from seatrial.runtime.events import GuardrailHeld, PodKilled, PodSpared, TargetsChosen, TargetsFiltered
from seatrial.runtime.guardrails import Guardrails
from seatrial.runtime.verdict import Verdict
from seatrial.steps.label_mode import STEP, LabelMode, plan, run
from tests.conftest import Recorder

# The clock of these tests says Tuesday, 12:00 UTC.
WILLING = {"seal/enabled": "true"}
HERE = LabelMode(timezone="UTC")


@pytest.fixture
def context(on_cluster):
    """A context that waits for no recoveries: nothing replaces a pod here."""
    return replace(on_cluster.context, settings=Settings(recovery_timeout_seconds=0))


def limited(context, **limits):
    return replace(context, settings=replace(context.settings, guardrails=Guardrails(**limits)))


async def annotate(control, kind, name, namespace=None, **annotations):
    said = {f"seal/{key}": value for key, value in annotations.items()}
    await control.server.api.patch(kind, name, namespace, {"metadata": {"annotations": said}})


async def spared(recorder):
    return {str(event.pod): event.reason for event in await recorder.events() if isinstance(event, PodSpared)}


async def test_pods_that_ask_for_it_are_killed_and_no_others(control, on_cluster, context):
    """By label or by annotation; those that say no, or nothing, are not even mentioned."""
    await control.create_pods("by-label", **WILLING)
    await control.create_pods("by-annotation", "silent", "other")
    await annotate(control, "pods", "by-annotation", "default", enabled="true")
    await control.create_pods("unwilling", **{"seal/enabled": "false"})
    await annotate(control, "pods", "unwilling", "default", enabled="true")
    assert (await run(HERE, context)).verdict is Verdict.PASSED
    assert await control.pod_names() == ["other", "silent", "unwilling"]
    assert await spared(on_cluster) == {}


async def test_force_is_each_pods_own_wish(control, on_cluster, context):
    """One loses its grace period, the other keeps it."""
    await control.create_pods("gentle", **WILLING)
    await control.create_pods("rough", **WILLING, **{"seal/force-kill": "true"})
    await run(HERE, context)
    killed = [event for event in await on_cluster.events() if isinstance(event, PodKilled)]
    assert {event.pod.name: event.force for event in killed} == {"gentle": False, "rough": True}


async def test_each_pod_that_is_left_alone_is_told_with_the_reason(control, on_cluster, context):
    """Hours, days, luck, values without a meaning: the step has nothing to do, and each pod its own reason."""
    await control.create_pods("night", **WILLING, **{"seal/start-time": "17-30-00", "seal/end-time": "10-00-00"})
    await control.create_pods("sunday", **WILLING, **{"seal/days": "sun"})
    await control.create_pods("lucky", **WILLING, **{"seal/kill-probability": "0"})
    await control.create_pods("confused", **{"seal/enabled": "maybe"})
    outcome = await run(HERE, context)
    assert (outcome.verdict, outcome.ends_scenario) == (Verdict.INCONCLUSIVE, False)
    assert outcome.reasons[0].startswith("no pod is due (1 of 4: ")
    assert len(await control.pod_names()) == 4
    assert await spared(on_cluster) == {
        "default/night": "outside its hours: 17:30-10:00",
        "default/sunday": "outside its days: sun",
        "default/lucky": "spared by its probability 0",
        "default/confused": "seal/enabled is 'maybe', neither true nor false",
    }


async def test_where_nobody_asks_there_is_nothing_to_do(control, context):
    """Inconclusive, with where was looked and for what; a namespace that isn't there is said."""
    await control.create_pods("silent")
    outcome = await run(HERE, context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.reasons == ("no pod in namespace default has the label or annotation seal/enabled=true",)
    outcome = await run(LabelMode(namespaces=("nowhere",)), context)
    assert outcome.reasons[0].endswith("seal/enabled=true: there is no namespace 'nowhere'")


async def test_namespaces_may_be_several_or_all(control, on_cluster, context):
    """Only those that are named; an empty text means all, but kube-system then stays protected."""
    for name in ("one", "two", "three"):
        await control.server.api.create("namespaces", {"metadata": {"name": name}})
        await control.create_pods("p", namespace=name, **WILLING)
    await control.create_pods("p", namespace="kube-system", **WILLING)
    await run(LabelMode(namespaces=("one", "two"), timezone="UTC"), context)
    assert await control.pod_names("one") + await control.pod_names("two") == []
    assert await control.pod_names("three") == ["p"]
    await run(LabelMode(namespaces=("",), timezone="UTC"), context)
    assert await control.pod_names("three") == []
    assert await control.pod_names("kube-system") == ["p"]
    assert list(await spared(on_cluster)) == ["kube-system/p"]


async def test_a_pod_that_has_ended_or_is_ending_is_no_victim(control, on_cluster, context):
    """A finished Job's pod is not seen at all; one that terminates is left to it, unless it asked for force."""
    await control.create_pods("ended", **WILLING)
    await control.server.api.patch("pods", "ended", "default", {"status": {"phase": "Succeeded"}}, subresource="status")
    for name, labels in (("ending", WILLING), ("hung", {**WILLING, "seal/force-kill": "true"})):
        await control.create_pods(name, **labels)
        await control.server.api.patch("pods", name, "default", {"metadata": {"finalizers": ["example.com/wait"]}})
        await control.server.api.delete("pods", name, "default")
    await run(HERE, context)
    events = await on_cluster.events()
    assert [event.pod.name for event in events if isinstance(event, PodKilled)] == ["hung"]
    assert [(event.pod.name, event.reason) for event in events if isinstance(event, PodSpared)] == [
        ("ending", "it is terminating already")
    ]


async def test_the_pod_that_seatrial_runs_in_is_no_victim(control, context):
    """Also where its labels ask for it."""
    await control.create_pods("seatrial", "web", **WILLING)
    own = replace(context, identity=Identity(pod_name="seatrial", pod_namespace="default"))
    await run(LabelMode(timezone="UTC"), own)
    assert await control.pod_names() == ["seatrial"]


async def test_an_owner_or_the_namespace_may_object(control, on_cluster, context):
    """`seal/enabled: "false"` on the Deployment behind a pod's ReplicaSet, or on the namespace, keeps it alive."""
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    api = control.server.api
    deployment = await api.create("deployments.apps", {"metadata": {"name": "web"}, "spec": spec}, "default")
    owned_by = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": deployment["metadata"]["uid"]}
    replica_set = await api.create(
        "replicasets.apps",
        {"metadata": {"name": "web-1", "ownerReferences": [{**owned_by, "controller": True}]}, "spec": spec},
        "default",
    )
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": replica_set["metadata"]["uid"]}
    await control.create_pods("web-1-a", owner=owner, **WILLING)
    await annotate(control, "deployments.apps", "web", "default", enabled="false")
    assert (await run(HERE, context)).verdict is Verdict.INCONCLUSIVE
    await annotate(control, "deployments.apps", "web", "default", enabled="true")
    await annotate(control, "namespaces", "default", enabled="false")
    assert (await run(HERE, context)).verdict is Verdict.INCONCLUSIVE
    assert await control.pod_names() == ["web-1-a"]
    await annotate(control, "namespaces", "default", enabled="true")
    await annotate(control, "replicasets.apps", "web-1", "default", enabled="false")
    assert (await run(HERE, context)).passed, "what the ReplicaSet says is a copy of what its Deployment once said"
    reasons = [event.reason for event in await on_cluster.events() if isinstance(event, PodSpared)]
    assert reasons == ["its Deployment web says seal/enabled=false", "its namespace says seal/enabled=false"]


async def test_who_may_not_read_owners_is_told_so_and_goes_on(control, on_cluster, context):
    """An account that may list and delete pods only still kills; plan and run have a note."""
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "u"}
    await control.create_pods("web-1-a", owner=owner, **WILLING)
    await control.server.api.create(
        "clusterroles.rbac.authorization.k8s.io",
        {
            "metadata": {"name": "killer"},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch", "delete"]}],
        },
    )
    await control.server.api.create(
        "clusterrolebindings.rbac.authorization.k8s.io",
        {
            "metadata": {"name": "killer"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "killer"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}],
        },
    )
    async with await control.connect_as("jane") as jane:
        theirs = replace(context, cluster=jane)
        made = await plan(HERE, theirs)
        assert [note.partition(" (")[0] for note in made.notes] == [
            "whether a Namespace objects",
            "whether a ReplicaSet objects",
        ]
        assert (await run(HERE, theirs)).passed
    [filtered] = [event for event in await on_cluster.events() if isinstance(event, TargetsFiltered)]
    assert (filtered.before, filtered.after) == (1, 1)
    assert "for lack of permission" in filtered.note
    assert await control.pod_names() == []


async def test_no_more_pods_than_allowed_are_killed_at_once(control, on_cluster, context):
    """Of five that are due two are picked by the seed; the others wait for another round, and that is told."""
    await control.create_pods("a", "b", "c", "d", "e", **WILLING)
    careful = limited(context, most_pods=2)
    assert (await run(HERE, careful)).passed
    assert len(await control.pod_names()) == 3
    events = await on_cluster.events()
    assert [event.guardrail for event in events if isinstance(event, GuardrailHeld)] == ["maxPods"]
    reasons = {event.reason for event in events if isinstance(event, PodSpared)}
    assert reasons == {"5 pods are due, at most 2 may be killed at once"}


async def test_a_guardrail_spares_the_pods_that_it_is_about(control, on_cluster, context):
    """A protected namespace's pod is left alone; the others, which it has nothing to do with, are killed."""
    await control.server.api.create("namespaces", {"metadata": {"name": "vault"}})
    await control.create_pods("v", namespace="vault", **WILLING)
    await control.create_pods("a", "b", "c", **WILLING)
    both = LabelMode(namespaces=("default", "vault"), timezone="UTC")
    assert (await run(both, limited(context, protected=frozenset({"vault"})))).passed
    assert await control.pod_names(None) == ["v"]
    assert await spared(on_cluster) == {
        "vault/v": "held back by a guardrail: protectNamespaces: the namespace vault is protected"
    }


async def test_an_owner_keeps_its_ready_pods(control, on_cluster, context):
    """`minLeft` 1 of two Ready pods of one ReplicaSet: one may go, the other is told why not."""
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "owner-1"}
    await control.create_pods("a", "b", owner=owner, **WILLING)
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    for name in ("a", "b"):
        await control.server.api.patch("pods", name, "default", {"status": ready}, subresource="status")
    assert (await run(HERE, limited(context, least_left=1))).passed
    assert await control.pod_names() == ["b"]
    [reason] = (await spared(on_cluster)).values()
    assert "minLeft: ReplicaSet/web-1 in default would be left 0 Ready pods of 2" in reason


async def test_the_seed_decides_about_luck(control, on_cluster, context):
    """The plan shows the very pods that a run with that seed kills, and touches none."""
    names = [f"p{number}" for number in range(20)]
    await control.create_pods(*names, **WILLING, **{"seal/kill-probability": "0.5"})
    made = await plan(HERE, context)
    assert len(await control.pod_names()) == 20
    assert 0 < len(made.victims) < 20
    assert made.matched == 20
    assert len([note for note in made.notes if "spared by its probability 0.5" in note]) == 20 - len(made.victims)
    await run(HERE, context)
    assert sorted({*names} - {pod.name for pod in made.victims}) == await control.pod_names()
    [chosen] = [event for event in await on_cluster.events() if isinstance(event, TargetsChosen)]
    assert chosen.pods == made.victims


def test_a_step_looks_somewhere():
    """An empty list of namespaces is an error, as is a timezone that nobody knows."""
    with pytest.raises(ValidationError, match="empty list"):
        LabelMode(namespaces=())
    with pytest.raises(ValidationError, match="no timezone"):
        LabelMode(timezone="Mars/Olympus")


async def test_a_plan_names_what_this_user_may_not_do(control):
    """Deleting the pods, and watching how they come back."""
    role = {"metadata": {"name": "r"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]}
    await control.server.api.create("roles.rbac.authorization.k8s.io", role, "default")
    binding = {
        "metadata": {"name": "r"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "joe"}],
    }
    await control.server.api.create("rolebindings.rbac.authorization.k8s.io", binding, "default")
    await control.create_pods("willing", **WILLING)
    async with await control.connect_as("joe") as cluster:
        recorder = Recorder(cluster)
        made = await plan(HERE, recorder.context)
        await recorder.close()
    assert made.missing_permissions == ("delete pods in default", "watch pods in default")


async def test_pods_are_killed_on_their_machines_where_that_is_the_way(control, context):
    """As `kill` does it: what that needs is said by the plan and before the scenario, and nobody is deleted instead."""
    await control.create_pods("willing", **WILLING)
    over_ssh = replace(context, settings=replace(context.settings, kill_command=""))
    [unmet] = await STEP.unmet_needs(HERE, over_ssh)
    assert "no way to run commands" in unmet
    assert (await plan(HERE, over_ssh)).refused == (unmet,)
    assert (await run(HERE, over_ssh)).reasons == (unmet,)
    assert await control.pod_names() == ["willing"]
