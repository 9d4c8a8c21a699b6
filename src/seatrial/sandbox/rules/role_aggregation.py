"""Which rules an aggregated cluster role has: those of all roles that its label selectors pick.

See "Aggregated ClusterRoles" in Kubernetes' documentation of RBAC.
"""

from collections.abc import Iterable

from seatrial.kube.selectors import LabelSelector, SelectorError
from seatrial.sandbox.api import Object


def aggregated_rules(role: Object, roles: Iterable[Object]) -> list[Object]:
    """The rules of the roles that are picked, by name, none twice."""
    found: list[Object] = []
    for selector in (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ():
        for other in sorted(roles, key=lambda entry: str(entry["metadata"]["name"])):
            if other["metadata"]["name"] != role["metadata"]["name"] and _picks(selector, other):
                found += [rule for rule in other.get("rules") or () if rule not in found]
    return found


def _picks(selector: Object, role: Object) -> bool:
    try:
        return LabelSelector.from_dict(selector).matches(role["metadata"].get("labels"))
    except SelectorError:
        return False  # a selector that says nothing sensible picks nothing
