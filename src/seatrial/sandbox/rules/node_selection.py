"""Node selector terms: how pods (affinity) and volumes say which nodes they can be on.

Terms are alternatives; within one, all expressions about labels and fields must hold. A term without any matches
nothing. Source: Kubernetes documentation, "Assigning Pods to Nodes".
"""

from collections.abc import Iterable, Mapping
from typing import Final

from seatrial.kube.selectors import Requirement
from seatrial.sandbox.api import Object

_OPERATORS: Final = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!", "Gt": ">", "Lt": "<"}
NAME_FIELD: Final = "metadata.name"


def terms_match(terms: Iterable[Object] | None, name: str, labels: Mapping[str, str]) -> bool:
    """Whether a node of that name and with these labels matches one of the terms."""
    return any(term_matches(term, name, labels) for term in terms or ())


def term_matches(term: Object, name: str, labels: Mapping[str, str]) -> bool:
    """Whether the node matches one term."""
    expressions = term.get("matchExpressions") or ()
    fields = term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    by_field = {NAME_FIELD: name}
    return all(_requirement(item).matches(labels) for item in expressions) and all(
        _requirement(item).matches(by_field) for item in fields
    )


def _requirement(item: Object) -> Requirement:
    operator = _OPERATORS[item["operator"]]
    return Requirement(item["key"], operator, tuple(item.get("values") or ()))  # type: ignore[arg-type] # of the table


def named_nodes(terms: Iterable[Object] | None) -> frozenset[str] | None:
    """The only nodes that the terms can match, where each of them names its own; None where one doesn't."""
    names: set[str] = set()
    found = list(terms or ())
    for term in found:
        fields = term.get("matchFields") or ()
        given = [set(item.get("values") or ()) for item in fields if item["operator"] == "In"]
        if not given:
            return None
        names |= set.intersection(*given)
    return frozenset(names) if found else None
