"""The prompt that a person sees at a terminal: completion, history, colours, a status bar, and output above it.

Nothing of the cluster is loaded with it. What completes is `completion`, what is typed is coloured by `lexer`, found
again by `history`; `toolbar` is the line below, `screen` what is written above.
"""

import asyncio
import contextlib
import os
import signal
import termios
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app, run_in_terminal
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import Completer, DynamicCompleter
from prompt_toolkit.filters import completion_is_selected, has_completions
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import DummyHistory
from prompt_toolkit.input import create_input
from prompt_toolkit.input.typeahead import clear_typeahead
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.lexers import DynamicLexer
from prompt_toolkit.output import ColorDepth, create_output

from seatrial.errors import SeatrialError
from seatrial.shell.completion import CommandCompleter
from seatrial.shell.history import LineHistory
from seatrial.shell.history_search import HistorySearch
from seatrial.shell.lexer import CommandLexer
from seatrial.shell.plain import LEAVING_HINT, PROMPT
from seatrial.shell.screen import Screen
from seatrial.shell.shell import Shell
from seatrial.shell.style import STYLE
from seatrial.shell.toolbar import toolbar

PASTED_HINT = "Enter carries these lines out, Ctrl-C drops them"
SUSPENDED_HINT = "stopped: what you did stands, and a halt is not heeded before 'fg'"

_SEARCH_PROMPT = "history> "
_MENU_LINES = 8
# A halt that is lifted tells nobody; whoever looks at the status bar sees it so soon.
_REFRESH_SECONDS = 1.0
# What follows at once on a change, such as short lists after the cluster is reached, is drawn with it.
_MOMENT_SECONDS = 0.15


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
        self._search = HistorySearch(self._lines)
        self._notice = ""
        self._offering: asyncio.Task[None] | None = None
        self._shell: Shell | None = None
        self._commands: Completer | None = None
        coloured = CommandLexer()
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
            lexer=DynamicLexer(lambda: None if self._search.completer else coloured),
            auto_suggest=AutoSuggestFromHistory(),
            bottom_toolbar=self._toolbar,
            key_bindings=self._key_bindings(),
            style=STYLE,
            color_depth=colours,
            include_default_pygments_style=False,
            reserve_space_for_menu=_MENU_LINES,
            prompt_continuation=_continuation,
            refresh_interval=_REFRESH_SECONDS,
        )
        self._session.app.after_render += lambda _app: self._shown.set()
        self._questions: PromptSession[str] = PromptSession(
            input=source,
            output=canvas,
            history=DummyHistory(),
            bottom_toolbar=self._toolbar,
            key_bindings=self._question_bindings(),
            style=STYLE,
            color_depth=colours,
            include_default_pygments_style=False,
            refresh_interval=_REFRESH_SECONDS,
        )

    def attach(self, shell: Shell) -> None:
        """Complete and show what is that shell's."""
        self._shell = shell
        self._commands = CommandCompleter(shell, on_loading=self._await_lists)
        shell.on_change = self._follow

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

    def _follow(self) -> None:
        """Show what has changed, and what is on its way once it is there."""
        asyncio.get_running_loop().call_later(_MOMENT_SECONDS, self._redraw)
        if self._shell is not None and self._shell.live.loading:
            self._await_lists()

    def _redraw(self) -> None:
        for each in (self._session, self._questions):
            if each.app.is_running:
                each.app.invalidate()

    def _await_lists(self) -> None:
        """What is completed has yet to be listed: offer it once it is there."""
        if self._session.app.is_running and (self._offering is None or self._offering.done()):
            self._offering = self._session.app.create_background_task(self._offer_what_comes())

    async def _offer_what_comes(self) -> None:
        assert self._shell is not None  # noqa: S101 -- it is what completes
        try:
            await self._shell.connected()
            for kind in self._shell.live.loading.values():
                await kind.ready()
        except SeatrialError:
            return  # it is not reached, or may not be listed: there is nothing to offer
        buffer = self._session.default_buffer
        is_choosing = buffer.complete_state is not None and buffer.complete_state.current_completion is not None
        if buffer.text and not is_choosing and self._search.completer is None:
            buffer.cancel_completion()
            buffer.start_completion()
        self._redraw()

    def _message(self) -> StyleAndTextTuples:
        if self._search.completer is not None:
            return [("class:prompt.searching", _SEARCH_PROMPT)]
        return [("class:prompt", PROMPT)]

    def _toolbar(self) -> StyleAndTextTuples:
        width = get_app().output.get_size().columns
        return toolbar(self._shell, width=width, notice=self._notice) if self._shell else []

    def _key_bindings(self) -> KeyBindings:
        keys = KeyBindings()
        self._search.add_keys(keys)

        @keys.add("enter", filter=~self._search.goes_on & has_completions & completion_is_selected)
        def _completed(event: KeyPressEvent) -> None:
            """Take the completion: what one chooses from a menu isn't carried out by choosing it."""
            event.current_buffer.complete_state = None

        @keys.add("c-c")
        @keys.add("<sigint>")
        def _clear(event: KeyPressEvent) -> None:
            """Clear the line; on an empty one tell how to leave."""
            if self._search.completer is not None:
                self._search.give_up(event.current_buffer)
            elif event.current_buffer.text:
                event.current_buffer.reset()
                self._notice = ""
            else:
                self._notice = LEAVING_HINT

        @keys.add(Keys.BracketedPaste)
        def _paste(event: KeyPressEvent) -> None:
            """Several lines become several commands, shown before Enter carries them out."""
            pasted = event.data.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
            event.current_buffer.insert_text(pasted)
            if "\n" in pasted:
                self._notice = PASTED_HINT

        self._add_suspension(keys)
        return keys

    def _question_bindings(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("c-c")
        @keys.add("c-d")
        @keys.add("<sigint>")
        def _no_answer(event: KeyPressEvent) -> None:
            event.app.exit(result="")

        self._add_suspension(keys)
        return keys

    def _add_suspension(self, keys: KeyBindings) -> None:
        @keys.add("c-z")
        def _suspend(event: KeyPressEvent) -> None:  # noqa: ARG001 -- prompt_toolkit's signature
            """Leave the terminal to the shell around, as the key does while a command runs."""
            run_in_terminal(self._stop_process)

    def _stop_process(self) -> None:
        """Stop until `fg`; who sees no job control around, as in a container's only process, goes on at once."""
        standing = self._shell.session.standing_deeds if self._shell and self._shell.connection else ()
        if standing:
            self._screen.write_through(f"{SUSPENDED_HINT}\n")
        os.kill(0, signal.SIGTSTP)


def _continuation(width: int, line: int, wraps: int) -> StyleAndTextTuples:  # noqa: ARG001 -- prompt_toolkit's signature
    """What stands before the further lines of what was pasted."""
    return [] if wraps else [("class:prompt.continuation", "> ".rjust(width))]
