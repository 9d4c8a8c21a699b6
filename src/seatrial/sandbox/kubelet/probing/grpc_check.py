"""One call of `grpc.health.v1.Health/Check`, for probes of type grpc.

The protocol is HTTP/2 with one small protobuf message each way (gRPC, "GRPC Health Checking Protocol"); the service's
name is the message's only field, and so is the answer's status.
"""

import asyncio
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from h2.connection import H2Connection

_PATH: Final = "/grpc.health.v1.Health/Check"
_STATUSES: Final = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
_SERVING: Final = 1
_OK: Final = "0"
_UNIMPLEMENTED: Final = "12"
_PREFIX_BYTES: Final = 5
_CHUNK_BYTES: Final = 65536


@dataclass
class _Answer:
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    complete: bool = False


async def check_health(host: str, port: int, service: str, *, user_agent: str) -> str:
    """Ask a server how a service is; returns nothing when it serves, else what a kubelet would say.

    Raises:
        OSError: it can't be reached.
    """
    from h2.config import H2Configuration  # noqa: PLC0415 -- few pods have such a probe
    from h2.connection import H2Connection  # noqa: PLC0415 -- likewise

    reader, writer = await asyncio.open_connection(host, port)
    connection = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
    try:
        connection.initiate_connection()
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", _PATH),
            (":authority", f"{host}:{port}"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            ("user-agent", user_agent),
        ]
        connection.send_headers(1, headers)
        connection.send_data(1, _request(service), end_stream=True)
        answer = await _exchange(connection, reader, writer)
    finally:
        writer.close()
    return _verdict(answer)


async def _exchange(connection: "H2Connection", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> _Answer:
    from h2 import events  # noqa: PLC0415 -- loaded by the caller
    from h2.exceptions import ProtocolError  # noqa: PLC0415 -- likewise

    answer = _Answer()
    while not answer.complete:
        writer.write(connection.data_to_send())
        chunk = await reader.read(_CHUNK_BYTES)
        if not chunk:
            raise ConnectionResetError("connection closed before server preface received")
        try:
            received = connection.receive_data(chunk)
        except ProtocolError as error:
            raise ConnectionAbortedError(f"error reading server preface: {error}") from error
        for event in received:
            if isinstance(event, events.ResponseReceived | events.TrailersReceived):
                answer.headers |= {str(name): str(value) for name, value in event.headers or ()}
            elif isinstance(event, events.DataReceived):
                answer.body += event.data or b""
                connection.acknowledge_received_data(event.flow_controlled_length or 0, 1)
            elif isinstance(event, events.StreamEnded | events.StreamReset | events.ConnectionTerminated):
                answer.complete = True
    return answer


def _request(service: str) -> bytes:
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    return struct.pack(">BI", 0, len(message)) + message


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _verdict(answer: _Answer) -> str:
    status = answer.headers.get("grpc-status", "")
    if status == _UNIMPLEMENTED:
        return "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)"
    if status not in {"", _OK}:
        return f"error: health rpc probe failed: {answer.headers.get('grpc-message', f'code {status}')}"
    message = bytes(answer.body[_PREFIX_BYTES:])
    serving = message[1] if len(message) > 1 and message[0] == 0x08 else 0
    if serving == _SERVING:
        return ""
    return f'service unhealthy (responded with "{_STATUSES.get(serving, serving)}")'
