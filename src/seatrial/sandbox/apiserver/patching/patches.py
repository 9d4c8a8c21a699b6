"""Turns the body of a PATCH request into a function from the old object to the wanted one.

JSON patch, merge patch and strategic merge patch have a module each; server-side apply is in `apply`.
"""

from typing import Any, cast

from aiohttp import web

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver import schema, statuses
from seatrial.sandbox.apiserver.operations import Transform
from seatrial.sandbox.apiserver.patching.json_patch import MOST_OPERATIONS, JsonPatchError, apply_json_patch
from seatrial.sandbox.apiserver.patching.merge_patch import merge
from seatrial.sandbox.apiserver.patching.strategic_merge import strategic_merge
from seatrial.sandbox.apiserver.resources import Resource


def check_patch_options(request: web.BaseRequest, media: str) -> None:
    """An apply names its field manager, and nothing but an apply can be forced."""
    errors = []
    if media == "application/apply-patch+yaml":
        if not request.query.get("fieldManager"):
            text = "is required for apply patch"
            errors.append(statuses.required("fieldManager", text))
    elif "force" in request.query:
        errors.append(statuses.forbidden_field("force", "may not be specified for non-apply patch"))
    if errors:
        raise statuses.unprocessable("meta.k8s.io", "PatchOptions", "", errors)


def patcher(media: str, patch: Any, resource: Resource, subresource: str) -> Transform:
    """The function that a patch is."""
    if media == "application/merge-patch+json":
        return lambda old: cast("Object", merge(old, patch))
    if media == "application/strategic-merge-patch+json":
        root = schema.root(resource.api_version, resource.kind)
        if subresource == "scale":
            root = schema.root("autoscaling/v1", "Scale")
        return lambda old: cast("Object", strategic_merge(old, patch, root))

    if len(patch) > MOST_OPERATIONS:
        text = f"The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {len(patch)}"
        raise statuses.failure(413, "RequestEntityTooLarge", f"Request entity too large: {text}")

    def patched(old: Object) -> Object:
        try:
            result = apply_json_patch(old, patch)
        except JsonPatchError as error:
            raise statuses.unprocessable_patch() from error
        return result if isinstance(result, dict) else {}

    return patched
