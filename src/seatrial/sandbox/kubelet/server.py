"""The kubelet's HTTPS server: what the API server asks of a node.

`/containerLogs/NAMESPACE/POD/CONTAINER` is behind `kubectl logs`, `/pods` and `/healthz` are for whoever looks after
the node; `stream_routes` has `exec`, `attach` and `port-forward`. Only the API server and administrators are let in,
by client certificate.
"""

import ssl
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol

import structlog
from aiohttp import web

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.log_reader import LogQuery
from seatrial.sandbox.kubelet.machine_config import MachineConfig

# Who may ask a kubelet: the API server under its usual names, and administrators.
_ALLOWED_NAMES: Final = frozenset({"kube-apiserver", "kube-apiserver-kubelet-client", "system:kube-apiserver"})
_ALLOWED_GROUPS: Final = frozenset({"system:masters"})
_log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class NoSuchLogError(Exception):
    """The log that is asked for doesn't exist; the text is the answer, with status `code`."""

    def __init__(self, message: str, *, code: int) -> None:
        super().__init__(message)
        self.code = code


class LogSource(Protocol):
    """Gives a container's log."""

    def __call__(self, namespace: str, pod: str, container: str, query: LogQuery) -> "LogStream":
        """The log, or `NoSuchLogError`."""
        ...


class LogStream(Protocol):
    """A log being read."""

    async def next(self) -> bytes:
        """The next piece; empty at the end."""
        ...

    def close(self) -> None:
        """Read no more."""
        ...


class Routes(Protocol):
    """Pages that the server has beside its own."""

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Take their paths."""
        ...


class KubeletServer:
    """Serves on the node's address.

    Args:
        config: address, port, certificates.
        pods: the pods of the node.
        logs: their logs.
        pages: what else it answers: exec, attach and port-forward, usage.
    """

    def __init__(
        self,
        config: MachineConfig,
        *,
        pods: Callable[[], Iterable[Object]],
        logs: LogSource,
        pages: Iterable[Routes],
    ) -> None:
        self._config = config
        self._pods = pods
        self._logs = logs
        self._pages = pages
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen."""
        app = web.Application(middlewares=[_authorize])
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/logs/{path:.*}", self._refuse_logs)
        app.router.add_get("/pods", self._list_pods)
        app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._container_logs)
        for page in self._pages:
            page.add_to(app.router)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(
            self._runner, self._config.address, self._config.kubelet_port, ssl_context=self._ssl_context()
        )
        await site.start()

    async def stop(self) -> None:
        """Hang up."""
        if self._runner is not None:
            await self._runner.cleanup()

    def _ssl_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(self._config.ca_file))
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(str(self._config.serving_cert_file), str(self._config.serving_key_file))
        return context

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _refuse_logs(self, _: web.Request) -> web.Response:
        # The machine's own log files would be those of somebody's computer.
        return web.Response(status=405, text="logs endpoint is disabled.\n")

    async def _list_pods(self, _: web.Request) -> web.Response:
        return web.json_response({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [*self._pods()]})

    async def _container_logs(self, request: web.Request) -> web.StreamResponse:
        match = request.match_info
        try:
            query = LogQuery.of(request.query, now=time.time())
            stream = self._logs(match["namespace"], match["pod"], match["container"], query)
        except NoSuchLogError as error:
            return web.Response(status=error.code, text=str(error))
        except ValueError as error:
            return web.Response(status=400, text=str(error))
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        try:
            await response.prepare(request)
            while piece := await stream.next():
                await response.write(piece)
            await response.write_eof()
        except ConnectionError:
            _log.debug("reader of a log went away", pod=match["pod"])
        finally:
            stream.close()
        return response


@web.middleware
async def _authorize(request: web.Request, handler: Handler) -> web.StreamResponse:
    certificate = request.transport.get_extra_info("peercert") if request.transport else None
    subject = [pair for part in (certificate or {}).get("subject", ()) for pair in part]
    names = {value for key, value in subject if key == "commonName"}
    groups = {value for key, value in subject if key == "organizationName"}
    if not (names & _ALLOWED_NAMES or groups & _ALLOWED_GROUPS):
        return web.Response(status=403, text=f"Forbidden (user={', '.join(names)}, resource=nodes, subresource=proxy)")
    return await handler(request)
