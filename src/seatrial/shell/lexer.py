"""The colours of what is typed: commands that are there and that are not, those that break something, options, text."""

import re
from collections.abc import Callable, Iterator

from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.lexers import Lexer

from seatrial.shell.command_table import BREAK, COMMANDS, MACHINES, entry_of
from seatrial.shell.lines import Kind, Token, tokens_of

HARMLESS = frozenset({"plan", "probe", "uncordon"})
"""What stands among the commands that break something and breaks nothing."""

_NUMBER = re.compile(r"\d+([.,-]\d+)*%?")


class CommandLexer(Lexer):
    """Colours lines by what `lines` takes them apart into."""

    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        """Answers the coloured pieces of a line, by its number."""
        return lambda number: list(_fragments(document.lines[number]))


def _fragments(line: str) -> Iterator[tuple[str, str]]:
    position = 0
    is_first = True
    for token in tokens_of(line):
        yield "", line[position : token.start]
        yield _style(token, line, is_first=is_first), line[token.start : token.end]
        position = token.end
        is_first = token.kind is Kind.SEPARATOR
    yield "", line[position:]


def _style(token: Token, line: str, *, is_first: bool) -> str:
    if token.kind is not Kind.WORD:
        return f"class:{token.kind.value}"
    if token.missing:
        return "class:unfinished"
    if is_first:
        is_being_typed = token.end == len(line)
        return _command_style(token.value, is_being_typed=is_being_typed)
    if line[token.start] in "'\"":
        return "class:string"
    if token.value.startswith("-"):
        return "class:option"
    return "class:number" if _NUMBER.fullmatch(token.value) else ""


def warning_style(name: str) -> str:
    """The style of a command that breaks something; empty for others."""
    entry = entry_of(name)
    is_destructive = entry is not None and entry.section in {BREAK, MACHINES} and name not in HARMLESS
    return "class:command.destructive" if is_destructive else ""


def _command_style(name: str, *, is_being_typed: bool) -> str:
    if entry_of(name) is not None:
        return warning_style(name) or "class:command"
    if is_being_typed and any(each.startswith(name) for each in COMMANDS):
        return ""
    return "class:command.unknown"
