"""Commands on the machines of Seatrial's own sandbox, by its API below `/sandbox/v1` of the API server.

A command is a process of the machine it runs on: stop the machine, and it is gone.
"""

import json
import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from seatrial.errors import MachineError
from seatrial.kube.client import Client
from seatrial.kube.errors import BadRequest, Conflict, NotFound, UnexpectedAnswer
from seatrial.remote.executor import CommandResult, ExecutorType
from seatrial.remote.output import LineListener

_MACHINES = "/sandbox/v1/machines"
# What the way there and back may take on top of the command's own time.
_TRAVEL_SECONDS = 15.0


class _Finished(msgspec.Struct, frozen=True, rename="camel"):
    exit_code: int
    output: str
    timed_out: bool = False


class SandboxExecutor:
    """The executor; `cluster` leads to the sandbox's API server."""

    name = "sandbox"

    def __init__(self, cluster: Client) -> None:
        self._cluster = cluster

    async def require(self) -> None:
        """A sandbox's machines take commands whenever they run."""

    async def run(
        self, node: str, command: str, *, timeout_seconds: float = 60, heard: LineListener | None = None
    ) -> CommandResult:
        """Run a shell command on the machine of a node; its output comes at its end, as a whole."""
        try:
            answer = await self._cluster.request_json(
                "POST",
                _path(node),
                {"command": command, "timeoutSeconds": timeout_seconds},
                repeatable=False,
                timeout_seconds=timeout_seconds + _TRAVEL_SECONDS,
            )
        except (NotFound, Conflict, BadRequest) as error:
            raise MachineError(f"can't run a command on {node}: {error.message}", hint=error.hint) from error
        finished = _decoded(answer)
        if finished.timed_out:
            raise MachineError(f"the command on {node} did not end within {timeout_seconds:g} s and was killed")
        if heard is not None:
            for line in finished.output.splitlines():
                heard(line)
        return CommandResult(exit_code=finished.exit_code, output=finished.output)

    async def by_hand(self, node: str, command: str) -> str:
        """Kubectl's raw request: it reaches this sandbox, whatever its name is."""
        body = shlex.quote(json.dumps({"command": command}))
        return f"printf %s {body} | kubectl create --raw {_path(node)} -f -"

    async def close(self) -> None:
        """The cluster's client is not this executor's to close."""


def _path(node: str) -> str:
    return f"{_MACHINES}/{quote(node)}/exec"


def _decoded(answer: Any) -> _Finished:
    try:
        return msgspec.convert(answer, _Finished)
    except msgspec.ValidationError as error:
        raise UnexpectedAnswer(f"the sandbox's control answered something else: {error}") from error


async def _connect(cluster: Client, _settings: Mapping[str, str]) -> SandboxExecutor:
    return SandboxExecutor(cluster)


async def is_sandbox(cluster: Client) -> bool:
    """Whether the cluster is one of ours.

    Raises:
        Forbidden: only its administrators are told.
    """
    try:
        answer = await cluster.request_json("GET", _MACHINES)
    except NotFound:
        return False
    return isinstance(answer, dict) and "machines" in answer


EXECUTOR = ExecutorType(name=SandboxExecutor.name, connect=_connect, recognizes=is_sandbox)
