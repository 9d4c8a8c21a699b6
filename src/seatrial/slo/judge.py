"""The judge of a run's objectives: after each scenario it looks at the series of each, and says what they come to.

Reading and reckoning happen in a thread, so that neither holds up what the run does meanwhile; a store that does not
answer is waited for so long, and asked again after the next round.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import msgspec

from seatrial.errors import SeatrialError
from seatrial.policy.models import Scenario
from seatrial.policy.wording import counted
from seatrial.runtime.context import Context
from seatrial.runtime.events import ObjectiveJudged, ObjectiveStatus, Where
from seatrial.runtime.verdict import PASSED, Outcome, combine, failed, nothing_to_do
from seatrial.slo.series import History, SeriesKey

if TYPE_CHECKING:
    from seatrial.policy.objectives import Objective
    from seatrial.slo.evidence import EvidenceReader

T = TypeVar("T")

_log = logging.getLogger(__name__)
_PATIENCE_SECONDS = 30.0
_EARLIER_JUDGEMENTS = 200


class ObjectivesJudge:
    """Judges objectives by what is kept of their series; see `runtime.judging.Judge`.

    Args:
        history: where series and judgements are kept.
        policy: the policy's name.
        cluster: what the cluster is known by.
        began: when the run did, Unix time.
        patience_seconds: how long it may take to read and to reckon.
    """

    def __init__(
        self, history: History, *, policy: str, cluster: str, began: float, patience_seconds: float = _PATIENCE_SECONDS
    ) -> None:
        self._history = history
        self._policy = policy
        self._cluster = cluster
        self._began = began
        self._patience_seconds = patience_seconds
        self._keys: dict[str, tuple[Scenario, SeriesKey]] = {}
        self._latest: dict[tuple[SeriesKey, str], ObjectiveJudged] = {}
        self._said: dict[tuple[SeriesKey, str], ObjectiveStatus] = {}
        self._unanswered: asyncio.Future[Sequence[ObjectiveJudged]] | None = None

    async def after(self, scenario: Scenario, context: Context) -> None:
        """Judge the objectives of a scenario that has just ended."""
        if not scenario.objectives:
            return
        await context.events.caught_up()
        key = self._key(scenario)
        context = context.at(where=Where(round=context.where.round, scenario=scenario.name))
        for judged in await self._judge(scenario, key, context):
            self._latest[key, judged.objective] = judged
            if not judged.problem:
                self._said[key, judged.objective] = judged.status
            context.emit(judged)

    def is_decided(self, scenarios: Sequence[Scenario]) -> bool:
        """Whether a sequential test has decided every objective."""
        judged = [self._latest.get((self._key(each), objective.label)) for each, objective in _all(scenarios)]
        return bool(judged) and all(each is not None and each.is_decided for each in judged)

    def outcome(self, scenarios: Sequence[Scenario]) -> Outcome:
        """What the objectives add to the verdict of the run."""
        outcomes = []
        for scenario, objective in _all(scenarios):
            judged = self._latest.get((self._key(scenario), objective.label))
            if judged is None:
                outcomes.append(nothing_to_do(f"{scenario.name}: {objective.label}: was not judged"))
            elif judged.status is ObjectiveStatus.VIOLATED:
                outcomes.append(failed(f"{scenario.name}: {objective.label}: {judged.status}"))
            elif judged.status is ObjectiveStatus.UNDECIDED:
                outcomes.append(nothing_to_do(f"{scenario.name}: {objective.label}: {judged.status}{_why(judged)}"))
        outcomes += self._left_violated(scenarios)
        return combine(outcomes) if outcomes else PASSED

    def _left_violated(self, scenarios: Sequence[Scenario]) -> Sequence[Outcome]:
        """Objectives that a changed policy dropped while they were violated: nobody has shown that they are met."""
        asked = {(self._key(scenario), objective.label) for scenario, objective in _all(scenarios)}
        return [
            failed(f"{key.scenario}: {label}: {judged.status} when the policy dropped it")
            for (key, label), judged in self._latest.items()
            if judged.status is ObjectiveStatus.VIOLATED and (key, label) not in asked
        ]

    def _key(self, scenario: Scenario) -> SeriesKey:
        """Worked out once for a scenario: it is another one after the policy was read anew."""
        known, key = self._keys.get(scenario.name, (None, None))
        if known is not scenario or key is None:
            from seatrial.slo.digest import series_key  # noqa: PLC0415 -- few policies have objectives

            key = series_key(scenario, policy=self._policy, cluster=self._cluster)
            self._keys[scenario.name] = (scenario, key)
        return key

    async def _judge(self, scenario: Scenario, key: SeriesKey, context: Context) -> Sequence[ObjectiveJudged]:
        from seatrial.slo.objective import unseen  # noqa: PLC0415 -- few policies have objectives

        if self._unanswered is not None and not self._unanswered.done():
            return [unseen(each, "the store has not answered yet") for each in scenario.objectives]
        now = context.clock.now().timestamp()
        asked = _in_thread(lambda: self._judge_all(scenario, key, now=now, run_id=context.run_id))
        self._unanswered = asked
        try:
            async with asyncio.timeout(self._patience_seconds):
                return await asyncio.shield(asked)
        except TimeoutError:
            problem = f"the store did not answer within {self._patience_seconds:g} s"
        except Exception as error:  # noqa: BLE001 -- a defect here is none of the system under test
            _log.exception("the objectives could not be judged")
            problem = f"{type(error).__name__}: {error}"
        return [unseen(each, problem) for each in scenario.objectives]

    def _judge_all(self, scenario: Scenario, key: SeriesKey, *, now: float, run_id: str) -> Sequence[ObjectiveJudged]:
        """In a thread of its own."""
        from seatrial.slo.evidence import EvidenceReader  # noqa: PLC0415 -- few policies have objectives

        reader = EvidenceReader(self._history, key, now=now, run_id=run_id, run_began=self._began)
        judged = [_judged(objective, scenario, reader) for objective in scenario.objectives]
        return [msgspec.structs.replace(each, previous=self._previous(key, each.objective)) for each in judged]

    def _previous(self, key: SeriesKey, objective: str) -> ObjectiveStatus | None:
        """What was said last, by this process or one before it; what could not be read said nothing."""
        if (key, objective) in self._said:
            return self._said[key, objective]
        try:
            earlier = self._history.judgements(key, most=_EARLIER_JUDGEMENTS)
        except SeatrialError:
            return None
        said = (each.status for _, each in reversed(earlier) if each.objective == objective and not each.problem)
        return next(said, None)


def _why(judged: ObjectiveJudged) -> str:
    """Why there is not enough evidence, where that is known."""
    needed = f"{counted(judged.more_needed, 'more good run')} needed at least" if judged.more_needed else ""
    why = judged.problem or needed
    return f" ({why})" if why else ""


def _judged(objective: "Objective", scenario: Scenario, reader: "EvidenceReader") -> ObjectiveJudged:
    from seatrial.slo.objective import judge, unseen  # noqa: PLC0415 -- few policies have objectives

    try:
        return judge(objective, reader.of(objective, probe=_probe(objective, scenario)))
    except SeatrialError as error:
        return unseen(objective, error.message)


def _probe(objective: "Objective", scenario: Scenario) -> str | None:
    """The name of the probe that an objective is about."""
    from seatrial.engine.steady_state import name_of  # noqa: PLC0415 -- few policies have objectives

    if objective.probe is None or scenario.steady_state is None:
        return None
    return name_of(scenario.steady_state.probes[objective.probe], objective.probe)


def _all(scenarios: Sequence[Scenario]) -> "list[tuple[Scenario, Objective]]":
    return [(scenario, objective) for scenario in scenarios for objective in scenario.objectives]


def _in_thread(work: Callable[[], T]) -> asyncio.Future[T]:
    """Do it in a thread that nobody has to wait for, not even at the end of the process."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def tell(say: Callable[[T], None] | Callable[[BaseException], None], what: object) -> None:
        if not future.done():
            say(what)  # type: ignore[arg-type] # of its own kind

    def run() -> None:
        try:
            say, what = future.set_result, work()
        except BaseException as error:  # noqa: BLE001 -- raised where the future is awaited
            say, what = future.set_exception, error  # type: ignore[assignment] # either
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, say, what)

    threading.Thread(target=run, name="judging objectives", daemon=True).start()
    return future
