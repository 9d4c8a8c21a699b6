"""A collector: a real OTLP/HTTP server whose spans are read with OpenTelemetry's own protobuf."""

from contextlib import asynccontextmanager

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.telemetry.notifications.receivers import receiving


def take(_):
    """The answer of a collector."""
    return web.Response(body=ExportTraceServiceResponse().SerializeToString(), content_type="application/x-protobuf")


class Collector:
    """What came."""

    def __init__(self, receiver):
        self.url = receiver.url
        self.receiver = receiver

    @property
    def requests(self):
        return [ExportTraceServiceRequest.FromString(call.body) for call in self.receiver.calls]

    @property
    def resource(self):
        return attributes(self.requests[0].resource_spans[0].resource)

    @property
    def spans(self):
        """By name; a name that comes twice is a mistake of the test."""
        found = [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        assert len({span.name for span in found}) == len(found)
        return {span.name: span for span in found}


def attributes(of):
    """Plain values."""
    return {each.key: _value(each.value) for each in of.attributes}


def _value(value):
    kind = value.WhichOneof("value")
    found = getattr(value, kind)
    return [_value(each) for each in found.values] if kind == "array_value" else found


@asynccontextmanager
async def collecting(*answers):
    """A collector for the length of a block."""
    async with receiving(*(answers or (take,))) as receiver:
        yield Collector(receiver)
