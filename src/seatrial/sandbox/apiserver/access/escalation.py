"""Nobody can give rights that they don't have: writing roles and bindings is checked against the writer's own rules.

The verbs `escalate` (on roles) and `bind` (on roles that are bound) lift the check. See "Privilege escalation
prevention and bootstrapping" in Kubernetes' documentation of RBAC.
"""

from collections.abc import Iterator

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.access.authorization import Attributes, Authorizer
from seatrial.sandbox.apiserver.calls import User
from seatrial.sandbox.apiserver.operations import Operations
from seatrial.sandbox.apiserver.resources import Resource
from seatrial.sandbox.apiserver.statuses import forbidden

GROUP = "rbac.authorization.k8s.io"


class EscalationGuard:
    """Checks writes of roles and bindings."""

    def __init__(self, operations: Operations, authorizer: Authorizer) -> None:
        self._operations = operations
        self._authorizer = authorizer

    def check(self, user: User, resource: Resource, namespace: str, obj: Object) -> None:
        """403 if the object would give rights that the user doesn't hold."""
        if resource.group != GROUP or "system:masters" in user.groups:
            return
        name = (obj.get("metadata") or {}).get("name", "")
        if resource.plural in ("roles", "clusterroles"):
            rules, lifted = obj.get("rules") or [], Attributes("escalate", GROUP, resource.plural, "", namespace, name)
        else:
            reference = obj.get("roleRef") or {}
            plural = f"{reference.get('kind', '').lower()}s"
            where = namespace if plural == "roles" else ""
            role = self._operations.lookup(f"{plural}.{GROUP}", where, reference.get("name", "")) or {}
            rules = role.get("rules") or []
            lifted = Attributes("bind", GROUP, plural, "", namespace, reference.get("name", ""))
        missing = [wanted for rule in rules for wanted in _wanted(rule, namespace) if not self._holds(user, wanted)]
        if missing and not self._holds(user, lifted):
            groups = " ".join(f'"{group}"' for group in user.groups)
            who = f'user "{user.name}" (groups=[{groups}])'
            why = f"{who} is attempting to grant RBAC permissions not currently held:\n{_shown(missing)}"
            raise forbidden(GROUP, resource.plural, name, why)

    def _holds(self, user: User, wanted: Attributes) -> bool:
        return self._authorizer.decide(user, wanted).allowed


def _wanted(rule: Object, namespace: str) -> Iterator[Attributes]:
    """Every single right that a rule gives."""
    for verb in rule.get("verbs") or ():
        for path in rule.get("nonResourceURLs") or ():
            yield Attributes(verb, path=path)
        for group in rule.get("apiGroups") or ():
            for full in rule.get("resources") or ():
                resource, _, subresource = full.partition("/")
                for name in rule.get("resourceNames") or ("",):
                    yield Attributes(verb, group, resource, subresource, namespace, name)


def _shown(missing: list[Attributes]) -> str:
    """The rights as Go prints rules, one line for each resource."""
    lines: dict[tuple[str, str], list[str]] = {}
    for wanted in missing:
        lines.setdefault((wanted.group, wanted.path or wanted.full_resource), []).append(wanted.verb)
    texts = []
    for (group, resource), verbs in sorted(lines.items()):
        shown = " ".join(f'"{verb}"' for verb in dict.fromkeys(verbs))
        texts.append(f'{{APIGroups:["{group}"], Resources:["{resource}"], Verbs:[{shown}]}}')
    return "\n".join(texts)
