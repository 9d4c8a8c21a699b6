"""`linger`: a command of the tests, which goes on until it is stopped, and cleans up until it is stopped once more."""

import asyncio
import contextlib

import click


@click.command("linger")
@click.pass_obj
async def linger(shell):
    """Wait for ever."""
    shell.output.line("lingering")
    try:
        await asyncio.Event().wait()
    finally:
        shell.output.line("cleaning up")
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        shell.output.line("hurried")
