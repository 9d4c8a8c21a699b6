import asyncio
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from seatrial.actions.created_objects import DELETE_OBJECT, RUN_LABEL, with_run_label
from seatrial.actions.field_changes import REVERT_FIELDS
from seatrial.actions.manifest_text import read_manifests
from seatrial.actions.manifests import ServerSide, apply_manifests, wait_until_ready
from seatrial.errors import ClusterError, ConfigurationError, UsageError
from seatrial.kube.errors import Forbidden
from seatrial.kube.resources import CONFIGMAPS, DEPLOYMENTS
from seatrial.runtime.events import ObjectApplied, UndoWritten
from seatrial.runtime.journal import RunEntry


def config_map(name="settings", *, data=None, labels=None, **metadata):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **({"labels": labels} if labels else {}), **metadata},
        "data": data or {"colour": "red"},
    }


@pytest.fixture
async def on_cluster(on_cluster):
    """The context of a run that stands in its journal."""
    await on_cluster.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    return on_cluster


@pytest.fixture
def read(tmp_path):
    """What `read_manifests` makes of a file with this content."""

    def of(content):
        path = tmp_path / "manifests.yml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_manifests(path)

    return of


async def undo(context):
    """Carries out what the journal has, last in first, as often as asked."""
    kinds = {kind.kind: kind for kind in (DELETE_OBJECT, REVERT_FIELDS)}
    for written in context.journal.newer_than(0):
        # Through the client: where an undo hangs this says so before the test's own time limit.
        await asyncio.wait_for(kinds[written.undo.kind].run(written.undo.args, context.world), 30)


@asynccontextmanager
async def collecting(control):
    """Does what the garbage collector does for an owner without dependents: lets it go."""

    async def collect():
        listed = await control.server.api.list("configmaps", "default")
        async for event in control.server.api.watch("configmaps", "default", resource_version=listed.resource_version):
            if event.object["metadata"].get("deletionTimestamp") and event.type == "MODIFIED":
                name = event.object["metadata"]["name"]
                await control.server.api.patch("configmaps", name, "default", {"metadata": {"finalizers": None}})

    task = asyncio.create_task(collect())
    await asyncio.sleep(0)
    yield
    task.cancel()
    await asyncio.wait({task})


async def stored(control, name="settings", namespace="default"):
    return await control.server.api.get("configmaps", name, namespace)


async def config_maps(control):
    listed = await control.server.api.list("configmaps", "default")
    return sorted(each["metadata"]["name"] for each in listed.items if each["metadata"]["name"] != "kube-root-ca.crt")


# Reading


def test_documents_and_lists_are_taken_apart(read):
    """Several documents, empty ones and Lists make one sequence of objects, in order."""
    text = """
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
---
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: c, labels: null, namespace: null}}
"""
    assert [each["metadata"]["name"] for each in read(text)] == ["a", "b", "c"]


def test_json_is_read_as_well(read):
    """A manifest may be JSON."""
    assert len(read('{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}')) == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{apiVersion: v1, kind: Pod}", "object 1 has no metadata"),
        ("{apiVersion: v1, kind: Pod, metadata: []}", "object 1 has no metadata"),
        ("{apiVersion: v1, kind: Pod, metadata: {name: 5}}", "needs apiVersion, kind and metadata.name, each a text"),
        ("{apiVersion: v1, kind: Pod, metadata: {name: ''}}", "needs apiVersion, kind and metadata.name, each a text"),
        ("{apiVersion: 1, kind: Pod, metadata: {name: p}}", "needs apiVersion, kind and metadata.name, each a text"),
        ("{apiVersion: v1, metadata: {name: p}}", "needs apiVersion, kind and metadata.name, each a text"),
        ("{apiVersion: v1, kind: Pod, metadata: {name: p, labels: [x]}}", "has labels that are no map"),
        ("{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: 7}}", "has a namespace that is no text"),
        ("just words", "object 1 has no metadata"),
        ("[1, 2]", "object 1 has no metadata"),
        ("{kind: List, items: [words]}", "object 1 has no metadata"),
        ("{apiVersion: v1, kind: Pod, metadata: {name: a}}\n---\n5", "object 2 has no metadata"),
        ("{unclosed: [", "is no YAML"),
        (b"\xff\xfe\x00", "is no YAML"),
        ("[" * 500 + "]" * 500, "is nested too deeply"),
        ("!!python/object/apply:os.system ['true']", "is no YAML"),
    ],
)
def test_what_is_no_kubernetes_object_is_said(read, text, problem):
    """Each mistake is one line with the file, and which object it is; never a traceback."""
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    assert problem in caught.value.message
    assert "manifests.yml" in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(("name", "reason"), [("missing.yml", "No such file"), (".", "Is a directory")])
def test_a_file_that_can_t_be_read_is_said(tmp_path, name, reason):
    """The system's own reason stands beside the path."""
    with pytest.raises(ConfigurationError, match=reason):
        read_manifests(tmp_path / name)


# Applying


async def test_what_was_not_there_is_made_with_the_runs_label_and_deleted_again(control, on_cluster):
    """A new object has the label of its run; the undo deletes it, and a second undo finds nothing to do."""
    context = on_cluster.context
    [applied] = await apply_manifests([config_map(labels={"app": "web"})], context)
    assert (applied.resource.kind, applied.namespace, applied.name) == ("ConfigMap", "default", "settings")
    assert (await stored(control))["metadata"]["labels"] == {"app": "web", RUN_LABEL: "run-1"}
    async with collecting(control):
        await undo(context)
    assert await config_maps(control) == []
    await undo(context)


async def test_what_was_there_is_put_back_as_it_was(control, on_cluster):
    """Data, labels and all: after the undo the object is the one from before, and a second undo changes nothing."""
    await control.server.api.create("configmaps", config_map(data={"colour": "blue", "size": "1"}), "default")
    before = await stored(control)
    await apply_manifests([config_map(data={"colour": "red"})], on_cluster.context)
    assert (await stored(control))["data"]["colour"] == "red"
    await undo(on_cluster.context)
    after = await stored(control)
    assert (after["data"], after["metadata"].get("labels")) == (before["data"], before["metadata"].get("labels"))
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    await undo(on_cluster.context)
    assert (await stored(control))["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]


class Late(ServerSide):
    """Does something of somebody else's right before an object is created."""

    def __init__(self, cluster, *before):
        super().__init__(cluster)
        self.before = list(before)

    async def create(self, resource, body):
        if self.before:
            await self.before.pop(0)()
        return await super().create(resource, body)


async def test_what_somebody_makes_while_we_are_about_to_stays_theirs(control, on_cluster):
    """It is taken as one that was there: our fields are put back at the end, and the object is not deleted."""

    async def somebody():
        theirs = config_map(data={"colour": "blue", "size": "1"})
        await control.server.api.create("configmaps", theirs, "default")

    late = Late(control.cluster, somebody)
    await apply_manifests([config_map()], on_cluster.context, applier=late)
    assert (await stored(control))["data"] == {"colour": "red", "size": "1"}
    [written] = on_cluster.context.journal.newer_than(0)
    assert written.undo.kind == REVERT_FIELDS.kind
    await undo(on_cluster.context)
    assert (await stored(control))["data"] == {"colour": "blue", "size": "1"}
    assert RUN_LABEL not in (await stored(control))["metadata"].get("labels", {})


async def test_a_creation_that_was_sent_twice_is_ours(control, on_cluster):
    """Where the answer to the first sending was lost, the second finds the object there, with our label: as wanted."""

    async def the_first_sending():
        await control.cluster.create(CONFIGMAPS, with_run_label(config_map(), "run-1"), namespace="default")

    await apply_manifests([config_map()], on_cluster.context, applier=Late(control.cluster, the_first_sending))
    [written] = on_cluster.context.journal.newer_than(0)
    assert written.undo.kind == DELETE_OBJECT.kind
    async with collecting(control):
        await undo(on_cluster.context)
    assert await config_maps(control) == []


async def test_an_apply_after_the_creation_removes_what_it_leaves_out(control, on_cluster):
    """As a second apply on the server does; what somebody else set since stays."""
    await apply_manifests([config_map(data={"colour": "red", "size": "1"})], on_cluster.context)
    theirs = {"data": {"shape": "round"}}
    await control.cluster.patch(CONFIGMAPS, "settings", theirs, namespace="default", field_manager="other")
    await apply_manifests([config_map(data={"colour": "green"})], on_cluster.context)
    after = await stored(control)
    assert after["data"] == {"colour": "green", "shape": "round"}
    managers = {each["manager"]: each["operation"] for each in after["metadata"]["managedFields"]}
    assert managers == {"seatrial": "Apply", "other": "Update"}


async def test_what_was_scaled_since_stays_scaled_where_the_next_apply_says_nothing_of_it(control, on_cluster):
    """A field that was written after the creation belongs to whoever wrote it, us included."""
    context = on_cluster.context
    await apply_manifests([deployment()], context)
    where = {"namespace": "default"}
    await control.cluster.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 5}}, **where)
    without = deployment()
    del without["spec"]["replicas"]
    await apply_manifests([without], context)
    assert (await control.cluster.get(DEPLOYMENTS, "web", **where))["spec"]["replicas"] == 5


async def test_a_field_that_the_kind_does_not_have_is_refused(control, on_cluster):
    """A misspelt field is an error when the object is created, as it is when it is applied."""
    with pytest.raises(ClusterError, match="colours"):
        await apply_manifests([{**config_map(), "colours": {}}], on_cluster.context)
    assert await config_maps(control) == []
    assert on_cluster.context.journal.newer_than(0) == []


async def test_what_somebody_deleted_meanwhile_stays_deleted(control, on_cluster):
    """A deletion is a change by somebody else, too."""
    await control.server.api.create("configmaps", config_map(data={"colour": "blue"}), "default")
    await apply_manifests([config_map()], on_cluster.context)
    await control.server.api.delete("configmaps", "settings", "default")
    await undo(on_cluster.context)
    assert await config_maps(control) == []


async def test_of_what_was_there_only_our_fields_are_put_back(control, on_cluster):
    """What somebody else set since stays, field by field."""
    await control.server.api.create("configmaps", config_map(data={"colour": "blue", "size": "1"}), "default")
    await apply_manifests([config_map(data={"colour": "red", "size": "2"})], on_cluster.context)
    await control.cluster.patch(CONFIGMAPS, "settings", {"data": {"size": "3", "shape": "round"}}, namespace="default")
    await undo(on_cluster.context)
    assert (await stored(control))["data"] == {"colour": "blue", "size": "3", "shape": "round"}


async def test_a_restore_leaves_other_peoples_later_work_alone(control, on_cluster):
    """Where somebody deployed their own object over the run's, it is theirs and stays."""
    await control.server.api.create("configmaps", config_map(data={"colour": "blue"}), "default")
    await apply_manifests([config_map()], on_cluster.context)
    await control.server.api.delete("configmaps", "settings", "default")
    await control.server.api.create("configmaps", config_map(data={"colour": "green"}), "default")
    await undo(on_cluster.context)
    assert (await stored(control))["data"] == {"colour": "green"}


async def test_a_delete_leaves_an_object_of_somebody_else_alone(control, on_cluster):
    """A namesake without the run's label was made by somebody else since."""
    await apply_manifests([config_map()], on_cluster.context)
    await control.server.api.delete("configmaps", "settings", "default")
    await control.server.api.create("configmaps", config_map(data={"colour": "green"}), "default")
    await undo(on_cluster.context)
    assert (await stored(control))["data"] == {"colour": "green"}


async def test_what_another_run_works_on_is_refused(control, on_cluster):
    """Two runs with the same object: the second stops before it changes anything, and says whose it is."""
    later = replace(on_cluster.context, run_id="run-2")
    await apply_manifests([config_map()], on_cluster.context)
    with pytest.raises(ClusterError, match="run run-1 is at work on ConfigMap default/settings") as refused:
        await apply_manifests([config_map(data={"colour": "green"})], later)
    assert "seatrial recover --run run-1" in refused.value.hint
    assert (await stored(control))["data"]["colour"] == "red"


async def test_the_undo_is_in_the_journal_before_the_object_is_touched(control, on_cluster):
    """Whoever applies it finds the undo there; it does nothing where the object was never made after all."""
    there = []

    class Breaks:
        async def create(self, resource, body):
            there.extend(await on_cluster.journal.open_undos("run-1"))
            raise ClusterError("it is not known what became of it")

    with pytest.raises(ClusterError):
        await apply_manifests([config_map()], on_cluster.context, applier=Breaks())
    assert [each.undo.args["name"] for each in there] == ["settings"]
    assert on_cluster.context.journal.newer_than(0) == there
    await undo(on_cluster.context)
    assert await config_maps(control) == []


async def test_what_the_api_server_refuses_leaves_nothing_to_undo(control, on_cluster):
    """An object that was surely not made is not deleted at the end, nor is that told."""
    refused = config_map(data={"not a key!": "x"})
    with pytest.raises(ClusterError):
        await apply_manifests([refused], on_cluster.context)
    assert on_cluster.context.journal.newer_than(0) == []
    assert await on_cluster.journal.open_undos("run-1") == []


async def test_on_a_cluster_that_goes_away_nothing_is_journaled(control, on_cluster):
    """`journaled=False` applies and writes no undo."""
    await apply_manifests([config_map()], on_cluster.context, journaled=False)
    assert on_cluster.context.journal.mark == 0
    assert await config_maps(control) == ["settings"]


async def test_what_is_done_is_told(control, on_cluster):
    """The undo first, then the object, and whether it was there before."""
    await control.server.api.create("configmaps", config_map("old"), "default")
    await apply_manifests([config_map("old"), config_map("new")], on_cluster.context)
    assert list(await on_cluster.events()) == [
        UndoWritten(description="put ConfigMap default/old back as it was"),
        ObjectApplied(kind="ConfigMap", namespace="default", name="old", created=False),
        UndoWritten(description="delete ConfigMap default/new"),
        ObjectApplied(kind="ConfigMap", namespace="default", name="new", created=True),
    ]


async def test_the_way_to_delete_it_by_hand_is_a_command(on_cluster):
    """What could not be deleted comes with the command that does it."""
    await apply_manifests([config_map()], on_cluster.context)
    [written] = on_cluster.context.journal.newer_than(0)
    assert written.undo.manual == "kubectl delete configmap settings -n default"


async def test_a_kind_that_the_cluster_doesn_t_have_is_said(on_cluster):
    """The kind is named, and nothing is written down."""
    with pytest.raises(UsageError, match=r"has no Unicorn in example\.com/v1"):
        await apply_manifests(
            [{"apiVersion": "example.com/v1", "kind": "Unicorn", "metadata": {"name": "u"}}], on_cluster.context
        )
    assert on_cluster.context.journal.mark == 0


# Waiting


def deployment(name="web"):
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


async def test_what_was_loaded_is_waited_for_until_it_is_ready(control, on_cluster):
    """A Deployment is ready when it has all its replicas Ready; what has no readiness isn't waited for."""
    applied = await apply_manifests([deployment(), config_map()], on_cluster.context)
    waiting = asyncio.create_task(wait_until_ready(applied, on_cluster.context, timeout_seconds=30))
    for ready in (1, 2):
        status = {"observedGeneration": 1, "replicas": 2, "readyReplicas": ready}
        await control.server.api.patch("deployments.apps", "web", "default", {"status": status}, subresource="status")
    assert await waiting == []


async def test_what_is_not_ready_in_time_is_named(on_cluster):
    """Nobody makes the pods here: the Deployment is late, and no task goes on waiting for it."""
    applied = await apply_manifests([deployment()], on_cluster.context)
    late = await wait_until_ready(applied, on_cluster.context, timeout_seconds=0.05)
    assert [each.name for each in late] == ["web"]


async def test_a_status_of_an_older_generation_does_not_count(control, on_cluster):
    """Figures that the controller wrote before it saw the change say nothing about it."""
    applied = await apply_manifests([deployment()], on_cluster.context)
    status = {"observedGeneration": 0, "replicas": 2, "readyReplicas": 2}
    await control.server.api.patch("deployments.apps", "web", "default", {"status": status}, subresource="status")
    assert len(await wait_until_ready(applied, on_cluster.context, timeout_seconds=0.05)) == 1


LONE_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "lone", "namespace": "default"},
    "spec": {"serviceAccountName": "late", "containers": [{"name": "c", "image": "busybox"}]},
}


async def test_a_pod_waits_for_its_service_account(control, on_cluster):
    """In a new namespace a controller makes it a moment later, and pods are refused until then."""
    asked = []

    async def sleep(_seconds):
        asked.append(await control.server.api.create("serviceaccounts", {"metadata": {"name": "late"}}, "default"))

    on_cluster.clock.sleep = sleep
    await apply_manifests([LONE_POD], on_cluster.context, journaled=False)
    assert len(asked) == 1
    assert await control.pod_names() == ["lone"]


async def test_a_service_account_that_does_not_come_is_told(on_cluster):
    """Nobody waits for ever for one that is misspelt."""
    with pytest.raises(Forbidden, match='serviceaccount "late" not found'):
        await apply_manifests([LONE_POD], on_cluster.context, journaled=False)
