"""The protocol of executors: what runs a shell command on a node's machine."""

from dataclasses import dataclass
from typing import NoReturn, Protocol

from seatrial.errors import MachineError


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """What a command came to; `output` is what it wrote, standard output and error as they came, shortened."""

    exit_code: int
    output: str


class Executor(Protocol):
    """One way to machines."""

    @property
    def name(self) -> str:
        """Its name, for messages."""
        ...

    async def run(self, node: str, command: str, *, timeout_seconds: float = 60) -> CommandResult:
        """Run a shell command on the machine of a node.

        Raises:
            MachineError: it could not be carried there, or took too long.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class NoExecutor:
    """The executor that can do nothing."""

    name = "none"

    async def run(self, node: str, command: str, *, timeout_seconds: float = 60) -> CommandResult:  # noqa: ARG002 -- the protocol's
        """Refuse."""
        _refuse()

    async def close(self) -> None:
        """There is nothing to let go of."""


def _refuse() -> NoReturn:
    raise MachineError(
        "there is no way to run commands on machines", hint="run on the sandbox; other ways aren't there yet"
    )
