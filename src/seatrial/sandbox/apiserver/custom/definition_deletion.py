"""The beginning of a definition's deletion; `service` carries it out."""

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver import metadata
from seatrial.sandbox.apiserver.custom.definition import FINALIZER, with_condition


def marked_for_deletion(definition: Object) -> Object:
    """The definition as the first DELETE leaves it; a later one changes nothing."""
    meta = definition["metadata"]
    if "deletionTimestamp" in meta:
        return definition
    finalizers = [*(meta.get("finalizers") or ())]
    if FINALIZER not in finalizers:
        finalizers.append(FINALIZER)
    text = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
    marked = with_condition(definition, "Terminating", "True", "InstanceDeletionPending", text)
    return {**marked, "metadata": {**meta, "deletionTimestamp": metadata.now(), "finalizers": finalizers}}
