"""What has failed, where a scenario is a failure of the run strategy `failures`: the matcher `failed` finds it."""

from collections.abc import Set as AbstractSet
from typing import Literal

import msgspec

from seatrial.runtime.events import PodRef

UNKNOWN = "nothing failed: only the run strategy 'failures' tells a scenario what did"


class FailedUnits(msgspec.Struct, frozen=True, kw_only=True):
    """The nodes (by their names) or the pods that fail in one failure.

    A node keeps its name when its machine is back, a pod does not come back: it is the very one that failed or none.
    `named` are those of the nodes, or the namespaces of pods, that the policy's `failures` names exactly.
    """

    kind: Literal["node", "pod"]
    nodes: tuple[str, ...] = ()
    pods: tuple[PodRef, ...] = ()
    named: AbstractSet[str] = frozenset()

    def __str__(self) -> str:
        if self.kind == "pod":
            return f"failed pod{'' if len(self.pods) == 1 else 's'} {', '.join(map(str, self.pods))}"
        return f"failed node{'' if len(self.nodes) == 1 else 's'} {', '.join(self.nodes)}"
