"""The kubelet's end points for streams: `/exec`, `/attach`, `/portForward`.

Each is asked with an upgrade, to WebSocket or to SPDY/3.1, and agrees on a protocol: by `Sec-WebSocket-Protocol` or by
`X-Stream-Protocol-Version`. What happens in the streams is `remote_command`'s and `port_forward`'s.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.runtime_client import RuntimeClient
from seatrial.sandbox.kubelet.streams import port_forward, remote_command, remote_spdy, remote_websocket
from seatrial.sandbox.kubelet.streams.port_forward import PodTarget, PortChannels, PortError
from seatrial.sandbox.kubelet.streams.remote_spdy import SpdyStreams
from seatrial.sandbox.kubelet.streams.remote_streams import NoStreamsError, RemoteStreams, StreamOptions
from seatrial.sandbox.kubelet.streams.remote_websocket import WebSocketStreams
from seatrial.sandbox.kubelet.streams.stream_upgrades import (
    Agreed,
    is_websocket,
    offered_protocols,
    open_spdy,
    open_websocket,
)
from seatrial.sandbox.streaming.byte_channels import ByteChannel, WebSocketChannel
from seatrial.sandbox.streaming.spdy import SpdyConnection
from seatrial.sandbox.streaming.takeover import TakenOver

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Talk = Callable[[RemoteStreams], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class StreamedPod:
    """What streams need to know of a pod.

    Args:
        pod: the Pod.
        address: its own.
        running: its running containers, name to id.
    """

    pod: Object
    address: str
    running: Mapping[str, str]

    def container(self, name: str) -> Object:
        """A container's entry in the spec."""
        spec = self.pod["spec"]
        listed = [c for key in ("containers", "initContainers", "ephemeralContainers") for c in spec.get(key) or ()]
        found: Object = next((c for c in listed if c["name"] == name), {})
        return found


FindPod = Callable[[str, str], StreamedPod | None]


class StreamRoutes:
    """Answers requests for streams.

    Args:
        runtime: runs commands.
        find: finds a pod of the node by namespace and name.
    """

    def __init__(self, runtime: RuntimeClient, find: FindPod) -> None:
        self._runtime = runtime
        self._find = find

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Register the end points."""
        for path, handler in (("exec", self._exec), ("attach", self._attach)):
            for place in ("{namespace}/{pod}/{container}", "{namespace}/{pod}/{uid}/{container}"):
                for method in ("GET", "POST"):
                    router.add_route(method, f"/{path}/{place}", _until_gone(handler))
        for place in ("{namespace}/{pod}", "{namespace}/{pod}/{uid}"):
            for method in ("GET", "POST"):
                router.add_route(method, f"/portForward/{place}", _until_gone(self._port_forward))

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        pod, name = self._pod(request), request.match_info["container"]
        if pod is None:
            return web.Response(status=404, text="pod does not exist")
        container_id = pod.running.get(name)
        if container_id is None:
            return web.Response(status=500, text=f'container not found ("{name}")')
        argv = tuple(request.query.getall("command", ()))

        def talk(options: StreamOptions) -> Talk:
            return lambda streams: remote_command.execute(self._runtime, container_id, argv, streams, options)

        return await _serve_command(request, talk)

    async def _attach(self, request: web.Request) -> web.StreamResponse:
        pod, name = self._pod(request), request.match_info["container"]
        if pod is None:
            return web.Response(status=404, text="pod does not exist")
        container_id = pod.running.get(name)
        if container_id is None:
            full_name = f"{request.match_info['pod']}_{request.match_info['namespace']}"
            return web.Response(status=500, text=f"container {name} not found in pod {full_name}")
        spec = pod.container(name)

        def talk(options: StreamOptions) -> Talk:
            return lambda streams: remote_command.attach(
                self._runtime,
                container_id,
                streams,
                options,
                takes_input=bool(spec.get("stdin")),
                input_ends=bool(spec.get("stdinOnce")),
                terminal=bool(spec.get("tty")),
            )

        return await _serve_command(request, talk)

    async def _port_forward(self, request: web.Request) -> web.StreamResponse:
        pod = self._pod(request)
        if pod is None:
            return web.Response(status=404, text="pod does not exist")
        target = PodTarget(pod.address, pod.pod["metadata"]["uid"])
        if not is_websocket(request):
            async with open_spdy(request, (port_forward.PROTOCOL,)) as agreed:
                if not isinstance(agreed, Agreed):
                    return agreed
                await _forward(agreed.channel, target)
            return TakenOver()
        offered = offered_protocols(request)
        if port_forward.TUNNEL_PROTOCOL in offered:
            async with open_websocket(request, port_forward.TUNNEL_PROTOCOL) as socket:
                await _forward(WebSocketChannel(socket), target)
                return socket
        protocol = remote_websocket.choose_protocol(offered, port_forward.SOCKET_PROTOCOLS)
        if protocol is None:
            return web.Response(status=403)
        try:
            ports = _ports(request)
        except PortError as error:
            return web.Response(status=400, text=str(error))
        async with open_websocket(request, protocol) as socket:
            await PortChannels(socket, protocol, ports, target).run()
            return socket

    def _pod(self, request: web.Request) -> StreamedPod | None:
        return self._find(request.match_info["namespace"], request.match_info["pod"])


def _until_gone(handler: Handler) -> Handler:
    """A handler that ends quietly when its client goes in the middle."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except ConnectionError:
            return TakenOver()

    return handle


def _ports(request: web.Request) -> list[int]:
    texts = [text for value in request.query.getall("port", ()) for text in value.split(",")]
    if not texts:
        raise PortError('query parameter "port" is required')
    return [port_forward.parse_port(text) for text in texts]


async def _forward(channel: ByteChannel, target: PodTarget) -> None:
    connection = SpdyConnection(channel)
    async with _running(port_forward.forward_streams(connection, target)):
        await connection.run()


async def _serve_command(request: web.Request, talk: Callable[[StreamOptions], Talk]) -> web.StreamResponse:
    try:
        options = StreamOptions.of(request.query)
    except NoStreamsError as error:
        return web.Response(status=400, text=str(error))
    if not is_websocket(request):
        async with open_spdy(request, tuple(remote_spdy.PROTOCOLS)) as agreed:
            if not isinstance(agreed, Agreed):
                return agreed
            connection = SpdyConnection(agreed.channel)
            streams = SpdyStreams(connection, agreed.protocol, options)
            async with _running(connection.run()):
                if await streams.gather():
                    await talk(options)(streams)
        return TakenOver()
    protocol = remote_websocket.choose_protocol(offered_protocols(request), remote_websocket.PROTOCOLS)
    if protocol is None:
        return web.Response(status=403)
    async with open_websocket(request, protocol) as socket:
        channels = WebSocketStreams(socket, protocol, options)
        async with _running(channels.run()):
            with contextlib.suppress(ConnectionError):
                await channels.greet()
                await talk(options)(channels)
        return socket


@asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Something in the background for the length of the block."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
