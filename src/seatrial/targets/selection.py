"""From matchers and filters to the exact pods: what a run acts on and what a plan shows.

Both call `select_pods` with the same seed, so that they agree.
"""

from collections.abc import Sequence

import msgspec

from seatrial.kube.objects import Pod
from seatrial.runtime.context import Context
from seatrial.runtime.events import TargetsChosen, TargetsFiltered
from seatrial.targets.filters import PodFilter, filter_pods, reads_status
from seatrial.targets.pods import PodMatcher, describe, match_pods, pod_ref


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """The pods left after matching and filtering.

    `notes` say how filters decided where that isn't plain, `empty_reason` why no pod is left.
    """

    pods: tuple[Pod, ...]
    matched: int
    notes: tuple[str, ...] = ()
    empty_reason: str = ""


async def select_pods(
    matchers: Sequence[PodMatcher], filters: Sequence[PodFilter], context: Context, *, metadata_only: bool = False
) -> Selection:
    """Match, then filter in order.

    With `metadata_only` the pods may come without specification and status, as far as no filter looks at these.

    Raises:
        ClusterError: the API server refused or did not answer.
    """
    metadata_only = metadata_only and not any(reads_status(each) for each in filters)
    matched = await match_pods(matchers, context, metadata_only=metadata_only)
    pods: Sequence[Pod] = matched.pods
    reason = "" if pods else _nothing_matched(matchers, matched.notes)
    notes: list[str] = []
    for index, each in enumerate(filters):
        if not pods:
            break
        before = len(pods)
        pods, note = filter_pods(each, pods, random=context.random("filter", index), now=context.clock.now())
        context.emit(TargetsFiltered(filter=each.key, before=before, after=len(pods), note=note))
        if note:
            notes.append(f"{each.key}: {note}")
        if not pods:
            reason = f"the filter {each.key} left none of {before} pod{'' if before == 1 else 's'}" + (
                f" ({note})" if note else ""
            )
    context.emit(TargetsChosen(pods=tuple(pod_ref(pod) for pod in pods), matched=len(matched.pods)))
    return Selection(pods=tuple(pods), matched=len(matched.pods), notes=tuple(notes), empty_reason=reason)


def _nothing_matched(matchers: Sequence[PodMatcher], notes: Sequence[str]) -> str:
    words = "; ".join(describe(matcher) for matcher in matchers)
    return f"no pod matched ({words})" + (f": {'; '.join(notes)}" if notes else "")
