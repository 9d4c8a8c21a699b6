"""A small OpenStack: Keystone v3 and Nova 2.1 over HTTP, as their API references describe them.

It checks what it is sent: the password and the scope, a token that is valid still, the microversion, paths and bodies
of actions. Tasks take as many looks at a server as `looks_until_done` says.

https://docs.openstack.org/api-ref/identity/v3/#password-authentication-with-scoped-authorization
https://docs.openstack.org/api-ref/compute/ (list servers detailed, show, actions, delete; faults)
https://docs.openstack.org/api-guide/compute/microversions.html (the header `OpenStack-API-Version: compute 2.x`)
"""

import json
import re
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.fakes.gate import Gate

PASSWORD = "correct horse"
PROJECT = "shop"

_MICROVERSION = re.compile(r"compute 2\.(\d+)")
_TASKS = {
    "os-start": ("powering-on", "ACTIVE", {"SHUTOFF"}),
    "os-stop": ("powering-off", "SHUTOFF", {"ACTIVE", "ERROR"}),
    "reboot": ("rebooting", "ACTIVE", {"ACTIVE"}),
    "pause": ("pausing", "PAUSED", {"ACTIVE"}),
    "unpause": ("unpausing", "ACTIVE", {"PAUSED"}),
    "resume": ("resuming", "ACTIVE", {"SUSPENDED"}),
}
_POLICIES = {"os-start": "start", "os-stop": "stop", "reboot": "reboot"}


@dataclass
class Server:
    """A server, and what is being done to it: `becomes` is its status when the task has been looked at often enough."""

    id: str
    name: str
    status: str = "ACTIVE"
    zone: str = "nova"
    fixed: str = "10.0.0.1"
    floating: str = ""
    tags: tuple = ()
    task: str | None = None
    becomes: str = ""
    looks: int = 0
    locked: bool = False
    fault: str = ""
    gone: bool = False
    restarts: int = 0

    def shown(self):
        addresses = [{"version": 4, "addr": self.fixed, "OS-EXT-IPS:type": "fixed"}] if self.fixed else []
        if self.floating:
            addresses.insert(0, {"version": 4, "addr": self.floating, "OS-EXT-IPS:type": "floating"})
        return {
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "addresses": {"private": addresses},
            "OS-EXT-AZ:availability_zone": self.zone,
            "OS-EXT-STS:task_state": self.task,
            "metadata": {"role": "worker"},
            "tags": list(self.tags),
            **({"fault": {"code": 500, "message": self.fault}} if self.fault and self.status == "ERROR" else {}),
        }


@dataclass
class FakeOpenStack:
    """The cloud; tests change its fields to make it misbehave."""

    servers: dict = field(default_factory=dict)
    region: str = "east"
    looks_until_done: int = 2
    never_done: bool = False
    refuses: str = ""  # the status that a server ends in whatever it was told
    forbidden: frozenset = frozenset()
    throttled: list = field(default_factory=list)  # (status, headers) of the next answers of Nova
    breaks: int = 0  # how many connections to Nova break before it answers
    valid_tokens: set = field(default_factory=set)
    requests: list = field(default_factory=list)
    url: str = ""
    gate: Gate = field(default_factory=Gate)
    page: int = 2

    @asynccontextmanager
    async def running(self, _directory):
        server = TestServer(self.app())
        await server.start_server()
        self.url = str(server.make_url("")).rstrip("/")
        try:
            yield self
        finally:
            await server.close()

    def variables(self, directory):
        """The environment in which it is reached, by a clouds.yaml."""
        names = {"user_domain_name": "Default", "project_domain_name": "Default", "project_name": PROJECT}
        auth = {"auth_url": f"{self.url}/identity/v3", "username": "gardener", "password": PASSWORD, **names}
        cloud = {"auth": auth, "region_name": self.region}
        (directory / "clouds.yaml").write_text(json.dumps({"clouds": {"garden": cloud}}))
        return {"OS_CLIENT_CONFIG_FILE": str(directory / "clouds.yaml"), "OPENSTACK_CLOUD_NAME": "garden"}

    def add(self, name):
        """Its id."""
        id_ = f"{len(self.servers):08}-0000-4000-8000-000000000000"
        self.servers[id_] = Server(id_, name, fixed="")
        return id_

    def never_end(self):
        """Tasks go on for ever."""
        self.never_done = True

    def go_on(self):
        """They end after all."""
        self.never_done = False

    def allow(self):
        self.forbidden = frozenset()

    def forbid(self, verb):
        self.forbidden = frozenset({verb})

    def secrets(self):
        return [PASSWORD, *self.valid_tokens]

    def restarts(self, id_):
        return self.servers[id_].restarts

    def app(self):
        app = web.Application(middlewares=[self._remember])
        app.add_routes([
            web.get("/identity/v3", self._identity),
            web.get("/identity/v3/", self._identity),
            web.post("/identity/v3/auth/tokens", self._log_in),
            web.get("/compute/v2.1", self._version),
            web.get("/compute/v2.1/", self._version),
            web.get("/compute/v2.1/servers/detail", self._list),
            web.get("/compute/v2.1/servers/{id}", self._show),
            web.delete("/compute/v2.1/servers/{id}", self._delete),
            web.post("/compute/v2.1/servers/{id}/action", self._act),
        ])  # fmt: skip
        return app

    def asked(self, method, ending):
        return sum(each == method and path.endswith(ending) for each, path in self.requests)

    @web.middleware
    async def _remember(self, request, handler):
        self.requests.append((request.method, request.path))
        if request.path.startswith("/compute/v2.1/servers"):
            if refusal := self._refusal(request):
                return refusal
            if refusal := await self.gate.passed(is_change=request.method != "GET"):
                return refusal
            assert (found := _MICROVERSION.fullmatch(request.headers["OpenStack-API-Version"]))
            assert int(found[1]) <= 96
        return await handler(request)

    def _refusal(self, request):
        if self.breaks:
            self.breaks -= 1
            request.transport.abort()
            return web.Response()
        if self.throttled:
            status, headers = self.throttled.pop(0)
            return web.json_response(
                {"overLimit": {"code": status, "message": "slow down"}}, status=status, headers=headers
            )
        if request.headers.get("X-Auth-Token") not in self.valid_tokens:
            return web.json_response({"error": {"code": 401, "message": "The request needs a token"}}, status=401)
        return None

    async def _identity(self, _request):
        links = [{"rel": "self", "href": f"{self.url}/identity/v3/"}]
        return web.json_response({"version": {"id": "v3.14", "status": "stable", "links": links}})

    async def _log_in(self, request):
        auth = (await request.json())["auth"]
        user = auth["identity"]["password"]["user"]
        assert auth["identity"]["methods"] == ["password"]
        assert auth["scope"]["project"]["name"] == PROJECT
        if (user["name"], user["password"]) != ("gardener", PASSWORD):
            return web.json_response({"error": {"code": 401, "message": "Invalid password"}}, status=401)
        token = f"gAAAA{uuid.uuid4().hex}"
        self.valid_tokens.add(token)
        until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
        endpoint = {"id": "e", "interface": "public", "region": self.region, "region_id": self.region}
        catalog = [
            {
                "id": "n",
                "name": "nova",
                "type": "compute",
                "endpoints": [{**endpoint, "url": f"{self.url}/compute/v2.1"}],
            },
            {
                "id": "k",
                "name": "keystone",
                "type": "identity",
                "endpoints": [{**endpoint, "url": f"{self.url}/identity/v3"}],
            },
        ]
        body = {"token": {"methods": ["password"], "expires_at": until, "catalog": catalog, "project": {"id": "p"}}}
        return web.json_response(body, status=201, headers={"X-Subject-Token": token})

    async def _version(self, _request):
        links = [{"rel": "self", "href": f"{self.url}/compute/v2.1/"}]
        version = {"id": "v2.1", "status": "CURRENT", "version": "2.96", "min_version": "2.1", "links": links}
        return web.json_response({"version": version})

    async def _list(self, request):
        """Pages, each with a link to the next."""
        if "detail" in self.forbidden:
            return _forbidden("os_compute_api:servers:detail")
        servers = [each for each in self.servers.values() if not each.gone]
        marker = request.query.get("marker")
        begin = next((index + 1 for index, each in enumerate(servers) if each.id == marker), 0)
        page = servers[begin : begin + self.page]
        body = {"servers": [each.shown() for each in page]}
        if begin + self.page < len(servers):
            href = f"{self.url}/compute/v2.1/servers/detail?marker={page[-1].id}"
            body["servers_links"] = [{"rel": "next", "href": href}]
        return web.json_response(body)

    async def _show(self, request):
        server = self._find(request)
        if server is None:
            return _gone(request)
        if server.task and not self.never_done:
            server.looks += 1
            if server.looks > self.looks_until_done:
                if server.becomes == "gone":
                    server.gone = True
                    return _gone(request)
                server.status, server.task = self.refuses or server.becomes, None
        return web.json_response({"server": server.shown()})

    async def _act(self, request):
        server = self._find(request)
        if server is None:
            return _gone(request)
        [(verb, argument)] = (await request.json()).items()
        assert argument in ({"type": "SOFT"}, {"type": "HARD"}) if verb == "reboot" else argument is None
        if _POLICIES.get(verb) in self.forbidden:
            return _forbidden(f"os_compute_api:servers:{_POLICIES[verb]}")
        task, becomes, allowed = _TASKS[verb]
        if server.locked:
            return _conflict(f"Instance {server.id} is locked")
        if server.task or (server.status not in allowed and argument != {"type": "HARD"}):
            return _conflict(f"Cannot '{verb}' instance {server.id} while it is in vm_state {server.status.lower()}")
        server.restarts += verb == "reboot"
        server.task, server.becomes, server.looks = task, becomes, 0
        return web.Response(status=202)

    async def _delete(self, request):
        server = self._find(request)
        if server is None:
            return _gone(request)
        server.task, server.becomes, server.looks = "deleting", "gone", 0
        return web.Response(status=204)

    def _find(self, request):
        server = self.servers.get(request.match_info["id"])
        return server if server and not server.gone else None


def _gone(request):
    message = f"Instance {request.match_info['id']} could not be found."
    return web.json_response({"itemNotFound": {"code": 404, "message": message}}, status=404)


def _forbidden(policy):
    message = f"Policy doesn't allow {policy} to be performed."
    return web.json_response({"forbidden": {"code": 403, "message": message}}, status=403)


def _conflict(message):
    return web.json_response({"conflictingRequest": {"code": 409, "message": message}}, status=409)
