"""From what was typed or piped in to commands: words quoted as in a POSIX shell, commands apart by `;` or line ends.

A line that begins with `#` is a comment. Nothing else of a shell is there: no variables, pipes, or substitution. What
is carried out, coloured and completed is taken apart here: `shlex` does not tell where a word stood, nor a quoted `;`
from one that ends a command.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import NamedTuple

from seatrial.errors import UsageError


class Kind(Enum):
    """What a piece of a line is."""

    WORD = "word"
    SEPARATOR = "separator"
    COMMENT = "comment"


class Token(NamedTuple):
    """A piece of a line: what it means, and where it stands.

    `missing` is what a word that is not whole lacks: the quotation mark at its end, or what a backslash is before.
    """

    kind: Kind
    start: int
    end: int
    value: str
    missing: str = ""


# The pieces of a word, in the order in which they are looked for. In double quotation marks a backslash means
# something before another and before such a mark only.
_PIECE = re.compile(
    r"""'(?P<single>[^']*)(?P<single_end>'|$)
    | "(?P<double>(?:[^"\\]|\\.|\\$)*)(?P<double_end>"|$)
    | \\(?P<escaped>.|$)
    | (?P<bare>[^\s;'"\\]+)""",
    re.VERBOSE,
)
_SEPARATOR = re.compile(r";+")
_NEEDS_QUOTING = re.compile(r"[\s;'\"\\]|^#|^$")


def commands_in(text: str) -> Iterator[Sequence[str]]:
    """The words of each command, empty ones left out.

    Raises:
        UsageError: a quotation has no end.
    """
    for line in text.splitlines():
        yield from _commands_of(line)


def tokens_of(line: str) -> Iterator[Token]:
    """The pieces of one line, also of one that is being typed and not whole."""
    position = _after_blanks(line, 0)
    if line.startswith("#", position):
        yield Token(Kind.COMMENT, position, len(line), line[position:])
        return
    while position < len(line):
        separator = _SEPARATOR.match(line, position)
        token = Token(Kind.SEPARATOR, position, separator.end(), separator[0]) if separator else _word(line, position)
        yield token
        position = _after_blanks(line, token.end)


def last_command(tokens: Sequence[Token]) -> Sequence[Token]:
    """The pieces of the command that a line ends with."""
    separators = [number for number, token in enumerate(tokens) if token.kind is Kind.SEPARATOR]
    return tokens[separators[-1] + 1 :] if separators else tokens


def quoted(word: str) -> str:
    """A word as it is to be typed."""
    return shlex.quote(word) if _NEEDS_QUOTING.search(word) else word


def _commands_of(line: str) -> Iterator[Sequence[str]]:
    words: list[str] = []
    for token in tokens_of(line):
        if token.missing:
            raise UsageError(f"{line.strip()}: no {token.missing}", hint="quote as in a shell: 'so' or \"so\"")
        if token.kind is Kind.WORD:
            words.append(token.value)
        elif words:
            yield words
            words = []
    if words:
        yield words


def _after_blanks(line: str, position: int) -> int:
    return len(line) - len(line[position:].lstrip())


def _word(line: str, start: int) -> Token:
    value, missing, end = "", "", start
    while piece := _PIECE.match(line, end):
        end = piece.end()
        match piece.lastgroup:
            case "single_end":
                value += piece["single"]
                missing = "" if piece["single_end"] else "closing '"
            case "double_end":
                value += re.sub(r'\\(["\\])', r"\1", piece["double"])
                missing = "" if piece["double_end"] else 'closing "'
            case "escaped":
                value += piece["escaped"]
                missing = "" if piece["escaped"] else "character after \\"
            case _:
                value += piece["bare"]
    return Token(Kind.WORD, start, end, value, missing)
