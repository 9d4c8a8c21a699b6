"""The JSON form of a report, and its schema."""

import json
from pathlib import Path

import jsonschema
import pytest

from seatrial.report.formats import rendered
from seatrial.report.run_report.codec import report_schema
from seatrial.runtime.verdict import Verdict
from tests.report.kept_runs import begun, finish, long_run, numbered, report_of, small_run

SCHEMA = Path(__file__).parents[2] / "docs" / "reference" / "report-schema.json"


def _unfinished():
    return list(numbered(small_run().records[:40]))


def _empty():
    line = begun(rounds=None)
    finish(line, rounds=0, verdict=Verdict.INCONCLUSIVE)
    return line.records


@pytest.mark.parametrize(
    "records",
    [small_run().records, long_run(80).records, _unfinished(), _empty()],
    ids=["small", "long", "unfinished", "empty"],
)
def test_each_report_keeps_to_the_published_schema(records):
    """Of a whole run, a long one, one that has no end, and one in which nothing ran."""
    told = json.loads(rendered(report_of(records), "json"))
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(told)
    assert told["format"] == "seatrial.io/report/v1"


def test_the_schema_says_what_everything_is():
    """Each part has a description, and every field is required: who reads a report need not guess."""
    for name, part in report_schema()["$defs"].items():
        assert part.get("description") or "enum" in part, name
        if part.get("type") == "object" and name != "BudgetState":
            assert set(part["properties"]) - {"format"} == set(part.get("required", [])) - {"format"}, name


def test_all_rounds_are_in_it():
    """The other forms leave some out."""
    told = json.loads(rendered(report_of(long_run(150).records), "json"))
    assert [each["round"] for each in told["rounds"]] == list(range(1, 151))
    assert told["run"]["roundsPlanned"] is None
