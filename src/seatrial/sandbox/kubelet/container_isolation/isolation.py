"""What sets a container apart from its machine, and how its process gets there between fork and program.

`namespaces` and `root_filesystem` hold the parts; `container_process` calls `separate` at once and `settle` when the
process has its streams.
"""

import os
from dataclasses import dataclass
from typing import Final

from seatrial.sandbox.kubelet.container_isolation import namespaces, root_filesystem
from seatrial.sandbox.kubelet.container_isolation.root_filesystem import Root

SIBLING_MARK: Final = b"\x01"
"""Before the process id that the container has, in what is reported to whoever forked it."""


@dataclass(frozen=True, kw_only=True)
class Isolation:
    """How a process is set apart.

    Args:
        root: the file tree it gets.
        own_pids: a process table of its own; not for pods with `hostPID`.
        process_table_of: the main process of the container whose processes it sees as well; 0 for its own alone.
        inside: the main process of the container that it is to run in; 0 for a container of its own.
    """

    root: Root
    own_pids: bool = True
    process_table_of: int = 0
    inside: int = 0


def separate(isolation: Isolation, report: int) -> None:
    """Go on in namespaces of one's own, as a new process where that is what it takes.

    Args:
        isolation: which.
        report: descriptor that the mark and the id of the new process are written to.

    Raises:
        OSError: the kernel refuses.
    """
    if isolation.inside:
        namespaces.join(isolation.inside, own_pids=isolation.own_pids)
    elif isolation.process_table_of:
        namespaces.join_processes(isolation.process_table_of)
        namespaces.unshare(own_pids=False, own_user=False)
    else:
        namespaces.unshare(own_pids=isolation.own_pids)
    if not isolation.own_pids:
        return
    pid = namespaces.fork_sibling()
    if pid:
        os.write(report, SIBLING_MARK + str(pid).encode() + b"\n")
        os._exit(0)


def settle(isolation: Isolation) -> None:
    """Take up the host name and the file tree.

    Raises:
        OSError: a mount failed.
    """
    if isolation.inside:
        os.chdir("/")
        return
    namespaces.set_hostname(isolation.root.hostname)
    root_filesystem.enter(isolation.root)


def parse_report(report: bytes) -> tuple[int, bytes]:
    """The process id that a report tells, 0 for none, and the rest, which is a failure.

    Two processes write it, so that a container that fails at once may tell why before its id is told.
    """
    before, mark, told = report.partition(SIBLING_MARK)
    number, _, after = told.partition(b"\n")
    return (int(number) if mark else 0), before + after
