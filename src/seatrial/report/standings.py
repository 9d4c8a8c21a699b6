"""How the objectives of kept runs stand: found in the policies that were run, and judged on what is kept of them.

A policy's text is kept with each run of it; of that only scenarios' names and objectives are read, so that nothing else
in it (a secret that was left out, a step of a package that isn't installed) matters. An experiment that was changed
since began a new series: the latest one of a scenario counts.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from pydantic import ValidationError

from seatrial.policy.document import UnreadableDocument, read_document
from seatrial.policy.objectives import AVAILABILITY, YES_OR_NO, Objective
from seatrial.report.objectives import judged_as_json
from seatrial.runtime.events import ObjectiveJudged, ObjectiveStatus
from seatrial.slo.evidence import EvidenceReader
from seatrial.slo.objective import judge
from seatrial.slo.series import SeriesKey
from seatrial.slo.tallies import is_good
from seatrial.storage.records import RunRecord
from seatrial.storage.store import Store

_LATEST = 24
_MOST_RUNS = 500
_MOST_JUDGEMENTS = 20_000


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """An objective that a series is held to; `probe` is the name of the probe that it is about."""

    key: SeriesKey
    objective: Objective
    probe: str | None = None


class Change(msgspec.Struct, frozen=True):
    """A judgement that was not what it was before; `at` is Unix time."""

    at: float
    status: ObjectiveStatus
    text: str


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How an objective stands: as judged at a moment, its latest values with whether each is good, and what changed.

    A value is in seconds, or the share of bad ones where it is about yes and no.
    """

    held: Held
    judged: ObjectiveJudged
    latest: Sequence[tuple[float, bool]] = ()
    changes: Sequence[Change] = ()

    def as_json(self) -> dict[str, Any]:
        """The standing as a map."""
        key = self.held.key
        return {
            "policy": key.policy,
            "cluster": key.cluster,
            **judged_as_json(self.judged, scenario=key.scenario),
            "latest": [value for value, _ in self.latest],
            "changes": [
                {"at": change.at, "status": str(change.status), "text": change.text} for change in self.changes
            ],
        }


def held_in(store: Store) -> list[Held]:
    """The objectives of all policies that a store has runs of, the one with the latest run first."""
    latest: dict[tuple[str, str, str], SeriesKey] = {}
    for key in store.keys():  # noqa: SIM118 -- it is no dictionary
        latest.setdefault((key.cluster, key.policy, key.scenario), key)
    runs: dict[str, Sequence[RunRecord]] = {}
    held: list[Held] = []
    for key in latest.values():
        if key.policy not in runs:
            runs[key.policy] = store.runs(policy=key.policy, most=_MOST_RUNS)
        text = next((run.policy_text for run in runs[key.policy] if run.digests.get(key.scenario) == key.digest), "")
        held += _held_to(key, text)
    return held


def held_by(scenarios: Sequence[Any], store: Store, *, policy: str, digests: Mapping[str, str]) -> list[Held]:
    """The objectives of a policy's scenarios, on each cluster where they were run; as they stand where they never were.

    A policy that never ran under its name has the series of the same experiments under another: it was renamed.

    Args:
        scenarios: those of a loaded policy.
        store: where runs are kept.
        policy: the policy's name.
        digests: those of what the scenarios do, by name.
    """
    held: list[Held] = []
    keys = store.keys()
    for scenario in scenarios:
        digest = digests[scenario.name]
        same = [key for key in keys if key.scenario == scenario.name and key.digest == digest]
        found = [key for key in same if key.policy == policy] or same
        unknown = SeriesKey(cluster="", policy=policy, scenario=scenario.name, digest=digest)
        names = [each.key for each in scenario.steady_state.probes] if scenario.steady_state else []
        for key in found or [unknown]:
            held += [Held(key=key, objective=each, probe=_probe(each, names)) for each in scenario.objectives]
    return held


def standing(held: Held, store: Store, *, now: float, since: float | None = None) -> Standing:
    """Judge an objective on what a store has.

    Args:
        held: the objective, and the series that it is about.
        store: where runs are kept.
        now: Unix time.
        since: tell what changed from there on.

    Raises:
        StateError: the store can't be read.
    """
    reader = EvidenceReader(store, held.key, now=now)
    return Standing(
        held=held,
        judged=judge(held.objective, reader.of(held.objective, probe=held.probe)),
        latest=_latest(held, store),
        changes=() if since is None else _changes(held, store, since=since),
    )


def counted_statuses(standings: Sequence[Standing]) -> Counter[ObjectiveStatus]:
    """How many objectives stand how."""
    return Counter(each.judged.status for each in standings)


def exit_code(standings: Sequence[Standing]) -> int:
    """0 where all are met, 1 where one is violated, 3 where there is not enough evidence, or nothing to judge."""
    counts = counted_statuses(standings)
    if counts[ObjectiveStatus.VIOLATED]:
        return 1
    return 3 if counts[ObjectiveStatus.UNDECIDED] or not standings else 0


def _held_to(key: SeriesKey, text: str) -> Iterator[Held]:
    """The objectives of one scenario in the text of a policy."""
    try:
        document = read_document(text.encode()).value if text else None
    except UnreadableDocument:
        return
    scenarios = document.get("scenarios") if isinstance(document, dict) else None
    for scenario in scenarios if isinstance(scenarios, list) else ():
        if not isinstance(scenario, dict) or scenario.get("name") != key.scenario:
            continue
        steady = scenario.get("steadyState")
        probes = steady.get("probes") if isinstance(steady, dict) else None
        names = [str(next(iter(each), "")) for each in probes or () if isinstance(each, dict)]
        for each in scenario.get("objectives") or ():
            try:
                objective = Objective.model_validate(each, by_alias=True, by_name=False)
            except ValidationError:
                continue  # of a version of the language that this one doesn't know
            yield Held(key=key, objective=objective, probe=_probe(objective, names))


def _probe(objective: Objective, keys: Sequence[str]) -> str | None:
    from seatrial.engine.steady_state import probe_name  # noqa: PLC0415 -- it loads the engine

    number = objective.probe
    return None if number is None or number >= len(keys) else probe_name(keys[number], number)


def _latest(held: Held, store: Store) -> Sequence[tuple[float, bool]]:
    objective = held.objective
    if objective.measurement == AVAILABILITY:
        counts = store.counts(held.key, held.probe, last=_LATEST)
        return [(each.bad / (each.good + each.bad), not each.bad) for each in counts if each.good + each.bad]
    points = store.points(held.key, objective.measurement, last=_LATEST)[-_LATEST:]
    judged = ((point, bool(is_good(point, objective))) for point in points)
    return [(1 - point.value if objective.measurement in YES_OR_NO else point.value, good) for point, good in judged]


def _changes(held: Held, store: Store, *, since: float) -> Sequence[Change]:
    changes: list[Change] = []
    status: ObjectiveStatus | None = None
    for at, judged in store.judgements(held.key, most=_MOST_JUDGEMENTS):
        if judged.objective != held.objective.label or judged.problem:
            continue
        if judged.status is not status and at >= since:
            changes.append(Change(at, judged.status, judged.text))
        status = judged.status
    return changes
