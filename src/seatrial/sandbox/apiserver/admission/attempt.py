"""A write that asks to be admitted: what every admission plugin is told."""

from dataclasses import dataclass
from typing import Literal

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.apiserver import statuses
from seatrial.sandbox.apiserver.calls import Call
from seatrial.sandbox.apiserver.resources import Resource


@dataclass(frozen=True, slots=True)
class Attempt:
    """One write.

    Args:
        verb: what is done to the object.
        resource: its resource.
        namespace: empty for a cluster-wide object.
        name: for a generated name that isn't known yet, its prefix.
        new: the object as it will be; plugins that change it do so in place. Empty for a deletion.
        old: the object as it is; None when it is created.
        call: who asks, and how.
        subresource: empty for the object itself; `new` is then what was posted.
    """

    verb: Literal["create", "update", "delete"]
    resource: Resource
    namespace: str
    name: str
    new: Object
    old: Object | None
    call: Call
    subresource: str = ""

    def refusal(self, why: str) -> ApiError:
        """403 with the plugin's words."""
        return statuses.forbidden(self.resource.group, self.resource.plural, self.name, why)
