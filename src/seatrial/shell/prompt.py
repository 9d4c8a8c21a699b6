"""The prompt that a person sees at a terminal: completion, history, colours, a status bar, and output above it.

Nothing of the cluster is loaded with it. What completes is `completion`, what is typed is coloured by `lexer`, found
again by `history`; `toolbar` is the line below, `screen` what is written above.
"""

import asyncio
import contextlib
import termios
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import Completer, DynamicCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition, completion_is_selected, has_completions
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import DummyHistory
from prompt_toolkit.input import create_input
from prompt_toolkit.input.typeahead import clear_typeahead
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.key_binding.bindings.completion import generate_completions
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import ColorDepth, create_output

from seatrial.shell.completion import CommandCompleter
from seatrial.shell.history import LineHistory, history_search
from seatrial.shell.lexer import CommandLexer
from seatrial.shell.plain import LEAVING_HINT, PROMPT
from seatrial.shell.screen import Screen
from seatrial.shell.shell import Shell
from seatrial.shell.style import STYLE
from seatrial.shell.toolbar import toolbar

_SEARCH_PROMPT = "history> "
_MENU_LINES = 8
# A halt that is lifted and a list that has come tell nobody; whoever looks at the status bar sees it so soon.
_REFRESH_SECONDS = 1.0


class PromptFront:
    """The `Front` of a terminal; `attach` it to its shell before the first line is asked for."""

    is_interactive = True

    def __init__(self, screen: Screen, *, terminal: TextIO, history: Path | None, has_colour: bool) -> None:
        """A prompt on a terminal.

        Args:
            screen: what is written above the prompt goes through it.
            terminal: where the prompt itself is drawn.
            history: the file that lines are kept in.
            has_colour: whether the terminal may be sent colours.
        """
        self._screen = screen
        self._shown = asyncio.Event()
        self._lines = LineHistory(history)
        self._search = _HistorySearch(history_search(self._lines))
        self._notice = ""
        self._shell: Shell | None = None
        self._commands: Completer | None = None
        colours = None if has_colour else ColorDepth.DEPTH_1_BIT
        # One of each for both prompts: they read and draw by turns.
        source, canvas = create_input(), create_output(terminal)
        self._session: PromptSession[str] = PromptSession(
            self._message,
            input=source,
            output=canvas,
            history=self._lines,
            completer=DynamicCompleter(lambda: self._search.completer or self._commands),
            complete_while_typing=True,
            lexer=CommandLexer(),
            auto_suggest=AutoSuggestFromHistory(),
            bottom_toolbar=self._toolbar,
            key_bindings=self._key_bindings(),
            style=STYLE,
            color_depth=colours,
            include_default_pygments_style=False,
            reserve_space_for_menu=_MENU_LINES,
            refresh_interval=_REFRESH_SECONDS,
        )
        self._session.app.after_render += lambda _app: self._shown.set()
        self._questions: PromptSession[str] = PromptSession(
            input=source,
            output=canvas,
            history=DummyHistory(),
            bottom_toolbar=self._toolbar,
            key_bindings=_question_bindings(),
            style=STYLE,
            color_depth=colours,
            include_default_pygments_style=False,
            refresh_interval=_REFRESH_SECONDS,
        )

    def attach(self, shell: Shell) -> None:
        """Complete and show what is that shell's."""
        self._shell = shell
        self._commands = CommandCompleter(shell)

    async def next_line(self) -> str | None:
        """The next line or lines; None at Ctrl-D."""
        self._notice = ""
        try:
            return await self._prompted(self._session.prompt_async)
        except EOFError:  # Ctrl-D, or the terminal has gone
            return None

    async def ask(self, question: str) -> str:
        """The answer; Ctrl-C and Ctrl-D are none, and so is what was typed before the question stood there."""
        typed = self._questions.app.input
        clear_typeahead(typed)
        with contextlib.suppress(termios.error):  # the terminal has gone
            termios.tcflush(typed.fileno(), termios.TCIFLUSH)
        try:
            return (await self._prompted(lambda **how: self._questions.prompt_async(question, **how))).strip()
        except EOFError:
            return ""

    async def shown(self) -> None:
        """Return when the first prompt is drawn."""
        await self._shown.wait()

    def interrupt(self) -> bool:
        """SIGINT of another program, or while a pager has the terminal; Ctrl-C at the prompt is a key."""
        if self._session.app.is_running:
            self._session.app.key_processor.send_sigint()
        return True

    async def _prompted(self, prompt: Callable[..., Awaitable[str]]) -> str:
        """Prompt; what was written above it to the end is all written when this returns."""
        try:
            # Signals are the loop's, and a callback that broke is logged rather than shown with "press ENTER".
            return await prompt(handle_sigint=False, set_exception_handler=False)
        finally:
            self._screen.release()

    def _message(self) -> StyleAndTextTuples:
        if self._search.completer is not None:
            return [("class:prompt.searching", _SEARCH_PROMPT)]
        return [("class:prompt", PROMPT)]

    def _toolbar(self) -> StyleAndTextTuples:
        width = get_app().output.get_size().columns
        return toolbar(self._shell, width=width, notice=self._notice) if self._shell else []

    def _key_bindings(self) -> KeyBindings:
        keys = KeyBindings()
        searching = Condition(lambda: self._search.completer is not None)

        @keys.add("enter", filter=searching)
        def _found(event: KeyPressEvent) -> None:
            """Take the line that was found; a second Enter carries it out."""
            self._search.take(event.current_buffer)

        @keys.add("enter", filter=~searching & has_completions & completion_is_selected)
        def _completed(event: KeyPressEvent) -> None:
            """Take the completion: what one chooses from a menu isn't carried out by choosing it."""
            event.current_buffer.complete_state = None

        @keys.add("c-r", filter=~searching)
        def _begin_search(event: KeyPressEvent) -> None:
            """Look for an earlier line by some of its letters."""
            self._search.begin(event.current_buffer)

        @keys.add("c-r", filter=searching)
        def _next_found(event: KeyPressEvent) -> None:
            """Go on to the next line that was found."""
            generate_completions(event)

        @keys.add("c-g", filter=searching)
        @keys.add("escape", filter=searching, eager=True)
        def _give_up(event: KeyPressEvent) -> None:
            """Go back to what stood there."""
            self._search.give_up(event.current_buffer)

        @keys.add("c-c")
        @keys.add("<sigint>")
        def _clear(event: KeyPressEvent) -> None:
            """Clear the line; on an empty one tell how to leave."""
            if self._search.completer is not None:
                self._search.give_up(event.current_buffer)
            elif event.current_buffer.text:
                event.current_buffer.reset()
            else:
                self._notice = LEAVING_HINT

        @keys.add(Keys.BracketedPaste)
        def _paste(event: KeyPressEvent) -> None:
            """Several lines become several commands, shown before Enter carries them out."""
            lines = event.data.replace("\r\n", "\n").replace("\r", "\n")
            event.current_buffer.insert_text(lines.rstrip("\n"))

        return keys


class _HistorySearch:
    """The search for an earlier line, from Ctrl-R to Enter or Escape; `completer` is there while it goes on."""

    def __init__(self, completer: Completer) -> None:
        self._completer = completer
        self._before = Document()
        self.completer: Completer | None = None

    def begin(self, buffer: Buffer) -> None:
        """What is typed so far is the first thing looked for."""
        self._before = buffer.document
        self.completer = self._completer
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


def _question_bindings() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("c-c")
    @keys.add("c-d")
    @keys.add("<sigint>")
    def _no_answer(event: KeyPressEvent) -> None:
        event.app.exit(result="")

    return keys
