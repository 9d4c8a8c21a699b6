"""Where a request about a pod's streams goes: which container, which node, which end point of its kubelet.

The refusals of `exec`, `attach`, `portforward` and `log` that need no kubelet are made here.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from multidict import MultiMapping

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver import statuses
from seatrial.sandbox.apiserver.go_time import complaint_about
from seatrial.sandbox.apiserver.request_info import is_true, read_integer
from seatrial.sandbox.apiserver.statuses import FieldError

_FLAGS: Final = {"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"}
_LOG_FLAGS: Final = ("follow", "previous", "timestamps")
_LOG_NUMBERS: Final = ("sinceSeconds", "tailLines", "limitBytes")


def stream_target(pod: Object, subresource: str, query: MultiMapping[str]) -> str:
    """Path and query at the kubelet for an `exec`, `attach` or `portforward`.

    Raises:
        ApiError: 400, there is no such container, or the pod is on no node.
    """
    metadata = pod["metadata"]
    where = f"{metadata['namespace']}/{metadata['name']}"
    if subresource == "portforward":
        ports = query.getall("ports", [])
        for port in ports:
            read_integer(port)
        demand_node(pod)
        return f"/portForward/{where}" + (f"?{urlencode({'port': ','.join(ports)})}" if ports else "")
    container = valid_container(pod, query.get("container", ""))
    demand_node(pod)
    parameters = [(theirs, "1") for ours, theirs in _FLAGS.items() if is_true(query.get(ours))]
    if subresource == "exec":
        parameters += [("command", word) for word in query.getall("command", [])]
    return f"/{subresource}/{where}/{container}?{urlencode(parameters)}"


def demand_node(pod: Object) -> None:
    """400 for a pod that is on no node."""
    if not pod["spec"].get("nodeName"):
        raise statuses.bad_request(f"pod {pod['metadata']['name']} does not have a host assigned")


def valid_container(pod: Object, wanted: str) -> str:
    """The container that a request means: the one it names, or the only one.

    Raises:
        ApiError: 400, there is none of that name, or several to choose from.
    """
    spec, name = pod["spec"], pod["metadata"]["name"]
    containers = _names(spec, "containers")
    init = _names(spec, "initContainers")
    if wanted:
        if wanted not in (*containers, *init, *_names(spec, "ephemeralContainers")):
            raise statuses.bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(containers) == 1:
        return containers[0]
    text = f"a container name must be specified for pod {name}, choose one of: [{' '.join(containers)}]"
    if init:
        text += f" or one of the init containers: [{' '.join(init)}]"
    raise statuses.bad_request(text)


def _names(spec: Object, key: str) -> list[str]:
    return [str(container["name"]) for container in spec.get(key) or ()]


def log_query(name: str, query: Mapping[str, str]) -> dict[str, str]:
    """The options of a log request, as the kubelet is to be asked.

    Raises:
        ApiError: 400 for a number or time that is none, 422 for one that makes no sense.
    """
    asked: dict[str, str] = {flag: "true" for flag in _LOG_FLAGS if is_true(query.get(flag))}
    for key in _LOG_NUMBERS:
        if query.get(key):
            asked[key] = str(read_integer(query[key]))
    if query.get("sinceTime"):
        complaint = complaint_about(query["sinceTime"])
        if complaint:
            raise statuses.bad_request(complaint)
        asked["sinceTime"] = query["sinceTime"]
    errors = _log_errors(asked, query)
    if errors:
        raise statuses.unprocessable("", "PodLogOptions", name, errors)
    return asked


def _log_errors(asked: Mapping[str, str], query: Mapping[str, str]) -> list[FieldError]:
    errors = []
    if int(asked.get("tailLines", 0)) < 0:
        errors.append(_invalid("tailLines", asked, "must be greater than or equal to 0"))
    if int(asked.get("limitBytes", 1)) < 1:
        errors.append(_invalid("limitBytes", asked, "must be greater than 0"))
    if "sinceSeconds" in asked and "sinceTime" in asked:
        why = "at most one of `sinceTime` or `sinceSeconds` may be specified"
        errors.append(statuses.forbidden_field("", why))
    elif int(asked.get("sinceSeconds", 1)) < 1:
        errors.append(_invalid("sinceSeconds", asked, "must be greater than 0"))
    if query.get("stream"):
        errors.append(statuses.forbidden_field("stream", "may not be specified"))
    return errors


def _invalid(key: str, asked: Mapping[str, str], why: str) -> FieldError:
    value: Any = int(asked[key])
    return statuses.invalid(key, value, why)
