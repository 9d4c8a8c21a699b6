"""What the API server asks of events: little of those in the old form, more of those that bring an `eventTime`."""

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.metadata import qualified_name_errors
from seatrial.sandbox.apiserver.statuses import FieldError, invalid, required

_LONGEST_NOTE_BYTES = 1024
_LONGEST_BYTES = 128
# The fields of the stored form, core/v1, and what errors call them.
_NAMED = {"reportingInstance": "reportingInstance", "action": "action", "reason": "reason"}


def event_errors(obj: Object) -> list[FieldError]:
    """What is wrong with an event, in its stored form."""
    return _new_errors(obj) if obj.get("eventTime") else _namespace_errors(obj, among=("", "default"))


def _namespace_errors(obj: Object, *, among: tuple[str, ...]) -> list[FieldError]:
    """An event stands in the namespace of what it is about; what has none has its events in one of some."""
    namespace = obj["metadata"].get("namespace", "")
    involved = (obj.get("involvedObject") or {}).get("namespace", "")
    allowed = (involved,) if involved else among
    if namespace not in allowed:
        return [invalid("involvedObject.namespace", involved, "does not match event.namespace")]
    return []


def _new_errors(obj: Object) -> list[FieldError]:
    involved = (obj.get("involvedObject") or {}).get("namespace", "")
    errors = [] if involved else _namespace_errors(obj, among=("default", "kube-system"))
    controller = obj.get("reportingComponent") or ""
    if not controller:
        errors.append(required("reportingController"))
    errors += qualified_name_errors(controller, "reportingController")
    for key, field in _NAMED.items():
        value = obj.get(key) or ""
        if not value:
            errors.append(required(field))
        errors += _length_errors(field, value, _LONGEST_BYTES)
    return errors + _length_errors("message", obj.get("message") or "", _LONGEST_NOTE_BYTES)


def _length_errors(field: str, value: str, most_bytes: int) -> list[FieldError]:
    if len(value.encode()) <= most_bytes:
        return []
    return [invalid(field, "", f"can have at most {most_bytes} characters")]
