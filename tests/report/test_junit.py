"""The report as JUnit XML: what CI systems read of it."""

import xml.etree.ElementTree as ET

import msgspec

from seatrial.report.formats import rendered
from seatrial.runtime.process_identity import this_process
from seatrial.runtime.verdict import Verdict
from tests.report.kept_runs import SCENARIO, begun, finish, long_run, numbered, report_of, run_record, small_run

HOSTILE = "]]><script>&\x01\x1b[31m\ufffe\u202e"


def document(records, run=None):
    return ET.fromstring(rendered(report_of(records, run), "junit"))  # noqa: S314 -- our own


def suite(found, name):
    return next(each for each in found if each.get("name") == name)


def test_a_suite_is_a_scenario_and_a_case_a_round():
    """What failed is a failure, what is inconclusive an error: neither turns green, as what is skipped would."""
    found = suite(document(small_run().records), SCENARIO)
    results = {case.get("name"): [each.tag for each in case] for case in found.iter("testcase")}
    assert results == {"round 1": [], "round 2": ["failure"], "round 3": ["error"]}
    assert [found.get(key) for key in ("tests", "failures", "errors", "skipped")] == ["3", "1", "1", "0"]
    assert found.find(".//failure").get("message") == "the Service did not answer"
    assert float(found.find("testcase").get("time")) > 0
    assert {each.get("name"): each.get("value") for each in found.iter("property")}["seed"] == "42"


def test_a_full_stop_in_a_name_makes_no_package():
    """Viewers take a class's name apart at it: the suite keeps the name, its cases stay together."""
    found = suite(document(small_run(name="v1.2 answers").records), "v1.2 answers")
    assert {each.get("classname") for each in found.iter("testcase")} == {"v1_2 answers"}


def test_objectives_are_cases():
    """One that is violated is a failure."""
    found = suite(document(long_run(310).records), "objectives")
    (case,) = found.iter("testcase")
    assert case.get("name") == "95 % recover within 500 ms"
    assert case.find("failure").get("type") == "violated"


def test_an_objective_without_enough_evidence_is_an_error():
    """It is not met: nothing is known."""
    found = suite(document(long_run(30).records), "objectives")
    assert found.find("testcase/error").get("type") == "not enough evidence"


def test_what_could_not_be_undone_is_a_failure():
    """With the command by which a person does it."""
    found = suite(document(small_run().records), "run")
    (case,) = found.iter("testcase")
    assert case.get("name") == "uncordon node2"
    assert "kubectl uncordon node2" in case.find("failure").text


def test_thousands_of_rounds_are_hundreds_of_cases():
    """Those that did not pass are cases of their own, all others one together."""
    found = suite(document(long_run(600).records), SCENARIO)
    cases = list(found.iter("testcase"))
    assert len(cases) == 10
    assert cases[-1].get("name") == "591 other rounds"
    assert [found.get(key) for key in ("failures", "errors")] == ["6", "3"]


def test_a_run_without_an_end_is_an_error():
    """Whether it goes on or died: CI must not take a part for the whole."""
    records = [each for each in small_run().records if type(each.event).__name__ != "RunFinished"]
    for run, state in ((run_record(), "died"), (run_record(process=this_process()), "running")):
        found = suite(document(list(numbered(records)), run), "run")
        assert state in {each.get("type") for each in found.iter("error")}


def test_a_run_that_ran_nothing_is_an_error():
    """An empty file would be green."""
    line = begun()
    finish(line, rounds=0, verdict=Verdict.INCONCLUSIVE, reasons=("nothing ran",))
    found = document(line.records)
    assert found.get("errors") == "1"
    assert found.find(".//error").get("message") == "nothing ran"


def test_text_that_xml_cannot_hold_is_written_as_escapes():
    """Control characters, noncharacters, markup: the file can be read, and says what was there."""
    records = small_run(name=HOSTILE).records
    finished = [
        msgspec.structs.replace(each, event=msgspec.structs.replace(each.event, reasons=(HOSTILE,)))
        if type(each.event).__name__ == "ScenarioFinished"
        else each
        for each in records
    ]
    found = document(finished, run_record(policy=HOSTILE, host=HOSTILE, seed=HOSTILE, server=HOSTILE))
    shown = "]]><script>&\\u0001\\u001b[31m\\ufffe\\u202e"
    assert suite(found, shown).find("testcase/failure").text == shown
