"""Google Cloud's Compute REST API, as far as the driver needs it.

Every change carries a `requestId`, by which the API knows a repetition, so that all requests may be sent again: after
a broken connection, after 429 and 5xx, after the 403 `rateLimitExceeded` and the 400 `resourceNotReady`. Errors have
the form of https://google.aip.dev/193, with a `reason` each. Where the rest is written, below
https://cloud.google.com/compute/docs/: reference/rest/v1, api/rate-limits, api/how-tos/api-requests-responses.
"""

import asyncio
import re
import ssl
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import nullcontext
from typing import Any, NoReturn, TypeVar

import aiohttp
import msgspec
import yarl

from seatrial import __version__
from seatrial.errors import MachineError
from seatrial.kube.retry import retry_after_seconds
from seatrial.machines.gcp_credentials import GcpCredentials
from seatrial.machines.pace import Pace, Passing

T = TypeVar("T")

_UNREACHABLE = "look at the network, the proxy, and the endpoint that is configured"
_PASSING_STATUSES = frozenset({429, 500, 502, 503, 504})
_PASSING_REASONS = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "resourceNotReady"})
_CONNECTION_FAILURES = (aiohttp.ClientError, OSError, TimeoutError)
_PERMISSION = re.compile(r"'(compute\.[\w.]+)' permission")
_WAIT_SECONDS = 150.0
"""The longest that one request may take: waiting for an operation holds it for up to two minutes."""
_NO_CAPACITY = frozenset({"ZONE_RESOURCE_POOL_EXHAUSTED", "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS"})


class GcpError(MachineError):
    """What the API refused; `status` and `reason` are its own."""

    def __init__(self, message: str, *, hint: str = "", status: int, reason: str) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.reason = reason


class _Part(msgspec.Struct, frozen=True):
    """A part of what the API answers."""


class _Reason(_Part, frozen=True):
    code: str = ""
    reason: str = ""
    message: str = ""


class _Error(_Part, frozen=True):
    message: str = ""
    errors: tuple[_Reason, ...] = ()


class _ErrorBody(_Part, frozen=True):
    error: _Error = _Error()


class _Operation(_Part, frozen=True):
    name: str
    status: str
    zone: str = ""
    region: str = ""
    error: _Error | None = None

    @property
    def scope(self) -> str:
        return f"zones/{last_segment(self.zone)}" if self.zone else f"regions/{last_segment(self.region)}"


class ComputeApi:
    """A session with the API at `endpoint`, a URL that ends in `/compute/v1/`."""

    def __init__(self, endpoint: str, credentials: GcpCredentials, *, pace: Pace, max_in_flight: int = 50) -> None:
        self._endpoint = endpoint
        self._credentials = credentials
        self._pace = pace
        self._in_flight = asyncio.Semaphore(max_in_flight)
        self._session = aiohttp.ClientSession(
            headers={"User-Agent": f"seatrial/{__version__}", "Accept": "application/json"},
            timeout=aiohttp.ClientTimeout(total=_WAIT_SECONDS, sock_connect=10.0),
            # SSL_CERT_FILE counts; how many requests there are at once, `_in_flight` says.
            connector=aiohttp.TCPConnector(ssl=ssl.create_default_context(), limit=0),
            trust_env=True,  # as do the variables of proxies
        )
        self._ever_answered = False

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def get(self, path: str, **params: str) -> Any:
        """What is there: decoded JSON."""
        return await self._request("GET", path, params=params)

    async def pages(self, path: str, **params: str) -> AsyncIterator[Any]:
        """All pages of a list."""
        token = ""
        while True:
            page = await self.get(path, **params, **({"pageToken": token} if token else {}))
            yield page
            token = page.get("nextPageToken", "")
            if not token:
                return

    async def change(
        self,
        method: str,
        project: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> None:
        """Ask for a change below a project, and wait until its operation is done.

        Raises:
            MachineError: it was refused, or its operation failed.
        """
        answer = await self._request(
            method, f"projects/{project}/{path}", params={**(params or {}), "requestId": str(uuid.uuid4())}, body=body
        )
        operation = decoded(answer, _Operation)
        backoff = self._pace.backoff()
        while operation.status != "DONE":
            # It answers when the operation is done, or after two minutes, or earlier, as it likes.
            wait = f"projects/{project}/{operation.scope}/operations/{operation.name}/wait"
            operation = decoded(
                await self._request("POST", wait, seconds=self._pace.deadline_seconds, held=True), _Operation
            )
            if operation.status != "DONE":
                await asyncio.sleep(backoff.next_delay())
        if operation.error is not None:
            _raise_failed(operation.error, path)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        seconds: float | None = None,
        held: bool = False,
    ) -> Any:
        """Send a request until it is answered, or refused for good, or `seconds` are over.

        `held` is for requests that the API answers when something has happened: they take nobody's place.
        """
        place = nullcontext() if held else self._in_flight

        async def once() -> Any:
            try:
                async with place:
                    answer = await self._send(method, path, params or {}, body)
            except _CONNECTION_FAILURES as error:
                broken = MachineError(
                    f"can't reach {self._endpoint}: {str(error) or type(error).__name__}", hint=_UNREACHABLE
                )
                raise Passing(broken, few_tries=not self._ever_answered) from error
            if answer.status < 400:
                return _json(answer.body)
            problem = _problem(answer, path)
            if answer.status in _PASSING_STATUSES or problem.reason in _PASSING_REASONS:
                raise Passing(problem, not_before_seconds=answer.retry_after_seconds)
            raise problem

        return await self._pace.ask(once, whom="Google Cloud", seconds=seconds)

    async def _send(self, method: str, path: str, params: Mapping[str, str], body: Any) -> "_Answer":
        """Send it; with another token, where the first is refused."""
        headers = await self._credentials.headers()
        answer = await self._send_as(headers, method, path, params, body)
        if answer.status == 401:
            headers = await self._credentials.headers(refused=headers["authorization"])
            answer = await self._send_as(headers, method, path, params, body)
        self._ever_answered = True
        return answer

    async def _send_as(
        self, headers: Mapping[str, str], method: str, path: str, params: Mapping[str, str], body: Any
    ) -> "_Answer":
        url = yarl.URL(self._endpoint + path, encoded=True).with_query(params)
        async with self._session.request(method, url, json=body, headers=headers, allow_redirects=False) as response:
            return _Answer(response.status, await response.read(), retry_after_seconds(response.headers) or 0.0)


class _Answer(_Part, frozen=True):
    status: int
    body: bytes
    retry_after_seconds: float


def _problem(answer: _Answer, path: str) -> GcpError:
    """What an answer of 400 and above says."""
    try:
        said = msgspec.json.decode(answer.body, type=_ErrorBody).error
    except msgspec.DecodeError:
        said = _Error()
    reason = said.errors[0].reason if said.errors else ""
    message = said.message.splitlines()[0] if said.message else f"status {answer.status} for {path}"
    hint = ""
    if permission := _PERMISSION.search(said.message):
        hint = f"grant {permission[1]}, as the role roles/compute.instanceAdmin.v1 does"
    elif reason in {"accessNotConfigured", "SERVICE_DISABLED"}:
        hint = "enable the Compute Engine API of that project: gcloud services enable compute.googleapis.com"
    elif answer.status == 401:
        hint = "log in again: gcloud auth application-default login"
    elif answer.status == 403:
        hint = "grant the role roles/compute.instanceAdmin.v1"
    elif "zone" in message.lower() and answer.status in {400, 404} and "/instances/" not in message:
        hint = "see gcloud compute zones list for the zones that there are"
    return GcpError(f"Google Cloud says: {message}", hint=hint, status=answer.status, reason=reason)


def _raise_failed(error: _Error, path: str) -> NoReturn:
    first = error.errors[0] if error.errors else _Reason(message="it failed, without a reason")
    hint = ""
    if first.code in _NO_CAPACITY:
        hint = "the zone has no room for such a machine at present: try again later"
    elif first.code == "QUOTA_EXCEEDED":
        hint = "raise the project's quota, or free some of it"
    elif "local-ssd" in first.message.lower().replace(" ", "-"):
        hint = "its local disks would lose their data: stop it yourself, saying what shall become of them"
    what = path.rpartition("/")[2]
    raise GcpError(f"{what} failed: {first.message or first.code}", hint=hint, status=200, reason=first.code)


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise MachineError(f"Google Cloud answered something else than JSON: {error}") from error


def decoded(answer: Any, wanted: type[T]) -> T:
    """An answer as a record.

    Raises:
        MachineError: it is something else.
    """
    try:
        return msgspec.convert(answer, wanted)
    except msgspec.ValidationError as error:
        raise MachineError(f"Google Cloud answered something else than expected: {error}") from error


def last_segment(url: str) -> str:
    """The name at the end of a resource's URL."""
    return url.rpartition("/")[2]
