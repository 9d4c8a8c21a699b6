"""What the step `clone` looks at before it makes anything, and what it plans; on an API server without controllers."""

import pytest
from msgspec.structs import replace

from seatrial.actions.created_objects import RUN_LABEL
from seatrial.errors import ClusterError, Halted
from seatrial.kube.errors import Forbidden, NotFound
from seatrial.kube.resources import DEPLOYMENTS, NAMESPACES, PODDISRUPTIONBUDGETS, SERVICES
from seatrial.runtime.context import Settings
from seatrial.runtime.events import GuardrailHeld
from seatrial.runtime.guardrails import Guardrails
from seatrial.runtime.journal import RunEntry
from seatrial.runtime.verdict import Verdict
from seatrial.steps.clone.step import STEP
from tests.steps.clone.conftest import deployment, latency, service

SLOW = {"toxiproxy": {"toxics": [latency()]}}
TO_WEB = {"servicesToRetarget": [{"service": {"name": "web", "namespace": "default"}}]}


@pytest.fixture
async def source(control, on_cluster):
    """A Deployment that can be copied, and a run that may do so."""
    await on_cluster.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    await control.cluster.create(DEPLOYMENTS, deployment(), namespace="default")


async def deployments(control):
    return sorted(each["metadata"]["name"] for each in (await control.cluster.list(DEPLOYMENTS)).items)


async def refusal(control, on_cluster, spec):
    """Why the step isn't carried out; nothing was made, and nothing is left to be undone."""
    before = await deployments(control)
    with pytest.raises(ClusterError) as caught:
        await STEP.run(spec, on_cluster.context)
    assert await deployments(control) == before
    assert not list(on_cluster.context.journal.newer_than(0))
    return caught.value


# Before anything is made


async def test_a_protected_namespace_is_left_alone(control, on_cluster, clone, source):
    """By a guardrail, which is told."""
    settings = Settings(guardrails=Guardrails(protected=frozenset({"default"})))
    outcome = await STEP.run(clone(), replace(on_cluster.context, settings=settings))
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.ends_scenario
    assert await deployments(control) == ["web"]
    assert any(isinstance(each, GuardrailHeld) for each in await on_cluster.events())


async def test_an_original_that_is_not_there(control, on_cluster, clone):
    """Is said as the API server says it."""
    with pytest.raises(NotFound, match='"web" not found'):
        await STEP.run(clone(), on_cluster.context)


@pytest.mark.parametrize(
    ("labels", "message", "hint"),
    [
        ({RUN_LABEL: "run-0"}, "run run-0 is at work on Deployment default/web-chaos", "seatrial recover --run run-0"),
        ({RUN_LABEL: "run-1"}, "Deployment default/web-chaos is there already", "this run copies it already"),
        ({}, "Deployment default/web-chaos is there already", "none of Seatrial's"),
    ],
    ids=["a leftover", "twice in one scenario", "somebody's own"],
)
async def test_a_name_that_is_taken(control, on_cluster, clone, source, labels, message, hint):
    """Is left as it is, with what helps."""
    taken = deployment("web-chaos")
    taken["metadata"]["labels"] = labels
    await control.cluster.create(DEPLOYMENTS, taken, namespace="default")
    error = await refusal(control, on_cluster, clone())
    assert message in error.message
    assert hint in error.hint


@pytest.mark.parametrize(
    ("there", "labels", "message"),
    [
        (service(selector={"app": "other"}), [], "would select nothing: the copy's pods don't have app=other"),
        (service(selector={}), [], "has no selector"),
        (service(), [{"label": {"key": "app", "value": "x"}}], "would select nothing"),
    ],
    ids=["of others", "without a selector", "after a change of labels"],
)
async def test_a_service_that_would_lead_nowhere(control, on_cluster, clone, source, there, labels, message):
    """Is not turned to the copy, which isn't made."""
    await control.cluster.create(SERVICES, there, namespace="default")
    error = await refusal(control, on_cluster, clone(labels=labels, **TO_WEB))
    assert message in error.message


async def test_a_service_of_another_namespace(control, on_cluster, clone, source):
    """Can't select the copy's pods."""
    elsewhere = {"servicesToRetarget": [{"service": {"name": "web", "namespace": "shop"}}]}
    assert "can't select the copy" in (await refusal(control, on_cluster, clone(**elsewhere))).message


async def test_labels_of_a_service_without_any(control, on_cluster, clone, source):
    """A Service that selects nothing has no labels to take over."""
    await control.cluster.create(SERVICES, service(selector={}), namespace="default")
    spec = clone(labels=[{"service": {"name": "web", "namespace": "default"}}])
    assert "has no selector whose labels" in (await refusal(control, on_cluster, spec)).message


@pytest.mark.parametrize("mutation", [SLOW, {"tc": {"command": ["tc"]}}])
async def test_a_node_s_network_is_never_changed(control, on_cluster, clone, mutation):
    """Pods in their nodes' network share it with everything there."""
    source = deployment()
    source["spec"]["template"]["spec"]["hostNetwork"] = True
    await control.cluster.create(DEPLOYMENTS, source, namespace="default")
    outcome = await STEP.run(clone(mutations=[mutation]), on_cluster.context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "hostNetwork" in outcome.reasons[0]
    assert await deployments(control) == ["web"]


async def test_two_toxiproxies_are_one_too_many(control, on_cluster, clone, source):
    """They would stand in each other's way."""
    outcome = await STEP.run(clone(mutations=[SLOW, SLOW]), on_cluster.context)
    assert "put all proxies and toxics into one" in outcome.reasons[0]


async def test_a_halt_is_obeyed(control, on_cluster, clone, source):
    """Nothing is made once somebody has halted all experiments."""

    class HaltedSwitch:
        async def check(self):
            raise Halted("halted by ann: no more")

    with pytest.raises(Halted):
        await STEP.run(clone(), replace(on_cluster.context, halt=HaltedSwitch()))
    assert await deployments(control) == ["web"]


async def test_a_copy_that_is_refused_leaves_nothing_to_undo(control, on_cluster, clone, source):
    """What the API server did not make needs no undo."""
    api = control.server.api
    reading = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}
    await api.create("roles.rbac.authorization.k8s.io", {"metadata": {"name": "reader"}, "rules": [reading]}, "default")
    binding = {
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "User", "name": "ann", "apiGroup": "rbac.authorization.k8s.io"}],
    }
    await api.create("rolebindings.rbac.authorization.k8s.io", binding, "default")
    poor = await control.connect_as("ann")
    with pytest.raises(Forbidden):
        await STEP.run(clone(), replace(on_cluster.context, cluster=poor))
    await poor.close()
    assert not list(on_cluster.context.journal.newer_than(0))


# The plan


async def test_the_plan_says_what_would_be_made(control, on_cluster, clone, source):
    """The copy, its faults, the Services that it takes over; and it makes nothing."""
    await control.cluster.create(SERVICES, service(), namespace="default")
    plan = await STEP.plan(clone(replicas=2, mutations=[SLOW], **TO_WEB), on_cluster.context)
    assert plan.summary == "copy Deployment default/web with toxiproxy"
    assert plan.changes == (
        "create Deployment default/web-chaos with 2 pods",
        "toxic in each of them: latency latency=250 (downstream) on auto8080",
        "turn Service default/web to the copy only",
    )
    assert (plan.refused, plan.missing_permissions) == ((), ())
    assert await deployments(control) == ["web"]


async def test_the_plan_says_what_does_not_go_well(control, on_cluster, clone):
    """Whatever shares something with the original, counts pods by labels, or forbids the fault."""
    source = deployment()
    source["spec"]["template"]["spec"] |= {
        "terminationGracePeriodSeconds": 300,
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
        "affinity": {
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "kubernetes.io/hostname"}
                ]
            }
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "zone",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"app": "web"}},
            }
        ],
    }
    source["spec"]["template"]["spec"]["containers"][0]["ports"][0]["hostPort"] = 8080
    api, cluster = control.server.api, control.cluster
    await cluster.create(DEPLOYMENTS, source, namespace="default")
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    await api.create("persistentvolumeclaims", claim, "default")
    budget = {"metadata": {"name": "keep"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}}
    await cluster.create(PODDISRUPTIONBUDGETS, budget, namespace="default")
    scaler = {
        "metadata": {"name": "more"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 9},
    }
    await cluster.create(await cluster.discover("horizontalpodautoscalers"), scaler, namespace="default")
    enforced = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}}
    await cluster.patch(NAMESPACES, "default", enforced)
    notes = "\n".join((await STEP.plan(clone(mutations=[SLOW]), on_cluster.context)).notes)
    for words in (
        "hostPort",
        "anti-affinity",
        "topology spread",
        "60 s to end, the original's 300 s",
        "PersistentVolumeClaim data, which is ReadWriteOnce",
        "PodDisruptionBudget keep counts",
        "HorizontalPodAutoscaler more",
        "Pod Security Standard 'baseline'",
    ):
        assert words in notes


@pytest.mark.parametrize(
    ("of_namespace", "of_pods", "said"),
    [
        ({"labels": {"istio-injection": "enabled"}}, {}, ["Istio redirects"]),
        ({"annotations": {"linkerd.io/inject": "enabled"}}, {}, ["Linkerd redirects"]),
        ({}, {"sidecar.istio.io/inject": "true"}, ["Istio redirects"]),
        ({"labels": {"istio-injection": "disabled"}}, {"sidecar.istio.io/inject": "false"}, []),
    ],
)
async def test_the_plan_warns_of_a_service_mesh(control, on_cluster, clone, source, of_namespace, of_pods, said):
    """It redirects ports like Toxiproxy's init container, and may come first."""
    await control.cluster.patch(NAMESPACES, "default", {"metadata": of_namespace})
    template = {"spec": {"template": {"metadata": {"labels": of_pods}}}}
    await control.cluster.patch(DEPLOYMENTS, "web", template, namespace="default")
    notes = (await STEP.plan(clone(mutations=[SLOW]), on_cluster.context)).notes
    assert [" ".join(note.split()[:2]) for note in notes if "redirects" in note] == said


async def test_the_plan_says_what_a_quota_leaves(control, on_cluster, clone, source):
    """As far as the quota's status tells."""
    quota = {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "4", "limits.cpu": "1500m"}}}
    api = control.server.api
    await api.create("resourcequotas", quota, "default")
    status = {"hard": {"pods": "4", "limits.cpu": "1500m"}, "used": {"pods": "3", "limits.cpu": "500m"}}
    resource = await control.cluster.discover("resourcequotas")
    await control.cluster.patch(resource, "few", {"status": status}, namespace="default", subresource="status")
    notes = (await STEP.plan(clone(), on_cluster.context)).notes
    assert any(note.startswith("ResourceQuota few has left:") and "pods 1" in note for note in notes)
    assert any("limits.cpu 1" in note for note in notes)


@pytest.mark.parametrize(
    ("spec", "refused"),
    [
        ({"mutations": [{"toxiproxy": {"toxics": [latency("ftp")]}}]}, "'ftp' is no proxy"),
        (TO_WEB, 'services "web" not found'),
        ({"source": {"deployment": {"name": "nobody", "namespace": "default"}}}, '"nobody" not found'),
    ],
    ids=["a toxic without a proxy", "a missing Service", "a missing original"],
)
async def test_the_plan_says_what_would_be_refused(control, on_cluster, clone, source, spec, refused):
    """Instead of failing itself."""
    plan = await STEP.plan(clone(**spec), on_cluster.context)
    assert len(plan.refused) == 1
    assert refused in plan.refused[0]


async def test_the_plan_names_missing_permissions(control, on_cluster, clone, source):
    """Each verb that the step needs, and this user lacks."""
    poor = await control.connect_as("ann")
    plan = await STEP.plan(clone(mutations=[SLOW], **TO_WEB), replace(on_cluster.context, cluster=poor))
    await poor.close()
    assert {
        "create deployments in default",
        "delete deployments in default",
        "get pods/portforward in default",
        "patch services in default",
    } <= set(plan.missing_permissions)
