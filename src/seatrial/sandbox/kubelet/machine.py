"""A node's machine: a process that can be switched off, with everything that runs on it.

    launcher ── power switch ── machine ─┬─ kubelet
                                         ├─ container
                                         └─ container ── its children

The *power switch* is the process that the launcher forked and may SIGKILL, as one pulls a plug: the kernel then
signals the machine, which kills whatever is below it, grandchildren too, and goes. So nothing is left, and nothing has
to be guessed, since orphans are adopted by the machine (a sub-reaper). The *machine* is the node's init and container
runtime in one: synchronous and single-threaded, since it forks all its life.
"""

import gc
import os
import signal
import uuid
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, NoReturn

from seatrial.sandbox.kubelet import process
from seatrial.sandbox.kubelet.control import Answer, ControlSocket
from seatrial.sandbox.kubelet.kubelet_service import KubeletService
from seatrial.sandbox.kubelet.machine_commands import MachineCommands
from seatrial.sandbox.kubelet.machine_config import MachineConfig
from seatrial.sandbox.kubelet.protocol import ContainerRecord, Request
from seatrial.sandbox.kubelet.reactor import Reactor
from seatrial.sandbox.kubelet.runtime import ContainerRuntime
from seatrial.sandbox.network.addresses import node_index_of
from seatrial.sandbox.network.reachability import REACHABILITY

__all__ = ["MachineConfig", "run_machine"]

_NAME_PREFIX: Final = "seatrial "


def run_machine(config: MachineConfig) -> NoReturn:
    """Be the machine of that node until it is switched off; to be called in a freshly forked process.

    SIGKILL of this process is a power cut, SIGTERM a shutdown: either way nothing is left of the machine.
    """
    code = 1
    try:
        # What exists by now is shared with the launcher's memory and stays so if the collector leaves it alone.
        gc.freeze()
        process.become_subreaper()
        process.name_process(f"{_NAME_PREFIX}{config.node_name}")
        with suppress(PermissionError):
            # A Ctrl-C at the terminal is for the sandbox's main process.
            os.setsid()
        parent = os.getppid()
        process.die_with_parent(parent)
        code = _hold_switch(replace(config, boot_id=str(uuid.uuid4())))
    finally:
        os._exit(code)


def _hold_switch(config: MachineConfig) -> int:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # Blocked until there is somebody to hand it on to.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    switch = os.getpid()
    machine = os.fork()
    if machine == 0:
        _run_inside(config, switch)
    signal.signal(signal.SIGTERM, lambda *_: process.send_signal(machine, signal.SIGTERM))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    _, status = os.waitpid(machine, 0)
    process.kill_all_descendants()
    return process.exit_code_of(status)


def _run_inside(config: MachineConfig, switch: int) -> NoReturn:
    code = 1
    try:
        # A power cut arrives as the same signal as a shutdown: in both nothing may stay.
        process.die_with_parent(switch, with_signal=signal.SIGTERM)
        process.become_subreaper()
        machine = _Machine(config)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        machine.run()
        code = 0
    finally:
        process.kill_all_descendants()
        os._exit(code)


class _Machine:
    """The node's init: runs the kubelet, reaps what ends, answers on the control socket."""

    def __init__(self, config: MachineConfig) -> None:
        # Never the sandbox's own directory: where that is swept away already, nothing may come back.
        for directory in (config.directory.parent, config.directory):
            directory.mkdir(exist_ok=True, mode=0o700)
        self._address, self._index = config.address, node_index_of(config.address)
        # Rules are the kernel's: a machine that starts has none.
        REACHABILITY.wall_off(self._index, ())
        self._reactor = Reactor()
        self._kubelet = KubeletService(self._reactor, config, handle=self._handle, handle_packet=self._handle_packet)
        self._runtime = ContainerRuntime(
            self._reactor,
            directory=config.directory,
            node_name=config.node_name,
            sandbox=config.sandbox,
            images=config.images,
            tell=self._kubelet.tell,
            tell_packet=self._kubelet.tell_packet,
        )
        self._commands = MachineCommands(self._reactor, node_name=config.node_name, directory=config.directory)
        self._control = ControlSocket(self._reactor, config.directory, self._answer)
        self._reactor.on_signal(signal.SIGCHLD, self._reap)
        self._reactor.on_signal(signal.SIGTERM, self._reactor.stop)

    def run(self) -> None:
        """Run until SIGTERM."""
        self._kubelet.start()
        self._reactor.run()

    def _handle(self, request: Request) -> None:
        self._runtime.handle(request)

    def _handle_packet(self, request: Request, descriptors: list[int]) -> None:
        self._runtime.handle_packet(request, descriptors)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid == self._kubelet.pid:
                self._kubelet.ended(process.exit_code_of(status))
            elif pid in self._commands:
                self._commands.reap(pid, process.exit_code_of(status))
            else:
                self._runtime.reap(pid, status)
        self._runtime.sweep()

    def _answer(self, message: dict[str, Any], answer_later: Answer) -> dict[str, Any] | None:
        match message:
            case {"exec": {"command": str(command), "timeoutSeconds": int() | float() as seconds}}:
                self._commands.run(command, timeout_seconds=seconds, answer=answer_later)
                return None
            case {"firewall": [*dropped]}:
                REACHABILITY.wall_off(self._index, (int(each) for each in dropped))
            case {"stop": "kubelet"}:
                self._kubelet.stop()
            case {"start": "kubelet"}:
                self._kubelet.start()
            case {"status": _}:
                pass
            case _:
                requests = '{"stop": "kubelet"}, {"start": "kubelet"}, {"status": {}}, {"firewall": []}'
                raise ValueError(f'a request is {requests} or {{"exec": {{...}}}}')
        return {
            "address": self._address,
            "kubelet": self._kubelet.status(),
            "containers": [self._describe(r) for r in self._runtime.records],
        }

    def _describe(self, record: ContainerRecord) -> dict[str, Any]:
        container = record.container
        return {
            "id": container.id,
            "namespace": container.namespace,
            "pod": container.pod_name,
            "name": container.name,
            "pid": record.pid,
            "running": record.running,
        }
