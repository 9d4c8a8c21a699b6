r"""Patterns as Kubernetes reads them (RE2), turned into Python's.

The two agree but for a few spellings: classes in double brackets, Unicode classes, `$` and `\z`. What RE2 refuses
(look-around, references back) is refused here as well.
"""

import re
from functools import lru_cache

_CLASSES = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": "\\x00-\\x7f", "blank": "\\t ", "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9", "graph": "!-~", "lower": "a-z", "print": " -~", "punct": "!-/:-@\\[-`{-~", "space": "\\t-\\r ",
    "upper": "A-Z", "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_UNICODE = {"L": "^\\W\\d_", "Lu": "A-ZÀ-ÖØ-Þ", "Ll": "a-zß-öø-ÿ", "N": "0-9", "Nd": "0-9"}
_TOKEN = re.compile(
    r"\\p\{(\w+)\}|\\p(\w)|\\(.)|\[:(\^?)(\w+):\]|(\[\^?\]?)|(\])|(\$)|(\(\?P?[^:imsUP<>-]|\(\?P?<[=!])|(.)", re.DOTALL
)


class PatternError(ValueError):
    """A pattern that can't be read, in RE2's manner of saying so."""


@lru_cache(maxsize=2048)
def compile_pattern(text: str) -> re.Pattern[str]:
    """The pattern, to be used with `search`; PatternError."""
    try:
        return re.compile(_translate(text), re.ASCII if text.isascii() and "\\p" not in text else 0)
    except (re.error, OverflowError) as error:
        raise PatternError(f"error parsing regexp: {error}: `{text}`") from error


def _translate(text: str) -> str:
    found: list[str] = []
    in_class = False
    for match in _TOKEN.finditer(text):
        category = match.group(1) or match.group(2)
        escaped, negated, named, opened, closed, dollar, lookaround = match.groups()[2:9]
        if category:
            found.append(_unicode(category, text, in_class=in_class))
        elif escaped is not None:
            found.append(_escape(escaped, text, in_class=in_class))
        elif named and in_class:
            if named not in _CLASSES or negated:
                raise PatternError(f"error parsing regexp: invalid character class range: `[:{named}:]`")
            found.append(_CLASSES[named])
        elif opened and not in_class:
            in_class = True
            found.append(opened)
        elif closed and in_class:
            in_class = False
            found.append("]")
        elif dollar and not in_class and "(?m" not in text:
            found.append("\\Z")
        elif lookaround and not in_class:
            raise PatternError(f"error parsing regexp: invalid or unsupported Perl syntax: `{lookaround}`")
        else:
            piece = match.group(0)
            found.append(f"\\{piece}" if in_class and piece == "[" else piece)
    return "".join(found)


def _unicode(category: str, text: str, *, in_class: bool) -> str:
    known = _UNICODE.get(category)
    if known is None or (in_class and known.startswith("^")):
        if category != "L":
            raise PatternError(f"error parsing regexp: invalid character class range: `\\p{{{category}}}` in `{text}`")
        return "A-Za-z\u00c0-\uffff"
    return known if in_class else f"[{known}]"


def _escape(letter: str, text: str, *, in_class: bool) -> str:
    if letter == "z" and not in_class:
        return "\\Z"
    if letter in "123456789" or letter == "Z":
        raise PatternError(f"error parsing regexp: invalid escape sequence: `\\{letter}` in `{text}`")
    return f"\\{letter}"
