"""The program with everything imported, of which each request makes a process: it needs no time to start.

`programs.py` starts it (`python -m tests.program_server DESCRIPTOR`) and sends a request down the socket: arguments,
environment and directory, and four descriptors: standard input, output and errors, and where to tell how it ended.
The process is a fork of this one, which has neither threads nor an event loop: `seatrial` as anybody has it.
"""

import array
import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import struct
import sys
import threading
import time
from typing import Any

LARGEST = 1 << 20
STATUS = struct.Struct("q")
_DESCRIPTORS = 4


def _preload() -> None:
    import seatrial.cli.autonomous
    import seatrial.cli.main
    import seatrial.cli.plan
    import seatrial.cli.recover
    import seatrial.cli.session
    import seatrial.policy.load
    import seatrial.report.closing
    import seatrial.report.summary
    import seatrial.sandbox.ephemeral
    import seatrial.telemetry.log
    from seatrial.runtime.undo import undo_kinds
    from seatrial.steps.registry import policy_model

    policy_model()
    undo_kinds()
    assert seatrial
    assert threading.active_count() == 1


class _Server:
    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._selector = selectors.DefaultSelector()
        self._selector.register(requests, selectors.EVENT_READ)

    def serve(self) -> dict[str, Any] | None:
        """Serve until nobody asks any more and all have ended; in a process that was asked for, its request."""
        while self._selector.get_map():
            for key, _ in self._selector.select():
                if key.fileobj is not self._requests:
                    self._tell_the_end(key)
                    continue
                message, descriptors = self._receive()
                if not message:
                    self._selector.unregister(self._requests)
                elif request := self._fork(json.loads(message), descriptors):
                    return request
        return None

    def _receive(self) -> tuple[bytes, list[int]]:
        room = socket.CMSG_SPACE(_DESCRIPTORS * array.array("i").itemsize)
        message, ancillary, _, _ = self._requests.recvmsg(LARGEST, room)
        descriptors = array.array("i")
        for _, _, data in ancillary:
            descriptors.frombytes(data)
        return message, list(descriptors)

    def _fork(self, request: dict[str, Any], descriptors: list[int]) -> dict[str, Any] | None:
        *standard, ended = descriptors
        pid = os.fork()
        if pid:
            for each in standard:
                os.close(each)
            os.write(ended, STATUS.pack(pid))
            self._selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, ended))
            return None
        for number, each in enumerate(standard):
            os.dup2(each, number)
        for each in [*descriptors, self._requests.fileno(), *self._watched()]:
            os.close(each)
        self._selector.close()
        return request

    def _watched(self) -> list[int]:
        """The descriptors that belong to other processes."""
        watched = [key for key in self._selector.get_map().values() if key.data]
        return [each for key in watched for each in (key.fd, key.data[1])]

    def _tell_the_end(self, key: selectors.SelectorKey) -> None:
        pid, ended = key.data
        self._selector.unregister(key.fd)
        os.close(key.fd)
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(BrokenPipeError):  # nobody wants to know
            os.write(ended, STATUS.pack(os.waitstatus_to_exitcode(status)))
        os.close(ended)


def _become(request: dict[str, Any]) -> None:
    """Be as a process that was started for this request alone."""
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environ"])
    time.tzset()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["seatrial", *request["arguments"]]


def main() -> None:
    """Import everything and serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever asks for the processes
    requests = socket.socket(fileno=int(sys.argv[1]))
    _preload()
    gc.freeze()
    if request := _Server(requests).serve():
        _become(request)
        from seatrial.cli.main import main as seatrial

        seatrial()


if __name__ == "__main__":
    main()
