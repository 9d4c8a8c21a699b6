"""What the models of steps and actions build on."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from seatrial.policy.base import Complaint, Model, OneKey, one_key, option
from seatrial.policy.scalars import FilledItems, Integer, Items


class Paint(Model):
    """Give it a colour."""

    colour: str
    """Which."""

    coats: Integer = 1
    """How often."""


class Sand(Model):
    """Make it smooth."""

    grit_size: Integer = 120
    """How fine."""


class Job(OneKey):
    """Does one thing."""

    paint: Paint = option()
    """Give it a colour."""

    sand_down: Sand = option()
    """Make it smooth."""

    note: str = option()
    """Say something."""


class Plan(Model):
    """Some jobs."""

    jobs: Items[Job] = ()
    """The jobs."""

    names: FilledItems[str] = ("one",)
    """At least one name."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """As many names as jobs."""
        jobs, names = given.get("jobs", ()), given.get("names", ("one",))
        if isinstance(jobs, list) and isinstance(names, list) and len(jobs) != len(names):
            yield Complaint("needs as many names as jobs", ("names",))


def errors(model: type[Model], data: object) -> dict[str, str]:
    """Messages by place."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(data, by_alias=True, by_name=False)
    return {".".join(map(str, each["loc"])): each["msg"] for each in caught.value.errors()}


def test_one_key_has_a_key_and_a_spec() -> None:
    """The key as it stands in the file, and the model or value under it."""
    job = Job.model_validate({"sandDown": {"gritSize": 80}})
    assert (job.key, job.spec) == ("sandDown", Sand(grit_size=80))
    note = Job.model_validate({"note": "dry first"})
    assert (note.key, note.spec) == ("note", "dry first")


def test_null_is_fine_where_nothing_has_to_be_said() -> None:
    """`sandDown:` with nothing after it means all defaults; `paint:` lacks its colour; a note lacks its text."""
    assert Job.model_validate({"sandDown": None}).spec == Sand()
    assert errors(Job, {"paint": None}) == {"paint.colour": "Field required"}
    assert set(errors(Job, {"note": None})) == {"note"}


def test_no_key_and_two_keys_are_refused() -> None:
    """Exactly one; the second is the one to take away."""
    assert errors(Job, {}) == {"": "is empty; needs exactly one of: paint, sandDown, note"}
    message = "is a second key beside 'note'; exactly one is allowed: give it a list item of its own"
    assert errors(Job, {"note": "x", "sandDown": {}}) == {"sandDown": message}


def test_two_keys_are_refused_beside_what_is_wrong_in_one() -> None:
    """A wrong value in the first key hides neither the second key nor an unknown third one."""
    assert set(errors(Job, {"paint": {}, "note": 3, "polish": {}})) == {"paint.colour", "note", "polish"}


def test_one_key_is_written_as_it_was_read() -> None:
    """Keys that were not given don't appear."""
    assert Job.model_validate({"sandDown": {}}).model_dump(mode="json") == {"sandDown": {"gritSize": 120}}
    assert repr(Job.model_validate({"note": "x"})) == "Job(note='x')"


def test_a_table_makes_a_one_key() -> None:
    """A registry's table gives the same as a class that is written down."""
    made = one_key("Made", {"paint": Paint, "copy": Sand, "key": str}, doc="Made of a table.")
    assert made.model_validate({"copy": None}).spec == Sand()
    assert (made.model_validate({"key": "x"}).key, made.__doc__) == ("key", "Made of a table.")
    assert made.model_fields["option_paint"].description == "Give it a colour."
    schema = made.model_json_schema()
    assert list(schema["properties"]) == ["paint", "copy", "key"]
    assert (schema["minProperties"], schema["maxProperties"]) == (1, 1)


def test_rules_hold_beside_wrong_fields() -> None:
    """A rule between fields is checked on what was written, whatever else is wrong."""
    found = errors(Plan, {"jobs": [{"polish": {}}], "names": ["a", "b"], "more": 1})
    assert found == {
        "jobs.0.polish": "unknown key",
        "names": "needs as many names as jobs",
        "more": "unknown key",
    }


def test_code_may_use_its_own_names() -> None:
    """In code, fields are called by their names; in files, by their keys only."""
    assert Sand(grit_size=80) == Sand.model_validate({"gritSize": 80})
    assert errors(Sand, {"grit_size": 80}) == {"grit_size": "unknown key"}
    assert Plan(jobs=(Job.model_validate({"note": "x"}),)).jobs[0].spec == "x"


def test_models_are_frozen() -> None:
    """A policy can't change while it runs."""
    with pytest.raises(ValidationError, match="frozen"):
        Sand().grit_size = 3  # type: ignore[misc] # what the test is about


@pytest.mark.parametrize(("value", "number"), [(3, 3), (3.0, 3), (1e3, 1000)])
def test_whole_numbers(value: float, number: int) -> None:
    """A float without a fraction is a whole number, as in JSON Schema."""
    found = Sand.model_validate({"gritSize": value}).grit_size
    assert (found, type(found)) == (number, int)


@pytest.mark.parametrize("value", ["3", True, 1.5, None, [3], float("inf"), float("nan")])
def test_what_is_no_whole_number(value: object) -> None:
    """Text, truth, fractions and the rest are never converted."""
    assert set(errors(Sand, {"gritSize": value})) == {"gritSize"}


def test_lists_are_lists() -> None:
    """A text isn't a list of its letters, a map no list of its keys, and an empty list isn't at least one."""
    assert set(errors(Plan, {"names": "ab"})) == {"names"}
    assert set(errors(Plan, {"names": {"a": 1}})) == {"names"}
    assert errors(Plan, {"names": []}) == {"names": "is an empty list; needs at least one item"}
    assert Plan.model_validate({"names": ["a"]}).names == ("a",)
