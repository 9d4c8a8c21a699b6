"""Which ReplicaSet is a Deployment's newest, what revision it is, and what it is called.

A Deployment's template tells its newest ReplicaSet: going back to an old template finds the old ReplicaSet again, which
is all a rollback is. Annotations (`deployment.kubernetes.io/revision` and its history) number them.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.deployment_sizes import DESIRED_REPLICAS, MAX_REPLICAS
from seatrial.sandbox.controllers.objects import annotations_of, by_age, controller_reference, name_of, namespace_of

REVISION: Final = "deployment.kubernetes.io/revision"
REVISION_HISTORY: Final = "deployment.kubernetes.io/revision-history"
HASH_LABEL: Final = "pod-template-hash"

_NOT_COPIED: Final = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        REVISION_HISTORY,
        DESIRED_REPLICAS,
        MAX_REPLICAS,
        "deprecated.deployment.rollback.to",
    }
)
_LONGEST_HISTORY: Final = 2000
# Letters and digits that spell no words: what Kubernetes uses for generated names.
_SAFE_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"


def same_template(one: Object, other: Object) -> bool:
    """Equal but for the hash label."""
    return _without_hash(one) == _without_hash(other)


def _without_hash(template: Object) -> Object:
    metadata = dict(template.get("metadata") or {})
    metadata.pop("creationTimestamp", None)
    labels = {key: value for key, value in (metadata.pop("labels", None) or {}).items() if key != HASH_LABEL}
    return {"metadata": {**metadata, "labels": labels}, "spec": template["spec"]}


def newest_of(deployment: Object, replica_sets: Iterable[Object]) -> Object | None:
    """The ReplicaSet that has the Deployment's template; the oldest, should there be several."""
    for replica_set in sorted(replica_sets, key=by_age):
        if same_template(replica_set["spec"]["template"], deployment["spec"]["template"]):
            return replica_set
    return None


def revision_of(item: Object) -> int:
    """The number of a ReplicaSet or Deployment; 0 if it has none."""
    text = annotations_of(item).get(REVISION, "")
    return int(text) if text.isdecimal() else 0


def template_hash(template: Object, *, collisions: int) -> str:
    """A short name for a template: FNV-1a over its canonical JSON, spelt in safe letters.

    Another value than Kubernetes computes, since that one hashes how Go prints its structures; it only has to be the
    same for the same template.
    """
    value = 0x811C9DC5
    for byte in msgspec.json.encode([template, collisions], order="deterministic"):
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return "".join(_SAFE_LETTERS[ord(digit) % len(_SAFE_LETTERS)] for digit in str(value))


def new_replica_set(deployment: Object, *, size: int, annotations: Mapping[str, str], collisions: int) -> Object:
    """The ReplicaSet to create for the Deployment's template."""
    spec = deployment["spec"]
    hashed = template_hash(spec["template"], collisions=collisions)
    template_metadata = spec["template"].get("metadata") or {}
    labels = {**(template_metadata.get("labels") or {}), HASH_LABEL: hashed}
    selector = spec["selector"]
    replica_set_spec: Object = {
        "replicas": size,
        "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH_LABEL: hashed}},
        "template": {**spec["template"], "metadata": {**template_metadata, "labels": labels}},
    }
    if spec.get("minReadySeconds"):
        replica_set_spec["minReadySeconds"] = spec["minReadySeconds"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name_of(deployment)}-{hashed}",
            "namespace": namespace_of(deployment),
            "labels": labels,
            "annotations": dict(annotations),
            "ownerReferences": [controller_reference(deployment, api_version="apps/v1", kind="Deployment")],
        },
        "spec": replica_set_spec,
    }


def copied_annotations(deployment: Object) -> dict[str, str]:
    """The Deployment's annotations that its newest ReplicaSet carries as well."""
    return {key: value for key, value in annotations_of(deployment).items() if key not in _NOT_COPIED}


def renumbered(replica_set: Object, revision: int) -> dict[str, str]:
    """The annotations of a ReplicaSet that becomes this revision; its former numbers go to the history."""
    annotations = dict(annotations_of(replica_set))
    old = annotations.get(REVISION, "")
    if revision <= revision_of(replica_set):
        return annotations
    annotations[REVISION] = str(revision)
    if old:
        history = [entry for entry in annotations.get(REVISION_HISTORY, "").split(",") if entry]
        history.append(old)
        while len(",".join(history)) > _LONGEST_HISTORY:
            del history[0]
        annotations[REVISION_HISTORY] = ",".join(history)
    return annotations
