"""A shell command on a machine, asked for from outside: over the machine's control socket, awaited without a thread."""

import asyncio
import json
import time
from typing import Any, Final

import msgspec

from seatrial.errors import SandboxError
from seatrial.sandbox.control.machines import Machines
from seatrial.sandbox.kubelet.control import short_path
from seatrial.sandbox.kubelet.machine_config import MachineConfig

_BOOT_SECONDS: Final = 5.0
_LOOK_AGAIN_SECONDS: Final = 0.02
# The machine ends a command that takes too long; this is for a machine that is frozen.
_GRACE_SECONDS: Final = 5.0
_LONGEST_ANSWER_BYTES: Final = 1024 * 1024


class CommandRequest(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """What `POST /sandbox/v1/machines/NAME/exec` is sent."""

    command: str
    timeout_seconds: float = 60.0

    def __post_init__(self) -> None:
        if not self.command.strip():
            raise ValueError("the command is empty")
        if not 0 < self.timeout_seconds <= 3600:
            raise ValueError("timeoutSeconds has to be more than 0 and at most 3600")


async def run_command(name: str, wanted: CommandRequest, machines: Machines) -> dict[str, Any]:
    """Run a command on the machine of that name; answers `exitCode`, `output` and `timedOut`.

    Raises:
        UnknownMachineError: there is no such machine.
        SandboxError: it doesn't run, or went off while the command ran.
    """
    info, config = machines.info(name), machines.config(name)
    if info.state != "running":
        raise SandboxError(f"machine {name} is {info.state}", hint="start it first")
    request = {"exec": {"command": wanted.command, "timeoutSeconds": wanted.timeout_seconds}}
    reader, writer = await _connected(config)
    try:
        writer.write(json.dumps(request).encode() + b"\n")
        async with asyncio.timeout(wanted.timeout_seconds + _GRACE_SECONDS):
            line = await reader.readline()
    except (TimeoutError, OSError, ValueError) as error:
        raise SandboxError(f"machine {name} did not answer: {str(error) or 'it may be frozen'}") from error
    finally:
        writer.close()
    if not line:
        raise SandboxError(f"machine {name} went off while the command ran")
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        raise SandboxError(f"machine {name} did not run the command: {answer['error']}")
    return answer


async def _connected(config: MachineConfig) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the machine's socket, on which it may not be listening yet."""
    deadline = time.monotonic() + _BOOT_SECONDS
    while True:
        try:
            with short_path(config.directory) as path:
                return await asyncio.open_unix_connection(path, limit=_LONGEST_ANSWER_BYTES)
        except (ConnectionRefusedError, FileNotFoundError) as error:
            if time.monotonic() > deadline:
                raise SandboxError(f"machine {config.node_name} does not boot") from error
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
