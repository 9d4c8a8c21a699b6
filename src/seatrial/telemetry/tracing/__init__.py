"""Runs as OpenTelemetry traces (the extra `otel`).

`exporting` sets the library up, `trace_report` makes spans of events, `attributes` says what stands in them.
"""
