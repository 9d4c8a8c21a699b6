"""Commands that run in a container with the caller's own streams (`kubectl exec`), in the machine's process.

The kubelet hands over the descriptors that a command reads and writes; nothing of it passes through here but its start
and its end. A command ends with its container; whoever started it may go without ending it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from seatrial.sandbox.kubelet import process
from seatrial.sandbox.kubelet.container_process import Launch, StartError, fork_container
from seatrial.sandbox.kubelet.protocol import CommandEnded, Message, OpenExec, Reply


@dataclass(frozen=True)
class _Command:
    request_id: int
    container_id: str


class Sessions:
    """The commands of a machine's containers.

    Args:
        images: the user's own images.
        tell: takes what the kubelet is to know.
    """

    def __init__(self, *, images: Mapping[str, tuple[str, ...]], tell: Callable[[Message], None]) -> None:
        self._images = images
        self._tell = tell
        self._commands: dict[int, _Command] = {}

    def __contains__(self, pid: int) -> bool:
        return pid in self._commands

    def open(self, request: OpenExec, launch: Launch, descriptors: list[int]) -> None:
        """Start a command with these descriptors as its standard streams, and answer."""
        stdin, stdout, stderr = descriptors
        try:
            pid = fork_container(
                launch, images=self._images, stdin=stdin, stdout=stdout, stderr=stderr, terminal=request.terminal
            )
        except (StartError, OSError) as error:
            self._tell(Reply(request.request_id, error=str(error), exit_code=126))
            return
        self._commands[pid] = _Command(request.request_id, request.container_id)
        self._tell(Reply(request.request_id))

    def reap(self, pid: int, exit_code: int) -> bool:
        """Take note of a command's end; False if the process was none."""
        command = self._commands.pop(pid, None)
        if command is None:
            return False
        self._tell(CommandEnded(command.request_id, exit_code))
        return True

    def end_with(self, container_id: str) -> None:
        """A container ended: so do its commands."""
        for pid, command in self._commands.items():
            if command.container_id == container_id:
                process.kill_group(pid)
