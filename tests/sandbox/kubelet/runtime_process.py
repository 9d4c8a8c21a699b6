"""A container runtime without its machine, for the tests: serves two sockets, whose descriptors are its arguments."""

import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import aiohttp.web  # noqa: F401 -- loaded before the fork, as in a machine: built-in servers start at once

from seatrial.sandbox.kubelet import process
from seatrial.sandbox.kubelet.channel import Channel
from seatrial.sandbox.kubelet.container_isolation import control_groups
from seatrial.sandbox.kubelet.protocol import Message, decode_request, encode_line
from seatrial.sandbox.kubelet.reactor import Reactor
from seatrial.sandbox.kubelet.runtime import ContainerRuntime
from seatrial.sandbox.kubelet.streams.descriptor_channel import MachineEnd


def main(fd: int, packets_fd: int, parent: int) -> None:
    """Serve until the other end of the socket is closed; then leave nothing behind."""
    process.become_subreaper()
    process.die_with_parent(parent)
    reactor = Reactor()

    def tell(message: Message) -> None:
        channel.send(encode_line(message))

    def reap() -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            runtime.reap(pid, status)
        runtime.sweep()

    images = {"example.com/greeter": ("sh", "-c", "echo hello; exec sleep 1000")}

    def tell_packet(packet: bytes, fds: Sequence[int]) -> None:
        packets.send(packet, fds)

    directory = Path(tempfile.mkdtemp(prefix="st-runtime-"), "node1")
    directory.mkdir()
    runtime = ContainerRuntime(
        reactor,
        directory=directory,
        node_name="node1",
        sandbox=str(parent),
        images=images,
        tell=tell,
        tell_packet=tell_packet,
    )
    packets = MachineEnd(
        reactor,
        socket.socket(fileno=packets_fd),
        lambda packet, fds: runtime.handle_packet(decode_request(packet), fds),
    )
    channel = Channel(
        reactor,
        socket.socket(fileno=fd),
        on_line=lambda line: runtime.handle(decode_request(line)),
        on_close=reactor.stop,
    )
    reactor.on_signal(signal.SIGCHLD, reap)
    reactor.run()
    process.kill_all_descendants()
    control_groups.remove_groups(str(parent), directory.parent)
    shutil.rmtree(directory.parent)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
