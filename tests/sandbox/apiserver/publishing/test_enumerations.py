"""Words that fields may have."""

import pytest

from seatrial.sandbox.apiserver import schema
from seatrial.sandbox.apiserver.publishing.enumerations import _WORDS, words_of


@pytest.mark.parametrize("place", _WORDS)
def test_each_is_about_a_field_that_exists(place: str) -> None:
    """A word list whose field is unknown, or isn't text, would describe nothing."""
    structure, _, field = place.rpartition(".")
    described = schema.structure(structure)
    assert described is not None
    assert described.fields[field].name == "string"


def test_other_fields_may_have_any_word() -> None:
    """Most fields aren't limited."""
    assert words_of("core.v1.PodSpec", "nodeName") == []
    assert words_of("core.v1.PodSpec", "restartPolicy") == ["Always", "Never", "OnFailure"]
