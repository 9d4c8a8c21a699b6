"""What is wrong with a policy, in the words of the person who wrote it.

pydantic's errors and the flaws of the YAML text become `Problem`s: a place, a path, what was found, what is allowed,
what was probably meant. `InvalidPolicy` holds all problems of a file and shows them as people or as programs
want them.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from seatrial.errors import PolicyError
from seatrial.policy.base import UNKNOWN_KEY
from seatrial.policy.document import Document
from seatrial.policy.tree import Flaw, KeyPath
from seatrial.policy.wording import describe, format_path, nearest, one_line, printable, quote

_WIDEST_EXCERPT = 120


class Problem(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One thing that is wrong; `message` says all of it in one line, the other fields say it to programs."""

    line: int
    column: int
    path: str
    message: str
    found: str = ""
    allowed: tuple[str, ...] = ()
    suggestion: str = ""


class InvalidPolicy(PolicyError):  # noqa: N818 -- reads as what it is, beside its parent `PolicyError`
    """A policy with everything that is wrong with it, in the order of the file."""

    def __init__(self, name: str, problems: Iterable[Problem], lines: Sequence[str] = ()) -> None:
        self.name = name
        self.problems = tuple(sorted(set(problems)))
        self.lines = tuple(lines)
        count = len(self.problems)
        super().__init__(f"{printable(name)} is invalid: {count} problem{'s' * (count != 1)}")

    @property
    def details(self) -> str:
        """Each problem with its line of the file and a caret under the place."""
        return "\n".join(render_problem(each, name=self.name, lines=self.lines) for each in self.problems)

    def to_json(self) -> list[dict[str, Any]]:
        """Each problem as plain data."""
        return [msgspec.structs.asdict(each) for each in self.problems]


def from_flaw(flaw: Flaw) -> Problem:
    """The problem that a flaw of the text is."""
    line, column = flaw.place
    return Problem(line=line, column=column, path=format_path(flaw.path), message=one_line(flaw.message))


def from_validation(error: ValidationError, document: Document) -> list[Problem]:
    """The problems behind pydantic's errors, at their places in the document."""
    return [_from_detail(detail, document) for detail in error.errors(include_url=False)]


def render_problem(problem: Problem, *, name: str, lines: Sequence[str]) -> str:
    """A problem as `file:line:column: path: message`, with the line of the file and a caret below."""
    parts = [f"{printable(name)}:{problem.line}:{problem.column}", problem.path, problem.message]
    heading = ": ".join(filter(None, parts))
    if not 0 < problem.line <= len(lines) or not lines[problem.line - 1].strip():
        return heading
    before, after = _excerpt(lines[problem.line - 1], problem.column - 1)
    number = f"{problem.line:5}"
    return f"{heading}\n{number} | {before}{after}\n{' ' * len(number)} | {' ' * _width(before)}^"


def _excerpt(line: str, column: int) -> tuple[str, str]:
    """The line before and from the column on; of a long line, what is around the column."""
    before, after = (_one_by_one(part) for part in (line[:column], line[column:].rstrip()))
    if len(before) > _WIDEST_EXCERPT * 2 // 3:
        before = "..." + before[-_WIDEST_EXCERPT // 2 :]
    room = _WIDEST_EXCERPT - len(before)
    return before, after if len(after) <= room else after[: room - 3] + "..."


def _one_by_one(text: str) -> str:
    """Replace, each by one column, what a terminal would not show as one."""
    return "".join(
        " " if each == "\t" else each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text
    )


def _width(text: str) -> int:
    return sum(_columns(each) for each in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _from_detail(detail: ErrorDetails, document: Document) -> Problem:
    kind, path, found = detail["type"], detail["loc"], detail["input"]
    context = detail.get("ctx", {})
    if kind == UNKNOWN_KEY:
        return _unknown_key(path, context["allowed"], document)
    if kind == "missing":
        return _problem(document, path[:-1], f"the key {quote(str(path[-1]))} is missing", allowed=[str(path[-1])])
    if "message" in context:
        if not context.get("says_found"):
            at_key = context.get("at_key", False)
            return _problem(document, path, context["message"], found=describe(found), at_key=at_key)
        message = f"is {describe(found)}; {context['message']}"
        return _problem(document, path, message + _hint_at_map(found, context["allowed"]), found=describe(found))
    if kind == "literal_error":
        return _wrong_choice(path, found, context["expected"], document)
    message = _WORDINGS[kind](found, context) if kind in _WORDINGS else _lower_first(detail["msg"])
    return _problem(document, path, message, found=describe(found))


def _problem(
    document: Document,
    path: KeyPath,
    message: str,
    *,
    found: str = "",
    allowed: Sequence[str] = (),
    suggestion: str = "",
    at_key: bool = False,
) -> Problem:
    place = document.place_of(path, at_key=at_key)
    shown = path[:-1] if at_key else path
    return Problem(
        line=place.line,
        column=place.column,
        path=format_path(shown),
        message=one_line(message),
        found=found,
        allowed=tuple(allowed),
        suggestion=suggestion,
    )


def _unknown_key(path: KeyPath, allowed: Sequence[str], document: Document) -> Problem:
    key = str(path[-1])
    meant = nearest(key, allowed)
    message = f"unknown key {quote(key)}; {_choices(meant, allowed)}"
    siblings = document.value_at(path[:-1])
    empty = [name for name in allowed if siblings.get(name, ...) is None]
    if empty and not meant:
        message += f"; if it belongs to {quote(empty[0])}, indent it more"
    return _problem(document, path, message, found=key, allowed=allowed, suggestion=meant, at_key=True)


def _wrong_choice(path: KeyPath, found: Any, expected: str, document: Document) -> Problem:
    allowed = re.findall(r"'([^']*)'", expected)
    meant = nearest(found, allowed)
    message = f"is {describe(found)}; {_choices(meant, allowed)}"
    return _problem(document, path, message, found=describe(found), allowed=allowed, suggestion=meant)


def _choices(meant: str, allowed: Sequence[str]) -> str:
    said = f"did you mean {quote(meant)}? " if meant else ""
    return f"{said}Allowed: {', '.join(allowed)}" if said else f"allowed: {', '.join(allowed)}"


def _hint_at_map(found: Any, allowed: Sequence[str]) -> str:
    if isinstance(found, str) and (meant := nearest(found, allowed)):
        return f"; write {quote(meant + ':')} with a colon"
    if isinstance(found, list):
        return "; remove the '-' before it"
    return ""


def _needs(what: str, hint: Callable[[Any], str] = lambda _: "") -> Callable[[Any, Mapping[str, Any]], str]:
    def word(found: Any, context: Mapping[str, Any]) -> str:
        needed = what.format(**context)
        return f"is {describe(found)}; needs {needed}{hint(found)}"

    return word


def _hint_at_boolean(found: Any) -> str:
    if isinstance(found, str) and found.lower() in {"yes", "on", "y"}:
        return "; in YAML 1.2 this is text: write true"
    if isinstance(found, str) and found.lower() in {"no", "off", "n"}:
        return "; in YAML 1.2 this is text: write false"
    return "; remove the quotes" if found in {"true", "false"} else ""


def _hint_at_number(found: Any) -> str:
    is_quoted = isinstance(found, str) and re.fullmatch(r"[-+]?[0-9]+(\.[0-9]+)?", found)
    return "; remove the quotes" if is_quoted else ""


def _hint_at_text(found: Any) -> str:
    return "; put it in quotes" if isinstance(found, bool | int | float) else ""


def _hint_at_list(found: Any) -> str:
    return "; put '- ' before it" if found else ""


def _length(found: Any, context: Mapping[str, Any]) -> str:
    limit, bound = ("min_length", "at least") if "min_length" in context else ("max_length", "at most")
    return f"is {len(found)} characters long; needs {bound} {context[limit]}"


def _pattern(found: Any, context: Mapping[str, Any]) -> str:
    pattern = context["pattern"]
    return f"is {describe(found)}; needs {_PATTERNS.get(pattern, f'text that matches the pattern {pattern}')}"


_PATTERNS = {"^https?://": "a URL that begins with http:// or https://"}

_WORDINGS: Mapping[str, Callable[[Any, Mapping[str, Any]], str]] = {
    "bool_type": _needs("true or false", _hint_at_boolean),
    "float_type": _needs("a number", _hint_at_number),
    "int_type": _needs("a whole number", _hint_at_number),
    "string_type": _needs("text", _hint_at_text),
    "tuple_type": _needs("a list", _hint_at_list),
    "finite_number": _needs("a finite number"),
    "greater_than": _needs("a number above {gt:g}"),
    "greater_than_equal": _needs("a number of at least {ge:g}"),
    "less_than": _needs("a number below {lt:g}"),
    "less_than_equal": _needs("a number of at most {le:g}"),
    "string_pattern_mismatch": _pattern,
    "string_too_short": _length,
    "string_too_long": _length,
}


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
