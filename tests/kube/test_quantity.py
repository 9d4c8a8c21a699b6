"""Quantities: read exactly, written in canonical form."""

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.kube.quantity import Quantity, QuantityError, parse_quantity

_DIGITS = st.text("0123456789", min_size=1, max_size=12)
_NUMBERS = st.one_of(_DIGITS, st.tuples(_DIGITS, st.just("."), _DIGITS).map("".join), _DIGITS.map(".{}".format))
_SUFFIXES = st.one_of(
    st.sampled_from(["", *"numkMGTPE", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]), st.integers(-99, 99).map("e{}".format)
)
amounts = st.tuples(st.sampled_from(["", "+", "-"]), _NUMBERS, _SUFFIXES).map("".join)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", "0"), ("1", "1"), ("+1", "1"), ("-1.5", "-1.5"), (".5", "0.5"), ("5.", "5"),
        ("100m", "0.1"), ("1u", "0.000001"), ("1n", "0.000000001"), ("1k", "1000"), ("1E", "1000000000000000000"),
        ("1e3", "1000"), ("1E3", "1000"), ("1e-3", "0.001"), ("1Ki", "1024"), ("1.5Gi", "1610612736"),
        ("1Ei", str(2**60)),
    ],
)  # fmt: skip
def test_a_quantity_has_an_exact_value(text: str, value: str) -> None:
    """Suffixes are powers of ten, or of 1024 with an i; E alone is exa, E with a number an exponent."""
    assert parse_quantity(text).value == Decimal(value)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0", "0"), ("0.0Gi", "0"), ("-0", "0"), ("1.0", "1"), ("0.1", "100m"), ("1500m", "1500m"), ("1.5", "1500m"),
        ("1000m", "1"), ("1000", "1k"), ("1500", "1500"), ("1e3", "1e3"), ("1000e0", "1e3"), ("0.5e0", "500e-3"),
        ("1024Ki", "1Mi"), ("1536Mi", "1536Mi"), ("1.5Gi", "1536Mi"), ("512", "512"), ("0.5Ki", "512"),
        ("0.1Ki", "102400m"),
        ("1.1Ki", "1126400m"), ("-1Gi", "-1Gi"), ("100M", "100M"), ("123456789", "123456789"), ("12000000000", "12G"),
    ],
)  # fmt: skip
def test_the_canonical_form_is_whole_with_the_largest_suffix(text: str, canonical: str) -> None:
    """No fraction, the largest suffix that allows it, in the family of suffixes that was used."""
    assert str(parse_quantity(text)) == canonical


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0.1n", "1n"), ("-0.1n", "-1n"), ("1.5n", "2n"), ("1e-40", "1e-9"),
        ("9Ei", "9223372036854775807"), ("1e30", "9223372036854775807"), ("-1e30", "-9223372036854775807"),
    ],
)  # fmt: skip
def test_amounts_out_of_range_are_rounded_up_or_capped(text: str, canonical: str) -> None:
    """Less than a nano is a nano; more than 2^63-1 is 2^63-1."""
    assert str(parse_quantity(text)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "1 Gi",
        "Gi",
        "1gi",
        "1K",
        "1KI",
        "1e",
        "1e1.5",
        "1.2.3",
        "--1",
        "1mm",
        "1e3Ki",
        "\u0661",
        "1" * 500,
    ],
)
def test_what_is_no_quantity_is_refused(text: str) -> None:
    """Kilo is a small k, binary suffixes are written exactly so, and nothing stands around the number."""
    with pytest.raises(QuantityError, match="quantities must match"):
        parse_quantity(text)


def test_a_json_number_is_taken_as_its_text() -> None:
    """`cpu: 2` and `cpu: 0.5` are as good as their texts."""
    assert parse_quantity(2) == parse_quantity("2")
    assert parse_quantity(0.5) == parse_quantity("0.5")


@given(amounts)
def test_the_canonical_form_means_the_same(text: str) -> None:
    """Reading the canonical form gives the same value and the same form again."""
    quantity = parse_quantity(text)
    again = parse_quantity(str(quantity))
    assert again.value == quantity.value
    assert str(again) == str(quantity)
    assert "." not in str(quantity)


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_whole_bytes_stay_exact(number: int) -> None:
    """No amount of memory is changed by reading and writing it, in either family of suffixes."""
    assert parse_quantity(str(Quantity(Decimal(number), "BinarySI"))).value == number
    assert parse_quantity(str(Quantity(Decimal(number), "DecimalSI"))).value == number


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    """There is no text on which the parser stumbles."""
    with contextlib.suppress(QuantityError):
        assert parse_quantity(text).value.is_finite()
