"""A report as JUnit XML, as Jenkins and GitLab read it.

A suite is a scenario, a case one of its rounds; objectives and clean-up are suites of their own. What failed is a
`failure`. What is inconclusive, and an objective without enough evidence, is an `error`: both count as not passed
there, while `skipped` would turn a run that showed nothing green.
"""

from collections.abc import Iterable, Iterator

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from seatrial.policy.wording import counted, printable_lines
from seatrial.report.run_report.model import ObjectiveTold, RoundTold, RunReport, ScenarioTold
from seatrial.report.words import beside
from seatrial.runtime.events import ObjectiveStatus
from seatrial.runtime.verdict import Verdict
from seatrial.storage.records import RunState

_MOST_CASES = 500


def junit(report: RunReport) -> str:
    """The report as XML."""
    document = JUnitXml(_harmless(f"{report.run.policy} (run {report.run.id})"))
    suites = [*_scenario_suites(report), *_objective_suites(report), *_run_suites(report)]
    for suite in suites:
        suite.update_statistics()  # type: ignore[no-untyped-call] # it has none
        document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call] # it has none
    text: bytes = document.tostring()  # type: ignore[no-untyped-call] # it has none
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text.decode()}\n'


def _scenario_suites(report: RunReport) -> Iterator[TestSuite]:
    for scenario in report.scenarios:
        rounds = [each for each in report.rounds if each.scenario == scenario.name]
        suite = _suite(scenario.name, report)
        suite.add_testcases(list(_rounds(rounds, scenario)))
        yield suite


def _rounds(rounds: list[RoundTold], scenario: ScenarioTold) -> Iterator[TestCase]:
    """A case for each; where there are too many, for those that did not pass, and one for the others."""
    shown = rounds
    if len(rounds) > _MOST_CASES:
        shown = [each for each in rounds if each.verdict is not Verdict.PASSED][: _MOST_CASES - 1]
    for each in shown:
        result = _result(each.verdict, each.reasons)
        yield _case(f"round {each.round}", of=_class(scenario.name), seconds=each.seconds, result=result)
    if len(shown) < len(rounds):
        kept = {id(each) for each in shown}
        others = [each for each in rounds if id(each) not in kept]
        yield _others(others, scenario)


def _others(rounds: list[RoundTold], scenario: ScenarioTold) -> TestCase:
    seconds = sum(each.seconds for each in rounds)
    bad = [each for each in rounds if each.verdict is not Verdict.PASSED]
    name = f"{counted(len(rounds), 'other round')}"
    worst = Verdict.FAILED if any(each.verdict is Verdict.FAILED for each in bad) else Verdict.INCONCLUSIVE
    result = _result(worst, (f"{len(bad)} of them did not pass",)) if bad else None
    return _case(name, of=_class(scenario.name), seconds=seconds, result=result)


def _objective_suites(report: RunReport) -> Iterator[TestSuite]:
    if report.objectives:
        suite = _suite("objectives", report)
        suite.add_testcases([_objective(each) for each in report.objectives])
        yield suite


def _objective(told: ObjectiveTold) -> TestCase:
    verdicts = {
        ObjectiveStatus.MET: Verdict.PASSED,
        ObjectiveStatus.VIOLATED: Verdict.FAILED,
        ObjectiveStatus.UNDECIDED: Verdict.INCONCLUSIVE,
    }
    result = _result(verdicts[told.status], (f"{told.status}: {beside(told)}",), kind=told.status)
    return _case(told.objective, of=f"objectives.{_class(told.scenario)}", seconds=0, result=result)


def _run_suites(report: RunReport) -> Iterator[TestSuite]:
    """Clean-up, and a run that has no end: what no scenario tells."""
    cases = [
        _case(problem.what, of="clean-up", seconds=0, result=_failure((problem.error, f"by hand: {problem.manual}")))
        for problem in report.undo.failed
    ]
    if report.run.state is not RunState.ENDED:
        cases.append(_case("the run ended", of="run", seconds=0, result=_error((report.incomplete,), report.run.state)))
    elif not report.rounds:
        cases.append(_case("a scenario ran", of="run", seconds=0, result=_error(report.reasons, "inconclusive")))
    if cases:
        suite = _suite("run", report)
        suite.add_testcases(cases)
        yield suite


def _suite(name: str, report: RunReport) -> TestSuite:
    suite = TestSuite(_harmless(name))
    suite.timestamp = report.run.started.partition(".")[0]
    suite.hostname = _harmless(report.run.host)
    for key, value in (("run", report.run.id), ("seed", report.run.seed), ("server", report.run.server)):
        suite.add_property(key, _harmless(value))
    return suite


def _case(name: str, *, of: str, seconds: float, result: Failure | Error | None) -> TestCase:
    case = TestCase(_harmless(name), classname=_harmless(of), time=round(seconds, 3))
    if result is not None:
        case.result = [result]
    return case


def _result(verdict: Verdict, reasons: Iterable[str], *, kind: str = "") -> Failure | Error | None:
    match verdict:
        case Verdict.FAILED:
            return _failure(reasons, kind or verdict)
        case Verdict.INCONCLUSIVE:
            return _error(reasons, kind or verdict)
    return None


def _failure(reasons: Iterable[str], kind: str = "failed") -> Failure:
    failure = Failure(_first(reasons), kind)
    failure.text = _all(reasons)
    return failure


def _error(reasons: Iterable[str], kind: str) -> Error:
    error = Error(_first(reasons), kind)
    error.text = _all(reasons)
    return error


def _all(reasons: Iterable[str]) -> str:
    return "\n".join(map(_harmless, reasons))


def _first(reasons: Iterable[str]) -> str:
    return next(map(_harmless, reasons), "no reason was given")


def _class(name: str) -> str:
    """A name as that of a class: what is before a full stop would be its package."""
    return name.replace(".", "_")


def _harmless(text: str) -> str:
    """Without characters that XML can't hold, or that can't be seen: they are written as escapes."""
    return printable_lines(text)
