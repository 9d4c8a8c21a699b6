import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.actions.manifest_text import parse_manifests
from seatrial.errors import ConfigurationError

HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2030-01-01", "2030-01-01"),
        ("2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z"),
        ("10:30", "10:30"),
        ("0644", 420),
        ("0x1f", 31),
        ("1e3", 1000.0),
        ("1.5", 1.5),
        ("1.2.3", "1.2.3"),
        ("08", "08"),
        ("on", True),
        ("'on'", "on"),
        ("=", "="),
        ("~", None),
        ("{no: 1, 2: 3}", {"false": 1, "2": 3}),
    ],
)
def test_scalars_mean_what_they_mean_to_kubectl(written, meant):
    """YAML 1.1 without dates and numbers to the base of 60: these are texts."""
    [manifest] = parse_manifests(f"{HEAD}value: {written}\n", name="p")
    assert (manifest["value"], type(manifest["value"])) == (meant, type(meant))


def test_json_objects_may_follow_each_other():
    """As kubectl's decoder reads them; a YAML map in braces is no JSON and is read all the same."""
    one = json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}})
    assert len(parse_manifests(f"{one}\n{one} {one}", name="p")) == 3
    assert len(parse_manifests("{apiVersion: v1, kind: Pod, metadata: {name: p}}", name="p")) == 1
    assert len(parse_manifests(one.encode(), name="p")) == 1


def test_the_items_of_a_typed_list_need_no_kind():
    """What the list's kind says need not be repeated."""
    text = "apiVersion: v1\nkind: PodList\nitems: [{metadata: {name: a}}, {metadata: {name: b}}]"
    assert [(each["apiVersion"], each["kind"]) for each in parse_manifests(text, name="p")] == [("v1", "Pod")] * 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("apiVersion: v1\nkind: Pod\nmetadata: {generateName: x-}", "has a generateName"),
        (f"{HEAD}---\n{HEAD.replace('name: x', 'name: x, annotations: []')}", ""),
        (HEAD.replace("name: x", "name: x, annotations: [a]"), "has annotations that are no map"),
    ],
)
def test_what_can_t_be_applied_is_said(text, problem):
    """The problem names the object by its number."""
    if not problem:
        assert len(parse_manifests(text, name="p")) == 2
        return
    with pytest.raises(ConfigurationError, match=f"p: object 1 {problem}"):
        parse_manifests(text, name="p")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80) | st.binary(max_size=80))
def test_no_text_breaks_it(text):
    """Anything is either manifests or a mistake that is said in one line."""
    said = ""
    try:
        parse_manifests(text, name="p")
    except ConfigurationError as error:
        said = error.message
    assert "\n" not in said
