"""The plain values and lists of the policy language, as people who write YAML understand them.

`"3"` is no integer and `true` is not 1, but `1` is a fine number and `1.0` a fine integer: JSON Schema sees
it so too, and the schema and the models have to agree.
"""

from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, Strict

from seatrial.errors import UsageError
from seatrial.policy.base import complain
from seatrial.policy.spans import SPAN_PATTERN, parse_span
from seatrial.policy.wording import quote

T = TypeVar("T")


def _as_whole_number(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _as_seed(value: Any) -> Any:
    value = _as_whole_number(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise complain("must be an integer or a string")
    return value


def _as_filled(value: Any) -> Any:
    # pydantic's own minimum counts only the items that are valid, and so complains twice.
    if isinstance(value, list | tuple) and not value:
        raise complain("is an empty list; needs at least one item")
    return value


def _as_span(value: str) -> str:
    try:
        parse_span(value)
    except UsageError as error:
        raise complain(f"is {quote(value)}, which is no span of time: {error.hint}") from None
    return value


Items = Annotated[tuple[T, ...], Strict(strict=False)]
"""A list of T; kept as a tuple, since models are frozen."""

FilledItems = Annotated[
    tuple[T, ...], Strict(strict=False), BeforeValidator(_as_filled), Field(json_schema_extra={"minItems": 1})
]
"""A list of at least one T."""

Integer = Annotated[int, BeforeValidator(_as_whole_number)]
"""A whole number."""

Number = Annotated[float, Field(allow_inf_nan=False)]
"""A whole number or a fraction, neither infinite nor NaN."""

Fraction = Annotated[float, Field(ge=0, le=1)]
"""A number from 0 to 1: a probability or a share."""

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""A span of time in seconds."""

Span = Annotated[str, AfterValidator(_as_span), Field(json_schema_extra={"pattern": f"^\\s*{SPAN_PATTERN}\\s*$"})]
"""A span of time with its unit, from seconds to years: `30m`, `90d`, `5y`."""

WholeSeconds = Annotated[Integer, Field(ge=1, le=604_800)]
"""A span of time in whole seconds, which is what a shell's `sleep` takes everywhere; at most a week."""

Seed = Annotated[int | str, BeforeValidator(_as_seed)]
"""What random numbers start from."""

Port = Annotated[Integer, Field(ge=1, le=65535)]
"""A TCP port."""
