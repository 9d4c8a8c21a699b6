"""The search for an earlier line: one types some of its letters, and a menu has the lines with these in that order."""

from collections.abc import Iterable

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, FuzzyCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import History
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.key_binding.bindings.completion import generate_completions


class HistorySearch:
    """The search for an earlier line, from Ctrl-R to Enter or Escape; `completer` is there while it goes on."""

    def __init__(self, history: History) -> None:
        self._lines = history_search(history)
        self._before = Document()
        self.completer: Completer | None = None
        self.goes_on = Condition(lambda: self.completer is not None)

    def add_keys(self, keys: KeyBindings) -> None:
        """Add the keys of the search: Ctrl-R begins it and goes on, Enter takes, Escape and Ctrl-G give up."""

        @keys.add("enter", filter=self.goes_on)
        def _found(event: KeyPressEvent) -> None:
            """Take the line that was found; a second Enter carries it out."""
            self.take(event.current_buffer)

        @keys.add("c-r", filter=~self.goes_on)
        def _begin_search(event: KeyPressEvent) -> None:
            """Look for an earlier line by some of its letters."""
            self.begin(event.current_buffer)

        @keys.add("c-r", filter=self.goes_on)
        def _next_found(event: KeyPressEvent) -> None:
            """Go on to the next line that was found."""
            generate_completions(event)

        @keys.add("c-g", filter=self.goes_on)
        @keys.add("escape", filter=self.goes_on, eager=True)
        def _give_up(event: KeyPressEvent) -> None:
            """Go back to what stood there."""
            self.give_up(event.current_buffer)

    def begin(self, buffer: Buffer) -> None:
        """What is typed so far is the first thing looked for."""
        self._before = buffer.document
        self.completer = self._lines
        buffer.start_completion(select_first=False)

    def take(self, buffer: Buffer) -> None:
        """End with the line that is selected, else the first that was found, else what was typed."""
        state = buffer.complete_state
        if state is not None and state.current_completion is None and state.completions:
            buffer.apply_completion(state.completions[0])
        self._end(buffer)

    def give_up(self, buffer: Buffer) -> None:
        """End with what stood there before."""
        buffer.document = self._before
        self._end(buffer)

    def _end(self, buffer: Buffer) -> None:
        buffer.complete_state = None
        self.completer = None


class _Lines(Completer):
    """The lines of a history, last first, each once."""

    def __init__(self, history: History) -> None:
        self._history = history

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:  # noqa: ARG002 -- prompt_toolkit's signature
        for line in dict.fromkeys(reversed(self._history.get_strings())):
            yield Completion(line, display=line.replace("\n", " ; "))


def history_search(history: History) -> Completer:
    """Completes all that is typed to lines of the history that have its letters in the same order."""
    return FuzzyCompleter(_Lines(history), pattern="^.+")
