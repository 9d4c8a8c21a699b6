"""The words for what was found in a policy: values, paths, likely meanings of a misspelt word.

All of it may come from a file that somebody else wrote, so nothing here lets through characters that a terminal would
act on, and everything is short.
"""

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

_LONGEST_TEXT = 60
_LONGEST_MESSAGE = 500
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


def describe(value: Any) -> str:
    """What a value of a file is, in the words of its reader: `the text 'five'`, `a list`."""
    match value:
        case None:
            return "nothing (null)"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {_shorten(str(value))}"
        case str():
            return f"the text {quote(value)}" if value else "an empty text"
        case dict():
            return "a map" if value else "an empty map"
        case _:
            return "a list" if value else "an empty list"


def quote(text: str) -> str:
    """A text in quotes, fit for one line of a terminal."""
    return f"'{printable(_shorten(text))}'"


def counted(number: int, word: str) -> str:
    """A number of things: "1 pod", "2 pods"."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def printable(text: str) -> str:
    """A text whose control and invisible characters are written as escapes."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text).replace("\x7f", "\\u007f")


def printable_lines(text: str) -> str:
    """The same for a text of several lines: their ends stay."""
    return "\n".join(printable(line) for line in text.split("\n"))


def one_line(message: str) -> str:
    """A message fit for a terminal, even if it repeats a text of the file as it stands there."""
    return printable(message if len(message) <= _LONGEST_MESSAGE else message[: _LONGEST_MESSAGE - 3] + "...")


def format_path(path: Sequence[str | int]) -> str:
    """A path as `scenarios[0].steps[2].podAction.filters[0]`."""
    formatted = ""
    for part in path:
        if isinstance(part, int):
            formatted += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            formatted += f".{part}" if formatted else part
        else:
            formatted += f"[{json.dumps(_shorten(part))}]"
    return formatted


def nearest(word: Any, allowed: Iterable[str]) -> str:
    """The allowed word that was probably meant, or an empty string."""
    if not isinstance(word, str):
        return ""
    by_lower_case = {each.lower(): each for each in allowed}
    found = difflib.get_close_matches(_shorten(word).lower(), by_lower_case, n=1, cutoff=0.6)
    return by_lower_case[found[0]] if found else ""


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 3] + "..."
