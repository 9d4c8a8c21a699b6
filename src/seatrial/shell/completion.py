"""Completion as one types: click knows what may stand where, the types of its parameters ask the live cluster.

Nothing here waits: what the live view does not have yet is not offered.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from click.shell_completion import CompletionItem, ShellComplete
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document

from seatrial.errors import SeatrialError
from seatrial.shell.command_table import entry_of, group
from seatrial.shell.lexer import warning_style
from seatrial.shell.lines import Kind, last_command, quoted, tokens_of
from seatrial.shell.matching import MOST
from seatrial.shell.shell import Shell

_FILES = frozenset({"file", "dir"})


class CommandCompleter(Completer):
    """Completes the command that the cursor stands in."""

    def __init__(self, shell: Shell, *, on_loading: Callable[[], None] = lambda: None) -> None:
        """Completes what that shell's commands take; `on_loading` is told that there will be more to offer."""
        self._shell = shell
        self._on_loading = on_loading

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """What may stand where the cursor is."""
        line = document.current_line_before_cursor
        tokens = last_command([*tokens_of(line)])
        if any(token.kind is Kind.COMMENT for token in tokens):
            return
        words = [token.value for token in tokens]
        is_in_word = bool(tokens) and tokens[-1].end == len(line)
        begun = words.pop() if is_in_word else ""
        typed = line[tokens[-1].start :] if is_in_word else ""
        yield from islice(self._completions(words, begun, typed, complete_event), MOST)
        connection = self._shell.connection
        if words and (connection is None or connection.live.loading):
            self._on_loading()

    def _completions(
        self, words: list[str], begun: str, typed: str, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        for item in self._items(words, begun):
            option, equals, value = begun.partition("=")
            kept = f"{option}=" if equals and option.startswith("-") else ""
            if item.type in _FILES:
                path = Document(value if kept else begun)
                for file in PathCompleter(only_directories=item.type == "dir").get_completions(path, complete_event):
                    whole = f"{kept}{path.text}{file.text}"
                    yield Completion(quoted(whole), -len(typed), display=file.display)
            elif item.type == "plain":
                yield Completion(
                    quoted(f"{kept}{item.value}"),
                    -len(typed),
                    display=item.value,
                    display_meta=item.help or "",
                    style="" if words else warning_style(item.value),
                )

    def _items(self, words: list[str], begun: str) -> list[CompletionItem]:
        if words and entry_of(words[0]) is None:
            return []
        try:
            items = ShellComplete(group, {"obj": self._shell}, "", "").get_completions(words, begun)
        except SeatrialError:  # the cluster is not reached yet, which the toolbar says
            return []
        # Of an option's names the long one says more; whoever types the short one needs no completion.
        return [item for item in items if not _is_short_option(item)]


def _is_short_option(item: CompletionItem) -> bool:
    return len(item.value) == 2 and item.value.startswith("-")
