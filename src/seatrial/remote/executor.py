"""The protocol of executors: what runs a shell command on a node's machine."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn, Protocol

import msgspec

from seatrial.errors import MachineError
from seatrial.kube.client import Client


class CommandResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a command came to; `output` is what it wrote, standard output and error as they came, shortened."""

    exit_code: int
    output: str


class Executor(Protocol):
    """One way to machines."""

    @property
    def name(self) -> str:
        """Its name, for messages."""
        ...

    async def require(self) -> None:
        """Return when it can run commands at all; raise and say what can, otherwise."""
        ...

    async def run(self, node: str, command: str, *, timeout_seconds: float = 60) -> CommandResult:
        """Run a shell command on the machine of a node.

        Raises:
            MachineError: it could not be carried there, or took too long.
            ClusterError: the API server, where it goes through that, did not answer.
        """
        ...

    async def by_hand(self, node: str, command: str) -> str:
        """The shell command by which a person would do that."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@dataclass(frozen=True, kw_only=True)
class ExecutorType:
    """A kind of executor: the object that an entry point of `seatrial.executors` names.

    `connect(cluster)` makes one for the machines of that cluster; `recognizes(cluster)` tells whether it surely
    reaches them, so that nobody has to name it.
    """

    name: str
    connect: Callable[[Client], Awaitable[Executor]]
    recognizes: Callable[[Client], Awaitable[bool]]


class NoExecutor:
    """The executor that can do nothing."""

    name = "none"

    async def require(self) -> None:
        """Refuse."""
        _refuse()

    async def run(self, node: str, command: str, *, timeout_seconds: float = 60) -> CommandResult:  # noqa: ARG002 -- the protocol's
        """Refuse."""
        _refuse()

    async def by_hand(self, node: str, command: str) -> str:  # noqa: ARG002 -- the protocol's
        """Refuse."""
        _refuse()

    async def close(self) -> None:
        """There is nothing to let go of."""


def _refuse() -> NoReturn:
    raise MachineError(
        "there is no way to run commands on this cluster's machines",
        hint="run on the sandbox; SSH and privileged pods aren't there yet",
    )
