"""Starts an instance: the HTTP interface of bloomberg/goldpinger 3.x (paths and JSON keys of its swagger.yml)."""

import datetime as dt
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial.sandbox.images.goldpinger.checks import Checks, timestamp
from seatrial.sandbox.images.goldpinger.metrics import Metrics
from seatrial.sandbox.images.goldpinger.settings import SettingError, Settings
from seatrial.sandbox.images.goldpinger.slowness import Slowness
from seatrial.sandbox.images.serving import complain, listen_address, say, serve

if TYPE_CHECKING:
    from aiohttp import web

# Read at once: a container that runs as another user may not be allowed to.
_PAGE = Path(__file__).with_name("page.html").read_text()


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Serve until stopped; exit code 1 for settings that make no sense."""
    try:
        settings = Settings.read(argv, environ)
        slowness = Slowness.read(environ)
    except SettingError as error:
        complain(f"goldpinger: {error}")
        return 1
    metrics = Metrics(settings.hostname)
    checks = Checks(settings, environ, metrics=metrics)
    app = application(checks, metrics=metrics)
    app.middlewares.append(slowness.middleware())
    address = listen_address(settings.host, environ)
    say(f"goldpinger listens on http://{address}:{settings.port}, label selector {settings.label_selector}")
    return serve(
        app, address=address, port=settings.port, background=checks.keep_refreshing, before=slowness.wait_to_start
    )


def application(checks: Checks, *, metrics: Metrics) -> "web.Application":
    """The web application of one instance."""
    from aiohttp import web  # noqa: PLC0415 -- heavy: loaded when an instance runs

    booted = timestamp()

    async def ping() -> Any:
        return {"boot_time": booted}

    async def healthz() -> Any:
        started = time.monotonic_ns()
        now = dt.datetime.now(dt.UTC)
        return {"OK": True, "generated-at": timestamp(now), "duration-ns": time.monotonic_ns() - started}

    async def show_metrics(_request: web.Request) -> web.Response:
        return web.Response(body=metrics.render().encode(), headers={"Content-Type": "text/plain; version=0.0.4"})

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text=_PAGE, content_type="text/html")

    async def heatmap(request: web.Request) -> web.Response:
        from seatrial.sandbox.images.goldpinger.heatmap import draw, thresholds  # noqa: PLC0415 -- loads Pillow

        limits = thresholds(request.query)
        picture = await draw(await checks.check_all(), limits_ms=limits, names=checks.display_names())
        return web.Response(body=picture, content_type="image/png")

    app = web.Application()
    for path, action, call in (
        ("/ping", "ping", ping),
        ("/healthz", "healthz", healthz),
        ("/check", "check", checks.check),
        ("/check_all", "check_all", checks.check_all),
        ("/cluster_health", "cluster_health", checks.cluster_health),
    ):
        app.router.add_get(path, _answering(action, call, metrics=metrics))
    app.router.add_get("/metrics", show_metrics)
    app.router.add_get("/heatmap.png", heatmap)
    app.router.add_get("/", page)
    app.on_startup.append(lambda _app: checks.open())
    app.on_cleanup.append(lambda _app: checks.close())
    return app


def _answering(
    action: str, call: Callable[[], Awaitable[Any]], *, metrics: Metrics
) -> "Callable[[web.Request], Awaitable[web.Response]]":
    from aiohttp import web  # noqa: PLC0415 -- heavy: loaded when an instance runs
    from msgspec import json  # noqa: PLC0415 -- likewise

    async def handler(_request: web.Request) -> web.Response:
        metrics.count("goldpinger_stats_total", group="received", action=action)
        try:
            result = await call()
        except TimeoutError:
            return web.json_response({"message": f"{action} took too long", "code": 504}, status=504)
        # The real one answers "I'm a teapot" for an unhealthy cluster.
        status = 418 if action == "cluster_health" and not result["OK"] else 200
        return web.Response(body=json.encode(result), status=status, content_type="application/json")

    return handler
