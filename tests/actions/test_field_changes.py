import asyncio
import copy
import json
import shlex
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.actions.created_objects import RUN_LABEL
from seatrial.actions.field_changes import (
    REVERT_FIELDS,
    FieldChange,
    as_before,
    change_fields,
    differences,
    merge_patch,
    revert_undo,
)
from seatrial.errors import ClusterError
from seatrial.kube.errors import NotFound
from seatrial.kube.resources import CONFIGMAPS, DEPLOYMENTS, NODES
from seatrial.runtime.journal import RunEntry

# Objects as the API server has them: no nulls, no empty maps or lists, lists of maps with names or of texts.
keys = st.sampled_from("abcde")
scalars = st.one_of(st.integers(-3, 3), st.booleans(), st.text("xyz", min_size=1, max_size=2))
named = st.lists(keys, min_size=1, max_size=3, unique=True).flatmap(
    lambda names: st.tuples(*(st.fixed_dictionaries({"name": st.just(name), "v": scalars}) for name in names)).map(list)
)
values = st.recursive(
    st.one_of(scalars, st.lists(st.text("xyz", min_size=1, max_size=2), min_size=1, max_size=3), named),
    lambda inner: st.dictionaries(keys, inner, min_size=1, max_size=3),
    max_leaves=6,
)
specs = st.dictionaries(keys, values, max_size=4)
labels = st.dictionaries(keys, st.text("xyz", max_size=2), max_size=3)


@st.composite
def states(draw):
    """One state of an object."""
    return {"metadata": {"name": "n", "uid": "u", "labels": draw(labels)}, "spec": draw(specs)}


def undo_of(before, after):
    return revert_undo(CONFIGMAPS, before, differences(before, after))


def meant(value):
    """What a value means to Kubernetes, which drops what is empty or false; lists of maps with names as maps."""
    if isinstance(value, dict):
        kept = {key: meant(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if each not in (None, "", [], {}, False)}
    if isinstance(value, list) and value and all(isinstance(each, dict) and "name" in each for each in value):
        return {("name", each["name"]): meant(each) for each in value}
    return value


@settings(max_examples=50)
@given(states(), states())
def test_what_we_changed_goes_back_as_it_was(before, after):
    """From any state to any other: nobody else was there, so the object is the one from before."""
    assert meant(as_before(after, undo_of(before, after))) == meant(before)


@settings(max_examples=50)
@given(states(), states())
def test_putting_back_twice_is_as_putting_back_once(before, after):
    """An undo may be carried out again after a crash."""
    undo = undo_of(before, after)
    once = as_before(after, undo)
    assert as_before(once, undo) == once


@settings(max_examples=50)
@given(states(), states())
def test_an_undo_of_what_was_never_done_does_nothing(before, after):
    """The process died between the journal and the change."""
    assert meant(as_before(before, undo_of(before, after))) == meant(before)


@settings(max_examples=50)
@given(states(), states(), states())
def test_what_others_changed_since_stays_theirs(before, after, later):
    """Any change by anybody in between: a field that has neither our value nor the one before is not touched."""
    undo = undo_of(before, after)
    result = as_before(later, undo)
    for change in differences(later, result):
        ours = [FieldChange.from_json(each) for each in undo.args["changes"]]
        assert any(
            each.path[: len(change.path)] == change.path or change.path[: len(each.path)] == each.path for each in ours
        )


@settings(max_examples=50)
@given(states(), states(), keys, scalars)
def test_a_field_that_somebody_adds_meanwhile_survives(before, after, key, value):
    """A key that neither state had is left where it is."""
    later = copy.deepcopy(after)
    later["spec"][f"their-{key}"] = value
    result = as_before(later, undo_of(before, after))
    assert result["spec"][f"their-{key}"] == value
    del result["spec"][f"their-{key}"]
    assert meant(result) == meant(before)


@settings(max_examples=50)
@given(states(), states())
def test_the_record_survives_the_journal(before, after):
    """What is written as JSON is read as the same changes, absent values and all."""
    changes = differences(before, after)
    written = json.loads(json.dumps([each.as_json() for each in changes]))
    assert [FieldChange.from_json(each) for each in written] == changes


def merged(target, patch):
    """RFC 7386's own algorithm."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


@settings(max_examples=50)
@given(states(), states())
def test_the_merge_patch_leads_from_one_state_to_the_other(before, after):
    """As RFC 7386 carries it out."""
    assert merged(before, merge_patch(before, after)) == after


def taint(key, effect="NoSchedule", **more):
    return {"key": key, "effect": effect, **more}


@pytest.mark.parametrize(
    ("before", "after", "later", "result"),
    [
        pytest.param([], [taint("a")], [taint("a"), taint("b")], [taint("b")], id="another's beside ours"),
        pytest.param([taint("a")], [], [taint("b")], [taint("a"), taint("b")], id="ours taken away, another's added"),
        pytest.param(
            [taint("a", value="1")], [taint("a", value="2")], [taint("a", value="3")], [taint("a", value="3")],
            id="ours changed by another",
        ),
        pytest.param(
            [taint("a")], [taint("a"), taint("a", "NoExecute")], [taint("a", "NoExecute")], [],
            id="the same key with another effect is another taint",
        ),
        pytest.param(
            [], [taint("a")], [taint("a", timeAdded="2030-01-01T00:00:00Z")], [],
            id="when it was added is the cluster's to say",
        ),
    ],
)  # fmt: skip
def test_taints_are_told_apart_by_key_and_effect(before, after, later, result):
    """Each is somebody's own, though the list is one field."""

    def node(taints):
        return {"metadata": {"name": "n", "uid": "u"}, "spec": {"taints": taints} if taints else {}}

    put_back = as_before(node(later), undo_of(node(before), node(after)))["spec"].get("taints", [])
    assert put_back == result


def test_what_comes_back_into_a_list_stands_where_it_stood():
    """The order of environment variables and containers means something."""

    def containers(*names):
        return {"metadata": {"name": "n", "uid": "u"}, "spec": {"list": [{"name": name} for name in names]}}

    before, after = containers("a", "b", "c", "d"), containers("a", "d")
    assert as_before(after, undo_of(before, after)) == before
    assert as_before(containers("a", "d", "new"), undo_of(before, after)) == containers("a", "b", "c", "d", "new")


# On an API server


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

    async def write_after_the_race(undo):
        await asyncio.gather(*tasks)
        return await write(undo)

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
