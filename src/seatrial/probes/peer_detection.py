"""How long until goldpinger's instances notice that one of them was killed (`timeToDetect`).

That is until a look at the graph shows a failed call to it, so it is as fine as the looks are close together. A pod
that has left the graph without a failed call was never noticed: as long as there was something to notice, that is a
lower bound. What was killed and is no instance of goldpinger is not its business.
"""

from collections.abc import Iterator

from seatrial.probes.goldpinger_graph import Graph
from seatrial.runtime.events import MeasurementTaken
from seatrial.runtime.sightings import PodHit, Sightings


class Detection:
    """Compares the looks at the graph with the pods that were killed."""

    def __init__(self, sightings: Sightings) -> None:
        self._sightings = sightings
        self._known: set[str] = set()
        self._taken = 0
        self._open: list[PodHit] = []

    def look(self, graph: Graph, *, began: float, at: float) -> Iterator[MeasurementTaken]:
        """What a look tells that began and was answered at these moments."""
        hits = self._sightings.pods_hit
        self._open += [each for each in hits[self._taken :] if each.name in self._known]
        self._taken = len(hits)
        peers = {*graph.instances, *(call.peer for call in graph.calls)}
        failed = {call.peer for call in graph.failed} | graph.silent.keys()
        for hit in list(self._open):
            if hit.name in failed:
                self._open.remove(hit)
                yield _measured(hit, at, is_lower_bound=False)
            elif hit.name not in peers and hit.at <= began:
                self._open.remove(hit)
                yield _measured(hit, began, is_lower_bound=True)
        self._known |= peers

    def give_up(self, *, at: float) -> Iterator[MeasurementTaken]:
        """Nobody looks any more: what was not noticed takes longer."""
        for hit in self._open:
            yield _measured(hit, at, is_lower_bound=True)
        self._open.clear()


def _measured(hit: PodHit, at: float, *, is_lower_bound: bool) -> MeasurementTaken:
    of = f"pod {hit.namespace}/{hit.name} by its peers"
    return MeasurementTaken(name="timeToDetect", of=of, seconds=max(0.0, at - hit.at), is_lower_bound=is_lower_bound)
