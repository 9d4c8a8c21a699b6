"""What storage and ingress classes add: the default class, finalizers of objects in use, who may grow a volume."""

from decimal import Decimal
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.admission.attempt import Attempt
from seatrial.sandbox.apiserver.strategies.base import Surroundings
from seatrial.sandbox.rules.pod_resources import amounts_of

CLAIM_PROTECTION: Final = "kubernetes.io/pvc-protection"
VOLUME_PROTECTION: Final = "kubernetes.io/pv-protection"
_CLASSES: Final = "storageclasses.storage.k8s.io"
_DEFAULT_STORAGE: Final = "storageclass.kubernetes.io/is-default-class"
_DEFAULT_INGRESS: Final = "ingressclass.kubernetes.io/is-default-class"


def set_default_class(attempt: Attempt, around: Surroundings) -> None:
    """A claim that names no class, not even the empty one, gets the newest default class."""
    claim = attempt.new
    annotations = claim["metadata"].get("annotations") or {}
    if claim["spec"].get("storageClassName") is not None or "volume.beta.kubernetes.io/storage-class" in annotations:
        return
    name = _newest_default(around.objects(_CLASSES), _DEFAULT_STORAGE)
    if name:
        claim["spec"]["storageClassName"] = name


def set_default_ingress_class(attempt: Attempt, around: Surroundings) -> None:
    """An ingress that names no class gets the default one."""
    ingress = attempt.new
    annotations = ingress["metadata"].get("annotations") or {}
    if ingress["spec"].get("ingressClassName") is not None or "kubernetes.io/ingress.class" in annotations:
        return
    name = _newest_default(around.objects("ingressclasses.networking.k8s.io"), _DEFAULT_INGRESS)
    if name:
        ingress["spec"]["ingressClassName"] = name


def _newest_default(classes: list[Object], annotation: str) -> str:
    defaults = [item for item in classes if (item["metadata"].get("annotations") or {}).get(annotation) == "true"]
    newest = max(defaults, key=lambda item: str(item["metadata"]["creationTimestamp"]), default=None)
    return str(newest["metadata"]["name"]) if newest is not None else ""


def protect(attempt: Attempt, _around: Surroundings) -> None:
    """Claims and volumes outlive their deletion for as long as they are in use."""
    finalizer = CLAIM_PROTECTION if attempt.resource.key == "persistentvolumeclaims" else VOLUME_PROTECTION
    finalizers = attempt.new["metadata"].setdefault("finalizers", [])
    if finalizer not in finalizers:
        finalizers.append(finalizer)


def check_growth(attempt: Attempt, around: Surroundings) -> None:
    """403 for growing a claim whose class doesn't let volumes grow."""
    old = attempt.old or {}
    before, after = _requested(old), _requested(attempt.new)
    if attempt.subresource or before is None or after is None or after <= before:
        return
    if (old.get("status") or {}).get("phase") != "Bound":
        raise attempt.refusal("Only bound persistent volume claims can be expanded")
    found = around.lookup(_CLASSES, "", old["spec"].get("storageClassName") or "")
    if found is None or not found.get("allowVolumeExpansion"):
        why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must "
        raise attempt.refusal(f"{why}support resize")


def _requested(claim: Object) -> Decimal | None:
    amounts = amounts_of(((claim.get("spec") or {}).get("resources") or {}).get("requests"))
    return amounts["storage"].value if "storage" in amounts else None
