"""`exec` and `attach` in the kubelet: a client's streams on one side, a process's on the other.

A client that goes leaves its command running, as with any kubelet; its standard input ends, and a terminal is hung up,
which is what ends a forgotten shell.
"""

import asyncio
import contextlib
import functools
import os
import secrets
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.runtime_client import RuntimeClient, RuntimeFailedError
from seatrial.sandbox.kubelet.streams.descriptors import DescriptorReader, DescriptorWriter
from seatrial.sandbox.kubelet.streams.remote_streams import (
    ALL_OUTPUTS,
    Output,
    RemoteStreams,
    StreamOptions,
    TerminalSize,
)

_FIRST_SIZE_SECONDS: Final = 0.1
SUCCESS: Object = {"metadata": {}, "status": "Success"}


@dataclass(frozen=True, kw_only=True)
class _Process:
    """The kubelet's ends of a process's streams.

    Args:
        stdin: its input, or its terminal; None for none.
        outputs: what it writes.
        shown: which of it the client wants to see.
        takes_input: whether the client's input goes to it.
        terminal: `stdin` is a terminal.
    """

    stdin: DescriptorWriter | None
    outputs: dict[Output, DescriptorReader]
    shown: Collection[Output]
    takes_input: bool
    terminal: bool

    def close(self) -> None:
        """Let go of it."""
        for end in (self.stdin, *self.outputs.values()):
            if end is not None:
                end.close()


async def execute(
    runtime: RuntimeClient,
    container_id: str,
    argv: tuple[str, ...],
    streams: RemoteStreams,
    options: StreamOptions,
) -> None:
    """Run a command in a container, with a client's streams, and tell the client how it ended."""
    if not argv:
        await _conclude(streams, _exec_failure("OCI runtime exec failed: exec failed: args must not be empty", streams))
        return
    ours, theirs = _open_process(options)
    try:
        if options.tty:
            await _take_first_size(ours, streams)
        ended = await runtime.open_exec(container_id, argv, descriptors=theirs, terminal=options.tty)
    except RuntimeFailedError as error:
        ours.close()
        text = f"OCI runtime exec failed: exec failed: {error}"
        await _conclude(streams, _exec_failure(text, streams))
        return
    except BaseException:
        ours.close()
        raise
    finally:
        for fd in set(theirs):
            os.close(fd)
    try:
        if await _converse(ours, streams, ended):
            await _conclude(streams, _exit_status(ended.result(), argv, streams))
    finally:
        ours.close()


async def attach(
    runtime: RuntimeClient,
    container_id: str,
    streams: RemoteStreams,
    options: StreamOptions,
    *,
    takes_input: bool,
    input_ends: bool,
    terminal: bool,
) -> None:
    """Show a client what a container writes from here on, and hand it what the client types.

    Args:
        runtime: the machine's.
        container_id: a container that runs.
        streams: the client's.
        options: which of them.
        takes_input: the container has a standard input (`stdin: true`).
        input_ends: it ends with the first client's (`stdinOnce`).
        terminal: it is a terminal.
    """
    out_reader, out_writer = os.pipe2(os.O_CLOEXEC)
    err_reader, err_writer = os.pipe2(os.O_CLOEXEC)
    readers: dict[Output, DescriptorReader] = {
        "stdout": DescriptorReader(out_reader),
        "stderr": DescriptorReader(err_reader),
    }
    try:
        stdin = await runtime.attach(container_id, stdout=out_writer, stderr=err_writer)
    except RuntimeFailedError as error:
        for reader in readers.values():
            reader.close()
        await _conclude(streams, _internal_error(f"error attaching to container: {error}", streams))
        return
    finally:
        os.close(out_writer)
        os.close(err_writer)
    has_input = takes_input and options.stdin
    ours = _Process(
        stdin=DescriptorWriter(stdin) if stdin is not None else None,
        outputs=readers,
        shown=options.outputs,
        takes_input=has_input,
        terminal=terminal,
    )
    close_stdin = functools.partial(runtime.close_stdin, container_id)
    try:
        if await _converse(ours, streams, None, on_input_end=close_stdin if input_ends else None):
            await _conclude(streams, SUCCESS)
    finally:
        ours.close()
        if has_input and input_ends:
            await close_stdin()


def _open_process(options: StreamOptions) -> tuple[_Process, tuple[int, int, int]]:
    """The two ends of a command's streams: ours, and the descriptors that it gets."""
    if options.tty:
        master, slave = os.openpty()
        terminal = DescriptorWriter(master)
        outputs: dict[Output, DescriptorReader] = {"stdout": DescriptorReader(os.dup(master))}
        ours = _Process(
            stdin=terminal, outputs=outputs, shown=options.outputs, takes_input=options.stdin, terminal=True
        )
        return ours, (slave, slave, slave)
    stdin: DescriptorWriter | None = None
    if options.stdin:
        theirs_in, ours_in = os.pipe2(os.O_CLOEXEC)
        stdin = DescriptorWriter(ours_in)
    else:
        theirs_in = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    outputs, theirs = {}, [theirs_in]
    for name in ALL_OUTPUTS:
        if name in options.outputs:
            reader, writer = os.pipe2(os.O_CLOEXEC)
            outputs[name] = DescriptorReader(reader)
        else:
            writer = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        theirs.append(writer)
    ours = _Process(stdin=stdin, outputs=outputs, shown=options.outputs, takes_input=options.stdin, terminal=False)
    return ours, (theirs[0], theirs[1], theirs[2])


async def _converse(
    process: _Process,
    streams: RemoteStreams,
    ended: asyncio.Future[int] | None,
    *,
    on_input_end: Callable[[], Awaitable[None]] | None = None,
) -> bool:
    """Carry bytes both ways until the process has ended and all is said; False if the client went before."""
    sides = [asyncio.create_task(_feed(process, streams, on_input_end))]
    if process.terminal:
        sides.append(asyncio.create_task(_resize(process, streams)))
    whole = asyncio.create_task(_listen(process, streams, ended))
    gone = asyncio.create_task(streams.wait_gone())
    try:
        await asyncio.wait({whole, gone}, return_when=asyncio.FIRST_COMPLETED)
        return whole.done() and whole.result()
    finally:
        tasks = [*sides, whole, gone]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _feed(process: _Process, streams: RemoteStreams, on_input_end: Callable[[], Awaitable[None]] | None) -> None:
    if process.stdin is None or not process.takes_input:
        return
    with contextlib.suppress(BrokenPipeError):
        while data := await streams.read_stdin():
            await process.stdin.write(data)
    if process.terminal:
        # Its output goes on; who wants to end a terminal types so.
        return
    process.stdin.close()
    if on_input_end is not None:
        await on_input_end()


async def _take_first_size(process: _Process, streams: RemoteStreams) -> None:
    """Let a program find its terminal in the client's size, which nearly all clients tell at once."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_FIRST_SIZE_SECONDS):
            size = await streams.read_size()
            if size is not None:
                _set_size(process, size)


async def _resize(process: _Process, streams: RemoteStreams) -> None:
    while size := await streams.read_size():
        _set_size(process, size)


def _set_size(process: _Process, size: TerminalSize) -> None:
    if process.stdin is not None and size.columns and size.rows:
        with contextlib.suppress(OSError):
            process.stdin.resize(size.columns, size.rows)


async def _listen(process: _Process, streams: RemoteStreams, ended: asyncio.Future[int] | None) -> bool:
    """Send what the process writes; True when all of it is sent."""

    async def copy(output: Output, reader: DescriptorReader) -> None:
        while data := await reader.read():
            if output in process.shown:
                await streams.write(output, data)

    is_sent = True
    try:
        async with asyncio.TaskGroup() as group:
            for output, reader in process.outputs.items():
                group.create_task(copy(output, reader))
            if ended is not None and process.terminal:
                # What a terminal holds when its program has ended is all there is: others may hold it open.
                await ended
                for reader in process.outputs.values():
                    reader.end_when_empty()
    except* ConnectionError:
        is_sent = False
    if is_sent and ended is not None:
        await ended
    return is_sent


async def _conclude(streams: RemoteStreams, status: Object) -> None:
    # Who is gone by then doesn't want to know.
    with contextlib.suppress(ConnectionError):
        await streams.conclude(status)


# --- outcomes


def _exit_status(code: int, argv: tuple[str, ...], streams: RemoteStreams) -> Object:
    if code == 0:
        return SUCCESS
    inner = f"error executing command [{' '.join(argv)}], exit code {code}"
    if streams.translated:
        inner = f"command terminated with exit code {code}"
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: {inner}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def _exec_failure(why: str, streams: RemoteStreams) -> Object:
    text = "error executing command in container: failed to exec in container: "
    return _internal_error(f'{text}failed to start exec "{secrets.token_hex(32)}": {why}', streams)


def _internal_error(text: str, streams: RemoteStreams) -> Object:
    # What the kubelet calls an internal error, the API server calls one again when it hands it on.
    if streams.translated:
        text = f"Internal error occurred: {text}"
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"Internal error occurred: {text}",
        "reason": "InternalError",
        "details": {"causes": [{"message": text}]},
        "code": 500,
    }
