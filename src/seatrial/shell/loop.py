"""Line after line: parsed, carried out, its errors shown; from the first prompt until somebody leaves.

The cluster is reached in the background, so that the prompt does not wait for it; a command that needs it does.
Ctrl-C stops the command that runs, and a script; SIGTERM, SIGHUP and the end of input leave. However one leaves, what
was done is taken back, and a signal while that goes on hurries it.
"""

import asyncio
import contextlib
import inspect
import signal
from collections.abc import Sequence

import click

from seatrial.engine.interrupts import Interrupts
from seatrial.errors import SeatrialError
from seatrial.shell.command_table import entry_of, group
from seatrial.shell.lines import commands_in
from seatrial.shell.shell import Opening, Shell

_STOPPED = 130
_SILENCE_SECONDS = 0.5


async def run_shell(shell: Shell, opening: Opening, interrupts: Interrupts | None = None) -> int:
    """Run until the end of input or `exit`; answers the exit code.

    Args:
        shell: the shell.
        opening: reaches the cluster.
        interrupts: what the session was given; what is undone at the end is hurried through it.

    Raises:
        SeatrialError: the cluster can't be reached, or something could not be taken back.
    """
    interrupts = interrupts or Interrupts()
    turns = _Turns(shell, interrupts)
    leaving = asyncio.Event()
    connection = asyncio.create_task(shell.stay_connected(opening, leaving), name="connection")
    lines = asyncio.create_task(turns.take(), name="lines")
    with interrupts.installed(), interrupts.guarding(lines):
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, turns.stop)
        try:
            await asyncio.wait({connection, lines}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            lines.cancel()
            await asyncio.wait({lines})
            leaving.set()
            if shell.connection is None:
                connection.cancel()
            elif not connection.done():
                _tell_what_goes(shell)
            await asyncio.wait({connection})
    return _exit_code(interrupts, connection=connection, lines=lines)


async def carry_out(words: Sequence[str], shell: Shell) -> int:
    """Carry out one command; answers its exit code, having shown what a user can do something about.

    Raises:
        SeatrialError: the cluster can't be reached.
    """
    entry = entry_of(words[0])
    # Further on, -h may be a word of a command that is run on machines.
    if entry is not None and entry.needs_cluster and not {"-h", "--help"} & {*words[1:2]}:
        await _reached(shell)
    try:
        with group.make_context(None, list(words), obj=shell) as context:
            result = group.invoke(context)
        if inspect.isawaitable(result):
            result = await result
            await shell.caught_up()
    except SeatrialError as error:
        return _shown(error, shell)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code  # --help
    except click.ClickException as error:
        shell.output.error(error.format_message(), f"see 'help {words[0]}'" if entry else "")
        return error.exit_code
    except click.Abort:
        return _STOPPED
    return result if isinstance(result, int) else 0


class _Turns:
    """Takes the lines in turn, and knows the command that runs, so that it can be stopped."""

    def __init__(self, shell: Shell, interrupts: Interrupts) -> None:
        self._shell = shell
        self._interrupts = interrupts
        self._command: asyncio.Task[int] | None = None
        self._has_ended = False

    async def take(self) -> int:
        """Take lines until there are no more; a script ends with the first that fails, with its exit code."""
        shell = self._shell
        try:
            while not (shell.is_leaving or self._interrupts.requested):
                line = await shell.front.next_line()
                if line is None:
                    break
                code = await self._line(line)
                await shell.output.show_pages()
                if code and not shell.front.is_interactive:
                    return code
            return 0
        finally:
            self._has_ended = True

    def stop(self) -> None:
        """Ctrl-C."""
        if self._has_ended or not self._shell.front.is_interactive:
            self._interrupts.request(signal.SIGINT.name)
        elif self._command is None:
            self._shell.front.interrupt()
        else:
            self._shell.output.line("")  # the terminal has written ^C
            self._command.cancel()  # once more while it cleans up: what hears that hurries

    async def _line(self, line: str) -> int:
        """Carry out the commands of a line up to the first that fails; none, where it can't be read to its end."""
        try:
            commands = [*commands_in(line)]
        except SeatrialError as error:
            return _shown(error, self._shell)
        for words in commands:
            code = await self._carried_out(words)
            if code or self._shell.is_leaving:
                return code
        return 0

    async def _carried_out(self, words: Sequence[str]) -> int:
        self._command = asyncio.create_task(carry_out(words, self._shell), name=words[0])
        try:
            return await self._command
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            await self._shell.caught_up()
            self._shell.output.line("stopped", "dim")
            return _STOPPED
        finally:
            self._command = None


async def _reached(shell: Shell) -> None:
    """Wait for the cluster; somebody who sees nothing happen is told what is waited for."""
    if not shell.front.is_interactive:
        await shell.connected()
        return
    words = "waiting for the cluster; Ctrl-C stops waiting"
    telling = asyncio.get_running_loop().call_later(_SILENCE_SECONDS, shell.output.line, words, "dim")
    try:
        await shell.connected()
    finally:
        telling.cancel()


def _shown(error: SeatrialError, shell: Shell) -> int:
    if error.details:
        click.echo(error.details, err=True)
    shell.output.error(error.message, error.hint)
    return error.exit_code


def _tell_what_goes(shell: Shell) -> None:
    """What is taken back, line by line, before it is; the terminal may have gone by now."""
    with contextlib.suppress(OSError):
        for deed in () if shell.keeps else shell.session.standing_deeds:
            shell.output.line(f"taking back: {deed.order.title}", "dim")


def _exit_code(interrupts: Interrupts, *, connection: "asyncio.Task[None]", lines: "asyncio.Task[int]") -> int:
    """What the connection ended with outweighs all: that it could not be reached, that something is not taken back.

    A terminal that has gone breaks what is drawn on it; where that came with a signal, the signal says it.
    """
    error = None if lines.cancelled() else lines.exception()
    if not connection.cancelled():
        connection.result()
    if interrupts.requested:
        return _STOPPED
    if error is not None:
        raise error
    return 0 if lines.cancelled() else lines.result()
