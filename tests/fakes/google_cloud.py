"""Google's Compute API and its token endpoint over HTTPS, as their documentation says, strict about what they are sent.

Tokens: https://developers.google.com/identity/protocols/oauth2/service-account (a JWT signed by the key is traded for
a token). Compute: https://cloud.google.com/compute/docs/reference/rest/v1 (`aggregatedList`, `instances`,
`instanceGroupManagers`, `zoneOperations.wait`), errors as https://google.aip.dev/193 has them.
"""

import json
import time
import uuid
from contextlib import asynccontextmanager
from functools import cache

import jwt
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fakes.gate import Gate
from tests.fakes.https import serving

ACCOUNT = "seatrial@shop.iam.gserviceaccount.com"
_AUDIENCE = "https://oauth2.googleapis.com/token"  # wherever the request is sent
_NEXT = {"STOPPING": "TERMINATED", "STAGING": "RUNNING", "REPAIRING": "RUNNING"}


@cache
def _key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class GoogleCloud:
    """A project `shop` with instances.

    `looks_between` is how often a state between two others is seen, `waits` how often an operation isn't done yet
    (None: never is). `trouble` are answers given instead of the next ones, `denied` permissions that are missing.
    """

    def __init__(self):
        self.instances = {}
        self.looks_between = 1
        self.waits = 1
        self.page_size = 2
        self.trouble = []
        self.denied = set()
        self.start_error = None
        self.unreachable_zone = ""
        self.token_refused = False
        self.tokens = {}
        self.asked = 0
        self.breaks = 0
        self.gate = Gate()
        self.waiting_room = Gate()
        self._operations = {}
        self._by_request = {}
        self._key = _key()
        self.url = ""

    def add(self, name, *, zone="eu-1-b", status="RUNNING", group="", **more):
        """Its id."""
        items = [{"key": "created-by", "value": f"projects/42/{group}"}] if group else []
        self.instances[zone, name] = {
            "name": name,
            "status": status,
            "zone": f"{self.url}/compute/v1/projects/shop/zones/{zone}",
            "metadata": {"items": items},
            **more,
        }
        return f"shop/{zone}/{name}"

    def state(self, name, zone="eu-1-b"):
        return self.instances[zone, name]["status"]

    def is_down(self, id_):
        return self.state(id_.rpartition("/")[2]) == "TERMINATED"

    def never_end(self):
        """Operations go on for ever."""
        self.waits = None

    def go_on(self):
        """They end after all."""
        self.waits = 1
        for operation in self._operations.values():
            operation["done"]()

    def allow(self):
        self.denied = set()

    def forbid(self, verb):
        self.denied = {f"compute.instances.{verb}"}

    def secrets(self):
        return [self._pem().splitlines()[3], *self.tokens]

    def restarts(self, id_):
        return self.instances[tuple(id_.split("/")[1:])].get("resets", 0)

    def key_file(self):
        """What `gcloud iam service-accounts keys create` writes."""
        return json.dumps({
            "type": "service_account", "project_id": "shop", "private_key_id": "k1", "private_key": self._pem(),
            "client_email": ACCOUNT, "client_id": "1", "token_uri": f"{self.url}/token",
        })  # fmt: skip

    def _pem(self):
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    def variables(self, directory):
        """The environment in which it is reached and trusted, a key file being named by `GCP_CONFIG_FILE`."""
        (directory / "key.json").write_text(self.key_file())
        return {
            "SSL_CERT_FILE": str(directory / "ca.pem"),
            "REQUESTS_CA_BUNDLE": str(directory / "ca.pem"),
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": f"{self.url}/compute/v1/",
            "GCP_CONFIG_FILE": str(directory / "key.json"),
        }

    @asynccontextmanager
    async def running(self, directory):
        """Serve; the certificate of the authority is `ca.pem` in that directory."""
        app = web.Application()
        app.router.add_post("/token", self._token)
        project = "/compute/v1/projects/shop"
        app.router.add_get(f"{project}/aggregated/instances", self._checked(self._aggregated))
        app.router.add_get(f"{project}/zones/{{zone}}/instances/{{name}}", self._checked(self._get))
        app.router.add_delete(f"{project}/zones/{{zone}}/instances/{{name}}", self._checked(self._delete))
        app.router.add_post(f"{project}/zones/{{zone}}/instances/{{name}}/{{verb}}", self._checked(self._act))
        for kind in ("zones", "regions"):
            managers = f"{project}/{kind}/{{where}}/instanceGroupManagers/{{group}}/{{verb}}"
            app.router.add_post(managers, self._checked(self._act_by_group))
            app.router.add_post(f"{project}/{kind}/{{where}}/operations/{{id}}/wait", self._checked(self._wait))
        async with serving(app, directory) as self.url:
            yield self

    async def _token(self, request):
        form = await request.post()
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        claims = jwt.decode(form["assertion"], self._key.public_key(), algorithms=["RS256"], audience=_AUDIENCE)
        assert claims["iss"] == ACCOUNT
        assert claims["scope"] == "https://www.googleapis.com/auth/compute"
        if self.token_refused:
            body = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
            return web.json_response(body, status=400)
        token = f"ya29.{uuid.uuid4().hex}"
        self.tokens[token] = time.monotonic() + 3599
        return web.json_response({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    def _checked(self, answer):
        async def handler(request):
            self.asked += 1
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if self.tokens.get(token, 0) < time.monotonic():
                return _error(401, "authError", "Request had invalid authentication credentials.", "UNAUTHENTICATED")
            if self.breaks:
                self.breaks -= 1
                request.transport.abort()
                return web.Response()
            if refusal := await self.gate.passed(
                is_change=request.method != "GET" and not request.path.endswith("/wait")
            ):
                return refusal
            if self.trouble:
                return self.trouble.pop(0)()
            return await answer(request)

        return handler

    def _forbidden(self, permission, name):
        if permission not in self.denied:
            return None
        where = f"projects/shop/zones/eu-1-b/instances/{name}"
        return _error(403, "forbidden", f"Required '{permission}' permission for '{where}'", "PERMISSION_DENIED")

    async def _aggregated(self, request):
        """`items` holds every zone; one without instances has a warning, as the API has it."""
        if refused := self._forbidden("compute.instances.list", ""):
            return refused
        assert 1 <= int(request.query["maxResults"]) <= 500
        everything = sorted(self.instances.items())
        begin = int(request.query.get("pageToken", "0"))
        items = {"zones/empty-1-a": {"warning": {"code": "NO_RESULTS_ON_PAGE", "message": "There are no results"}}}
        if self.unreachable_zone:
            items[f"zones/{self.unreachable_zone}"] = {"warning": {"code": "UNREACHABLE", "message": "It is down"}}
        for (zone, _), instance in everything[begin : begin + self.page_size]:
            items.setdefault(f"zones/{zone}", {"instances": []})["instances"].append(instance)
        end = begin + self.page_size
        more = {"nextPageToken": str(end)} if end < len(everything) else {}
        return web.json_response({"kind": "compute#instanceAggregatedList", "items": items, **more})

    def _find(self, request):
        zone, name = request.match_info["zone"], request.match_info["name"]
        if (zone, name) in self.instances:
            return self.instances[zone, name], None
        what = f"The resource 'projects/shop/zones/{zone}/instances/{name}' was not found"
        return None, _error(404, "notFound", what, "NOT_FOUND")

    async def _get(self, request):
        instance, missing = self._find(request)
        if missing:
            return missing
        shown = dict(instance)
        self._pass(instance)
        return web.json_response({key: value for key, value in shown.items() if not key.startswith("_")})

    def _pass(self, instance):
        """A state between two others is left by itself, unless an operation has to be done for that."""
        if instance["status"] in _NEXT and "_operation" not in instance:
            instance["_left"] = instance.get("_left", self.looks_between) - 1
            if instance["_left"] < 0:
                del instance["_left"]
                instance["status"] = _NEXT[instance["status"]]

    async def _act(self, request):
        instance, missing = self._find(request)
        verb = request.match_info["verb"]
        refused = missing or self._forbidden(f"compute.instances.{verb}", request.match_info["name"])
        if refused:
            return refused
        assert not await request.read()
        if verb == "start" and self.start_error:
            return self._operation(request, lambda: None, error=self.start_error)
        if verb == "stop":
            instance["_forced"] = request.query.get("noGracefulShutdown") == "true"
            # What is in a managed group, and stopped behind its back, is mended by it.
            after = "RUNNING" if instance["metadata"]["items"] else "TERMINATED"
            return self._change(request, instance, "STOPPING", after)
        if verb in {"start", "resume"}:
            assert instance["status"] == {"start": "TERMINATED", "resume": "SUSPENDED"}[verb]
            return self._change(request, instance, "STAGING", "RUNNING")
        assert verb == "reset"
        instance["resets"] = instance.get("resets", 0) + (request.query["requestId"] not in self._by_request)
        return self._operation(request, lambda: None)

    def _change(self, request, instance, between, after):
        def done():
            instance["status"] = after
            instance.pop("_operation", None)

        if request.query["requestId"] not in self._by_request:
            instance.update(status=between, _operation=True)
        return self._operation(request, done)

    async def _delete(self, request):
        _, missing = self._find(request)
        if missing:
            return missing
        key = request.match_info["zone"], request.match_info["name"]
        return self._operation(request, lambda: self.instances.pop(key, None))

    async def _act_by_group(self, request):
        """The operation is done at once; what it begins takes longer."""
        info = request.match_info
        kind = "regions" if "/regions/" in request.path else "zones"
        refused = self._forbidden("compute.instanceGroupManagers.update", "")
        if refused:
            return refused
        body = await request.json()
        for path in body["instances"]:
            zones, zone, instances, name = path.split("/")
            assert (zones, instances) == ("zones", "instances")
            instance = self.instances[zone, name]
            created_by = instance["metadata"]["items"][0]["value"]
            assert created_by == f"projects/42/{kind}/{info['where']}/instanceGroupManagers/{info['group']}"
            instance["_forced"] = body.get("forceStop", False)
            assert request.query.get("noGracefulShutdown", "false") == ("true" if instance["_forced"] else "false")
            instance["status"] = {"stopInstances": "STOPPING", "startInstances": "STAGING"}[info["verb"]]
        return self._operation(request, lambda: None)

    def _operation(self, request, done, *, error=None):
        """The same request id gets the same operation."""
        request_id = request.query["requestId"]
        assert uuid.UUID(request_id).int
        if request_id not in self._by_request:
            id_ = f"operation-{len(self._operations)}"
            kind, _, where = request.path.removeprefix("/compute/v1/projects/shop/").partition("/")
            self._by_request[request_id] = id_
            self._operations[id_] = {
                "left": self.waits, "done": done, "error": error,
                "scope": {kind.removesuffix("s"): f"{self.url}/compute/v1/projects/shop/{kind}/{where.split('/')[0]}"},
            }  # fmt: skip
        return self._shown(self._by_request[request_id], "PENDING")

    async def _wait(self, request):
        await self.waiting_room.passed(is_change=False)
        id_ = request.match_info["id"]
        operation = self._operations[id_]
        if self.waits is None or operation["left"]:
            operation["left"] = operation["left"] and operation["left"] - 1
            return self._shown(id_, "RUNNING")
        operation["done"]()
        return self._shown(id_, "DONE")

    def _shown(self, id_, status):
        operation = self._operations[id_]
        body = {"kind": "compute#operation", "name": id_, "status": status, **operation["scope"]}
        if status == "DONE" and operation["error"]:
            body["error"] = {"errors": [operation["error"]]}
        return web.json_response(body)


def throttled(**headers):
    """The answer of a project that asks too much."""
    what = "Quota exceeded for quota metric 'Queries'"
    return lambda: _error(403, "rateLimitExceeded", what, "PERMISSION_DENIED", headers=headers)


def failing(status):
    """An answer without a form, as a broken proxy gives it."""
    return lambda: web.Response(status=status, text="<html>oops</html>")


def _error(status, reason, message, name, headers=None):
    errors = [{"message": message, "domain": "global", "reason": reason}]
    body = {"error": {"code": status, "message": message, "errors": errors, "status": name}}
    return web.json_response(body, status=status, headers=headers)
