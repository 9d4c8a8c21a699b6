"""Changing fields of somebody else's object, and putting them back, on an API server."""

import asyncio
import shlex
import shutil
import subprocess

import pytest

from seatrial.actions.created_objects import RUN_LABEL
from seatrial.actions.field_changes import REVERT_FIELDS, change_fields, revert_undo
from seatrial.actions.field_differences import differences
from seatrial.errors import ClusterError
from seatrial.kube.errors import Invalid, NotFound
from seatrial.kube.resources import CONFIGMAPS, DEPLOYMENTS, NODES, SECRETS
from seatrial.runtime.journal import RunEntry


def taint(key):
    return {"key": key, "effect": "NoSchedule"}


@pytest.fixture
async def bench(on_cluster):
    """The context of a run that stands in its journal."""
    await on_cluster.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    return on_cluster


@pytest.fixture
async def config_map(control):
    """A ConfigMap of somebody else's, applied on the server by `team`."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"colour": "red"}}
    return await control.cluster.apply(CONFIGMAPS, body, namespace="default", field_manager="team")


async def undo_all(context):
    return [
        await asyncio.wait_for(REVERT_FIELDS.run(written.undo.args, context.world), 30)
        for written in context.journal.newer_than(0)
    ]


async def read(control):
    return await control.cluster.get(CONFIGMAPS, "settings", namespace="default")


def kept(found):
    """An object without what every write changes."""
    meta = {key: value for key, value in found["metadata"].items() if key != "resourceVersion"}
    return {**found, "metadata": meta}


def paint(colour):
    def change(found):
        found["data"]["colour"] = colour

    return change


async def test_the_object_is_the_one_from_before_its_managers_included(control, bench, config_map):
    """Also who manages which field is as it was: whoever applies the same again meets no conflict with us."""
    changes = await change_fields(CONFIGMAPS, "settings", paint("blue"), bench.context, namespace="default")
    assert {str(each) for each in changes} == {"data.colour", f"metadata.labels.{RUN_LABEL}"}
    changed = await read(control)
    assert changed["data"] == {"colour": "blue"}
    assert changed["metadata"]["labels"] == {RUN_LABEL: "run-1"}
    assert await undo_all(bench.context) == [""]
    assert kept(await read(control)) == kept(config_map)
    again = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"colour": "green"}}
    await control.cluster.apply(CONFIGMAPS, again, namespace="default", field_manager="team")


async def test_what_we_applied_over_anothers_object_is_ours_no_more(control, bench, config_map):
    """Server-side apply with force takes fields over: they go back to those who had them, our entry goes."""
    body = {
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "settings", "labels": {RUN_LABEL: "run-1"}}, "data": {"colour": "blue", "size": "9"},
    }  # fmt: skip
    after = await control.cluster.apply(CONFIGMAPS, body, namespace="default", force=True)
    await bench.context.write_undo(revert_undo(CONFIGMAPS, config_map, differences(config_map, after)))
    assert await undo_all(bench.context) == [""]
    assert kept(await read(control)) == kept(config_map)


async def test_fields_that_others_took_meanwhile_stay_theirs(control, bench, config_map):
    """Both the value and who manages it."""
    await change_fields(CONFIGMAPS, "settings", paint("blue"), bench.context, namespace="default")
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"colour": "green"}}
    await control.cluster.apply(CONFIGMAPS, theirs, namespace="default", field_manager="other", force=True)
    assert await undo_all(bench.context) == ["left as somebody else set it since: data.colour"]
    found = await read(control)
    assert found["data"] == {"colour": "green"}
    assert RUN_LABEL not in found["metadata"].get("labels", {})
    managers = {each["manager"]: each["fieldsV1"] for each in found["metadata"]["managedFields"]}
    assert managers["other"] == {"f:data": {"f:colour": {}}}
    assert "seatrial" not in managers


async def test_an_object_without_managers_stays_without(control, bench, config_map):
    """Somebody emptied the list, as they may: it is empty again."""
    await control.cluster.patch(CONFIGMAPS, "settings", {"metadata": {"managedFields": [{}]}}, namespace="default")
    before = await read(control)
    assert "managedFields" not in before["metadata"]
    await change_fields(CONFIGMAPS, "settings", paint("blue"), bench.context, namespace="default")
    await undo_all(bench.context)
    assert kept(await read(control)) == kept(before)


async def test_undoing_twice_changes_nothing_more(control, bench, config_map):
    """The second time finds everything as it should be, and writes nothing."""
    await change_fields(CONFIGMAPS, "settings", paint("blue"), bench.context, namespace="default")
    await undo_all(bench.context)
    before = await read(control)
    assert await undo_all(bench.context) == [""]
    assert await read(control) == before


async def test_two_changes_of_one_object_are_undone_in_turn(control, bench, config_map):
    """The run's own label is no other run's."""
    for colour in ("blue", "green"):
        await change_fields(CONFIGMAPS, "settings", paint(colour), bench.context, namespace="default")
    assert await undo_all(bench.context) == ["", ""]
    assert kept(await read(control)) == kept(config_map)


async def test_an_object_that_is_as_wanted_is_not_touched(control, bench, config_map):
    """No change, no label, no undo."""
    assert await change_fields(CONFIGMAPS, "settings", paint("red"), bench.context, namespace="default") == []
    assert bench.context.journal.newer_than(0) == []
    assert await read(control) == config_map


async def test_an_object_that_another_run_changed_is_refused(control, bench, config_map):
    """What we would find there, and put back, is not the object's own state."""
    body = {"metadata": {"labels": {RUN_LABEL: "run-2"}}}
    await control.cluster.patch(CONFIGMAPS, "settings", body, namespace="default")
    with pytest.raises(ClusterError, match="run run-2 is at work on ConfigMap default/settings"):
        await change_fields(CONFIGMAPS, "settings", paint("blue"), bench.context, namespace="default")
    assert bench.context.journal.newer_than(0) == []


async def test_a_change_by_somebody_quicker_is_looked_at_afresh(control, bench, config_map):
    """The change is made to what is there by then, and only what was really changed is undone."""
    raced = []

    async def race():
        raced.append(True)
        await control.server.api.patch("configmaps", "settings", "default", {"data": {"size": "9"}})

    tasks = []

    def change(found):
        if not raced and not tasks:
            tasks.append(asyncio.create_task(race()))
        found["data"]["colour"] = "blue"

    write = bench.context.journal.write

    async def write_after_the_race(undo, **others):
        await asyncio.gather(*tasks)
        return await write(undo, **others)

    bench.context.journal.write = write_after_the_race
    await change_fields(CONFIGMAPS, "settings", change, bench.context, namespace="default")
    assert len(bench.context.journal.newer_than(0)) == 1
    assert (await read(control))["data"] == {"colour": "blue", "size": "9"}
    assert await undo_all(bench.context) == [""]
    assert (await read(control))["data"] == {"colour": "red", "size": "9"}


async def test_a_change_that_was_made_though_it_was_answered_with_a_conflict_is_undone(control, bench, config_map):
    """A proxy sent it twice: the second time the object isn't as it was read, because of us."""
    patch = control.cluster.patch

    async def sent_twice(*arguments, **options):
        await patch(*arguments, **options)
        return await patch(*arguments, **options)

    control.cluster.patch = sent_twice
    changes = await change_fields(CONFIGMAPS, "settings", paint("blue"), bench.context, namespace="default")
    control.cluster.patch = patch
    assert "data.colour" in {str(each) for each in changes}
    assert await undo_all(bench.context) == [""]
    assert kept(await read(control)) == kept(config_map)


async def test_a_change_that_the_api_server_refuses_leaves_nothing_to_undo(bench, config_map):
    """It was surely not made."""

    def spoil(found):
        found["data"]["not a key!"] = "x"

    with pytest.raises(Invalid):
        await change_fields(CONFIGMAPS, "settings", spoil, bench.context, namespace="default")
    assert bench.context.journal.newer_than(0) == []


async def test_an_object_that_was_deleted_is_left_alone(control, bench, config_map):
    """It is not made anew, and that is said."""
    await change_fields(CONFIGMAPS, "settings", paint("blue"), bench.context, namespace="default")
    await control.server.api.delete("configmaps", "settings", "default")
    assert await undo_all(bench.context) == ["somebody deleted it since"]


async def test_an_object_that_was_replaced_is_left_alone(control, bench, config_map):
    """One of the same name is another one, though it has our value."""
    await change_fields(CONFIGMAPS, "settings", paint("blue"), bench.context, namespace="default")
    await control.server.api.delete("configmaps", "settings", "default")
    await control.server.api.create(
        "configmaps", {"metadata": {"name": "settings"}, "data": {"colour": "blue"}}, "default"
    )
    assert await undo_all(bench.context) == ["somebody replaced it by another since"]
    assert (await read(control))["data"] == {"colour": "blue"}


async def test_an_object_that_isn_t_there_is_said(bench):
    """Nothing is written down for it."""
    with pytest.raises(NotFound):
        await change_fields(CONFIGMAPS, "settings", paint("blue"), bench.context, namespace="default")
    assert bench.context.journal.newer_than(0) == []


async def test_an_object_without_a_namespace(control, bench):
    """A node's taint: another's, added meanwhile, stays."""
    await control.server.api.create("nodes", {"metadata": {"name": "node-1"}}, None)
    made = await control.cluster.get(NODES, "node-1")

    def change(found):
        found["spec"].setdefault("taints", []).append(taint("ours"))

    await change_fields(NODES, "node-1", change, bench.context)
    await control.server.api.patch(
        "nodes", "node-1", None, {"spec": {"taints": [*made["spec"].get("taints", []), taint("ours"), taint("theirs")]}}
    )
    assert await undo_all(bench.context) == [""]
    found = await control.cluster.get(NODES, "node-1")
    assert found["spec"]["taints"] == [*made["spec"].get("taints", []), taint("theirs")]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
async def test_the_command_for_a_person_puts_it_back(control, bench):
    """What is told, typed into a shell, gives the object its fields back."""
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}}
    spec = {"replicas": 3, "selector": {"matchLabels": labels}, "template": template}
    await control.server.api.create("deployments.apps", {"metadata": {"name": "web"}, "spec": spec}, "default")
    before = await control.cluster.get(DEPLOYMENTS, "web", namespace="default")

    def change(found):
        found["spec"]["replicas"] = 0
        found["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "SLOW", "value": "1"}]

    await change_fields(DEPLOYMENTS, "web", change, bench.context, namespace="default")
    [written] = bench.context.journal.newer_than(0)
    assert written.undo.description == (
        "put Deployment default/web back as it was (spec.replicas, spec.template.spec.containers[c].env)"
    )
    command = [*shlex.split(written.undo.manual), "--kubeconfig", str(control.directory / "kubeconfig")]
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
    after = await control.cluster.get(DEPLOYMENTS, "web", namespace="default")
    assert after["spec"] == before["spec"]
    assert "labels" not in after["metadata"]


async def test_what_stands_in_a_secret_is_in_no_command(control, bench):
    """The command names the run, whose journal has the values; neither the old value nor ours is shown."""
    secret = {"metadata": {"name": "s", "namespace": "default"}, "stringData": {"password": "b2xk"}}
    await control.cluster.create(SECRETS, secret, namespace="default")

    def change(found):
        found["data"]["password"] = "bmV3"

    await change_fields(SECRETS, "s", change, bench.context, namespace="default")
    [written] = bench.context.journal.newer_than(0)
    assert written.undo.manual == f"seatrial recover --run {bench.context.run_id}"
    assert written.undo.description == "put Secret default/s back as it was (data.password)"
