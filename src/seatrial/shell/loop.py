"""Line after line: parsed, carried out, its errors shown; from the first prompt until somebody leaves.

The cluster is reached in the background, so that the prompt does not wait for it; a command that needs it does.
"""

import asyncio
import inspect
from collections.abc import Sequence

import click

from seatrial.errors import Interrupted, SeatrialError
from seatrial.shell.command_table import COMMANDS, group
from seatrial.shell.lines import commands_in
from seatrial.shell.shell import Opening, Shell

_USAGE = 2


async def run_shell(shell: Shell, opening: Opening) -> int:
    """Run until the end of input or `exit`; answers the exit code.

    Raises:
        SeatrialError: the cluster can't be reached.
    """
    leaving = asyncio.Event()
    connection = asyncio.create_task(shell.stay_connected(opening, leaving), name="connection")
    lines = asyncio.create_task(_lines(shell), name="lines")
    try:
        await asyncio.wait({connection, lines}, return_when=asyncio.FIRST_COMPLETED)
        if not connection.done():
            return await lines
        connection.result()  # it ends by itself only when the cluster can't be reached
        return _USAGE
    finally:
        lines.cancel()
        leaving.set()
        await asyncio.wait({connection, lines})


async def _lines(shell: Shell) -> int:
    """Take lines until there are no more; a script ends with the first that fails, with its exit code."""
    while not shell.is_leaving:
        line = await shell.front.next_line()
        if line is None:
            break
        code = await _line(line, shell)
        if code and not shell.front.is_interactive:
            return code
    return 0


async def _line(line: str, shell: Shell) -> int:
    try:
        for words in commands_in(line):
            code = await carry_out(words, shell)
            if code or shell.is_leaving:
                return code
    except SeatrialError as error:
        shell.output.error(error.message, error.hint)
        return error.exit_code
    return 0


async def carry_out(words: Sequence[str], shell: Shell) -> int:
    """Carry out one command; answers its exit code, having shown what a user can do something about."""
    try:
        entry = COMMANDS.get(words[0])
        if entry is not None and entry.needs_cluster and not {"-h", "--help"} & {*words}:
            await shell.connected()
        with group.make_context(None, list(words), obj=shell) as context:
            result = group.invoke(context)
        if inspect.isawaitable(result):
            result = await result
    except SeatrialError as error:
        shell.output.error(error.message, error.hint)
        return error.exit_code
    except click.exceptions.Exit as exit_:
        return exit_.exit_code  # --help
    except click.ClickException as error:
        command = words[0] if words[0] in COMMANDS else ""
        shell.output.error(error.format_message(), f"see 'help {command}'" if command else "")
        return error.exit_code
    except click.Abort:
        raise Interrupted("stopped") from None
    return result if isinstance(result, int) else 0
