"""Server-side apply: merging what a manager wants into what is there, by ownership of fields.

The manager's configuration states every field it owns. Fields it owned before and no longer names go, unless
somebody else owns them too; a field it changes that another manager owns is a conflict, unless forced. See
"Server-Side Apply" in the Kubernetes documentation; `apply_merge` has the merging itself.
"""

import msgspec

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.apiserver import schema
from seatrial.sandbox.apiserver.metadata import now
from seatrial.sandbox.apiserver.patching.apply_merge import merged, without
from seatrial.sandbox.apiserver.patching.field_changes import changes_between
from seatrial.sandbox.apiserver.patching.field_sets import Path, dotted, owned_paths, value_at, with_parents
from seatrial.sandbox.apiserver.patching.managed_fields import (
    entries,
    entry_of,
    ordered,
    paths_of,
    reduced,
    track_update,
)
from seatrial.sandbox.apiserver.schema import Structure
from seatrial.sandbox.apiserver.statuses import failure

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_FIRST = "before-first-apply"


class Applied:
    """One apply: the merged object, and the managedFields that follow from it.

    Args:
        config: the decoded configuration.
        excluded: top-level fields that can't be owned through this subresource.
        root: the kind's structure, where it isn't a built-in one.
    """

    def __init__(
        self,
        config: Object,
        *,
        manager: str,
        subresource: str,
        force: bool,
        excluded: tuple[str, ...] = (),
        root: Structure | None = None,
    ) -> None:
        self._config = {key: value for key, value in config.items() if key not in excluded}
        self._manager = manager
        self._subresource = subresource
        self._force = force
        self._excluded = excluded
        self._root = root or schema.root(config["apiVersion"], config["kind"])
        self._wanted = owned_paths(self._config, self._root)
        self._tracked = [self._own_entry(now())] if self._wanted else []

    def merge(self, live: Object) -> Object:
        """The live object with the configuration merged in; 409 on conflicts."""
        known = self._known(live)
        own = next((entry for entry in known if self._is_own(entry)), None)
        others = [entry for entry in known if entry is not own]
        result = merged(live, self._config, self._root or schema.DEDUCED)
        result = self._pruned(result, paths_of(own) if own else set(), others)
        changes = changes_between(live, result, self._root)
        conflicts = [(entry, path) for entry in others for path in sorted(paths_of(entry) & changes.changed)]
        if conflicts and not self._force and not self._are_kubectls_own(live, conflicts):
            raise _conflict_error(conflicts)
        lost = changes.changed | changes.removed
        kept = [rest for entry in others if (rest := reduced(entry, lost)) is not None]
        if self._wanted:
            time = now() if changes else (own or {}).get("time")
            kept.append(self._own_entry(time))
        self._tracked = ordered(kept)
        result["metadata"]["resourceVersion"] = self._config["metadata"].get(
            "resourceVersion", live["metadata"]["resourceVersion"]
        )
        return result

    def track(self, _old: Object, _new: Object) -> list[Object]:
        """The managedFields after this apply; what the server adds by itself is nobody's."""
        return self._tracked

    def _own_entry(self, time: str | None) -> Object:
        return entry_of(
            self._wanted,
            manager=self._manager,
            operation="Apply",
            api_version=self._config["apiVersion"],
            subresource=self._subresource,
            time=time,
        )

    def _known(self, live: Object) -> list[Object]:
        """The live object's entries; where there are none, all of it is owned by those who came before."""
        return entries(live) or track_update(
            None, live, manager=_FIRST, subresource=self._subresource, excluded=self._excluded, root=self._root
        )

    def _is_own(self, entry: Object) -> bool:
        return bool(
            entry.get("manager") == self._manager
            and entry.get("operation") == "Apply"
            and entry.get("subresource", "") == self._subresource
        )

    def _pruned(self, result: Object, before: set[Path], others: list[Object]) -> Object:
        """Without the fields that this manager alone owned and wants no longer."""
        kept = with_parents(self._wanted.union(*map(paths_of, others)))
        gone = with_parents(before) - kept
        if not gone:
            return result
        pruned: Object = without(result, gone, self._root or schema.DEDUCED)
        return {**pruned, "metadata": pruned.get("metadata") or dict(result["metadata"])}

    def _are_kubectls_own(self, live: Object, conflicts: list[tuple[Object, Path]]) -> bool:
        """Whether kubectl meets nothing but what it has applied itself from the client's side before."""
        text = (live["metadata"].get("annotations") or {}).get(_LAST_APPLIED)
        if self._manager != "kubectl" or not text:
            return False
        try:
            last = msgspec.json.decode(text, type=dict)
        except msgspec.DecodeError:
            return False
        allowed = owned_paths(last, self._root)
        return all(
            path in allowed and value_at(last, path, self._root) == value_at(live, path, self._root)
            for _, path in conflicts
        )


def _conflict_error(conflicts: list[tuple[Object, Path]]) -> ApiError:
    found = sorted((_shown(entry), dotted(path)) for entry, path in conflicts)
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": field} for who, field in found
    ]
    if len(found) == 1:
        text = f"1 conflict: conflict with {found[0][0]}: {found[0][1]}"
    else:
        fields: dict[str, list[str]] = {}
        for who, field in found:
            fields.setdefault(who, []).append(f"- {field}")
        lines = [f"conflicts with {who}:\n" + "\n".join(listed) for who, listed in fields.items()]
        text = f"{len(found)} conflicts: " + "\n".join(lines)
    return failure(409, "Conflict", f"Apply failed with {text}", details={"causes": causes})


def _shown(entry: Object) -> str:
    """A manager as conflicts name it."""
    who = f'"{entry["manager"]}"'
    if entry.get("subresource"):
        who += f' with subresource "{entry["subresource"]}"'
    if entry["operation"] == "Update":
        who += f" using {entry['apiVersion']}"
    return who
