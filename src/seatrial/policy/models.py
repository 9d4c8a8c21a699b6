"""The top level of a policy: how to run, and which scenarios.

The steps stand with the code that carries them out; `steps.registry.policy_model` joins both into the model of a
whole file. By itself, a `Scenario` knows no step.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field
from pydantic.alias_generators import to_snake

from seatrial.policy.base import Complaint, Model, OneKey
from seatrial.policy.scalars import FilledItems, Fraction, Integer, Items, Number, Seconds, Seed, Span
from seatrial.policy.wording import nearest, quote

if TYPE_CHECKING:
    from seatrial.policy.failures import Failure
    from seatrial.policy.notifications import Notification
    from seatrial.policy.objectives import Objective
    from seatrial.policy.schedule import Schedule
else:
    # `steps.registry` puts the models in where a policy names such things.
    Failure = Notification = Objective = Schedule = Any

_SHORTEST_PAUSE = 30.0
_LONGEST_PAUSE = 300.0
_OF_ROUNDS = {"minSecondsBetweenRuns": _SHORTEST_PAUSE, "maxSecondsBetweenRuns": _LONGEST_PAUSE}
_OF_FAILURES = {"failures": (), "accelerate": 1.0, "duration": None}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


class RunStrategy(Model):
    """How often the scenarios run, in which order, and with which pauses."""

    strategy: Literal["round-robin", "random", "failures"] = "round-robin"
    """`round-robin`: each round runs all scenarios in the order written.
    `random`: each round runs one scenario, picked at random.
    `failures`: nodes and pods fail as often as `failures` says, only faster; a round is one failure."""

    runs: Annotated[Integer, Field(ge=1)] | None = None
    """How many rounds to run, then exit. Without it, rounds go on until somebody stops them."""

    min_seconds_between_runs: Seconds = _SHORTEST_PAUSE
    """The shortest pause between two rounds, in seconds. There is no pause after the last round."""

    max_seconds_between_runs: Seconds = _LONGEST_PAUSE
    """The longest pause between two rounds, in seconds; each pause is picked evenly between shortest and longest."""

    failures: Items[Failure] = ()
    """What fails of itself, how often, and what a failure does; for the strategy `failures`."""

    accelerate: Annotated[Number, Field(ge=0.001, le=1e12)] = 1.0
    """How many times faster than in life time passes between failures: with 10000, a year takes 53 minutes. While a
    scenario runs, no time passes for what fails."""

    duration: Span | None = None
    """How much of its life the cluster goes through, then exit: `30d`, `1y`. The strategy `failures` ends with this
    or after `runs` failures, whichever comes first."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """The shortest pause isn't longer than the longest; each key goes with its strategy."""
        yield from cls._strategy_rules(given)
        shortest = given.get("minSecondsBetweenRuns", _SHORTEST_PAUSE)
        longest = given.get("maxSecondsBetweenRuns", _LONGEST_PAUSE)
        if not (_is_number(shortest) and _is_number(longest)) or shortest <= longest:
            return
        if "minSecondsBetweenRuns" in given:
            default = "" if "maxSecondsBetweenRuns" in given else ", its default"
            message = f"is {shortest:g}, more than maxSecondsBetweenRuns ({longest:g}{default})"
            yield Complaint(message, ("minSecondsBetweenRuns",))
        else:
            message = f"is {longest:g}, less than minSecondsBetweenRuns ({shortest:g}, its default)"
            yield Complaint(message, ("maxSecondsBetweenRuns",))

    @classmethod
    def _strategy_rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        is_failures = given.get("strategy") == "failures"
        if is_failures and not given.get("failures"):
            yield Complaint("has the strategy 'failures', which needs at least one item under: failures")
        why = "does not go" if is_failures else "goes only"
        for key, default in (_OF_ROUNDS if is_failures else _OF_FAILURES).items():
            # What is written back from a model says every default.
            if key in given and given[key] != default and given[key] != []:
                yield Complaint(f"{why} with the strategy 'failures'", (key,), at_key=True)


class ExitStrategy(Model):
    """What happens after a scenario has failed."""

    strategy: Literal["report", "fail-fast"] = "report"
    """`report`: go on with the next scenario. `fail-fast`: clean up and exit at the first failure.
    In both, the exit code tells whether anything failed."""


class Guardrails(Model):
    """How much damage the run may do: a step that would break one of these is refused before it acts.

    Flags of the command line (`--max-pods`, ...) can make each stricter, never looser. Without any, `kube-system` and
    the namespace that Seatrial itself runs in are left alone unless a matcher names them exactly; the control plane
    keeps a node, and etcd its quorum, unless matchers name exactly (the whole `name` or `ip`) what is to go down.
    """

    max_pods: Annotated[Integer, Field(ge=0)] | None = None
    """The most pods that one step may disrupt, its retries included."""

    max_nodes: Annotated[Integer, Field(ge=0)] | None = None
    """The most nodes that one step may disrupt."""

    max_share_of_zone: Fraction | None = None
    """The largest share of a zone's nodes that may be out of service at once, from 0 to 1; nodes that are not Ready
    anyway count."""

    max_control_plane: Annotated[Integer, Field(ge=0)] | None = None
    """The most nodes of the control plane that may be down at once. Without it one has to stay: to take down the only
    one, or all, takes a number here, or matchers that name each exactly."""

    keep_etcd_quorum: bool | None = None
    """Refuse what would leave fewer than a majority of etcd's members Ready, which is so unless `false` stands here or
    matchers name exactly which nodes go; with `true` it is so then, too. Members are the pods `component=etcd` of
    `kube-system`, as kubeadm makes them."""

    protect_namespaces: Items[Annotated[str, Field(min_length=1)]] = ()
    """Namespaces that are never touched, also where a matcher names them."""

    min_left: Annotated[Integer, Field(ge=0)] = 0
    """How many Ready pods an action must leave to each owner (a Deployment, a StatefulSet, ...) of the pods it hits."""

    respect_pdb: bool = False
    """Refuse what would disrupt more pods than a PodDisruptionBudget allows at that moment."""


class Config(Model):
    """Settings of the whole run."""

    run_strategy: RunStrategy = RunStrategy()
    """How often the scenarios run, in which order, and with which pauses."""

    exit_strategy: ExitStrategy = ExitStrategy()
    """What happens after a scenario has failed."""

    guardrails: Guardrails = Guardrails()
    """How much damage the run may do."""

    seed: Seed | None = None
    """Where random numbers start: the same seed on the same cluster picks the same victims.
    Without it (and without `--seed`), one is made up and shown."""

    schedule: Schedule | None = None
    """At what times of which days rounds begin; without it, one after the other, with pauses."""

    notify: Items[Notification] = ()
    """Who is told when an objective is violated or met again, when clean-up fails, and of what else."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """Times and pauses are two ways of saying when; failures come when they come."""
        schedule, strategy = given.get("schedule"), given.get("runStrategy")
        if schedule is None or strategy is None:
            return
        if _value(strategy, "strategy") == "failures":
            yield Complaint("does not go with the strategy 'failures'", ("schedule",))
        if _value(schedule, "cron") is None:
            return
        for key, default in _OF_ROUNDS.items():
            if _value(strategy, key) not in (None, default):
                yield Complaint("does not go with schedule.cron", ("runStrategy", key))


class Tolerance(Model):
    """How much of an outage an experiment may cause, for each probe of the steady state."""

    failures: Annotated[Integer, Field(ge=0)] | None = None
    """How many samples of a probe may fail."""

    outage_seconds: Seconds | None = Field(default=None, alias="outage")
    """How many seconds a probe may fail at a stretch: from the first sample that fails to the next that doesn't."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """A tolerance that says nothing would tolerate everything."""
        if all(given.get(key) is None for key in ("failures", "outage")):
            yield Complaint("says nothing; needs at least one of: failures, outage")


class SteadyState(Model):
    """What must hold before the experiment, is watched while it runs, and must hold again after it."""

    probes: FilledItems[OneKey]
    """Steps that look and change nothing. Where one fails before the first step, the scenario is inconclusive and
    nothing is touched."""

    interval_seconds: Annotated[Number, Field(gt=0)] = Field(default=1.0, alias="interval")
    """How often each probe is sampled while the steps run, in seconds. Samples keep to this schedule, also where
    answers are slow."""

    tolerance: Tolerance | None = None
    """How much may fail while the steps run before the scenario fails. Without it, failures are counted and shown."""

    recover_within_seconds: Seconds = Field(default=30.0, alias="recoverWithin")
    """How many seconds after clean-up all probes must hold again, or the scenario fails."""


class AbortCondition(Model):
    """What ends the experiment at once, with clean-up: a probe that fails too often or too long."""

    probe: OneKey
    """A step that looks and changes nothing."""

    failures: Annotated[Integer, Field(ge=1)] | None = None
    """How many samples in a row must fail; without this and `seconds`, one."""

    seconds: Seconds | None = None
    """For how many seconds samples must fail without one between that doesn't."""

    interval_seconds: Annotated[Number, Field(gt=0)] = Field(default=1.0, alias="interval")
    """How often the probe is sampled, in seconds."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """Not both limits."""
        if given.get("failures") is not None and given.get("seconds") is not None:
            yield Complaint("has both failures and seconds; one at most is allowed")


class Scenario(Model):
    """One experiment: steps in order, the first that fails ends it, and clean-up always runs."""

    name: Annotated[str, Field(min_length=3, max_length=80)]
    """The name in logs, metrics and reports; each scenario of a file has its own."""

    description: str | None = None
    """What the experiment is about, for its readers."""

    steps: Items[OneKey]
    """What to do, in order. Each item is a map with one key, the step's type."""

    observe: Items[OneKey] = ()
    """What to watch in the background from the first step to the last."""

    steady_state: SteadyState | None = None
    """What must hold before the experiment, is watched while it runs, and must hold again after it."""

    abort_when: Items[AbortCondition] = ()
    """What ends the experiment at once, with clean-up; the scenario fails then."""

    objectives: Items[Objective] = ()
    """What measurements must keep to over many runs of the scenario, and how sure to be of it."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """What objectives ask of the scenario that they belong to."""
        if _items(given.get("objectives")):
            from seatrial.policy.objective_rules import rules_of  # noqa: PLC0415 -- few scenarios have objectives

            yield from rules_of(given)


class Policy(Model):
    """A Seatrial policy: chaos experiments on Kubernetes, and how to run them."""

    config: Config = Config()
    """Settings of the whole run."""

    scenarios: Items[Scenario]
    """The experiments. The list may be empty."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """Scenario names are unique, and failures name them."""
        yield from cls._unique_names(given)
        yield from cls._known_scenarios(given)

    @classmethod
    def _unique_names(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        scenarios = given.get("scenarios")
        first: dict[str, int] = {}
        for index, scenario in enumerate(scenarios if isinstance(scenarios, list | tuple) else ()):
            name = scenario.get("name") if isinstance(scenario, dict) else getattr(scenario, "name", None)
            if not isinstance(name, str):
                continue
            if name in first:
                message = f"is '{name}', which scenarios[{first[name]}] is called already; names must be unique"
                yield Complaint(message, ("scenarios", index, "name"))
            first.setdefault(name, index)

    @classmethod
    def _known_scenarios(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        there = [name for each in _items(given.get("scenarios")) if isinstance(name := _value(each, "name"), str)]
        strategy = _value(_value(given.get("config"), "runStrategy"), "failures")
        for index, failure in enumerate(_items(strategy)):
            name = _value(failure, "scenario")
            if isinstance(name, str) and name not in there:
                close = nearest(name, there)
                meant = f"; did you mean {quote(close)}?" if close else ""
                path = ("config", "runStrategy", "failures", index, "scenario")
                yield Complaint(f"is {quote(name)}, which no scenario is called{meant}", path)


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _value(of: Any, key: str) -> Any:
    """What stands under a key of a file's map, whether or not it has become a model."""
    return of.get(key) if isinstance(of, dict) else getattr(of, to_snake(key), None)
