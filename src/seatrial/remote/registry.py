"""Which executor reaches the machines of a cluster, found among the installed packages.

Others add theirs with an entry point in the group `seatrial.executors`; the built-in one is there too. `LazyExecutor`
puts the search off until the first step needs a machine.
"""

import asyncio
from collections.abc import Mapping
from functools import cache

from seatrial.errors import UsageError
from seatrial.kube.client import Client
from seatrial.kube.errors import Forbidden
from seatrial.policy.extensions import load_extensions
from seatrial.remote.executor import CommandResult, Executor, ExecutorType, NoExecutor

EXECUTORS = "seatrial.executors"


@cache
def executor_types() -> Mapping[str, ExecutorType]:
    """All kinds of executors by name; asking for one that can't be loaded raises `UsageError`."""
    return load_extensions(EXECUTORS, ExecutorType)


async def find_executor(name: str | None, cluster: Client) -> Executor:
    """The executor of that name, or (None) the one that surely reaches the cluster's machines, or none.

    Raises:
        UsageError: there is no executor of that name.
        ClusterError: the API server did not answer.
    """
    if name is not None and name not in executor_types():
        raise UsageError(
            f"commands can't be run on machines by '{name}'", hint=f"ways that are there: {', '.join(executor_types())}"
        )
    for each in executor_types().values():
        if name == each.name or (name is None and await _recognizes(each, cluster)):
            return await each.connect(cluster)
    return NoExecutor()


async def _recognizes(kind: ExecutorType, cluster: Client) -> bool:
    try:
        return await kind.recognizes(cluster)
    except Forbidden:
        return False


class LazyExecutor:
    """Stands for the executor of a cluster's machines, which is looked for when it is needed first."""

    def __init__(self, cluster: Client, *, name: str | None = None) -> None:
        self._cluster = cluster
        self._wanted = name
        self._executor: Executor | None = None
        self._turn = asyncio.Lock()

    @property
    def name(self) -> str:
        """The executor's name, empty while nobody has asked it for anything."""
        return self._executor.name if self._executor else ""

    async def require(self) -> None:
        """Refuse where no command can be run."""
        await (await self._opened()).require()

    async def run(self, node: str, command: str, *, timeout_seconds: float = 60) -> CommandResult:
        """Run a shell command on the machine of a node."""
        return await (await self._opened()).run(node, command, timeout_seconds=timeout_seconds)

    async def by_hand(self, node: str, command: str) -> str:
        """The shell command by which a person would do that."""
        return await (await self._opened()).by_hand(node, command)

    async def close(self) -> None:
        """Let go of connections, where there are any."""
        if self._executor is not None:
            await self._executor.close()

    async def _opened(self) -> Executor:
        async with self._turn:
            if self._executor is None:
                self._executor = await find_executor(self._wanted, self._cluster)
            return self._executor
