"""The standard streams of a container: pipes, or one terminal, with the machine at their other ends."""

import array
import contextlib
import fcntl
import os
import termios
from dataclasses import dataclass
from typing import Literal

Stream = Literal["stdout", "stderr"]


@dataclass(frozen=True, kw_only=True)
class ContainerStreams:
    """Descriptors.

    Args:
        stdin: what the container's process reads; None for nothing.
        stdout: what it writes to.
        stderr: the same for errors.
        outputs: the machine's ends, to be read.
        input: the machine's end of standard input, or of the terminal.
        terminal: the three are one terminal.
    """

    stdin: int | None
    stdout: int
    stderr: int
    outputs: dict[int, Stream]
    input: int | None
    terminal: bool = False

    def close_theirs(self) -> None:
        """Leave the container's ends to the container."""
        for fd in {self.stdin, self.stdout, self.stderr} - {None}:
            if fd is not None:
                os.close(fd)

    def close_ours(self) -> None:
        """Give the machine's ends up."""
        for fd in {*self.outputs, self.input} - {None}:
            if fd is not None:
                os.close(fd)


def unread_bytes(fd: int) -> int:
    """How much can be read without waiting."""
    count = array.array("i", [0])
    try:
        fcntl.ioctl(fd, termios.FIONREAD, count)
    except OSError:
        return 0
    return count[0]


def open_streams(*, stdin: bool, terminal: bool) -> ContainerStreams:
    """The streams of a container, as its spec's `stdin` and `tty` want them.

    Raises:
        OSError: there are no descriptors, or no terminals, left.
    """
    with contextlib.ExitStack() as undo:

        def pair(ends: tuple[int, int]) -> tuple[int, int]:
            for fd in ends:
                undo.callback(os.close, fd)
            return ends

        if terminal:
            ours, theirs = pair(os.openpty())
            streams = ContainerStreams(
                stdin=theirs, stdout=theirs, stderr=theirs, outputs={ours: "stdout"}, input=ours, terminal=True
            )
        else:
            out_reader, out_writer = pair(os.pipe2(os.O_CLOEXEC))
            err_reader, err_writer = pair(os.pipe2(os.O_CLOEXEC))
            in_reader, in_writer = pair(os.pipe2(os.O_CLOEXEC)) if stdin else (None, None)
            outputs: dict[int, Stream] = {out_reader: "stdout", err_reader: "stderr"}
            streams = ContainerStreams(
                stdin=in_reader, stdout=out_writer, stderr=err_writer, outputs=outputs, input=in_writer
            )
        undo.pop_all()
    return streams
