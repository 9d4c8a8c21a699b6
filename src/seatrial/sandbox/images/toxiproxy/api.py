"""The HTTP interface, as Toxiproxy's README ("HTTP API") and its source's status codes have it."""

import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from seatrial.sandbox.images.toxiproxy.link import ToxicSettings
from seatrial.sandbox.images.toxiproxy.proxy import Dial, Proxy, split_address
from seatrial.sandbox.images.toxiproxy.toxics import KINDS

VERSION = "2.9.0"
_STREAMS = ("upstream", "downstream")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refused(Exception):  # noqa: N818 -- an answer, not a failure
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Api:
    """Holds the proxies and answers requests about them.

    Args:
        address_of: where the addresses of proxies lie.
        randomness: for toxicity and jitter.
    """

    def __init__(self, *, address_of: Dial, randomness: random.Random) -> None:
        self._address_of = address_of
        self._randomness = randomness
        self._proxies: dict[str, Proxy] = {}

    def application(self) -> web.Application:
        """The interface."""
        app = web.Application(middlewares=[_answer_refusals])
        app.add_routes(
            [
                web.get("/version", self._version),
                web.post("/reset", self._reset),
                web.get("/proxies", self._list),
                web.post("/proxies", self._create),
                web.post("/populate", self._populate),
                web.get("/proxies/{proxy}", self._show),
                web.post("/proxies/{proxy}", self._update),
                web.patch("/proxies/{proxy}", self._update),
                web.delete("/proxies/{proxy}", self._delete),
                web.get("/proxies/{proxy}/toxics", self._list_toxics),
                web.post("/proxies/{proxy}/toxics", self._create_toxic),
                web.get("/proxies/{proxy}/toxics/{toxic}", self._show_toxic),
                web.post("/proxies/{proxy}/toxics/{toxic}", self._update_toxic),
                web.patch("/proxies/{proxy}/toxics/{toxic}", self._update_toxic),
                web.delete("/proxies/{proxy}/toxics/{toxic}", self._delete_toxic),
            ]
        )
        return app

    async def populate(self, wanted: Any) -> list[Proxy]:
        """Make these proxies: one that exists and differs is replaced."""
        if not isinstance(wanted, list):
            raise Refused(400, "bad request body: json: cannot unmarshal object into Go value of type []Proxy")
        settings = [_proxy_settings(each, index=index) for index, each in enumerate(wanted)]
        made = []
        for name, listen, upstream, enabled in settings:
            known = self._proxies.get(name)
            if known is None or (known.listen, known.upstream) != (listen, upstream):
                if known is not None:
                    known.stop()
                known = self._new(name, listen, upstream)
            await self._settle(known, enabled=enabled)
            self._proxies[name] = known
            made.append(known)
        return made

    def close(self) -> None:
        """Stop every proxy."""
        for proxy in self._proxies.values():
            proxy.stop()

    async def _version(self, _request: web.Request) -> web.Response:
        return web.json_response({"version": VERSION})

    async def _reset(self, _request: web.Request) -> web.Response:
        for proxy in self._proxies.values():
            for settings in list(proxy.toxics):
                proxy.remove(settings)
            await self._settle(proxy, enabled=True)
        return web.Response(status=204)

    async def _list(self, _request: web.Request) -> web.Response:
        return web.json_response({name: _shown(proxy) for name, proxy in self._proxies.items()})

    async def _create(self, request: web.Request) -> web.Response:
        name, listen, upstream, enabled = _proxy_settings(await _body(request))
        if name in self._proxies:
            raise Refused(409, "proxy already exists")
        proxy = self._new(name, listen, upstream)
        await self._settle(proxy, enabled=enabled)
        self._proxies[name] = proxy
        return web.json_response(_shown(proxy), status=201)

    async def _populate(self, request: web.Request) -> web.Response:
        made = await self.populate(await _body(request))
        return web.json_response({"proxies": [_shown(proxy) for proxy in made]}, status=201)

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response(_shown(self._proxy(request)))

    async def _update(self, request: web.Request) -> web.Response:
        proxy = self._proxy(request)
        body = _object(await _body(request), "Proxy")
        listen, upstream = _text(body, "listen") or proxy.listen, _text(body, "upstream") or proxy.upstream
        enabled = _flag(body, "enabled", default=proxy.enabled)
        _check_addresses(listen, upstream)
        if (listen, upstream) != (proxy.listen, proxy.upstream):
            proxy.stop()
            proxy.listen, proxy.upstream = listen, upstream
        await self._settle(proxy, enabled=enabled)
        return web.json_response(_shown(proxy))

    async def _delete(self, request: web.Request) -> web.Response:
        proxy = self._proxy(request)
        proxy.stop()
        del self._proxies[proxy.name]
        return web.Response(status=204)

    async def _list_toxics(self, request: web.Request) -> web.Response:
        return web.json_response([_shown_toxic(each) for each in self._proxy(request).toxics])

    async def _create_toxic(self, request: web.Request) -> web.Response:
        proxy = self._proxy(request)
        settings = _toxic_settings(_object(await _body(request), "Toxic"))
        if proxy.toxic(settings.name) is not None:
            raise Refused(409, "toxic already exists")
        proxy.add(settings)
        return web.json_response(_shown_toxic(settings))

    async def _show_toxic(self, request: web.Request) -> web.Response:
        return web.json_response(_shown_toxic(_toxic(self._proxy(request), request)))

    async def _update_toxic(self, request: web.Request) -> web.Response:
        proxy = self._proxy(request)
        old = _toxic(proxy, request)
        body = _object(await _body(request), "Toxic")
        try:
            toxic = old.toxic.changed(_object(body.get("attributes") or {}, "Attributes"))
        except ValueError as error:
            raise Refused(400, f"bad request body: {error}") from error
        settings = replace(old, toxic=toxic, toxicity=_toxicity(body, old.toxicity))
        proxy.update(settings)
        return web.json_response(_shown_toxic(settings))

    async def _delete_toxic(self, request: web.Request) -> web.Response:
        proxy = self._proxy(request)
        proxy.remove(_toxic(proxy, request))
        return web.Response(status=204)

    def _proxy(self, request: web.Request) -> Proxy:
        proxy = self._proxies.get(request.match_info["proxy"])
        if proxy is None:
            raise Refused(404, "proxy not found")
        return proxy

    def _new(self, name: str, listen: str, upstream: str) -> Proxy:
        return Proxy(name, listen, upstream, address_of=self._address_of, randomness=self._randomness)

    @staticmethod
    async def _settle(proxy: Proxy, *, enabled: bool) -> None:
        if not enabled:
            proxy.stop()
            return
        try:
            await proxy.start()
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else None
            raise Refused(500, f"listen tcp {proxy.listen}: bind: {(why or str(error)).lower()}") from error


def _toxic(proxy: Proxy, request: web.Request) -> ToxicSettings:
    settings = proxy.toxic(request.match_info["toxic"])
    if settings is None:
        raise Refused(404, "toxic not found")
    return settings


def _proxy_settings(body: Any, *, index: int | None = None) -> tuple[str, str, str, bool]:
    at = "" if index is None else f" at proxy {index + 1}"
    proxy = _object(body, "Proxy")
    for key in ("name", "upstream"):
        if not _text(proxy, key):
            raise Refused(400, f"missing required field: {key}{at}")
    listen, upstream = _text(proxy, "listen") or "localhost:0", _text(proxy, "upstream")
    _check_addresses(listen, upstream)
    return _text(proxy, "name"), listen, upstream, _flag(proxy, "enabled", default=True)


def _check_addresses(*addresses: str) -> None:
    for address in addresses:
        try:
            split_address(address)
        except ValueError as error:
            raise Refused(500, f"listen tcp: {error}") from error


def _toxic_settings(body: Mapping[str, Any]) -> ToxicSettings:
    stream = (_text(body, "stream") or "downstream").lower()
    if stream not in _STREAMS:
        raise Refused(400, "stream was invalid, can be either upstream or downstream")
    kind = KINDS.get(_text(body, "type"))
    if kind is None:
        raise Refused(400, "invalid toxic type")
    name = _text(body, "name") or f"{kind.kind}_{stream}"
    try:
        toxic = kind().changed(_object(body.get("attributes") or {}, "Attributes"))
    except ValueError as error:
        raise Refused(400, f"bad request body: {error}") from error
    return ToxicSettings(name, toxic, stream, _toxicity(body, 1.0))


def _toxicity(body: Mapping[str, Any], default: float) -> float:
    value = body.get("toxicity", default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(400, "bad request body: json: cannot unmarshal into Go struct field .toxicity of type float32")
    return float(value)


def _shown(proxy: Proxy) -> dict[str, Any]:
    return {
        "name": proxy.name,
        "listen": proxy.listen,
        "upstream": proxy.upstream,
        "enabled": proxy.enabled,
        "toxics": [_shown_toxic(each) for each in proxy.toxics],
    }


def _shown_toxic(settings: ToxicSettings) -> dict[str, Any]:
    return {
        "attributes": settings.toxic.attributes(),
        "name": settings.name,
        "type": settings.toxic.kind,
        "stream": settings.stream,
        "toxicity": settings.toxicity,
    }


async def _body(request: web.Request) -> Any:
    try:
        return json.loads(await request.read() or b"{}")
    except ValueError as error:
        raise Refused(400, f"bad request body: {error}") from error


def _object(body: Any, kind: str) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise Refused(400, f"bad request body: json: cannot unmarshal into Go value of type {kind}")
    return body


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str | None):
        raise Refused(400, f"bad request body: json: cannot unmarshal into Go struct field .{key} of type string")
    return value or ""


def _flag(body: Mapping[str, Any], key: str, *, default: bool) -> bool:
    value = body.get(key)
    if not isinstance(value, bool | None):
        raise Refused(400, f"bad request body: json: cannot unmarshal into Go struct field .{key} of type bool")
    return default if value is None else value


@web.middleware
async def _answer_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.headers.get("User-Agent", "").startswith("Mozilla/"):
        # A page in a browser of this machine could send requests as well.
        return web.Response(status=403, text="User agent not allowed\n")
    try:
        return await handler(request)
    except Refused as refused:
        return web.json_response({"error": refused.message, "status": refused.status}, status=refused.status)
    except web.HTTPNotFound:
        return web.Response(status=404, text="404 page not found\n")
    except web.HTTPMethodNotAllowed:
        return web.Response(status=405)
