"""Which executor reaches the machines of a cluster, found among the installed packages.

Others add theirs with an entry point in the group `seatrial.executors`; the built-in one is there too. `LazyExecutor`
puts the search off until the first step needs a machine.
"""

import asyncio
import os
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from seatrial.choice import read_choice
from seatrial.errors import UsageError
from seatrial.kube.client import Client
from seatrial.kube.errors import Forbidden
from seatrial.policy.extensions import Extensions
from seatrial.remote.books import Books, KeepsBooks
from seatrial.remote.executor import CommandResult, Executor, ExecutorType, NoExecutor
from seatrial.remote.output import LineListener

EXECUTORS = "seatrial.executors"

_NO_SECRETS: Mapping[str, str] = MappingProxyType({})


@cache
def executor_types() -> Mapping[str, ExecutorType]:
    """All kinds of executors by name; asking for one that can't be loaded raises `UsageError`."""
    return Extensions(EXECUTORS, ExecutorType)


async def find_executor(name: str | None, cluster: Client, *, secrets: Mapping[str, str] = _NO_SECRETS) -> Executor:
    """The executor of that name, or (None) the one that surely reaches the cluster's machines, or none.

    A name may carry settings, as `choice` writes them; they win over environment variables. There may be settings
    without a name, too, for whichever is found. `secrets` are settings that were never written anywhere.

    Raises:
        UsageError: there is no executor of that name.
        ClusterError: the API server did not answer.
    """
    name, said = read_choice(name or "")
    settings = {**os.environ, **said, **secrets}
    if name:
        return await _executor_type(name).connect(cluster, settings)
    for last_resort in (False, True):
        for each in executor_types().values():
            if each.last_resort == last_resort and await _recognizes(each, cluster):
                return await each.connect(cluster, settings)
    return NoExecutor()


def _executor_type(name: str) -> ExecutorType:
    try:
        return executor_types()[name]
    except KeyError:
        hint = f"ways that are there: {', '.join(executor_types())}"
        raise UsageError(f"commands can't be run on machines by '{name}'", hint=hint) from None


async def _recognizes(kind: ExecutorType, cluster: Client) -> bool:
    try:
        return await kind.recognizes(cluster)
    except Forbidden:
        return False


class LazyExecutor:
    """Stands for the executor of a cluster's machines, which is looked for when it is needed first."""

    def __init__(self, cluster: Client, *, name: str | None = None, secrets: Mapping[str, str] = _NO_SECRETS) -> None:
        self._cluster = cluster
        self._wanted = name
        self._secrets = secrets
        self._executor: Executor | None = None
        self._books: Books | None = None
        self._turn = asyncio.Lock()

    @property
    def name(self) -> str:
        """The executor's name, empty while nobody has asked it for anything."""
        return self._executor.name if self._executor else ""

    def keep_books(self, books: Books) -> None:
        """Hand the executor, when it is there, the books of the run."""
        self._books = books

    async def require(self) -> None:
        """Refuse where no command can be run."""
        await (await self._opened()).require()

    async def run(
        self, node: str, command: str, *, timeout_seconds: float = 60, heard: LineListener | None = None
    ) -> CommandResult:
        """Run a shell command on the machine of a node."""
        executor = await self._opened()
        return await executor.run(node, command, timeout_seconds=timeout_seconds, heard=heard)

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
                self._executor = await find_executor(self._wanted, self._cluster, secrets=self._secrets)
                if self._books is not None and isinstance(self._executor, KeepsBooks):
                    self._executor.keep_books(self._books)
            return self._executor
