"""From what was typed or piped in to commands: words quoted as in a POSIX shell, commands apart by `;` or line ends.

A line that begins with `#` is a comment. Nothing else of a shell is there: no variables, pipes, or substitution.
"""

import shlex
from collections.abc import Iterator, Sequence

from seatrial.errors import UsageError


def commands_in(text: str) -> Iterator[Sequence[str]]:
    """The words of each command, empty ones left out.

    Raises:
        UsageError: a quotation has no end.
    """
    for line in text.splitlines():
        if not line.lstrip().startswith("#"):
            yield from _commands_of(line)


def _commands_of(line: str) -> Iterator[Sequence[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";")
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    try:
        for word in lexer:
            if set(word) == {";"}:
                if words:
                    yield words
                words = []
            else:
                words.append(word)
    except ValueError as error:
        raise UsageError(f"{line.strip()}: {str(error).lower()}", hint="quote as in a shell: 'so' or \"so\"") from None
    if words:
        yield words
