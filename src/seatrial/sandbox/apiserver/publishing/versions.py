"""Writes objects in a version other than the stored one: events of `events.k8s.io`, autoscalers of `autoscaling/v1`.

They are converted on their way in and out (`conversion`). Who set what is noted in the version that was written.
"""

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.calls import Call
from seatrial.sandbox.apiserver.conversion import from_stored, is_converted, to_stored
from seatrial.sandbox.apiserver.operations import Operations, Transform
from seatrial.sandbox.apiserver.patching.managed_fields import track_update
from seatrial.sandbox.apiserver.resources import Resource


def is_of_another_version(resource: Resource) -> bool:
    """Whether writes of a built-in resource have to go through here."""
    return resource.custom is None and is_converted(resource)


def create_in_version(
    operations: Operations, resource: Resource, namespace: str | None, body: Object | None, call: Call
) -> Object:
    """Create an object; returns it in the resource's own version."""
    decoded = operations.decode(resource, body, call)
    stored = operations.registry.of(resource.table)

    def tracked(_old: Object, _new: Object) -> list[Object]:
        return track_update(
            None, decoded, manager=call.manager, subresource="", excluded=resource.unowned(""), root=resource.structure
        )

    made = operations.create(stored, namespace, to_stored(resource, decoded), call, track=tracked)
    return from_stored(resource, made)


def update_in_version(
    operations: Operations,
    resource: Resource,
    namespace: str | None,
    name: str,
    transform: Transform,
    call: Call,
    *,
    subresource: str = "",
) -> Object:
    """Change an object; `transform` sees and makes the resource's own version."""
    stored = operations.registry.of(resource.table)

    def converted(old: Object) -> Object:
        wanted = transform(from_stored(resource, old))
        return to_stored(resource, operations.decode(resource, wanted, call))

    def tracked(old: Object, new: Object) -> list[Object]:
        return track_update(
            from_stored(resource, old),
            from_stored(resource, new),
            manager=call.manager,
            subresource=subresource,
            excluded=resource.unowned(subresource),
            root=resource.structure,
        )

    changed = operations.update(stored, namespace, name, converted, call, subresource=subresource, track=tracked)
    return from_stored(resource, changed)
