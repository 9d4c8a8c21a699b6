"""Everything of a cluster that is looked at, each kind watched from when it is first asked for."""

from types import TracebackType
from typing import Self

from seatrial.kube.client import Client


class LiveCluster:
    """The live view; use with `async with`."""

    def __init__(self, cluster: Client) -> None:
        self._cluster = cluster

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every watch."""
