"""Whether a definition may have the names it asks for: no two of one group share one."""

from typing import NamedTuple

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.custom.definition import find_condition, with_condition


class _Verdict(NamedTuple):
    accepted: Object
    reason: str
    message: str


def with_names(definition: Object, others: list[Object]) -> Object:
    """The definition with its names accepted, or the conflict said in its conditions."""
    verdict = _judge(definition, others)
    fine = not verdict.reason
    status = {**(definition.get("status") or {}), "acceptedNames": verdict.accepted}
    judged = with_condition(
        {**definition, "status": status},
        "NamesAccepted",
        "True" if fine else "False",
        verdict.reason or "NoConflicts",
        verdict.message or "no conflicts found",
    )
    if find_condition(definition, "Established").get("status") == "True":
        return judged
    if fine:
        text = "the initial names have been accepted"
        return with_condition(judged, "Established", "False", "Installing", text)
    return with_condition(judged, "Established", "False", "NotAccepted", "not all names are accepted")


def _judge(definition: Object, others: list[Object]) -> _Verdict:
    wanted = definition["spec"]["names"]
    accepted = dict((definition.get("status") or {}).get("acceptedNames") or {"plural": "", "kind": ""})
    resources, kinds = _taken(definition, others)
    reason = message = ""
    for key, taken, why in (
        ("plural", resources, "PluralConflict"),
        ("singular", resources, "SingularConflict"),
        ("shortNames", resources, "ShortNamesConflict"),
        ("kind", kinds, "KindConflict"),
        ("listKind", kinds, "ListKindConflict"),
    ):
        asked = wanted.get(key)
        values = asked if isinstance(asked, list) else [asked] if asked else []
        clashes = [value for value in values if value in taken]
        if clashes:
            reason = why
            message = ", ".join(f'"{value}" is already in use' for value in clashes)
        elif asked:
            accepted[key] = asked
        else:
            accepted.pop(key, None)
    if wanted.get("categories"):
        accepted["categories"] = wanted["categories"]
    else:
        accepted.pop("categories", None)
    return _Verdict(accepted, reason, message)


def _taken(definition: Object, others: list[Object]) -> tuple[set[str], set[str]]:
    """The names of resources and of kinds that other definitions of the group hold."""
    resources: set[str] = set()
    kinds: set[str] = set()
    for other in others:
        if other["metadata"]["uid"] == definition["metadata"]["uid"]:
            continue
        if other["spec"]["group"] != definition["spec"]["group"]:
            continue
        names = (other.get("status") or {}).get("acceptedNames") or {}
        resources.update(filter(None, [names.get("plural"), names.get("singular"), *(names.get("shortNames") or ())]))
        kinds.update(filter(None, [names.get("kind"), names.get("listKind")]))
    return resources, kinds
