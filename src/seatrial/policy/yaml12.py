"""The core schema of YAML 1.2: what a scalar without quotes means.

PyYAML resolves scalars as YAML 1.1 had it, where `on` is true, `017` is 15, `1:30` is 90 and `2026-01-01` is a date.
YAML 1.2 has fewer surprises: https://yaml.org/spec/1.2.2/#1032-tag-resolution lists the expressions used here.
"""

import re
from collections.abc import Callable
from typing import Any

from seatrial.policy.wording import quote

_PREFIX = "tag:yaml.org,2002:"
_KINDS = ("str", "null", "bool", "int", "float", "map", "seq")
STR, NULL, BOOL, INT, FLOAT, MAP, SEQ = (_PREFIX + kind for kind in _KINDS)

_MOST_DIGITS = 400  # of a whole number: far beyond the largest float, far below what slows down Python


def _as_integer(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"a number of {len(text)} characters is too long")
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return int(text[2:] if base != 10 else text, base)


def _as_float(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


_CORE: tuple[tuple[str, re.Pattern[str], Callable[[str], Any]], ...] = (
    (NULL, re.compile(r"null|Null|NULL|~|"), lambda _: None),
    (BOOL, re.compile(r"true|True|TRUE|false|False|FALSE"), lambda text: text.lower() == "true"),
    (INT, re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"), _as_integer),
    (
        FLOAT,
        re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN"),
        _as_float,
    ),
)


def resolve_plain(text: str) -> Any:
    """The value of a scalar that has neither quotes nor a tag; raises `ValueError` for a number of absurd length."""
    for _, pattern, convert in _CORE:
        if pattern.fullmatch(text):
            return convert(text)
    return text


def resolve_tagged(text: str, tag: str) -> Any:
    """The value of a scalar whose tag was written, such as `!!int`; raises `ValueError` where both don't fit."""
    if tag == STR:
        return text
    for known, pattern, convert in _CORE:
        if known == tag and pattern.fullmatch(text):
            return convert(text)
    if tag == FLOAT and _CORE[2][1].fullmatch(text):
        return float(_as_integer(text))
    raise ValueError(f"the tag {quote(short_tag(tag))} doesn't fit here")


def short_tag(tag: str) -> str:
    """A tag as people write it: `!!int` for `tag:yaml.org,2002:int`."""
    return "!!" + tag.removeprefix(_PREFIX) if tag.startswith(_PREFIX) else tag
