"""Which pods are behind which Services, found for thousands of both without comparing each with each."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from seatrial.by_hand.live.pods import LivePod


class PodsByLabel:
    """Pods by what Services select them by."""

    def __init__(self, pods: Iterable[LivePod]) -> None:
        self._places: dict[tuple[str, str, str], set[int]] = defaultdict(set)
        self._pods = list(pods)
        for place, pod in enumerate(self._pods):
            for key, value in pod.labels.items():
                self._places[pod.namespace, key, value].add(place)

    def selected(self, namespace: str, selector: Mapping[str, str]) -> Sequence[LivePod]:
        """The pods that a Service with that selector would send traffic to if they are ready; none without one."""
        sets = [self._places.get((namespace, key, value), set()) for key, value in selector.items()]
        return [self._pods[place] for place in sorted(set.intersection(*sets))] if sets else []
