"""A label selector as one types it, of the labels that there are."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from click.shell_completion import CompletionItem

from seatrial.shell.live_value import Asked, LiveValue
from seatrial.shell.matching import matching

_MOST_SHOWN = 3


class SelectorValue(LiveValue):
    """A label selector, of labels that pods of the line's namespace have, or of all where it is about several."""

    name = "selector"

    def candidates(self, asked: Asked, part: str) -> Iterable[CompletionItem]:
        """Keys, or after `=` values, for what stands after the last comma."""
        head, comma, term = part.rpartition(",")
        before = head + comma
        if "(" in part:
            return  # a set: somebody who knows what they write
        pods, place = asked.opened("pods"), asked.one_namespace
        labels = _labels(pods.in_namespace(place) if place else pods.all())
        key, equals, value = _split_term(term)
        if not equals:
            no = "!" if term.startswith("!") else ""
            for found in matching(sorted(labels), term.removeprefix("!")):
                values = labels[found]
                shown = ", ".join(sorted(values)[:_MOST_SHOWN]) + (", ..." if len(values) > _MOST_SHOWN else "")
                yield CompletionItem(f"{before}{no}{found}{'' if no else '='}", help=shown)
            return
        values = labels.get(key, {})
        for found in matching(sorted(values), value):
            yield CompletionItem(f"{before}{key}{equals}{found}", help=_pods(values[found]))


def _labels(items: Sequence[Any]) -> Mapping[str, Mapping[str, int]]:
    """Every label's values and how many objects have them; objects share their labels, which saves most of the work."""
    shared: dict[int, tuple[Mapping[str, str], int]] = {}
    for item in items:
        labels, count = shared.get(id(item.labels), (item.labels, 0))
        shared[id(item.labels)] = (labels, count + 1)
    found: dict[str, dict[str, int]] = {}
    for labels, count in shared.values():
        for key, value in labels.items():
            values = found.setdefault(key, {})
            values[value] = values.get(value, 0) + count
    return found


def _split_term(term: str) -> tuple[str, str, str]:
    """Key, operator, value of `app=web`, `app==web`, `app!=web`."""
    for operator in ("!=", "==", "="):
        key, found, value = term.partition(operator)
        if found:
            return key, operator, value
    return term, "", ""


def _pods(count: int) -> str:
    return "1 pod" if count == 1 else f"{count} pods"
