"""The JSON form of a report, and its published schema: both come from the model, so neither can fall behind."""

import json
from typing import Any

import msgspec

from seatrial.report.run_report.model import FORMAT, RunReport

_SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def report_as_json(report: RunReport) -> str:
    """The report; a line for each of its parts' fields, as people read JSON."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"


def report_schema() -> dict[str, Any]:
    """The JSON Schema of reports."""
    return {
        "$schema": _SCHEMA_DIALECT,
        "title": "A report of a run of Seatrial",
        "description": f"What `seatrial report --format json` writes: {FORMAT}, as long as nothing is taken away.",
        **msgspec.json.schema(RunReport),
    }


def schema_text() -> str:
    """The schema as it is published."""
    return json.dumps(report_schema(), indent=2) + "\n"
