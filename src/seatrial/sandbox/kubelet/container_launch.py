"""What the runtime starts for a container, or for a command in one: a process apart, or one of the machine itself."""

from pathlib import Path
from typing import Final

from seatrial.sandbox.kubelet.container_isolation.isolation import Isolation
from seatrial.sandbox.kubelet.container_isolation.root_filesystem import Root
from seatrial.sandbox.kubelet.container_process import Launch
from seatrial.sandbox.kubelet.machine_entry import words_on_machine
from seatrial.sandbox.kubelet.protocol import Container
from seatrial.sandbox.machine_tools.directory import machine_environ

# Tells to which container a process belongs that left its session.
CONTAINER_ID_VARIABLE: Final = "SEATRIAL_CONTAINER_ID"
# Where a container sees the processes of the computer, this program of its would enter that, not the machine.
_HIDDEN: Final = ("nsenter",)


class Launches:
    """Makes launches for the containers of one machine.

    Args:
        directory: the machine's.
        node_name: what the machine's commands have as `NODE_NAME`.
    """

    def __init__(self, *, directory: Path, node_name: str) -> None:
        self._directory = directory
        self._node_name = node_name

    def make(
        self,
        container: Container,
        argv: tuple[str, ...] = (),
        *,
        groups: tuple[Path, ...] = (),
        inside: int = 0,
        process_table_of: int = 0,
    ) -> Launch:
        """How to start a container, or with `argv` a command beside its main process.

        Args:
            container: which.
            argv: the command's words.
            groups: the control groups to enter.
            inside: the container's main process, for a command.
            process_table_of: the main process of the container whose processes it sees.
        """
        if container.may_enter_machine and (words := _words_on_machine(container, argv)):
            return self._on_machine(words)
        isolation = _isolation(container, inside=inside, process_table_of=process_table_of)
        return Launch(
            name=container.name,
            image=container.image,
            argv=argv or container.argv,
            environ={**container.environ, CONTAINER_ID_VARIABLE: container.id},
            working_directory=container.working_directory,
            isolation=isolation if container.root else None,
            user=container.user,
            group=container.group,
            control_groups=groups,
        )

    def _on_machine(self, words: tuple[str, ...]) -> Launch:
        """A command that has left its container: it is as one of `machine_commands`."""
        return Launch(
            name="command",
            image="",
            argv=words,
            environ=machine_environ(self._directory, self._node_name),
            working_directory=str(self._directory),
        )


def is_on_machine(launch: Launch) -> bool:
    """Whether it is a command of the machine, which does not end with the container that it came from."""
    return not launch.image


def _words_on_machine(container: Container, argv: tuple[str, ...]) -> tuple[str, ...] | None:
    """The command that runs on the machine: its own way there, or one into a container that has gone as a whole."""
    if found := words_on_machine(argv or container.argv):
        return found
    return argv if words_on_machine(container.argv) else None


def _isolation(container: Container, *, inside: int, process_table_of: int) -> Isolation:
    return Isolation(
        root=Root(
            directory=container.root,
            template=container.template,
            mounts=container.mounts,
            hostname=container.hostname,
            whole_host=container.whole_host,
            read_only=container.read_only_root,
            hidden=_HIDDEN if container.shares_host_pids else (),
        ),
        own_pids=not container.shares_host_pids,
        inside=inside,
        process_table_of=process_table_of,
    )
