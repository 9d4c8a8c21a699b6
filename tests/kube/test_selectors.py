"""Label and field selectors: what they select, what they refuse, and in which words."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.errors import UsageError
from seatrial.kube.selectors import (
    FieldRequirement,
    FieldSelector,
    LabelSelector,
    SelectorError,
    parse_field_selector,
    parse_label_selector,
)

_RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "selectors.json").read_text())
_POD_FIELDS = {
    name: {
        "metadata.name": name,
        "metadata.namespace": "NS",
        "spec.nodeName": "",
        "spec.restartPolicy": "Never" if name == "p5" else "Always",
        "spec.schedulerName": "nobody",
        "spec.serviceAccountName": "default",
        "spec.hostNetwork": "false",
        "status.phase": "Failed" if name == "p5" else "Pending",
        "status.podIP": "10.1.2.3" if name == "p5" else "",
        "status.nominatedNodeName": "",
    }
    for name in _RECORDED["labels_of"]
}

_ENDS = "abcXYZ019"
_names = st.builds("{}{}{}".format, st.sampled_from(_ENDS), st.text(_ENDS + "-_.", max_size=9), st.sampled_from(_ENDS))
keys = st.one_of(_names, st.builds("{}/{}".format, st.sampled_from(["a", "example.com", "k8s.io"]), _names))
values = st.one_of(st.just(""), _names)
labels = st.dictionaries(keys, values, max_size=4)
expressions = st.one_of(
    st.fixed_dictionaries(
        {"key": keys, "operator": st.sampled_from(["In", "NotIn"]), "values": st.lists(values, min_size=1, max_size=3)}
    ),
    st.fixed_dictionaries({"key": keys, "operator": st.sampled_from(["Exists", "DoesNotExist"])}),
)
selectors = st.fixed_dictionaries(
    {}, optional={"matchLabels": labels, "matchExpressions": st.lists(expressions, max_size=3)}
)


@pytest.mark.parametrize("case", _RECORDED["labels"], ids=lambda case: case["selector"])
def test_label_selectors_answer_as_recorded(case: dict[str, Any]) -> None:
    """The same pods are selected, or the same words refuse, as a real API server's."""
    if "message" in case:
        with pytest.raises(SelectorError) as refused:
            parse_label_selector(case["selector"])
        assert refused.value.message == case["message"]
    else:
        selector = parse_label_selector(case["selector"])
        assert [name for name, of in _RECORDED["labels_of"].items() if selector.matches(of)] == case["names"]


@pytest.mark.parametrize("case", _RECORDED["fields"], ids=lambda case: case["selector"])
def test_field_selectors_answer_as_recorded(case: dict[str, Any]) -> None:
    """Fields are compared, or a selector is refused, as a real API server does."""
    message = case.get("message", "")
    if message.startswith("invalid selector"):
        with pytest.raises(SelectorError, match=re.escape(message)):
            parse_field_selector(case["selector"])
        return
    selector = parse_field_selector(case["selector"])
    if message:
        assert message == f"field label not supported: {selector.fields[0]}"
    else:
        assert [name for name, of in _POD_FIELDS.items() if selector.matches(of.__getitem__)] == case["names"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("!a=b", "found '=', expected: ',' or 'end of string'"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'"),
        ("a==(", "unable to parse requirement: found '(', expected: identifier"),
        ("a=b=c", "found '=', expected: ',' or 'end of string'"),
    ],
)
def test_broken_selectors_say_what_was_expected(text: str, message: str) -> None:
    """A message names what was found and what could stand there."""
    with pytest.raises(SelectorError) as refused:
        parse_label_selector(text)
    assert refused.value.message == message


def test_a_key_that_is_too_long_is_refused() -> None:
    """A name of 63 characters is the longest, and so is a value."""
    parse_label_selector("a" * 63 + "=" + "b" * 63)
    with pytest.raises(SelectorError, match="name part must be no more than 63 bytes"):
        parse_label_selector("a" * 64)
    with pytest.raises(SelectorError, match="must be no more than 63 bytes"):
        parse_label_selector("a=" + "b" * 64)


@pytest.mark.parametrize("key", ["/a", "A.b/c", "a_b/c", "-a", "a/", "a" * 254 + "/b"])
def test_a_key_with_a_bad_prefix_or_name_is_refused(key: str) -> None:
    """A prefix is a DNS subdomain, a name begins and ends with a letter or digit."""
    with pytest.raises(SelectorError, match="part"):
        parse_label_selector(key)


def test_a_refused_selector_is_a_usage_error_and_a_value_error() -> None:
    """The command line shows it as a mistake in the call; policy validation catches it as a wrong value."""
    with pytest.raises(UsageError):
        parse_label_selector(",")
    with pytest.raises(ValueError, match="expected"):
        parse_label_selector(",")


def test_the_words_in_and_notin_may_be_keys_and_values() -> None:
    """The grammar tells operators from names by their place."""
    assert parse_label_selector("in in (notin)").matches({"in": "notin"})
    assert parse_label_selector("notin=in").matches({"notin": "in"})


@pytest.mark.parametrize("text", ["a in ()", "a in (,)", "a="])
def test_an_empty_place_among_values_is_the_empty_value(text: str) -> None:
    """`a in ()` selects what has the label with an empty value, and nothing else."""
    selector = parse_label_selector(text)
    assert selector.matches({"a": ""})
    assert not selector.matches({"a": "b"})
    assert not selector.matches({})


def test_numbers_are_compared_as_numbers() -> None:
    """`n>9` selects 10; what isn't a number is never selected."""
    selector = parse_label_selector("n>9")
    assert selector.matches({"n": "10"})
    assert not selector.matches({"n": "9"})
    assert not selector.matches({"n": "many"})


def test_no_selector_selects_nothing_and_an_empty_one_everything() -> None:
    """The two are far apart, also when they are sent to the server as text."""
    nothing, everything = LabelSelector.from_dict(None), LabelSelector.from_dict({})
    assert not nothing.matches({"a": "b"})
    assert everything.matches({"a": "b"})
    assert str(everything) == ""
    assert not parse_label_selector(str(nothing)).matches({})
    assert not parse_label_selector(str(nothing)).matches({"seatrial.io/nothing": "x"})


def test_a_service_without_selector_selects_nothing() -> None:
    """An empty map means no pods there, unlike in a Deployment."""
    assert not LabelSelector.from_labels({}).matches({"a": "b"})
    assert not LabelSelector.from_labels(None).matches({"a": "b"})
    assert LabelSelector.from_labels({"a": "b"}).matches({"a": "b", "c": "d"})


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ({"key": "a", "operator": "Like", "values": ["b"]}, "not a valid label selector operator"),
        ({"key": "a", "operator": "In"}, "values set can't be empty"),
        ({"key": "a", "operator": "Exists", "values": ["b"]}, "values set must be empty"),
        ({"key": "a b", "operator": "Exists"}, "name part"),
    ],
)
def test_expressions_that_mean_nothing_are_refused(expression: dict[str, Any], message: str) -> None:
    """Each operator has its rule for values."""
    with pytest.raises(SelectorError, match=message):
        LabelSelector.from_dict({"matchExpressions": [expression]})


@given(selector=selectors, of=labels)
def test_a_selector_of_an_object_means_the_same_as_its_text(selector: dict[str, Any], of: dict[str, str]) -> None:
    """What is sent as `labelSelector=` selects the same as the object's own selector."""
    parsed = LabelSelector.from_dict(selector)
    again = parse_label_selector(str(parsed))
    assert again.matches(of) == parsed.matches(of)
    assert str(again) == str(parsed)


@given(of=labels, others=labels)
def test_labels_are_selected_by_themselves(of: dict[str, str], others: dict[str, str]) -> None:
    """More labels never take an object out of an equality selector; one missing does."""
    selector = LabelSelector.from_dict({"matchLabels": of})
    assert selector.matches({**others, **of})
    for key in of:
        assert not selector.matches({k: v for k, v in of.items() if k != key})


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """There is no text on which the parsers stumble."""
    for parse in (parse_label_selector, parse_field_selector):
        try:
            parsed = parse(text)
        except SelectorError:
            continue
        assert isinstance(str(parsed), str)


@given(
    st.lists(
        st.tuples(st.text("abcXYZ.", min_size=1, max_size=9), st.sampled_from(["=", "!="]), st.text(max_size=9)),
        max_size=3,
    )
)
def test_field_values_may_hold_anything(terms: list[tuple[str, Any, str]]) -> None:
    """Commas, equals signs and backslashes are escaped on the way out and back."""
    selector = FieldSelector(tuple(FieldRequirement(*term) for term in terms))
    assert parse_field_selector(str(selector)) == selector


def test_an_escape_of_another_character_is_refused() -> None:
    """Only the backslash, the comma and the equals sign have one."""
    with pytest.raises(SelectorError, match="escape"):
        parse_field_selector(r"metadata.name=a\b")
