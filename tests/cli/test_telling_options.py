"""Where traces go: what the flag and OpenTelemetry's own variables say."""

import builtins
import logging

import pytest

from seatrial.cli.telling_options import TellingChoice, tracing
from seatrial.errors import UsageError
from seatrial.telemetry.tracing.trace_report import TraceReport

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
SOMEWHERE = "http://127.0.0.1:4318"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    """What this machine's own environment says of collectors is not meant for tests."""
    for name in (ENDPOINT, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"):
        monkeypatch.delenv(name, raising=False)


def kinds(endpoint=""):
    with tracing(TellingChoice(otlp_endpoint=endpoint)) as listeners:
        return [type(each) for each in listeners]


def without_the_extra(monkeypatch):
    imported = builtins.__import__

    def without(name, *arguments):
        if name.startswith("opentelemetry"):
            raise ImportError(name)
        return imported(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)


def test_nobody_asked_for_traces():
    """Then nothing listens."""
    assert kinds() == []


@pytest.mark.parametrize("name", [ENDPOINT, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_the_flag_or_a_variable_asks_for_traces(monkeypatch, name):
    """Either is enough."""
    assert kinds(SOMEWHERE) == [TraceReport]
    monkeypatch.setenv(name, SOMEWHERE)
    assert kinds() == [TraceReport]


@pytest.mark.parametrize(("name", "value"), [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")])
def test_variables_switch_them_off(monkeypatch, name, value):
    """As OpenTelemetry has it."""
    monkeypatch.setenv(ENDPOINT, SOMEWHERE)
    monkeypatch.setenv(name, value)
    assert kinds() == []


def test_a_missing_extra_is_an_error_where_a_person_asked(monkeypatch):
    """With the flag."""
    without_the_extra(monkeypatch)
    with pytest.raises(UsageError, match="need the extra 'otel'"):
        kinds(SOMEWHERE)


def test_a_missing_extra_is_a_warning_where_a_variable_asked(monkeypatch, caplog):
    """It may be set for all programs of a cluster."""
    without_the_extra(monkeypatch)
    monkeypatch.setenv(ENDPOINT, SOMEWHERE)
    with caplog.at_level(logging.WARNING, logger="seatrial.traces"):
        assert kinds() == []
    assert "no traces, though OTEL_EXPORTER_OTLP_ENDPOINT is set" in caplog.text
