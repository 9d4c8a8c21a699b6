"""ResourceQuota: a namespace holds no more than its quotas allow.

The quota controller writes what is used; a write that is admitted adds to it at once, in the same step of the event
loop in which it is stored, so that of many writes at a time no more pass than there is room for. Wording and rules:
Kubernetes documentation, "Resource Quotas".
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.admission.attempt import Attempt
from seatrial.sandbox.apiserver.strategies.base import Surroundings
from seatrial.sandbox.quota.scopes import is_in_scope
from seatrial.sandbox.quota.usage import ZERO, is_about, unstated, usage_of
from seatrial.sandbox.rules.pod_resources import Amounts, add, amounts_of, subtract

TABLE: Final = "resourcequotas"
# Nothing of these is counted, or counting would follow itself.
_IGNORED: Final = frozenset({"events", "resourcequotas"})


class Charge(NamedTuple):
    """A quota and what it will say is used."""

    quota: Object
    used: dict[str, str]


def charges_of(attempt: Attempt, around: Surroundings) -> list[Charge]:
    """What a write adds to the quotas it counts in; 403 when one of them has no room for it."""
    table = attempt.resource.table
    if table in _IGNORED or attempt.subresource or not _is_counted(attempt):
        return []
    quotas = around.objects(TABLE, attempt.namespace)
    if not quotas:
        return []
    usage = usage_of(table, attempt.new)
    charges = []
    for quota in quotas:
        if not is_in_scope(quota, table, attempt.new):
            continue
        hard = amounts_of((quota.get("status") or {}).get("hard"))
        limited = [name for name in hard if is_about(name, table)]
        if limited:
            _check_stated(attempt, quota, limited)
            added = _added(attempt, usage, quota)
            charge = _charge(attempt, quota, hard, {name: added[name] for name in limited if name in added})
            charges += [charge] if charge is not None else []
    return charges


def _is_counted(attempt: Attempt) -> bool:
    """Pods are counted when they are made; services and claims when they change, too."""
    return attempt.verb == "create" or attempt.resource.key in ("services", "persistentvolumeclaims")


def _check_stated(attempt: Attempt, quota: Object, limited: Iterable[str]) -> None:
    if attempt.resource.key != "pods":
        return
    missing = unstated(attempt.new, limited)
    if missing:
        said = "; ".join(f"{name} for: {','.join(sorted(set(missing[name])))}" for name in sorted(missing))
        raise attempt.refusal(f"failed quota: {quota['metadata']['name']}: must specify {said}")


def _added(attempt: Attempt, usage: Amounts, quota: Object) -> Amounts:
    """What comes on top of what the object used before."""
    table = attempt.resource.table
    if attempt.old is None or not is_in_scope(quota, table, attempt.old):
        return {name: amount for name, amount in usage.items() if amount.value}
    before = usage_of(table, attempt.old)
    deltas = {name: subtract(amount, before.get(name, ZERO)) for name, amount in usage.items()}
    return {name: delta for name, delta in deltas.items() if delta.value > 0}


def _charge(attempt: Attempt, quota: Object, hard: Amounts, added: Amounts) -> Charge | None:
    if not added:
        return None
    used = amounts_of((quota.get("status") or {}).get("used"))
    unknown = sorted(name for name in added if name not in used)
    if unknown:
        why = f"status unknown for quota: {quota['metadata']['name']}, resources: {','.join(unknown)}"
        raise attempt.refusal(why)
    total = {name: add(used[name], amount) for name, amount in added.items()}
    exceeded = sorted(name for name, amount in total.items() if amount.value > hard[name].value)
    if exceeded:
        why = f"exceeded quota: {quota['metadata']['name']}, requested: {_shown(added, exceeded)}, "
        raise attempt.refusal(f"{why}used: {_shown(used, exceeded)}, limited: {_shown(hard, exceeded)}")
    return Charge(quota, {name: str(amount) for name, amount in total.items()})


def _shown(amounts: Amounts, names: Iterable[str]) -> str:
    return ",".join(f"{name}={amounts[name]}" for name in names)
