"""A plan that was saved, and whether the cluster is still as it found it.

A run that is held to a plan works out its own with the same seed, right before its first round, and refuses to begin
where the two differ in what would be hit, changed, left or allowed.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from seatrial.errors import ClusterError, ConfigurationError
from seatrial.runtime.plan import FORMAT, Plan, plan_as_data

_MOST_SHOWN = 5
_HINT = "save one with: seatrial plan POLICY --output json > FILE"


class _Pod(msgspec.Struct, frozen=True):
    namespace: str
    name: str
    uid: str


class _Owner(msgspec.Struct, frozen=True):
    owner: str
    namespace: str
    ready: int
    left: int


class _Budget(msgspec.Struct, frozen=True):
    budget: str
    namespace: str
    allowed: int
    hit: int


class _Step(msgspec.Struct, frozen=True):
    victims: tuple[_Pod, ...]
    targets: tuple[_Pod, ...]
    owners: tuple[_Owner, ...]
    budgets: tuple[_Budget, ...]
    nodes: tuple[str, ...]
    changes: tuple[str, ...]
    refused: tuple[str, ...]
    missing_permissions: tuple[str, ...]
    unknown: str


class _Scenario(msgspec.Struct, frozen=True):
    name: str
    steps: tuple[_Step, ...]


class _Failure(msgspec.Struct, frozen=True):
    scenario: str
    units: tuple[str, ...]


class _Failures(msgspec.Struct, frozen=True):
    first: tuple[_Failure, ...]


class SavedPlan(msgspec.Struct, frozen=True):
    """What `seatrial plan --output json` printed, as far as it can be compared."""

    digest: str
    seed: str
    server: str
    scenarios: tuple[_Scenario, ...]
    failures: _Failures | None = None


class _Header(msgspec.Struct, frozen=True):
    format: str = ""


def read_plan(path: Path) -> SavedPlan:
    """Read a saved plan.

    Raises:
        ConfigurationError: the file can't be read, or is no plan of a format that is known here.
    """
    try:
        text = path.read_bytes()
        found = msgspec.json.decode(text, type=_Header).format
        if found != FORMAT:
            what = f"has the format '{found}'" if found else "is no plan"
            raise ConfigurationError(f"{path} {what}; needed is {FORMAT}", hint=_HINT)
        return msgspec.json.decode(text, type=SavedPlan)
    except OSError as error:
        raise ConfigurationError(f"can't read the plan {path}: {error.strerror}", hint=_HINT) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{path} is no plan: {error}", hint=_HINT) from error


def hold_to(saved: SavedPlan, now: Plan) -> None:
    """Refuse to go on where the cluster, the policy or the seed isn't what the plan was made with.

    Raises:
        ClusterError: says what has changed.
    """
    found = list(drift(saved, now))
    if not found:
        return
    more = f"; and {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else ""
    raise ClusterError(
        f"the plan no longer holds: {'; '.join(found[:_MOST_SHOWN])}{more}",
        hint="nothing was touched: look at a new plan with seatrial plan, and save that",
    )


def drift(saved: SavedPlan, made: Plan) -> Iterator[str]:
    """What is different from the saved plan, one sentence each; of those that explain all others, the first."""
    now = msgspec.convert(plan_as_data(made), SavedPlan)
    if saved.digest != now.digest:
        yield "the policy says something else than when it was made"
    elif saved.seed != now.seed:
        yield f"the seed is {now.seed}, not {saved.seed}"
    elif saved.server != now.server:
        yield f"the cluster is {now.server}, not {saved.server}"
    elif saved.failures != now.failures:
        yield f"what fails first is {_first(now)}, not {_first(saved)}"
    elif _shape(saved) != _shape(now):
        yield "the plan does not have the policy's scenarios and steps: somebody has edited it"
    else:
        for one, other in zip(saved.scenarios, now.scenarios, strict=True):
            for number, (before, after) in enumerate(zip(one.steps, other.steps, strict=True), start=1):
                yield from (f"{one.name}, step {number} {each}" for each in _step_drift(before, after))


def _first(plan: SavedPlan) -> str:
    """The first failures of a plan in words."""
    first = plan.failures.first if plan.failures else ()
    return ", then ".join("+".join(each.units) for each in first) or "nothing"


def _shape(plan: SavedPlan) -> list[tuple[str, int]]:
    return [(each.name, len(each.steps)) for each in plan.scenarios]


def _step_drift(before: _Step, after: _Step) -> Iterator[str]:
    yield from _appeared(_pods(before.victims), _pods(after.victims), "would hit")
    yield from _appeared(_seen(before), _seen(after), "would choose")
    yield from _changed(_owners(before), _owners(after))
    yield from _changed(_budgets(before), _budgets(after))
    yield from _appeared(_same(before.nodes), _same(after.nodes), "would act on node")
    yield from _appeared(_same(before.changes), _same(after.changes), "would")
    yield from _appeared(_same(before.refused), _same(after.refused), "would be refused:")
    yield from _appeared(_same(before.missing_permissions), _same(after.missing_permissions), "would not be allowed to")
    if before.unknown != after.unknown:
        yield f"can't be planned: {after.unknown}" if after.unknown else "can be planned, which it could not be"


def _appeared(old: Mapping[str, str], new: Mapping[str, str], words: str) -> Iterator[str]:
    yield from (f"{words} {new[key]} as well" for key in new if key not in old)
    yield from (f"no longer {words} {old[key]}" for key in old if key not in new)


def _changed(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    yield from (f"finds that {key} {new[key]}, not {old[key]}" for key in new if key in old and new[key] != old[key])
    yield from (f"finds that {key} {new[key]} as well" for key in new if key not in old)


def _pods(pods: tuple[_Pod, ...]) -> dict[str, str]:
    return {pod.uid: f"pod {pod.namespace}/{pod.name}" for pod in pods}


def _seen(step: _Step) -> dict[str, str]:
    """The pods that are chosen, and not hit."""
    hit = _pods(step.victims)
    return {uid: words for uid, words in _pods(step.targets).items() if uid not in hit}


def _owners(step: _Step) -> dict[str, str]:
    return {
        f"{each.owner} in {each.namespace} would keep": f"{each.left} of {each.ready} Ready pods"
        for each in step.owners
    }


def _budgets(step: _Step) -> dict[str, str]:
    return {
        f"PodDisruptionBudget {each.namespace}/{each.budget} allows": f"{each.allowed} for {each.hit}"
        for each in step.budgets
    }


def _same(texts: tuple[str, ...]) -> dict[str, str]:
    return {text: text for text in texts}
