"""What a policy doesn't name is not loaded, and nobody who reads or writes policies sees a difference."""

from typing import Annotated, Any

import pytest
from pydantic import ValidationError

from seatrial.errors import UsageError
from seatrial.policy.base import Model, OneKey, option
from seatrial.policy.documentation import documentation_of
from seatrial.policy.late_models import LateModel, type_of
from seatrial.policy.scalars import Items


class Paint(Model):
    """Give it a colour.

    Once is enough.
    """

    first_coat: str
    """Which colour."""


class Loader:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> type[Model]:
        self.count += 1
        return Paint


@pytest.fixture
def load() -> Loader:
    return Loader()


@pytest.fixture
def job(load: Loader) -> type[OneKey]:
    class Job(OneKey):
        paint: Annotated[Any, LateModel(load)] = option()
        note: str = option()

    return Job


def test_a_model_is_loaded_once_for_all_values(load: Loader, job: type[OneKey]) -> None:
    """Not for values of another key, and not again for a second one."""
    job.model_validate({"note": "x"})
    assert load.count == 0
    red, green = (job.model_validate({"paint": {"firstCoat": colour}}) for colour in ("red", "green"))
    assert (red.spec, green.spec, load.count) == (Paint(first_coat="red"), Paint(first_coat="green"), 1)


def test_a_value_that_is_a_model_already_stays(job: type[OneKey]) -> None:
    """As one that is filled in Python."""
    paint = Paint(first_coat="red")
    assert job.model_validate({"paint": paint}).spec is paint


def test_problems_stand_at_their_places(load: Loader) -> None:
    """All of them, and with the keys of the file only."""

    class Jobs(Model):
        jobs: Items[Annotated[Any, LateModel(load)]]

    with pytest.raises(ValidationError) as caught:
        Jobs.model_validate({"jobs": [{"firstCoat": 1}, {"first_coat": "red"}]})
    found = {(error["type"], error["loc"]) for error in caught.value.errors()}
    assert found == {
        ("string_type", ("jobs", 0, "firstCoat")),
        ("unknown_key", ("jobs", 1, "first_coat")),
        ("missing", ("jobs", 1, "firstCoat")),
    }


def test_it_is_written_back_as_it_was_read(job: type[OneKey]) -> None:
    """With the keys of the file."""
    written = {"paint": {"firstCoat": "red"}}
    assert job.model_validate(written).model_dump(mode="json") == written


def test_the_schema_and_the_reference_have_all_of_it(job: type[OneKey]) -> None:
    """As of a model that is loaded with the others; a field without a sentence of its own has the model's."""

    class Eager(OneKey):
        paint: Paint = option()
        note: str = option()

    late, eager = job.model_json_schema(), Eager.model_json_schema()
    assert late["$defs"] == eager["$defs"]
    assert late["properties"]["paint"].pop("description") == "Give it a colour."
    assert late["properties"] == eager["properties"]
    assert type_of(job.model_fields["paint"]) is Paint
    assert documentation_of(job)["paint"] == "Give it a colour."


def test_a_field_is_not_titled_after_its_key() -> None:
    """As any field that has a model: its own title is what editors show."""

    class Job(OneKey):
        paint_it: Annotated[Any, LateModel(lambda: Paint)] = option()

    assert "title" not in Job.model_json_schema()["properties"]["paintIt"]


def test_what_cannot_be_loaded_is_said_to_who_uses_it() -> None:
    """The error is the loader's own."""

    def fail() -> type[Model]:
        raise UsageError("broken")

    class Job(OneKey):
        paint: Annotated[Any, LateModel(fail)] = option()
        note: str = option()

    assert Job.model_validate({"note": "x"}).spec == "x"
    with pytest.raises(UsageError, match="broken"):
        Job.model_validate({"paint": {}})
