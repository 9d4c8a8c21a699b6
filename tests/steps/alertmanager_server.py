"""A small Alertmanager: the silences of its API version 2, which refuses what the real one refuses."""

import base64
import re
import ssl
import uuid
from datetime import UTC, datetime, timedelta

from aiohttp import web


class AlertmanagerServer:
    """Serves `/api/v2` below a prefix; `silences` has what it was sent, and `fail` lets so many requests fail first."""

    def __init__(self, *, user: str = "", password: str = "", behind: timedelta = timedelta()) -> None:
        self.silences: dict[str, dict] = {}
        self.asked: list[tuple[str, str]] = []
        self.agents: set[str] = set()
        self.fail = 0
        self._expected = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode() if user else ""
        self._behind = behind
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self, tls: ssl.SSLContext | None = None) -> "AlertmanagerServer":
        app = web.Application(middlewares=[self._check])
        app.add_routes([
            web.get("/prefix/api/v2/silences", self._list),
            web.post("/prefix/api/v2/silences", self._post),
            web.get("/prefix/api/v2/silence/{id}", self._get),
            web.delete("/prefix/api/v2/silence/{id}", self._delete),
        ])  # fmt: skip
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http{'s' if tls else ''}://localhost:{port}/prefix/api/v2"
        return self

    async def stop(self) -> None:
        assert self._runner
        await self._runner.cleanup()

    def now(self) -> datetime:
        return datetime.now(UTC) - self._behind

    def states(self) -> list[str]:
        return [self._state(each) for each in self.silences.values()]

    @web.middleware
    async def _check(self, request, handler):
        self.asked.append((request.method, request.path.removeprefix("/prefix/api/v2/").partition("/")[0]))
        self.agents.add(request.headers["User-Agent"])
        if self.fail:
            self.fail -= 1
            return web.json_response("not now", status=500)
        if self._expected and request.headers.get("Authorization") != self._expected:
            return web.Response(status=401, text="Unauthorized")
        return await handler(request)

    async def _list(self, _request):
        return web.json_response([self._shown(each) for each in self.silences.values()])

    async def _get(self, request):
        silence = self.silences.get(request.match_info["id"])
        return web.json_response(self._shown(silence)) if silence else web.Response(status=404)

    async def _post(self, request):
        assert request.content_type == "application/json"
        sent = await request.json()
        if problem := self._problem(sent):
            return web.json_response(problem, status=400)
        identifier = str(uuid.uuid4())
        start = max(_time(sent["startsAt"]), self.now())
        self.silences[identifier] = {**sent, "id": identifier, "startsAt": start.isoformat()}
        return web.json_response({"silenceID": identifier})

    async def _delete(self, request):
        silence = self.silences.get(request.match_info["id"])
        if silence is None:
            return web.Response(status=404)
        if self._state(silence) == "expired":
            return web.json_response(f"silence {silence['id']} already expired", status=500)
        silence["endsAt"] = self.now().isoformat()
        return web.Response()

    def _problem(self, sent) -> str:
        missing = {"matchers", "startsAt", "endsAt", "createdBy", "comment"} - set(sent)
        if missing or not sent["matchers"]:
            return f"missing: {missing or 'matchers'}"
        if any({"name", "value", "isRegex"} - set(each) for each in sent["matchers"]):
            return "a matcher lacks a field"
        if all(_fits_nothing(each) for each in sent["matchers"]):
            return "at least one matcher must not match the empty string"
        start, end = _time(sent["startsAt"]), _time(sent["endsAt"])
        if start >= end or end < self.now():
            return "it must end after it begins, and in the future"
        return "" if sent["comment"] and sent["createdBy"] else "comment and createdBy must not be empty"

    def _state(self, silence) -> str:
        if _time(silence["endsAt"]) <= self.now():
            return "expired"
        return "active" if _time(silence["startsAt"]) <= self.now() else "pending"

    def _shown(self, silence):
        return {**silence, "status": {"state": self._state(silence)}, "updatedAt": silence["startsAt"]}


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    assert moment.tzinfo is not None, "the API wants RFC 3339, with an offset"
    return moment


def _fits_nothing(matcher) -> bool:
    fits = bool(re.fullmatch(matcher["value"], "")) if matcher["isRegex"] else not matcher["value"]
    return fits is matcher.get("isEqual", True)
