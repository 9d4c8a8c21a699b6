"""Patterns as Kubernetes reads them: by RE2, whose Go form its API server uses.

RE2 takes time in proportion to the text whatever the pattern, so no custom resource can hold the server up with one.
What it refuses is said in the words of Go's package regexp/syntax.
"""

from functools import lru_cache
from typing import Any

# What RE2 says, and what Go's form of it says of the same mistake.
_WORDS = {
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid repetition size": "invalid repeat count",
    "invalid named capture group": "invalid named capture",
}


class PatternError(ValueError):
    """A pattern that can't be read, in RE2's manner of saying so."""


@lru_cache(maxsize=2048)
def compile_pattern(text: str) -> Any:
    """The pattern, with the methods of `re.Pattern`; PatternError."""
    import re2  # noqa: PLC0415 -- only clusters with custom resources pay for it

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        raise PatternError(_go_error(error.args[0].decode(errors="replace"), text)) from error


def _go_error(said: str, text: str) -> str:
    what, _, piece = said.partition(": ")
    shown = text if what == "missing )" or not piece else piece
    return f"error parsing regexp: {_WORDS.get(what, what)}: `{shown}`"
