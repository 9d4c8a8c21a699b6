"""Lists: selectors, pages, resourceVersions.

A page's continue token names the revision of the first page, so that all pages show one state. See "Retrieving
large results sets in chunks" and "Resource versions" in the Kubernetes API concepts.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver import statuses
from seatrial.sandbox.apiserver.request_info import is_true, read_integer
from seatrial.sandbox.apiserver.resources import Resource
from seatrial.sandbox.apiserver.selectors import Selector
from seatrial.sandbox.apiserver.store import Record, Store, TooOldError

_TOO_OLD_PAGE = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, "
    "or deleted "
    "between the time the first chunk was returned and now may show up in the list."
)
_FUTURE_PATIENCE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class ListOptions:
    """The query of a list or watch."""

    label_selector: str = ""
    field_selector: str = ""
    limit: int = 0
    continue_token: str = ""
    resource_version: str = ""
    resource_version_match: str = ""
    timeout_seconds: int | None = None
    allow_bookmarks: bool = False
    send_initial_events: bool | None = None


class Page(NamedTuple):
    """What a list found: the records and the list's metadata."""

    records: list[Record]
    metadata: Object


def list_options(query: Mapping[str, str], *, watch: bool) -> ListOptions:
    """Read and check the query; 400 and 422."""
    initial = query.get("sendInitialEvents")
    options = ListOptions(
        label_selector=query.get("labelSelector", ""),
        field_selector=query.get("fieldSelector", ""),
        limit=read_integer(query.get("limit") or "0"),
        continue_token=query.get("continue", ""),
        resource_version=query.get("resourceVersion", ""),
        resource_version_match=query.get("resourceVersionMatch", ""),
        timeout_seconds=read_integer(query["timeoutSeconds"]) if query.get("timeoutSeconds") else None,
        allow_bookmarks=is_true(query.get("allowWatchBookmarks")),
        send_initial_events=None if initial is None else is_true(initial),
    )
    errors = _watch_errors(options) if watch else _list_errors(options)
    if errors:
        raise statuses.unprocessable("meta.k8s.io", "ListOptions", "", errors)
    return options


def _list_errors(options: ListOptions) -> list[statuses.FieldError]:
    match, field = options.resource_version_match, "resourceVersionMatch"
    errors = []
    if match:
        if not options.resource_version:
            text = "resourceVersionMatch is forbidden unless resourceVersion is provided"
            errors.append(statuses.forbidden_field(field, text))
        if options.continue_token:
            errors.append(
                statuses.forbidden_field(field, "resourceVersionMatch is forbidden when continue is provided")
            )
            errors = errors[-1:]
        if match not in ("Exact", "NotOlderThan"):
            errors.append(statuses.unsupported(field, match, ("Exact", "NotOlderThan", "")))
        if match == "Exact" and options.resource_version == "0":
            text = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            errors.append(statuses.forbidden_field(field, text))
    if options.send_initial_events is not None:
        errors.append(statuses.forbidden_field("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return errors


def _watch_errors(options: ListOptions) -> list[statuses.FieldError]:
    match, field = options.resource_version_match, "resourceVersionMatch"
    errors = []
    if options.send_initial_events is None:
        if match:
            text = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            errors.append(statuses.forbidden_field(field, text))
        return errors
    if match != "NotOlderThan":
        text = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        errors.append(statuses.forbidden_field(field, text))
        if match:
            errors.append(statuses.unsupported(field, match, ("NotOlderThan",)))
    return errors


def parse_revision(text: str) -> int:
    """A resourceVersion as a number; ValueError with Go's words."""
    if not text.isascii() or not text.isdigit():
        raise ValueError(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    return int(text)


async def find(store: Store, resource: Resource, namespace: str | None, options: ListOptions) -> Page:
    """Carry out a list."""
    selector = Selector(
        options.label_selector,
        options.field_selector,
        group=resource.group,
        plural=resource.plural,
        selectable=resource.selectable,
    )
    if options.continue_token:
        revision, start = _read_token(options.continue_token)
        records = _at(store, resource, namespace, revision, options.continue_token)
        # A token that continues inconsistently goes on with the state of this moment.
        revision = store.revision if revision < 0 else revision
        records = [record for record in records if (record.namespace if namespace is None else "", record.name) > start]
    else:
        revision, records = await _first_page(store, resource, namespace, options)
    if not selector.everything:
        records = [record for record in records if selector.matches(record.object)]
    limit = 0 if options.resource_version == "0" and options.resource_version_match != "Exact" else options.limit
    return _cut(records, limit, revision, selector, namespace)


async def _first_page(
    store: Store, resource: Resource, namespace: str | None, options: ListOptions
) -> tuple[int, list[Record]]:
    if options.resource_version in ("", "0"):
        return store.revision, store.list(resource.table, namespace)
    try:
        asked = parse_revision(options.resource_version)
    except ValueError as error:
        shown = f'resourceVersion: Invalid value: "{options.resource_version}": {error}'
        raise statuses.bad_request(f"invalid resource version: {shown}") from None
    await _await_revision(store, asked)
    exact = options.resource_version_match == "Exact" or (options.limit and not options.resource_version_match)
    if not exact:
        return store.revision, store.list(resource.table, namespace)
    try:
        return asked, store.list_at(resource.table, namespace, asked)
    except TooOldError:
        raise statuses.expired("The resourceVersion for the provided list is too old.") from None


async def _await_revision(store: Store, asked: int) -> None:
    """Wait a little for a revision of the future; 504."""
    if await store.wait_for(asked, timeout_seconds=_FUTURE_PATIENCE_SECONDS):
        return
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    raise statuses.failure(
        504,
        "Timeout",
        f"Timeout: Too large resource version: {asked}, current: {store.revision}",
        details={"causes": [cause], "retryAfterSeconds": 1},
        headers={"Retry-After": "1"},
    )


def _cut(records: list[Record], limit: int, revision: int, selector: Selector, namespace: str | None) -> Page:
    metadata: Object = {"resourceVersion": str(revision)}
    if limit <= 0 or len(records) <= limit:
        return Page(records, metadata)
    last = records[limit - 1]
    metadata["continue"] = _write_token(revision, "" if namespace is not None else last.namespace, last.name)
    if selector.everything:
        metadata["remainingItemCount"] = len(records) - limit
    return Page(records[:limit], metadata)


def _write_token(revision: int, namespace: str, name: str) -> str:
    token = {"v": "meta.k8s.io/v1", "rv": revision, "start": f"{namespace}/{name}\0"}
    return base64.urlsafe_b64encode(json.dumps(token, separators=(",", ":")).encode()).decode().rstrip("=")


def _read_token(text: str) -> tuple[int, tuple[str, str]]:
    prefix = "invalid continue token: continue key is not valid: "
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        token = json.loads(data)
    except (binascii.Error, ValueError) as error:
        first = _first_character(text)
        shown = f"\\u{ord(first):04x}" if first and not first.isprintable() else first
        raise statuses.bad_request(f"{prefix}invalid character '{shown}' looking for beginning of value") from error
    if not isinstance(token, dict) or token.get("v") != "meta.k8s.io/v1":
        shown = token.get("v", "") if isinstance(token, dict) else ""
        raise statuses.bad_request(f"{prefix}server does not recognize this encoded version {shown}")
    namespace, _, name = str(token.get("start", "")).partition("/")
    if not name:
        namespace, name = "", namespace
    revision = token.get("rv")
    return revision if isinstance(revision, int) else 0, (namespace, name.rstrip("\0"))


def _first_character(token: str) -> str:
    """What the decoded token begins with; nothing where it can't be decoded so far."""
    try:
        return base64.urlsafe_b64decode(token[:4].ljust(4, "A"))[:1].decode("latin-1")
    except ValueError:
        return ""


def _at(store: Store, resource: Resource, namespace: str | None, revision: int, token: str) -> list[Record]:
    if revision < 0:
        return store.list(resource.table, namespace)
    try:
        return store.list_at(resource.table, namespace, revision)
    except TooOldError:
        _, start = _read_token(token)
        error = statuses.expired(_TOO_OLD_PAGE)
        error.status["metadata"] = {"continue": _write_token(-1, *start)}
        raise error from None
