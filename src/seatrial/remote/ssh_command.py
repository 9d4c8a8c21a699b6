"""One command over an open SSH connection: begun, heard, ended, and killed where it takes too long.

SSH can signal a command (RFC 4254, section 6.9). OpenSSH passes the signal on to the command's process group since
version 7.9, as far as the user who logged in may signal its processes: not those that `sudo` started. So a command that
was told to end is watched, and what became of it is said.
"""

import asyncio
import codecs
import shlex
import signal
from contextlib import suppress

import asyncssh

from seatrial.errors import CommandNotStarted, MachineError
from seatrial.remote.executor import CommandResult
from seatrial.remote.output import BoundedOutput, LineListener

_OPENING_SECONDS = 15.0
# A command's end is that of its shell. What it wrote may come later over a slow way; what it left may go on writing.
_QUIET_SECONDS = 1.0
_AFTERWARDS_SECONDS = 10.0
_DYING_SECONDS = 5.0
_PAUSES_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.6)


class NotBegunError(Exception):
    """The connection was not there any more when the command was to be sent: it certainly did not run."""


async def carry_out(
    connection: asyncssh.SSHClientConnection,
    command: str,
    *,
    machine: str,
    timeout_seconds: float,
    heard: LineListener | None,
) -> CommandResult:
    """Run a shell command.

    Raises:
        NotBegunError: the connection is dead; another one may be tried.
        CommandNotStarted: the server takes no commands.
        MachineError: the command took too long, or nobody knows what became of it.
    """
    session = _Session(heard)
    channel = await _begin(connection, session, command, machine)
    try:
        channel.write_eof()  # there is no input; who reads it does not wait
        async with asyncio.timeout(timeout_seconds):
            await session.ended.wait()
    except TimeoutError:
        fate = await _kill(channel, session)
        raise MachineError(f"the command on {machine} did not end within {timeout_seconds:g} s{fate}") from None
    finally:
        if not session.ended.is_set():
            _signal(channel)
        channel.close()
    return session.result(machine)


class _Session(asyncssh.SSHClientSession[bytes]):
    """Hears a command; `ended` is set at its end, or when nothing more can be heard of it."""

    def __init__(self, heard: LineListener | None) -> None:
        self.ended = asyncio.Event()
        self.has_channel = False
        self._exit_code: int | None = None
        self._lost: Exception | None = None
        self._output = BoundedOutput(heard)
        self._quiet: asyncio.TimerHandle | None = None
        self._over = 0.0
        self._decoders: dict[int | None, codecs.IncrementalDecoder] = {}

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:  # noqa: ARG002 -- asyncssh's
        self.has_channel = True

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if datatype not in self._decoders:  # standard output and error may each hold half a character back
            self._decoders[datatype] = codecs.getincrementaldecoder("utf-8")("replace")
        self._output.add(self._decoders[datatype].decode(data))
        if self._exit_code is not None:
            self._wait_for_quiet()

    def eof_received(self) -> bool:
        return True  # the exit code comes after it

    def exit_status_received(self, status: int) -> None:
        self._has_exited(status)

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:  # noqa: ARG002, FBT001 -- asyncssh's
        self._has_exited(_code_of(signal))

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = exc
        self.ended.set()

    def _has_exited(self, code: int) -> None:
        self._exit_code = code
        self._over = asyncio.get_running_loop().time() + _AFTERWARDS_SECONDS
        self._wait_for_quiet()

    def _wait_for_quiet(self) -> None:
        if self._quiet is not None:
            self._quiet.cancel()
        loop = asyncio.get_running_loop()
        self._quiet = loop.call_at(min(loop.time() + _QUIET_SECONDS, self._over), self.ended.set)

    def result(self, machine: str) -> CommandResult:
        """What it came to.

        Raises:
            MachineError: its exit code never came.
        """
        self._output.finish()
        if self._exit_code is None:
            why = f": {self._lost}" if self._lost else ""
            raise MachineError(f"the connection to {machine} broke while the command ran; it may run on{why}")
        return CommandResult(exit_code=self._exit_code, output=self._output.text)


async def _begin(
    connection: asyncssh.SSHClientConnection, session: "_Session", command: str, machine: str
) -> asyncssh.SSHClientChannel[bytes]:
    """Send the command.

    A server counts a session that has ended until it has looked at its process, so one session too many may be one for
    a moment only. Refused before there is a channel, a command certainly did not run, and is tried again.
    """
    for pause in _PAUSES_SECONDS:
        try:
            return await _create_session(connection, session, command, machine)
        except _SessionRefusedError:
            await asyncio.sleep(pause)
    try:
        return await _create_session(connection, session, command, machine)
    except _SessionRefusedError as error:
        raise _refusal(machine, error.reason) from error


async def _create_session(
    connection: asyncssh.SSHClientConnection, session: "_Session", command: str, machine: str
) -> asyncssh.SSHClientChannel[bytes]:
    """Send the command once; PowerfulSeal gave it to `sh` as well, whatever the user's own shell is."""
    try:
        async with asyncio.timeout(_OPENING_SECONDS):
            channel, _ = await connection.create_session(
                lambda: session, f"sh -c {shlex.quote(command)}", encoding=None, request_pty=False
            )
    except (asyncssh.Error, OSError) as error:  # a TimeoutError is an OSError
        refused = isinstance(error, asyncssh.ChannelOpenError) and not connection.is_closed()
        if not session.has_channel:
            raise (_SessionRefusedError(str(error)) if refused else NotBegunError()) from error
        if refused:
            raise _refusal(machine, str(error)) from error
        raise MachineError(
            f"the connection to {machine} broke as the command was sent; whether it ran is not known"
        ) from error
    return channel


class _SessionRefusedError(Exception):
    """The server opens no channel for a session."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _refusal(machine: str, reason: str) -> CommandNotStarted:
    hint = "its SSH server allows no commands, or no more at once, to this user"
    return CommandNotStarted(f"{machine} takes no command over SSH: {reason}", hint=hint)


async def _kill(channel: asyncssh.SSHClientChannel[bytes], session: _Session) -> str:
    """Have the command killed; returns in words what became of it."""
    _signal(channel)
    with suppress(TimeoutError):
        async with asyncio.timeout(_DYING_SECONDS):
            await session.ended.wait()
            return " and was killed"
    return " and could not be killed: it may run on"


def _signal(channel: asyncssh.SSHClientChannel[bytes]) -> None:
    with suppress(OSError):  # the channel is closed
        channel.send_signal("KILL")


def _code_of(name: str) -> int:
    """As shells say that a signal ended a command."""
    try:
        return 128 + signal.Signals[f"SIG{name}"]
    except KeyError:
        return 255
