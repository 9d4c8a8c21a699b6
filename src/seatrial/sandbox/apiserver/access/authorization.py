"""What a user may do: role-based access control, read from the roles and bindings in the store.

The group `system:masters` may do everything; kubelets have rules of their own (`node_authorizer`). See "Using RBAC
Authorization" in the Kubernetes documentation; the roles that every cluster has are made by `bootstrap_roles`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.apiserver.access.bindings import GROUP, Bindings, matching_subject
from seatrial.sandbox.apiserver.access.node_authorizer import NodeAuthorizer, node_of
from seatrial.sandbox.apiserver.calls import User
from seatrial.sandbox.apiserver.operations import Operations
from seatrial.sandbox.apiserver.statuses import failure, forbidden, qualified


@dataclass(frozen=True, slots=True)
class Attributes:
    """What somebody wants to do, in the terms of RBAC."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""  # of a request that is about no resource

    @property
    def full_resource(self) -> str:
        """`pods/log`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Decision(NamedTuple):
    """Whether it is allowed, and by which binding."""

    allowed: bool
    reason: str = ""


class Authorizer:
    """Evaluates RBAC."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._bindings = Bindings(operations.store)
        self._nodes = NodeAuthorizer(operations.store)

    def decide(self, user: User, wanted: Attributes) -> Decision:
        """Whether the user may."""
        if "system:masters" in user.groups:
            return Decision(allowed=True)
        refusal = self._refusal_by_node(user, wanted)
        if refusal is None:
            return Decision(allowed=True)
        missing: list[str] = []
        for reason, rules in self.grants(user, wanted.namespace, missing):
            if any(rule_allows(rule, wanted) for rule in rules):
                return Decision(allowed=True, reason=reason)
        if missing:
            listed = missing[0] if len(missing) == 1 else f"[{', '.join(missing)}]"
            refusal = f"{refusal}, RBAC: {listed}" if refusal else f"RBAC: {listed}"
        return Decision(allowed=False, reason=refusal)

    def _refusal_by_node(self, user: User, wanted: Attributes) -> str | None:
        """None if the user is a kubelet that may, else why the node authorizer has nothing to give."""
        node = node_of(user)
        if node is None or wanted.path:
            return ""
        return self._nodes.refusal(
            node,
            verb=wanted.verb,
            resource=qualified(wanted.group, wanted.resource),
            subresource=wanted.subresource,
            namespace=wanted.namespace,
            name=wanted.name,
        )

    def grants(
        self, user: User, namespace: str, missing: list[str] | None = None
    ) -> Iterator[tuple[str, list[Object]]]:
        """The rules that bindings give a user, each with the words of its reason.

        `missing` gathers complaints about roles that are bound and don't exist.
        """
        lost = [] if missing is None else missing
        for binding in self._bindings.of(user):
            subject = matching_subject(binding, user, "")
            if subject is not None:
                name = binding["metadata"]["name"]
                role = binding["roleRef"]["name"]
                yield (
                    f'RBAC: allowed by ClusterRoleBinding "{name}" of ClusterRole "{role}" to {_shown(subject, "")}',
                    self._rules("ClusterRole", "", role, lost),
                )
        if not namespace:
            return
        for binding in self._bindings.of(user, namespace):
            subject = matching_subject(binding, user, namespace)
            if subject is not None:
                name, reference = binding["metadata"]["name"], binding["roleRef"]
                yield (
                    (
                        f'RBAC: allowed by RoleBinding "{name}/{namespace}" of {reference["kind"]} '
                        f'"{reference["name"]}" to {_shown(subject, namespace)}'
                    ),
                    self._rules(reference["kind"], namespace, reference["name"], lost),
                )

    def _rules(self, kind: str, namespace: str, name: str, missing: list[str]) -> list[Object]:
        table = f"{kind.lower()}s.{GROUP}"
        role = self._operations.lookup(table, namespace if kind == "Role" else "", name)
        if role is None:
            complaint = f'{kind.lower()}.{GROUP} "{name}" not found'
            missing += [complaint] if complaint not in missing else []
            return []
        return list(role.get("rules") or ())

    def demand(self, user: User, wanted: Attributes) -> None:
        """403 unless the user may."""
        decision = self.decide(user, wanted)
        if not decision.allowed:
            raise denial(user, wanted, decision.reason)


def denial(user: User, wanted: Attributes, reason: str = "") -> ApiError:
    """The 403 for what the user may not do."""
    if wanted.path:
        text = f'forbidden: User "{user.name}" cannot {wanted.verb} path "{wanted.path}"'
        return failure(403, "Forbidden", text, details={})
    where = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
    why = f'User "{user.name}" cannot {wanted.verb} resource "{wanted.full_resource}" '
    why += f'in API group "{wanted.group}" {where}' + (f": {reason}" if reason else "")
    return forbidden(wanted.group, wanted.resource, wanted.name, why)


def _shown(subject: Object, namespace: str) -> str:
    if subject["kind"] == "ServiceAccount":
        return f'ServiceAccount "{subject["name"]}/{subject.get("namespace") or namespace}"'
    return f'{subject["kind"]} "{subject["name"]}"'


def rule_allows(rule: Object, wanted: Attributes) -> bool:
    """Whether one rule covers what is wanted."""
    verbs = rule.get("verbs") or ()
    if "*" not in verbs and wanted.verb not in verbs:
        return False
    if wanted.path:
        return any(_path_matches(pattern, wanted.path) for pattern in rule.get("nonResourceURLs") or ())
    groups, names = rule.get("apiGroups") or (), rule.get("resourceNames") or ()
    if "*" not in groups and wanted.group not in groups:
        return False
    if names and wanted.name not in names:
        return False
    return any(_resource_matches(pattern, wanted) for pattern in rule.get("resources") or ())


def _path_matches(pattern: str, path: str) -> bool:
    return pattern in ("*", path) or (pattern.endswith("*") and path.startswith(pattern[:-1]))


def _resource_matches(pattern: str, wanted: Attributes) -> bool:
    if pattern in ("*", wanted.full_resource):
        return True
    return bool(wanted.subresource) and pattern == f"*/{wanted.subresource}"
