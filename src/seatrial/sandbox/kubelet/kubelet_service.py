"""Keeps the kubelet running on its machine, as an init system does, and connects it with the container runtime."""

import gc
import os
import signal
import socket
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

from seatrial.sandbox.kubelet import process
from seatrial.sandbox.kubelet.channel import Channel
from seatrial.sandbox.kubelet.kubelet import run_kubelet
from seatrial.sandbox.kubelet.machine_config import MachineConfig
from seatrial.sandbox.kubelet.protocol import Message, Request, decode_request, encode_line
from seatrial.sandbox.kubelet.reactor import Reactor, Timer
from seatrial.sandbox.kubelet.streams.descriptor_channel import MachineEnd, close_all, descriptor_sockets

_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 30.0
# A kubelet that ran this long was healthy: its next failure is a first one.
_HEALTHY_SECONDS: Final = 60.0


class KubeletService:
    """The kubelet's process: started, stopped on request, restarted with back-off when it dies unasked.

    Args:
        reactor: the machine's loop.
        config: the node.
        handle: the container runtime's: takes the kubelet's requests.
        handle_packet: the same for requests that come with descriptors.
    """

    def __init__(
        self,
        reactor: Reactor,
        config: MachineConfig,
        *,
        handle: Callable[[Request], None],
        handle_packet: Callable[[Request, list[int]], None],
    ) -> None:
        self._reactor = reactor
        self._config = config
        self._handle = handle
        self._handle_packet = handle_packet
        self._packets: MachineEnd | None = None
        self._channel: Channel | None = None
        self._timer: Timer | None = None
        self._pause = _FIRST_PAUSE_SECONDS
        self._started_at = 0.0
        self._restarts = 0
        self._wanted = False
        self.pid = 0

    def start(self) -> None:
        """Run it, if it doesn't run."""
        self._wanted = True
        if not self.pid:
            self._fork()

    def stop(self) -> None:
        """End it and leave it so; containers live on."""
        self._wanted = False
        self._cancel_restart()
        if self.pid:
            process.send_signal(self.pid, signal.SIGTERM)

    def tell(self, message: Message) -> None:
        """Send it a message; nobody hears it while it is down, a new one asks for the list of containers."""
        if self._channel is not None:
            self._channel.send(encode_line(message))

    def tell_packet(self, packet: bytes, descriptors: Sequence[int]) -> None:
        """Send it a message that comes with descriptors."""
        if self._packets is not None:
            self._packets.send(packet, descriptors)

    def ended(self, exit_code: int) -> None:
        """Its process was reaped."""
        self.pid = 0
        if self._channel is not None:
            self._channel.close()
        if self._packets is not None:
            self._packets.close()
            self._packets = None
        if not self._wanted:
            return
        if time.monotonic() - self._started_at > _HEALTHY_SECONDS:
            self._pause = _FIRST_PAUSE_SECONDS
        os.write(2, f"kubelet of {self._config.node_name} ended with {exit_code}\n".encode())
        self._restarts += 1
        self._timer = self._reactor.call_later(self._pause, self._fork)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE_SECONDS)

    def status(self) -> dict[str, Any]:
        """For the control socket."""
        state = "running" if self.pid else "restarting" if self._wanted else "stopped"
        return {"state": state, "pid": self.pid, "restarts": self._restarts}

    def _cancel_restart(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fork(self) -> None:
        self._cancel_restart()
        ours, theirs = socket.socketpair()
        packets, their_packets = descriptor_sockets()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_kubelet(parent, theirs, their_packets)
        theirs.close()
        their_packets.close()
        self.pid = pid
        self._started_at = time.monotonic()
        self._channel = Channel(
            self._reactor,
            ours,
            on_line=lambda line: self._handle(decode_request(line)),
            on_close=self._forget_channel,
        )
        self._packets = MachineEnd(self._reactor, packets, self._take_packet)

    def _take_packet(self, packet: bytes, descriptors: list[int]) -> None:
        try:
            request = decode_request(packet)
        except ValueError:
            close_all(descriptors)
            return
        self._handle_packet(request, descriptors)

    def _forget_channel(self) -> None:
        self._channel = None

    def _become_kubelet(self, parent: int, sock: socket.socket, packets: socket.socket) -> NoReturn:
        code = 1
        try:
            process.die_with_parent(parent)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            process.close_all_but(sock.fileno(), packets.fileno())
            process.name_process("kubelet")
            gc.freeze()
            run_kubelet(self._config, sock, packets)
            code = 0
        except BaseException:  # noqa: BLE001 -- this process must not return into the machine; the log tells why
            traceback.print_exc()
        finally:
            os._exit(code)
