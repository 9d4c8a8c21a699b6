"""Azure's resource manager and its token endpoint over HTTPS, strict about what they are sent.

Below https://learn.microsoft.com/: entra/identity-platform/v2-oauth2-client-creds-grant-flow (tokens),
rest/api/compute/virtual-machines and .../virtual-machine-scale-set-vms (machines), and
azure/azure-resource-manager/management/async-operations (what takes long: 202 with Azure-AsyncOperation).
"""

import re
import time
import uuid
from contextlib import asynccontextmanager

from aiohttp import web

from tests.fakes.gate import Gate
from tests.fakes.https import serving

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
TENANT = "99999999-2222-3333-4444-555555555555"
SECRET = "hushed-secret-of-azure"
_COMPUTE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{{group}}/providers/Microsoft.Compute"
_BETWEEN = {"start": "starting", "powerOff": "stopping", "restart": "running", "delete": "deleting"}
_AFTER = {"start": "running", "powerOff": "stopped", "restart": "running"}


class Azure:
    """A subscription with machines, by their ids.

    `polls` is how often an operation isn't done yet (None: never is), `trouble` are answers given instead of the next
    ones, `denied` the actions that are not allowed, `start_error` what a start ends with.
    """

    def __init__(self):
        self.machines = {}
        self.groups = {"mc_shop"}
        self.scale_sets = {}
        self.polls = 1
        self.page_size = 2
        self.trouble = []
        self.denied = set()
        self.start_error = None
        self.token_seconds = 3599
        self.secret = SECRET
        self.tokens = {}
        self.changes = 0
        self.refused = 0
        self.rests_after = 1
        self.gate = Gate()
        self._operations = {}
        self.url = ""

    def add(self, name, *, group="mc_shop", scale_set="", state="running", kind="Uniform", **more):
        """Its id."""
        base = _COMPUTE.format(group=group)
        self.groups.add(group)
        if scale_set:
            base += f"/virtualMachineScaleSets/{scale_set}"
            self.scale_sets[group, scale_set] = {
                "id": base, "name": scale_set, "location": "westeurope", "properties": {"orchestrationMode": kind},
            }  # fmt: skip
        id_ = f"{base}/virtualMachines/{name}"
        self.machines[id_] = {"state": state, "body": {"id": id_, "name": name, "location": "westeurope", **more}}
        return id_

    def state(self, id_):
        return self.machines[id_]["state"]

    def is_down(self, id_):
        return self.state(id_) == "stopped"

    def never_end(self):
        """Operations go on for ever."""
        self.polls = None

    def go_on(self):
        """They end after all."""
        self.polls = 1
        for operation in self._operations.values():
            self._finish(operation)

    def allow(self):
        self.denied = set()

    def forbid(self, verb):
        self.denied = {f"virtualMachines/{'powerOff' if verb == 'stop' else verb}/action"}

    def secrets(self):
        return [SECRET, *self.tokens]

    def restarts(self, _id):
        return self.changes

    def variables(self, directory):
        """The environment in which it is reached and trusted, as a service principal."""
        return {
            "AZURE_TENANT_ID": TENANT,
            "AZURE_CLIENT_ID": "seatrial",
            "AZURE_CLIENT_SECRET": SECRET,
            "AZURE_AUTHORITY_HOST": self.url,
            "ARM_ENDPOINT": self.url,
            "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
            "AZURE_NODE_RESOURCE_GROUP_NAME": "mc_shop",
            "SSL_CERT_FILE": str(directory / "ca.pem"),
        }

    @asynccontextmanager
    async def running(self, directory):
        app = web.Application()
        app.router.add_post("/{tenant}/oauth2/v2.0/token", self._token)
        machines = f"{_COMPUTE}/virtualMachines"
        sets = f"{_COMPUTE}/virtualMachineScaleSets"
        members = f"{sets}/{{set}}/virtualMachines"
        app.router.add_get(sets, self._checked(self._list_sets, "virtualMachineScaleSets/read"))
        for base in (machines, members):
            kind = base.removeprefix(_COMPUTE).replace("{set}/", "").strip("/")
            app.router.add_get(base, self._checked(self._list, f"{kind}/read"))
            app.router.add_get(f"{base}/{{name}}", self._checked(self._get, f"{kind}/read"))
            app.router.add_get(f"{base}/{{name}}/instanceView", self._checked(self._view, f"{kind}/read"))
            app.router.add_delete(f"{base}/{{name}}", self._checked(self._change, f"{kind}/delete"))
            for verb in ("start", "powerOff", "restart"):
                app.router.add_post(f"{base}/{{name}}/{verb}", self._checked(self._change, f"{kind}/{verb}/action"))
        app.router.add_get("/operations/{id}", self._checked(self._operation, ""))
        app.router.add_get("/results/{id}", self._checked(self._result, ""))
        async with serving(app, directory) as self.url:
            yield self

    async def _token(self, request):
        form = await request.post()
        assert request.match_info["tenant"] == TENANT
        assert (form["grant_type"], form["client_id"]) == ("client_credentials", "seatrial")
        assert form["scope"] == f"{self.url}/.default"
        if form["client_secret"] != self.secret:
            body = {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."}
            return web.json_response(body, status=401)
        token = uuid.uuid4().hex
        self.tokens[token] = time.monotonic() + self.token_seconds
        return web.json_response({"token_type": "Bearer", "expires_in": self.token_seconds, "access_token": token})

    def _checked(self, answer, action):
        async def handler(request):
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if self.tokens.get(token, 0) < time.monotonic():
                self.refused += 1
                return _error(401, "ExpiredAuthenticationToken", "The access token expiry is in the past.")
            assert re.fullmatch(r"202[4-9]-\d\d-\d\d", request.query["api-version"])
            if refusal := await self.gate.passed(is_change=request.method != "GET"):
                return refusal
            if self.trouble:
                return self.trouble.pop(0)()
            if action in self.denied:
                what = (
                    f"The client 'seatrial' does not have authorization to perform action 'Microsoft.Compute/{action}'"
                )
                return _error(
                    403, "AuthorizationFailed", f"{what} over scope '{request.path}' or the scope is invalid."
                )
            return await answer(request)

        return handler

    async def _list_sets(self, request):
        found = [each for (group, _), each in self.scale_sets.items() if group == request.match_info["group"]]
        return web.json_response({"value": found})

    async def _list(self, request):
        """Virtual machines come without their states, members of scale sets with them where they are asked for."""
        group = request.match_info["group"]
        if group not in self.groups:
            return _error(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")
        assert request.query.get("$expand") == ("instanceView" if "set" in request.match_info else None)
        inside = [key for key in self.machines if key.rpartition("/")[0] == request.path]
        begin = int(request.query.get("$skiptoken", "0"))
        end = begin + self.page_size
        shown = [self._body(key, with_view="set" in request.match_info) for key in inside[begin:end]]
        more = {"nextLink": str(request.url.update_query({"$skiptoken": str(end)}))} if end < len(inside) else {}
        return web.json_response({"value": shown, **more})

    async def _get(self, request):
        assert request.query["$expand"] == "instanceView"
        return web.json_response(self._body(request.path)) if request.path in self.machines else _gone(request.path)

    async def _view(self, request):
        id_ = request.path.removesuffix("/instanceView")
        return web.json_response(self._statuses(id_)) if id_ in self.machines else _gone(id_)

    def _body(self, id_, *, with_view=True):
        machine = self.machines[id_]
        body = {**machine["body"], "properties": dict(machine["body"].get("properties", {}))}
        if with_view:
            body["properties"]["instanceView"] = self._statuses(id_)
        return body

    def _statuses(self, id_):
        machine = self.machines[id_]
        codes = ["ProvisioningState/succeeded", f"PowerState/{machine['state']}"]
        # What nobody's operation holds comes to rest by itself.
        if machine["state"] == "deallocating":
            self.rests_after -= 1
            machine["state"] = "deallocated" if self.rests_after < 0 else machine["state"]
        return {"statuses": [{"code": code, "level": "Info"} for code in codes]}

    async def _change(self, request):
        verb = "delete" if request.method == "DELETE" else request.path.rpartition("/")[2]
        id_ = request.path if verb == "delete" else request.path.rpartition("/")[0]
        if id_ not in self.machines:
            return web.Response(status=204) if verb == "delete" else _gone(id_)
        self.changes += 1
        machine = self.machines[id_]
        if verb == "powerOff":
            machine["skipped"] = request.query.get("skipShutdown") == "true"
        if not (verb == "start" and self.start_error):
            machine["state"] = _BETWEEN[verb]
        operation = uuid.uuid4().hex
        self._operations[operation] = {"left": self.polls, "verb": verb, "id": id_}
        version = request.query["api-version"]
        headers = {
            "Azure-AsyncOperation": f"{self.url}/operations/{operation}?api-version={version}",
            "Location": f"{self.url}/results/{operation}?api-version={version}",
            "Retry-After": "0",
        }
        return web.Response(status=202, headers=headers)

    async def _operation(self, request):
        operation = self._operations[request.match_info["id"]]
        if self.polls is None or operation["left"]:
            operation["left"] = operation["left"] and operation["left"] - 1
            return web.json_response({"status": "InProgress"}, headers={"Retry-After": "0"})
        if operation["verb"] == "start" and self.start_error:
            return web.json_response({"status": "Failed", "error": self.start_error})
        self._finish(operation)
        return web.json_response({"status": "Succeeded"})

    def _finish(self, operation):
        """It is made once, however often it is asked for."""
        verb, operation["verb"] = operation["verb"], ""
        if verb == "delete":
            self.machines.pop(operation["id"], None)
        elif verb:
            self.machines[operation["id"]]["state"] = _AFTER[verb]

    async def _result(self, request):
        assert request.match_info["id"] in self._operations
        return web.Response(status=200)


def throttled(seconds):
    """The answer to who asks too much."""
    return lambda: _error(429, "TooManyRequests", "Too many requests", headers={"Retry-After": str(seconds)})


def failing(status):
    """An answer without a form, as a broken proxy gives it."""
    return lambda: web.Response(status=status, text="<html>oops</html>")


def _gone(id_):
    name = id_.rpartition("/")[2]
    return _error(404, "ResourceNotFound", f"The Resource 'Microsoft.Compute/virtualMachines/{name}' was not found.")


def _error(status, code, message, headers=None):
    return web.json_response({"error": {"code": code, "message": message}}, status=status, headers=headers)
