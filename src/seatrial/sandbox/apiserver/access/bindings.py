"""Role bindings by whom they bind: every request asks which concern its user, and hardly any do.

A service account is bound by its user name (`system:serviceaccount:NAMESPACE:NAME`), which other subjects may spell out
as well.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.calls import User
from seatrial.sandbox.apiserver.store import Change, Store

GROUP: Final = "rbac.authorization.k8s.io"
_Key = tuple[str, str, str]  # a namespace or "", the subject's kind ("User", "Group"), its name
_Name = tuple[str, str]


class Bindings:
    """Keeps an index of the bindings in a store.

    Args:
        store: where they are.
    """

    def __init__(self, store: Store) -> None:
        self._index: dict[_Key, dict[_Name, Object]] = {}
        for table in (f"clusterrolebindings.{GROUP}", f"rolebindings.{GROUP}"):
            for record in store.list(table):
                self._add(record.object)
            store.listen(table, self._changed)

    def of(self, user: User, namespace: str = "") -> list[Object]:
        """The RoleBindings of a namespace that concern a user, by name; without a namespace ClusterRoleBindings."""
        found: dict[_Name, Object] = {}
        for kind, name in (("User", user.name), *(("Group", group) for group in user.groups)):
            found |= self._index.get((namespace, kind, name), {})
        return [found[name] for name in sorted(found)]

    def _changed(self, change: Change) -> None:
        if change.previous is not None:
            binding = change.previous.object
            for key in _keys(binding):
                bound = self._index.get(key, {})
                bound.pop(_name(binding), None)
                if not bound:
                    self._index.pop(key, None)
        if change.type != "DELETED":
            self._add(change.record.object)

    def _add(self, binding: Object) -> None:
        for key in _keys(binding):
            self._index.setdefault(key, {})[_name(binding)] = binding


def matching_subject(binding: Object, user: User, namespace: str) -> Object | None:
    """The first of a binding's subjects that is the user."""
    for subject in binding.get("subjects") or ():
        kind, name = _identity(subject, namespace)
        if (kind == "User" and name == user.name) or (kind == "Group" and name in user.groups):
            return dict(subject)
    return None


def _keys(binding: Object) -> Iterator[_Key]:
    namespace = _name(binding)[0]
    subjects: Iterable[Object] = binding.get("subjects") or ()
    for subject in subjects:
        yield (namespace, *_identity(subject, namespace))


def _identity(subject: Object, namespace: str) -> tuple[str, str]:
    """Whom a subject names: a kind, "User" or "Group", and a name."""
    kind, name = str(subject.get("kind")), str(subject.get("name"))
    if kind == "ServiceAccount":
        return "User", f"system:serviceaccount:{subject.get('namespace') or namespace}:{name}"
    return kind, name


def _name(binding: Object) -> _Name:
    metadata = binding["metadata"]
    return metadata.get("namespace", ""), metadata["name"]
