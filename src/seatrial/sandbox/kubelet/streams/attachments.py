"""Who watches a container's output as it comes (`kubectl attach`), in the machine's process.

The log gets everything all the same. Somebody who reads too slowly holds the container up, as with any runtime; one
that is gone is dropped.
"""

import os
from collections.abc import Callable

from seatrial.sandbox.kubelet.reactor import Reactor
from seatrial.sandbox.kubelet.streams.container_streams import Stream


class Attachment:
    """One reader of a container's output.

    Args:
        reactor: the machine's loop.
        descriptors: where the streams go; closed with this.
        on_change: called when there is room again, or nobody reads any more.
    """

    def __init__(self, reactor: Reactor, descriptors: dict[Stream, int], on_change: Callable[[], None]) -> None:
        self._reactor = reactor
        self._descriptors = descriptors
        self._on_change = on_change
        self._unsent: dict[Stream, bytearray] = {stream: bytearray() for stream in descriptors}
        self._is_ending = False
        for stream, fd in descriptors.items():
            os.set_blocking(fd, False)
            self._watch(stream)

    @property
    def is_open(self) -> bool:
        """Whether anybody reads."""
        return bool(self._descriptors)

    @property
    def is_full(self) -> bool:
        """Whether what was written before is still waiting."""
        return any(self._unsent.values())

    def write(self, stream: Stream, chunk: bytes) -> None:
        """Hand on what the container wrote."""
        if stream in self._descriptors:
            self._unsent[stream] += chunk
            self._flush(stream)

    def end(self) -> None:
        """The container has ended: close when everything is read."""
        self._is_ending = True
        for stream in tuple(self._descriptors):
            if not self._unsent[stream]:
                self._close(stream)

    def _watch(self, stream: Stream) -> None:
        fd = self._descriptors[stream]
        on_writable = (lambda: self._flush(stream)) if self._unsent[stream] else None
        # A pipe's writing end is "readable" when nobody reads it any more.
        self._reactor.watch(fd, lambda: self._close(stream), on_writable)

    def _flush(self, stream: Stream) -> None:
        fd, unsent = self._descriptors[stream], self._unsent[stream]
        was_full = self.is_full
        try:
            while unsent:
                del unsent[: os.write(fd, unsent)]
        except BlockingIOError:
            self._watch(stream)
            return
        except OSError:
            self._close(stream)
            return
        if self._is_ending:
            self._close(stream)
            return
        self._watch(stream)
        if was_full and not self.is_full:
            self._on_change()

    def _close(self, stream: Stream) -> None:
        fd = self._descriptors.pop(stream, None)
        if fd is not None:
            self._unsent[stream].clear()
            self._reactor.unwatch(fd)
            os.close(fd)
            self._on_change()
