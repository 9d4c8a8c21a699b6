import asyncio
import json

import pytest
from msgspec.structs import replace

from seatrial.actions.created_objects import RUN_LABEL
from seatrial.actions.kubectl_program import KubectlProgram
from seatrial.actions.manifest_text import parse_manifests
from seatrial.actions.manifests import KEPT_BY
from seatrial.actions.recreated_objects import RECREATE_OBJECT
from seatrial.engine.unwind import unwind
from seatrial.errors import ClusterError, ConfigurationError
from seatrial.kube.errors import AlreadyExists, NotFound
from seatrial.kube.resources import CONFIGMAPS, NAMESPACES, SERVICES
from seatrial.runtime.context import Settings
from seatrial.runtime.events import FaultProven, GuardrailHeld, ObjectDeleted
from seatrial.runtime.guardrails import Guardrails
from seatrial.runtime.journal import RunEntry
from seatrial.runtime.scope import ScenarioScope
from seatrial.runtime.verdict import PASSED, Verdict
from seatrial.steps.kubectl import STEP, Kubectl
from tests.kubectls import newest

RED = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  colour: red
"""
TWO = f"{RED}---{RED.replace('settings', 'more')}"
IN_SHOP = RED.replace("metadata:", "metadata:\n  namespace: shop")


def spec(action="apply", payload=RED, **others):
    return Kubectl.model_validate({"action": action, "payload": payload, **others})


@pytest.fixture
async def context(on_cluster):
    """The context of a run that stands in its journal."""
    await on_cluster.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    return on_cluster.context


@pytest.fixture
async def garbage_collector(control):
    """Lets go of what waits for its dependents, as the controller of that name does for what has none."""

    async def collect(plural):
        listed = await control.server.api.list(plural, "default")
        async for event in control.server.api.watch(plural, "default", resource_version=listed.resource_version):
            if event.object["metadata"].get("deletionTimestamp") and event.type == "MODIFIED":
                name = event.object["metadata"]["name"]
                await control.server.api.patch(plural, name, "default", {"metadata": {"finalizers": None}})

    tasks = [asyncio.create_task(collect(plural)) for plural in ("configmaps", "services")]
    await asyncio.sleep(0)
    yield
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def undo(context):
    """Carries out what the journal has; a failure of it fails the test."""
    await asyncio.wait_for(unwind(context.journal.newer_than(0), context, hurry=asyncio.Event()), 30)
    assert context.journal.failures == []


async def config_maps(control):
    listed = await control.server.api.list("configmaps", "default")
    return {each["metadata"]["name"]: each for each in listed.items if each["metadata"]["name"] != "kube-root-ca.crt"}


async def create(control, name="settings", **data):
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data or {"colour": "blue"}}
    return await control.server.api.create("configmaps", body, "default")


# Applying


@pytest.mark.usefixtures("garbage_collector")
async def test_what_is_applied_is_made_in_the_contexts_namespace_and_deleted_at_the_end(control, context):
    """All documents of a payload, in the namespace of the kubeconfig's context; clean-up deletes them."""
    assert await STEP.run(spec(payload=TWO), context) == PASSED
    made = await config_maps(control)
    assert {name: each["metadata"]["labels"] for name, each in made.items()} == {
        "settings": {RUN_LABEL: "run-1"},
        "more": {RUN_LABEL: "run-1"},
    }
    await undo(context)
    assert await config_maps(control) == {}


@pytest.mark.parametrize(
    "payload",
    [
        json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}),
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}",
        "apiVersion: v1\nkind: ConfigMapList\nitems:\n- {metadata: {name: settings}}",
        "---\n---\n" + RED + "---\n",
    ],
)
async def test_a_payload_is_read_as_kubectl_reads_it(control, context, payload):
    """JSON, lists of any kind, and empty documents in between."""
    assert await STEP.run(spec(payload=payload), context) == PASSED
    assert list(await config_maps(control)) == ["settings"]


@pytest.mark.parametrize("payload", ["", "---\n", "# nothing\n"])
@pytest.mark.parametrize("action", ["apply", "delete"])
async def test_a_payload_without_objects_is_inconclusive(context, action, payload):
    """Nothing can be said to have been applied where there was nothing."""
    outcome = await STEP.run(spec(action, payload), context)
    assert (outcome.verdict, outcome.reasons) == (Verdict.INCONCLUSIVE, ("the payload has no objects",))


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("kind: Pod", "object 2 has no metadata"),
        ("ports:\n- name: web\n    port: 80", "is no YAML"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: x-}", "generateName"),
    ],
)
async def test_nothing_is_touched_where_one_of_the_objects_is_none(control, context, wrong, reason):
    """The whole payload is read before the first object is applied."""
    with pytest.raises(ConfigurationError, match=reason):
        await STEP.run(spec(payload=f"{RED}---\n{wrong}"), context)
    assert await config_maps(control) == {}
    assert context.journal.mark == 0


async def test_what_was_there_is_put_back_as_it_was(control, context):
    """Clean-up deletes only what the step made; of the others it puts back the fields that it changed."""
    before = await create(control, colour="blue", size="1")
    await STEP.run(spec(), context)
    assert (await config_maps(control))["settings"]["data"] == {"colour": "red", "size": "1"}
    await undo(context)
    after = (await config_maps(control))["settings"]
    assert (after["data"], after["metadata"]["uid"]) == (before["data"], before["metadata"]["uid"])
    assert RUN_LABEL not in after["metadata"].get("labels", {})


@pytest.mark.usefixtures("garbage_collector")
async def test_the_second_of_two_documents_of_one_object_counts(control, context):
    """They are applied in turn, and both are undone."""
    await STEP.run(spec(payload=f"{RED}---{RED.replace('colour: red', 'size: big')}"), context)
    assert (await config_maps(control))["settings"]["data"] == {"size": "big"}
    await undo(context)
    assert await config_maps(control) == {}


async def test_without_auto_delete_what_was_applied_stays(control, context):
    """No undo, no label of the run, but a note of who made it; what was there already gets none."""
    await create(control, "more")
    assert await STEP.run(spec(payload=TWO, autoDelete=False), context) == PASSED
    assert context.journal.mark == 0
    made = await config_maps(control)
    assert made["settings"]["metadata"]["annotations"] == {KEPT_BY: "run-1"}
    assert "annotations" not in made["more"]["metadata"]
    assert all("labels" not in each["metadata"] for each in made.values())
    later = replace(context, run_id="run-2")
    assert await STEP.run(spec(autoDelete=False), later) == PASSED
    assert (await config_maps(control))["settings"]["metadata"]["annotations"] == {KEPT_BY: "run-1"}


DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: lamps.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: lamps, singular: lamp, kind: Lamp}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
LAMP = "apiVersion: example.com/v1\nkind: Lamp\nmetadata: {name: red}\n"


async def test_a_kind_may_be_defined_and_used_in_one_payload(control, context):
    """The object waits until its kind is served."""
    assert await STEP.run(spec(payload=f"{DEFINITION}---\n{LAMP}"), context) == PASSED
    resource = await control.cluster.resource_for("example.com/v1", "Lamp")
    assert [each["metadata"]["name"] for each in (await control.cluster.list(resource)).items] == ["red"]


# Deleting


async def test_what_is_deleted_comes_back_as_it_was(control, context):
    """Made anew without what belonged to the old one alone: its other fields are the same, and it works once more."""
    before = await create(control)
    await control.cluster.patch(CONFIGMAPS, "settings", {"metadata": {"labels": {"app": "web"}}}, namespace="default")
    assert await STEP.run(spec("delete"), context) == PASSED
    assert await config_maps(control) == {}
    await undo(context)
    after = (await config_maps(control))["settings"]
    assert (after["data"], after["metadata"]["labels"]) == (before["data"], {"app": "web"})
    assert after["metadata"]["uid"] != before["metadata"]["uid"]


async def test_a_service_comes_back_with_its_address(control, context):
    """Its clients know the cluster IP; where somebody else got it meanwhile, it has another one, and that is said."""
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"ports": [{"port": 80}], "selector": {"app": "web"}},
    }
    before = await control.cluster.create(SERVICES, body, namespace="default")
    address = before["spec"]["clusterIP"]
    deletion = spec("delete", "{apiVersion: v1, kind: Service, metadata: {name: web}}")
    await STEP.run(deletion, context)
    await undo(context)
    assert (await control.cluster.get(SERVICES, "web", namespace="default"))["spec"]["clusterIP"] == address
    await STEP.run(deletion, context)
    thief = {**body, "metadata": {"name": "thief"}, "spec": {**body["spec"], "clusterIP": address}}
    await control.cluster.create(SERVICES, thief, namespace="default")
    [written] = context.journal.newer_than(0)
    assert "another cluster IP" in await RECREATE_OBJECT.run(written.undo.args, context.world)
    assert (await control.cluster.get(SERVICES, "web", namespace="default"))["spec"]["clusterIP"] != address


async def test_the_others_are_deleted_where_one_is_not_there(control, context):
    """As with kubectl: what is there goes, and the step did not do all that it should."""
    await create(control)
    outcome = await STEP.run(spec("delete", TWO), context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.ends_scenario
    assert outcome.reasons == ("can't delete what isn't there: ConfigMap default/more",)
    assert await config_maps(control) == {}


async def test_an_object_that_stands_there_twice_is_deleted_once(control, context):
    """The second document finds nothing left to do, which is no mistake."""
    await create(control)
    assert await STEP.run(spec("delete", f"{RED}---{RED}"), context) == PASSED
    assert context.journal.mark == 1


async def test_what_this_scenario_made_does_not_come_back(control, context):
    """Apply, then delete, in one scenario: clean-up has nothing left to do."""
    await STEP.run(spec(), context)
    assert await STEP.run(spec("delete"), context) == PASSED
    await undo(context)
    assert await config_maps(control) == {}


async def test_what_was_loaded_for_the_run_comes_back(control, context):
    """It was made before the scenario began, and other scenarios need it; it stays the run's, to be deleted with it."""
    await STEP.run(spec(), context)
    scenario = context.at(where=context.where, scope=ScenarioScope())
    assert await STEP.run(spec("delete"), scenario) == PASSED
    [deletion, _] = context.journal.newer_than(0)
    assert await RECREATE_OBJECT.run(deletion.undo.args, context.world) == ""
    assert (await config_maps(control))["settings"]["metadata"]["labels"] == {RUN_LABEL: "run-1"}


async def test_what_was_made_to_stay_does_not_come_back(control, context):
    """An experiment that goes on for ever: applied without autoDelete, deleted by a later step or run."""
    await STEP.run(spec(autoDelete=False), replace(context, run_id="run-0"))
    assert await STEP.run(spec("delete"), context) == PASSED
    await undo(context)
    assert await config_maps(control) == {}


async def test_what_this_run_changed_before_comes_back_as_it_was_before_that(control, context):
    """Changed by one step and deleted by the next: the state from before both returns."""
    await create(control, colour="blue", size="1")
    await STEP.run(spec(), context)
    await STEP.run(spec("delete"), context)
    await undo(context)
    after = (await config_maps(control))["settings"]
    assert after["data"] == {"colour": "blue", "size": "1"}
    assert RUN_LABEL not in after["metadata"].get("labels", {})


async def test_what_another_run_is_at_work_on_is_not_deleted(control, context):
    """It would put back an object that isn't there any more."""
    await STEP.run(spec(), replace(context, run_id="run-2"))
    with pytest.raises(ClusterError, match="run run-2 is at work on ConfigMap default/settings"):
        await STEP.run(spec("delete"), context)


@pytest.mark.parametrize(
    ("kind", "lost"), [("Namespace", "all objects in it"), ("PersistentVolumeClaim", "the data of its volume")]
)
async def test_what_can_t_come_back_is_not_deleted(control, context, kind, lost):
    """Refused before anything else of the payload is deleted; with 'autoDelete: false' somebody means it."""
    await create(control)
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "precious"}}
    resource = await control.cluster.resource_for("v1", kind)
    body |= {"spec": claim} if resource.namespaced else {}
    await control.cluster.create(resource, body, namespace="default")
    payload = f"{RED}---\n{json.dumps({key: body[key] for key in ('apiVersion', 'kind', 'metadata')})}"
    with pytest.raises(ClusterError, match=lost):
        await STEP.run(spec("delete", payload), context)
    assert list(await config_maps(control)) == ["settings"]
    assert context.journal.mark == 0
    planned = await STEP.plan(spec("delete", payload), context)
    assert [each for each in planned.refused if lost in each]


async def test_without_auto_delete_what_was_deleted_is_gone_for_good(control, context):
    """No undo is written."""
    await create(control)
    assert await STEP.run(spec("delete", autoDelete=False), context) == PASSED
    assert context.journal.mark == 0
    assert await config_maps(control) == {}


@pytest.mark.usefixtures("garbage_collector")
async def test_what_is_deleted_is_told_when_it_is_gone(control, on_cluster, context):
    """The object was seen to be gone: that is the proof of the fault."""
    made = await create(control)
    await STEP.run(spec("delete"), context)
    events = [each for each in await on_cluster.events() if isinstance(each, ObjectDeleted | FaultProven)]
    uid = made["metadata"]["uid"]
    assert events == [
        ObjectDeleted(kind="ConfigMap", namespace="default", name="settings", comes_back=True),
        FaultProven(subject="ConfigMap default/settings", proof=f"the object with the UID {uid} is gone"),
    ]


# Guardrails


@pytest.mark.parametrize("action", ["apply", "delete"])
async def test_a_protected_namespace_is_left_alone(control, on_cluster, context, action):
    """The step is refused before the first object, with the guardrail's reason."""
    guarded = replace(context, settings=Settings(guardrails=Guardrails(protected=frozenset({"shop"}))))
    await control.cluster.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    outcome = await STEP.run(spec(action, f"{RED}---{IN_SHOP}"), guarded)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "protectNamespaces: the namespace shop is protected" in outcome.reasons[0]
    assert await config_maps(control) == {}
    assert [each.guardrail for each in await on_cluster.events() if isinstance(each, GuardrailHeld)] == [
        "protectNamespaces"
    ]


# Plans


async def test_a_plan_says_what_would_become_of_each_object(control, context):
    """Found out by dry runs: created, changed field by field, left, deleted, missing; and nothing is changed."""
    await create(control, colour="blue")
    await create(control, "same", colour="red")
    before = await config_maps(control)
    payload = "---".join([RED, RED.replace("settings", "new"), RED.replace("settings", "same")])
    planned = await STEP.plan(spec(payload=payload), context)
    assert planned.summary == "apply 3 objects"
    assert planned.changes == (
        "change ConfigMap default/settings (data.colour) (put back at the end)",
        "create ConfigMap default/new (deleted again at the end)",
        "leave ConfigMap default/same, which is as wanted",
    )
    assert planned.missing_permissions == planned.refused == ()
    planned = await STEP.plan(spec("delete", TWO), context)
    assert planned.changes == (
        "delete ConfigMap default/settings (made anew at the end)",
        "delete ConfigMap default/more, which isn't there now: that fails unless an earlier step makes it",
    )
    assert await config_maps(control) == before


async def test_a_plan_knows_what_the_payload_itself_makes_possible(context):
    """A namespace, a kind: what stands later in the payload may need what stands before."""
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
    planned = await STEP.plan(spec(payload=f"{namespace}---{IN_SHOP}---\n{DEFINITION}---\n{LAMP}"), context)
    assert planned.refused == ()
    assert planned.changes[1] == "create ConfigMap shop/settings (deleted again at the end)"
    assert planned.changes[3] == "create Lamp red, when its kind is there"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("kind: Pod", "object 1 has no metadata"),
        (LAMP, "the cluster has no Lamp in example.com/v1"),
        (RED.replace("colour: red", "colour: [1]"), "data"),
    ],
)
async def test_a_plan_says_what_would_be_refused(context, payload, reason):
    """What the step would stumble over is known before the run."""
    planned = await STEP.plan(spec(payload=payload), context)
    assert reason in " ".join(planned.refused)


async def test_a_plan_says_which_permissions_are_missing(control, context):
    """Those for clean-up, too."""
    async with await control.connect_as("nobody") as nobody:
        planned = await STEP.plan(spec(), replace(context, cluster=nobody))
    assert "patch configmaps in default" in planned.missing_permissions
    assert "delete configmaps in default" in planned.missing_permissions


# Ways


async def test_a_proxy_of_the_step_is_used(control, context):
    """With or without a scheme; the requests of this step alone go through it."""
    proxy = Proxy()
    async with await asyncio.start_server(proxy.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await STEP.run(spec(proxy=f"127.0.0.1:{port}"), context) == PASSED
    assert list(await config_maps(control)) == ["settings"]
    assert proxy.asked
    assert all(each == f"CONNECT {control.server.url.removeprefix('https://')} HTTP/1.1" for each in proxy.asked)


async def test_what_is_no_proxy_is_said(context):
    """Before anything is sent; the text isn't repeated, since it may hold a password."""
    with pytest.raises(ConfigurationError) as caught:
        await STEP.run(spec(proxy="ftp://user:secret@host"), context)
    assert "secret" not in caught.value.message


class Proxy:
    """An HTTP proxy that knows CONNECT only."""

    def __init__(self):
        self.asked = []

    async def serve(self, reader, writer):
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(request.splitlines()[0])
        host, _, port = request.split()[1].rpartition(":")
        onward, to_server = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        async with asyncio.TaskGroup() as group:
            group.create_task(pipe(reader, to_server))
            group.create_task(pipe(onward, writer))


async def pipe(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


@pytest.fixture(scope="module")
def program():
    """A real kubectl."""
    found = newest()
    if found is None:
        pytest.skip("no kubectl on this machine")
    return found


@pytest.mark.usefixtures("garbage_collector")
async def test_a_program_makes_the_same_of_it(control, context, program):
    """With kubectlBinary: made, changed, put back and deleted as through the API; the journal is the same."""
    await create(control, "more", colour="blue", size="1")
    assert await STEP.run(spec(payload=TWO, kubectlBinary=program), context) == PASSED
    made = await config_maps(control)
    assert made["settings"]["metadata"]["labels"] == {RUN_LABEL: "run-1"}
    assert made["more"]["data"] == {"colour": "red", "size": "1"}
    # Only the program leaves this annotation.
    assert "kubectl.kubernetes.io/last-applied-configuration" in made["more"]["metadata"]["annotations"]
    await undo(context)
    left = await config_maps(control)
    assert list(left) == ["more"]
    assert left["more"]["data"] == {"colour": "blue", "size": "1"}
    assert "annotations" not in left["more"]["metadata"]
    assert await STEP.run(spec("delete", RED.replace("settings", "more"), kubectlBinary=program), context) == PASSED
    assert await config_maps(control) == {}
    await undo(context)
    assert (await config_maps(control))["more"]["data"] == {"colour": "blue", "size": "1"}


async def test_a_program_that_is_not_there_is_said(control, context):
    """A policy that names a program means that one."""
    with pytest.raises(ConfigurationError, match=r"can't run '/no/such/kubectl'"):
        await STEP.run(spec(kubectlBinary="/no/such/kubectl"), context)
    assert await config_maps(control) == {}


async def test_what_a_program_says_when_it_fails_is_said(control, context, tmp_path):
    """Its exit code and its own words; proxies of the environment are not handed on, that of the step is."""
    script = tmp_path / "failing"
    script.write_text('#!/bin/sh\ncat >/dev/null\necho "proxy $HTTPS_PROXY of $KUBECONFIG, $1 $2" >&2\nexit 3\n')
    script.chmod(0o755)
    async with await asyncio.start_server(Proxy().serve, "127.0.0.1", 0) as server:
        proxy = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(ClusterError) as caught:
            await STEP.run(spec(kubectlBinary=str(script), proxy=proxy), context)
    said = f"proxy {proxy} of {control.directory / 'kubeconfig'}, --context {control.cluster.context_name}"
    assert caught.value.message == f"{script} create ended with exit code 3: {said}"


@pytest.mark.usefixtures("garbage_collector")
async def test_a_program_leaves_to_others_what_they_made(control, context, program):
    """It creates what isn't there and deletes what is, or says who was quicker; what it made it may apply again."""
    applier = KubectlProgram(binary=program, cluster=control.cluster)
    [body] = parse_manifests(RED, name="red")
    await create(control)
    with pytest.raises(AlreadyExists):
        await applier.create(CONFIGMAPS, {**body, "metadata": {**body["metadata"], "namespace": "default"}})
    await control.cluster.delete(CONFIGMAPS, "settings", namespace="default")
    with pytest.raises(NotFound):
        await applier.delete(CONFIGMAPS, {**body, "metadata": {**body["metadata"], "namespace": "default"}})
    both = f"{RED}---{RED.replace('colour: red', 'size: big')}"
    assert await STEP.run(spec(payload=both, kubectlBinary=program), context) == PASSED
    assert (await config_maps(control))["settings"]["data"] == {"size": "big"}
    await undo(context)
    assert await config_maps(control) == {}
