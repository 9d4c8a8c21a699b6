"""The parts of the control plane that can be stopped singly, as one would stop their static pods.

`controller-manager` and `scheduler` are loops of this process: stopping one ends it, starting it makes a fresh one,
which reads everything anew as the real ones do. `kube-proxy` stops taking in changes while the routes that it has made
stay, as iptables rules stay. `kubelet:NODE` is a process of that node's machine; its containers run on.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal, NamedTuple, NoReturn

from seatrial.errors import SandboxError
from seatrial.sandbox.control.machines import Machines, UnknownMachineError
from seatrial.sandbox.kubelet import control as machine_control
from seatrial.sandbox.kubelet.machine_config import MachineConfig

ComponentState = Literal["running", "stopped", "unreachable"]
_KUBELET: Final = "kubelet:"
_BOOT_SECONDS: Final = 5.0
_LOOK_AGAIN_SECONDS: Final = 0.02


class UnknownComponentError(SandboxError):
    """There is no component of that name."""


class ComponentInfo(NamedTuple):
    """A component and how it is; a kubelet whose machine is off can't be reached."""

    name: str
    state: ComponentState


class Components:
    """Runs the loops of the control plane and stops and starts them on request.

    Args:
        loops: what each component of this process runs until it is cancelled.
        machines: where the kubelets are.
    """

    def __init__(self, loops: Mapping[str, Callable[[], Awaitable[None]]], *, machines: Machines) -> None:
        self._loops = loops
        self._machines = machines
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start_all(self) -> None:
        """Run every loop."""
        for name in self._loops:
            self._run(name)

    async def failure(self) -> NoReturn:
        """Wait until a loop ends unasked, which raises what it raised."""
        await self._failed
        raise AssertionError("the future of failures has no result")

    async def close(self) -> None:
        """Stop every loop."""
        self._failed.cancel()
        await asyncio.gather(*(self._end(name) for name in list(self._tasks)))

    async def list(self) -> list[ComponentInfo]:
        """All components, kubelets last."""
        loops = [ComponentInfo(name, "running" if name in self._tasks else "stopped") for name in self._loops]
        kubelets = [f"{_KUBELET}{machine.name}" for machine in self._machines.list()]
        return [*loops, *(await asyncio.gather(*map(self._kubelet, kubelets)))]

    async def start(self, name: str) -> ComponentInfo:
        """Start a component that is stopped."""
        if name.startswith(_KUBELET):
            return await self._kubelet(name, "start")
        self._check(name)
        if name not in self._tasks:
            self._run(name)
        return ComponentInfo(name, "running")

    async def stop(self, name: str) -> ComponentInfo:
        """Stop a component that runs."""
        if name.startswith(_KUBELET):
            return await self._kubelet(name, "stop")
        self._check(name)
        await self._end(name)
        return ComponentInfo(name, "stopped")

    def _check(self, name: str) -> None:
        if name not in self._loops:
            known = ", ".join([*self._loops, f"{_KUBELET}NODE"])
            raise UnknownComponentError(f"there is no component {name!r}", hint=f"components: {known}")

    def _run(self, name: str) -> None:
        task = asyncio.ensure_future(self._loops[name]())
        self._tasks[name] = task
        task.add_done_callback(lambda done: self._ended(name, done))

    async def _end(self, name: str) -> None:
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _ended(self, name: str, task: "asyncio.Task[None]") -> None:
        if self._tasks.get(name) is not task or self._failed.done():
            return
        error = None if task.cancelled() else task.exception()
        failure = SandboxError(f"the sandbox's {name} stopped: {error or 'it ended unasked'}")
        failure.__cause__ = error
        self._failed.set_exception(failure)

    async def _kubelet(self, name: str, act: str = "status") -> ComponentInfo:
        try:
            config = self._machines.config(name.removeprefix(_KUBELET))
        except UnknownMachineError as error:
            raise UnknownComponentError(f"there is no component {name!r}", hint=error.hint) from error
        if self._machines.info(config.node_name).state != "running":
            if act == "status":
                return ComponentInfo(name, "unreachable")
            raise SandboxError(f"machine {config.node_name} is not running", hint="start it first")
        message: dict[str, Any] = {"status": {}} if act == "status" else {act: "kubelet"}
        answer = await _answer_of(config, message)
        state: ComponentState = "stopped" if act == "stop" or answer["kubelet"]["state"] == "stopped" else "running"
        return ComponentInfo(name, state)


async def _answer_of(config: MachineConfig, message: dict[str, Any]) -> dict[str, Any]:
    """What a machine answers, which may be just booting and not listening yet."""
    deadline = time.monotonic() + _BOOT_SECONDS
    while True:
        try:
            answer = await asyncio.to_thread(machine_control.request, config.directory, message)
        except (ConnectionRefusedError, FileNotFoundError) as error:
            if time.monotonic() > deadline:
                raise SandboxError(f"machine {config.node_name} does not boot") from error
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        except OSError as error:
            raise SandboxError(f"machine {config.node_name} does not answer: {error}") from error
        else:
            if "error" in answer:
                raise SandboxError(f"machine {config.node_name} does not answer: {answer['error']}")
            return answer
