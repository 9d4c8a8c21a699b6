"""Fields that differ between two states of an object, and what putting them back makes of a third."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.actions.field_changes import as_before, revert_undo
from seatrial.actions.field_differences import FieldChange, differences, merge_patch
from seatrial.kube.resources import CONFIGMAPS

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
