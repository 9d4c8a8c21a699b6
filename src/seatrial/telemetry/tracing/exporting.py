"""OpenTelemetry's SDK, set up for one run: its resource, ids of our own, and the way to a collector by OTLP/HTTP.

The library takes its settings from the environment (`OTEL_*`), as its users know it.
"""

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from seatrial.errors import UsageError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

_PATH = "/v1/traces"
_LAST_SECONDS = 10.0


def exporter_to(endpoint: str) -> "SpanExporter":
    """What sends spans to a collector: the one of the environment where `endpoint` is empty.

    Raises:
        UsageError: the extra `otel` isn't installed, or the address is none.
    """
    if endpoint and not _is_url(endpoint):
        raise UsageError(f"--otlp-endpoint: '{endpoint}' is no URL with http or https", hint="http://collector:4318")
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 -- an extra
            OTLPSpanExporter,
        )
    except ImportError as error:
        raise UsageError("traces need the extra 'otel'", hint="install it: pip install 'seatrial[otel]'") from error
    if not endpoint:
        return OTLPSpanExporter()
    base = endpoint.rstrip("/")
    return OTLPSpanExporter(endpoint=base if base.endswith(_PATH) else f"{base}{_PATH}")


def provider_of(exporter: "SpanExporter", resource: Mapping[str, Any], ids: "GivenIds") -> "TracerProvider":
    """Makes spans and sends them in batches; nothing of it is global."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 -- an extra, and slow to import
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 -- likewise
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 -- likewise

    given = {key: value for key, value in resource.items() if key != "service.name" or not _is_named()}
    provider = TracerProvider(resource=Resource.create(given), id_generator=ids.generator(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def shut_down(provider: "TracerProvider") -> None:
    """Send what is left, within a time: a collector that does not answer holds up nobody's exit."""
    thread = threading.Thread(target=provider.shutdown, name="last traces", daemon=True)
    thread.start()
    thread.join(_LAST_SECONDS)


class GivenIds:
    """Ids that are given for each span rather than drawn: see `runtime.trace_ids`."""

    def __init__(self) -> None:
        self.trace = 1
        self.span = 1

    def generator(self) -> Any:
        """As the SDK wants it."""
        from opentelemetry.sdk.trace.id_generator import IdGenerator  # noqa: PLC0415 -- an extra

        ids = self

        class Given(IdGenerator):
            def generate_trace_id(self) -> int:
                return ids.trace

            def generate_span_id(self) -> int:
                return ids.span

        return Given()


def _is_url(endpoint: str) -> bool:
    try:
        parts = urlsplit(endpoint)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_named() -> bool:
    """Whether the environment says what the service is called, which what we say would hide."""
    return bool(os.environ.get("OTEL_SERVICE_NAME")) or "service.name=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
