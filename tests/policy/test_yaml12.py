"""Scalars without quotes mean what the core schema of YAML 1.2 says (YAML 1.2.2, chapter 10.3.2)."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.policy import yaml12
from seatrial.policy.document import read_document

# One row of the specification's table each: what is written, and what it means.
CORE_SCHEMA = [
    ("null", None),
    ("Null", None),
    ("NULL", None),
    ("~", None),
    ("", None),
    ("true", True),
    ("True", True),
    ("TRUE", True),
    ("false", False),
    ("False", False),
    ("FALSE", False),
    ("0", 0),
    ("-19", -19),
    ("+12", 12),
    ("0o7", 7),
    ("0o17", 15),
    ("0x3A", 58),
    ("007", 7),
    ("0.", 0.0),
    ("-0.0", -0.0),
    (".5", 0.5),
    ("+12e03", 12000.0),
    ("-2E+05", -200000.0),
    ("1e3", 1000.0),
    (".inf", math.inf),
    ("-.Inf", -math.inf),
    ("+.INF", math.inf),
]

# What YAML 1.1 understood otherwise, and what only looks like a number.
STRINGS = [
    *["yes", "Yes", "no", "NO", "on", "off", "y", "n", "nULL", "tRUE", "inf", "nan", "-.nan", "e3", ".", "-", "+", "="],
    *["-0o7", "-0x3", "0b1", "0o8", "0xg", "1_000", "1:30", "190:20:30", "2026-01-01", "2026-01-01T10:00:00Z", "1.2.3"],
]


@pytest.mark.parametrize(("text", "value"), CORE_SCHEMA)
def test_every_row_of_the_specification(text: str, value: object) -> None:
    """Each form that the specification names has the value and the type that it names."""
    found = read_document(f"key: {text}\n".encode()).value["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", [".nan", ".NaN", ".NAN"])
def test_not_a_number(text: str) -> None:
    """The three spellings of NaN are NaN."""
    assert math.isnan(yaml12.resolve_plain(text))


@pytest.mark.parametrize("text", STRINGS)
def test_everything_else_is_text(text: str) -> None:
    """`on` is no boolean, `1:30` no number in base 60, a date no date."""
    assert yaml12.resolve_plain(text) == text


@given(st.text(alphabet="0123456789+-.eExoabfnNITtruelsyY_:~ ", max_size=8))
def test_only_forms_of_the_specification_are_numbers(text: str) -> None:
    """A text is a number just if it has one of the forms that the specification gives for numbers."""
    is_integer = re.fullmatch(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", text)
    is_float = re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", text)
    value = yaml12.resolve_plain(text)
    if is_integer:
        assert type(value) is int
    elif is_float:
        assert type(value) is float
    else:
        assert (
            not isinstance(value, int | float)
            or isinstance(value, bool)
            or ".i" in text.lower()
            or "nan" in text.lower()
        )


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_survive(number: float) -> None:
    """A number written the usual way is read as the same number."""
    assert yaml12.resolve_plain(str(number)) == number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'3'", "3"),
        ('"true"', "true"),
        ("!!str 3", "3"),
        ("! 3", "3"),
        ("!!int 3", 3),
        ("!!float 3", 3.0),
        ("!!null ''", None),
    ],
)
def test_quotes_and_tags_win(text: str, value: object) -> None:
    """Quotes make text of anything; a tag says itself what it wants."""
    found = read_document(f"key: {text}\n".encode()).value["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text", ["!!int x", "!!bool yes", "!custom x", "!!timestamp 2026-01-01", "!!python/name:os.system x"]
)
def test_a_tag_that_does_not_fit_is_a_flaw(text: str) -> None:
    """A tag that the core schema doesn't have, or that the text contradicts, is said and never acted on."""
    (flaw,) = read_document(f"key: {text}\n".encode()).flaws
    assert (flaw.place.line, flaw.place.column) == (1, 6)
    assert "tag" in flaw.message


def test_numbers_of_absurd_length_are_a_flaw() -> None:
    """A number of thousands of digits is refused before Python struggles with it."""
    (flaw,) = read_document(b"key: " + b"9" * 5000).flaws
    assert "5000 characters" in flaw.message
