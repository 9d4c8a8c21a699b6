"""The protocol of executors: what runs a shell command on a node's machine."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NoReturn, Protocol

import msgspec

from seatrial.errors import MachineError
from seatrial.kube.client import Client
from seatrial.remote.output import LineListener


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

    async def run(
        self, node: str, command: str, *, timeout_seconds: float = 60, heard: LineListener | None = None
    ) -> CommandResult:
        """Run a shell command on the machine of a node; `heard` is told each line it writes, once it is known here.

        It is sent once, since it may not be one to run twice. One that takes too long is killed, as far as the way
        there lets it be; the error says whether it was.

        Raises:
            CommandNotStarted: it could not be carried there, and has certainly not begun.
            MachineError: it is not known what became of it, or it took too long.
            ClusterError: the API server, where it goes through that, did not answer.
        """
        ...

    async def by_hand(self, node: str, command: str) -> str:
        """The shell command by which a person would do that."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class ExecutorType(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of executor: the object that an entry point of `seatrial.executors` names.

    `connect(cluster, settings)` makes one for the machines of that cluster. The settings are environment variables;
    where a flag says the same as one of them, its value stands under the variable's name. `recognizes(cluster)` tells
    whether it surely reaches them, so that nobody has to name it; a `last_resort` is asked after all others. One that
    makes objects in the cluster is handed the run's `books`.
    """

    name: str
    connect: Callable[[Client, Mapping[str, str]], Awaitable[Executor]]
    recognizes: Callable[[Client], Awaitable[bool]]
    last_resort: bool = False


class NoExecutor:
    """The executor that can do nothing."""

    name = "none"

    async def require(self) -> None:
        """Refuse."""
        _refuse()

    async def run(
        self, node: str, command: str, *, timeout_seconds: float = 60, heard: LineListener | None = None
    ) -> CommandResult:
        """Refuse."""
        del node, command, timeout_seconds, heard
        _refuse()

    async def by_hand(self, node: str, command: str) -> str:  # noqa: ARG002 -- the protocol's
        """Refuse."""
        _refuse()

    async def close(self) -> None:
        """There is nothing to let go of."""


def _refuse() -> NoReturn:
    raise MachineError(
        "there is no way to run commands on this cluster's machines",
        hint="name one: --execution-mode ssh",
    )
