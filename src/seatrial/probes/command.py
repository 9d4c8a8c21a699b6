"""A program of this machine run for a probe: bounded in time, in output, and in what it leaves behind.

It runs in a session of its own, so that it can be ended together with all that it started.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seatrial.environment import users_environment
from seatrial.errors import UsageError
from seatrial.runtime.uncancellable import uncancellable

_MOST_OUTPUT_BYTES = 1024 * 1024
_LAST_OUTPUT_SECONDS = 1.0
_STDOUT, _STDERR = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """What a program came to; `exit_code` is None when it did not end in time, negative for a signal.

    The outputs are the first MiB of what it wrote.
    """

    exit_code: int | None
    stdout: str
    stderr: str
    elapsed_ms: float


async def run_command(
    command: Sequence[str], *, environment: Mapping[str, str], timeout_seconds: float
) -> CommandResult:
    """Run a program to its end, or end it when its time is over; no shell, no standard input.

    Whatever it left running in its process group is ended with it, also when the caller is cancelled.

    Raises:
        UsageError: it can't be started.
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    program = _Program()
    starting = loop.subprocess_exec(
        lambda: program,
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        env={**users_environment(), **environment},
        start_new_session=True,
    )
    try:
        try:
            # A start that is cancelled half-way would end the program, but nothing that it has started by then.
            transport, _ = await uncancellable(starting)
        except (OSError, ValueError) as error:  # ValueError: a NUL in an argument
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise UsageError(
                f"'{command[0]}' can't be run: {reason}",
                hint="it has to be a program of the machine that Seatrial runs on",
            ) from error
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await program.exited.wait()
        exit_code, elapsed_ms = transport.get_returncode(), (loop.time() - begun) * 1000
        _end_group(transport.get_pid())
        # Only what left the group can hold the outputs open: nobody waits for that.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_OUTPUT_SECONDS):
                await program.silent.wait()
    finally:
        await uncancellable(program.end())
    return CommandResult(
        exit_code=exit_code, stdout=program.text(_STDOUT), stderr=program.text(_STDERR), elapsed_ms=elapsed_ms
    )


class _Program(asyncio.SubprocessProtocol):
    """A running program: the beginning of its outputs, and when it has ended, fallen silent, and is gone.

    `asyncio.Process.wait` would wait for the outputs too, which a process in the background may hold open.
    """

    def __init__(self) -> None:
        self.exited = asyncio.Event()
        self.silent = asyncio.Event()
        self._gone = asyncio.Event()
        self._transport: asyncio.SubprocessTransport | None = None
        self._open = {_STDOUT, _STDERR}
        self._kept = {_STDOUT: bytearray(), _STDERR: bytearray()}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It has been started."""
        assert isinstance(transport, asyncio.SubprocessTransport)  # noqa: S101 -- asyncio's promise
        self._transport = transport

    async def end(self) -> None:
        """End it with all that it started, and wait until its descriptors are closed; nothing where it never began."""
        if self._transport is None:
            return
        _end_group(self._transport.get_pid())
        self._transport.close()
        await self._gone.wait()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Keep the beginning of an output."""
        kept = self._kept[fd]
        kept += data[: _MOST_OUTPUT_BYTES - len(kept)]

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002 -- the way asyncio calls it
        """Nobody can write to an output any more."""
        self._open.discard(fd)
        if not self._open:
            self.silent.set()

    def process_exited(self) -> None:
        """The program itself has ended."""
        self.exited.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- the way asyncio calls it
        """It has ended, and all descriptors are closed."""
        self._gone.set()

    def text(self, fd: int) -> str:
        """What it wrote."""
        return self._kept[fd].decode(errors="replace")


def _end_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
