"""What libyaml's syntax errors mean to the person who wrote the file.

libyaml reports what its parser expected; these sentences say what people usually did. Where none fits, libyaml's
own words are shown.
"""

import yaml

from seatrial.policy.wording import quote

_MEANINGS = (
    (
        "mapping values are not allowed",
        "a ':' has no place here: is the indentation right? Text that holds ': ' needs quotes",
    ),
    (
        "did not find expected '-' indicator",
        "the next item of the list is expected here; is the indentation right?",
    ),
    ("did not find expected key", "a key is expected here; is the indentation right, and is each quote closed?"),
    ("could not find expected ':'", "a ':' is missing after the key"),
    ("did not find expected ',' or", "a ',' or the closing bracket is missing"),
    ("did not find expected node content", "a value is expected here"),
    ("did not find expected <document start>", "the document has ended before this; is the indentation right?"),
    ("block sequence entries are not allowed", "a list can't begin here: put its first '-' on a line of its own"),
    ("block collections are not allowed", "a map or list can't begin here: put it on a line of its own"),
    ("found unexpected end of stream", "the quote or bracket that opens here is never closed"),
    ("found unexpected document indicator", "the quote that opens here is never closed"),
    (
        "found unknown escape character",
        "this escape is unknown; in single quotes a backslash is just a backslash",
    ),
    ("found undefined tag handle", "the tag is unknown"),
)


def explain_syntax_error(error: yaml.YAMLError, lines: list[str]) -> tuple[tuple[int, int], str]:
    """The place (line and column from 1) of a syntax error, and what it probably means."""
    problem, context_mark = getattr(error, "problem", None) or str(error), getattr(error, "context_mark", None)
    mark = getattr(error, "problem_mark", None) or context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    if tab := _find_tab(lines, line, column):
        return tab, "a tab character indents this line; YAML indents with spaces only"
    if "cannot start any token" in problem:
        return (line + 1, column + 1), f"text that begins with {quote(_character(lines, line, column))} needs quotes"
    if line >= len(lines) and context_mark:
        problem = "found unexpected end of stream"
    message = next((meaning for known, meaning in _MEANINGS if known in problem), problem)
    if context_mark and "opens here" in message:
        line, column = context_mark.line, context_mark.column
    return (line + 1, column + 1), message


def _find_tab(lines: list[str], line: int, column: int) -> tuple[int, int] | None:
    """The first tab in the indentation of the line that the parser gave up on, or of the one before."""
    for index in (line, line - 1):
        text = lines[index] if 0 <= index < len(lines) else ""
        indentation = text[: len(text) - len(text.lstrip())]
        if "\t" in indentation and text.strip():
            return index + 1, indentation.index("\t") + 1
    return (line + 1, column + 1) if _character(lines, line, column) == "\t" else None


def _character(lines: list[str], line: int, column: int) -> str:
    return lines[line][column : column + 1] if line < len(lines) else ""
