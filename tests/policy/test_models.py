"""What a policy may say, and what it means where it says nothing."""

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from seatrial.policy.models import Policy
from seatrial.steps.registry import policy_model


def check(document: Mapping[str, Any]) -> Policy:
    """Check values as they come from a file."""
    return policy_model().model_validate(document, by_alias=True, by_name=False)


def check_step(**step: Any) -> Any:
    """Check one step, and return its model."""
    return check({"scenarios": [{"name": "test", "steps": [step]}]}).scenarios[0].steps[0].spec


def check_action(**action: Any) -> Any:
    """Check a pod action, and return its model."""
    step = check_step(podAction={"matches": [{"namespace": "default"}], "actions": [action]})
    return step.actions[0].spec


def check_filter(**kind: Any) -> Any:
    """Check a pod filter, and return what stands under its key."""
    action = {"matches": [{"namespace": "default"}], "filters": [kind], "actions": [{"kill": {}}]}
    return check_step(podAction=action).filters[0].spec


def refusals(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The places (within the file) and the messages of everything that is wrong."""
    with pytest.raises(ValidationError) as caught:
        check(document)
    return [(".".join(map(str, each["loc"])), each["msg"]) for each in caught.value.errors()]


def test_defaults_of_the_run() -> None:
    """Rounds in the order written, for ever, with pauses of 30 to 300 seconds, going on after failures."""
    policy = check({"scenarios": []})
    run = policy.config.run_strategy
    assert (run.strategy, run.runs) == ("round-robin", None)
    assert (run.min_seconds_between_runs, run.max_seconds_between_runs) == (30, 300)
    assert policy.config.exit_strategy.strategy == "report"
    assert policy.config.seed is None
    assert policy.scenarios == ()


def test_settings_of_the_run() -> None:
    """Each setting is read from its key."""
    run = {"strategy": "random", "runs": 3, "minSecondsBetweenRuns": 0, "maxSecondsBetweenRuns": 0.5}
    config = {"runStrategy": run, "exitStrategy": {"strategy": "fail-fast"}, "seed": 7}
    policy = check({"config": config, "scenarios": []})
    assert policy.config.run_strategy.strategy == "random"
    assert policy.config.run_strategy.runs == 3
    assert policy.config.run_strategy.max_seconds_between_runs == 0.5
    assert policy.config.exit_strategy.strategy == "fail-fast"
    assert policy.config.seed == 7


@pytest.mark.parametrize("config", [None, {}, {"runStrategy": None}, {"exitStrategy": None, "seed": "monday"}])
def test_empty_settings_mean_defaults(config: object) -> None:
    """A key with nothing after it is fine where nothing has to be said."""
    assert check({"config": config, "scenarios": []}).config.run_strategy.max_seconds_between_runs == 300


@pytest.mark.parametrize("seed", [True, 1.5, [], {}])
def test_seeds_are_integers_or_text(seed: object) -> None:
    """A seed has to be something that can be repeated exactly."""
    assert refusals({"config": {"seed": seed}, "scenarios": []}) == [("config.seed", "must be an integer or a string")]


@pytest.mark.parametrize(
    ("run", "key", "message"),
    [
        ({"minSecondsBetweenRuns": 9, "maxSecondsBetweenRuns": 8}, "min", "is 9, more than maxSecondsBetweenRuns (8)"),
        ({"minSecondsBetweenRuns": 301}, "min", "is 301, more than maxSecondsBetweenRuns (300, its default)"),
        ({"maxSecondsBetweenRuns": 29}, "max", "is 29, less than minSecondsBetweenRuns (30, its default)"),
    ],
)
def test_the_shortest_pause_is_not_the_longer_one(run: dict[str, int], key: str, message: str) -> None:
    """Also one bound alone can contradict the other's default."""
    place = f"config.runStrategy.{key}SecondsBetweenRuns"
    assert refusals({"config": {"runStrategy": run}, "scenarios": []}) == [(place, message)]


def test_scenario_names_are_unique() -> None:
    """The later one is wrong, and the message names the first."""
    scenarios: list[dict[str, Any]] = [{"name": name, "steps": []} for name in ("one", "two", "one")]
    message = "is 'one', which scenarios[0] is called already; names must be unique"
    assert refusals({"scenarios": scenarios}) == [("scenarios.2.name", message)]


def test_rules_hold_beside_other_problems() -> None:
    """A rule between fields is checked also when some field of the same map, or one elsewhere, is wrong."""
    scenarios: list[dict[str, Any]] = [{"name": "one", "steps": 3}, {"name": "one", "steps": [], "nonsense": 1}]
    run = {"runs": 0, "minSecondsBetweenRuns": 2, "maxSecondsBetweenRuns": 1}
    places = [place for place, _ in refusals({"config": {"runStrategy": run}, "scenarios": scenarios})]
    assert places == [
        "config.runStrategy.runs",
        "config.runStrategy.minSecondsBetweenRuns",
        "scenarios.0.steps",
        "scenarios.1.nonsense",
        "scenarios.1.name",
    ]


@pytest.mark.parametrize("name", ["abc", "x" * 80, "Größe"])
def test_names_that_fit(name: str) -> None:
    """A scenario's name has 3 to 80 characters, whichever."""
    assert check({"scenarios": [{"name": name, "steps": []}]}).scenarios[0].name == name


@pytest.mark.parametrize("name", ["ab", "x" * 81, "", 3, None])
def test_names_that_do_not_fit(name: object) -> None:
    """Shorter, longer, or no text at all: refused."""
    assert [place for place, _ in refusals({"scenarios": [{"name": name, "steps": []}]})] == ["scenarios.0.name"]


def test_matchers() -> None:
    """Pods are matched by namespace, by Deployment, by labels."""
    matches = [
        {"namespace": "team-*"},
        {"namespace": ""},
        {"deployment": {"name": "web", "namespace": "shop"}},
        {"labels": {"selector": "app=web,tier in (a, b),!old", "namespace": "shop"}},
    ]
    step = check_step(podAction={"matches": matches, "actions": [{"kill": None}]})
    assert [each.key for each in step.matches] == ["namespace", "namespace", "deployment", "labels"]
    assert step.matches[0].spec == "team-*"
    assert (step.matches[2].spec.name, step.matches[2].spec.namespace) == ("web", "shop")
    assert step.matches[3].spec.selector == "app=web,tier in (a, b),!old"
    assert (step.filters, step.retries, step.empty_ok) == ((), None, False)


@pytest.mark.parametrize("selector", ["", "  ", "app in (web", "=web", "app=web,", "a b"])
def test_selectors_that_are_none(selector: str) -> None:
    """What Kubernetes would refuse, or would take for "everything", is refused before anything is touched."""
    match = {"labels": {"selector": selector, "namespace": "x"}}
    with pytest.raises(ValidationError, match="selector"):
        check_step(podAction={"matches": [match], "actions": [{"kill": {}}]})


@pytest.mark.parametrize("key", ["matches", "actions"])
def test_pod_action_needs_both(key: str) -> None:
    """A podAction matches something and does something."""
    step: dict[str, Any] = {"matches": [{"namespace": "x"}], "actions": [{"kill": {}}]}
    document = {"scenarios": [{"name": "test", "steps": [{"podAction": {**step, key: []}}]}]}
    place = f"scenarios.0.steps.0.podAction.{key}"
    assert refusals(document) == [(place, "is an empty list; needs at least one item")]
    del step[key]
    assert refusals({"scenarios": [{"name": "test", "steps": [{"podAction": step}]}]}) == [(place, "Field required")]


def test_filters() -> None:
    """Pods are filtered by property, by time, by lot."""
    assert check_filter(property={"name": "state", "value": "Run"}).negative is False
    sample = check_filter(randomSample={"size": 2})
    assert (sample.size, sample.ratio) == (2, None)
    assert check_filter(randomSample={"ratio": 1}).ratio == 1
    assert check_filter(probability=0.25) == 0.25
    at_night = check_filter(dayTime={"startTime": {"hour": 22}, "endTime": {"hour": 6, "minute": 30, "second": 1}})
    assert (at_night.start_time.minute, at_night.end_time.second) == (0, 1)
    assert len(at_night.only_days) == 7
    assert check_filter(dayTime={"onlyDays": ["sunday"], "timezone": "Europe/Vienna"}).timezone == "Europe/Vienna"


@pytest.mark.parametrize(
    "wrong",
    [
        {"property": {"name": "ip", "value": "x"}},
        {"property": {"name": "name"}},
        {"property": {"name": "name", "value": "("}},
        {"property": {"name": "name", "value": "a{9999999999999}"}},
        {"randomSample": {}},
        {"randomSample": None},
        {"randomSample": {"size": 1, "ratio": 0.5}},
        {"randomSample": {"ratio": 1.01}},
        {"randomSample": {"size": -1}},
        {"randomSample": {"size": 1.5}},
        {"probability": -0.1},
        {"probability": None},
        {"dayTime": {}},
        {"dayTime": None},
        {"dayTime": {"timezone": "Europe/Vienna"}},
        {"dayTime": {"onlyDays": ["mon"]}},
        {"dayTime": {"startTime": {"hour": 24}}},
        {"dayTime": {"startTime": {"hour": 1, "minute": 60}}},
        {"dayTime": {"startTime": {}}},
        {"dayTime": {"onlyDays": ["monday"], "timezone": "Middle/Earth"}},
        {"dayTime": {"onlyDays": ["monday"], "timezone": "../../etc/passwd"}},
        {"dayTime": {"onlyDays": ["monday"], "timezone": "Europe"}},
        {"probability": 0.5, "randomSample": {"size": 1}},
        {},
    ],
)
def test_filters_that_are_refused(wrong: dict[str, Any]) -> None:
    """Unknown properties, broken expressions, impossible times and shares, two filters in one, none."""
    with pytest.raises(ValidationError):
        check_filter(**wrong)


def test_pod_actions() -> None:
    """Pods are killed, waited for, checked."""
    kill = check_action(kill=None)
    assert (kill.probability, kill.force) == (1, False)
    assert check_action(kill={"probability": 0.5, "force": True}).force is True
    assert check_action(wait={"seconds": 1}).seconds == 1
    assert check_action(checkPodState={"state": "Running"}).state == "Running"
    assert check_action(checkPodCount={"count": 0}).count == 0


def test_retries() -> None:
    """A number of tries, or a span of time, exactly one of both."""
    step: dict[str, Any] = {"matches": [{"namespace": "x"}], "actions": [{"kill": {}}]}
    counted = check_step(podAction={**step, "retries": {"retriesCount": {"count": 5, "sleep": 2}}}).retries
    assert (counted.key, counted.spec.count, counted.spec.sleep) == ("retriesCount", 5, 2)
    timed = check_step(podAction={**step, "retries": {"retriesTimeout": {"timeout": 9, "sleep": 0}}}).retries
    assert (timed.key, timed.spec.timeout) == ("retriesTimeout", 9)
    with pytest.raises(ValidationError, match="exactly one is allowed"):
        check_step(podAction={**step, "retries": {"retriesCount": {}, "retriesTimeout": {}}})


def test_probe_defaults() -> None:
    """One request, answered with 200 within a second, three tries 100 ms apart."""
    probe = check_step(probeHTTP={"target": {"service": {"name": "web", "namespace": "shop"}}})
    assert (probe.retries, probe.delay_ms, probe.timeout_ms, probe.code, probe.count) == (3, 100, 1000, 200, 1)
    assert (probe.endpoint, probe.method, probe.body, probe.headers) == ("", "get", None, ())
    assert (probe.proxy, probe.insecure) == ("", False)
    assert (probe.target.spec.port, probe.target.spec.protocol, probe.target.spec.via) == (80, "http", None)


def test_probe_settings() -> None:
    """Each setting is read from its key."""
    headers = [{"name": "Accept", "value": "text/html"}]
    settings = {"retries": 1, "delay": 5, "timeout": 50, "code": 404, "method": "put", "headers": headers, "body": "x"}
    probe = check_step(probeHTTP={"target": {"url": "https://[::1]:8443/x"}, **settings})
    assert (probe.delay_ms, probe.timeout_ms, probe.code, probe.method) == (5, 50, 404, "put")
    assert (probe.headers[0].name, probe.headers[0].value) == ("Accept", "text/html")


@pytest.mark.parametrize(
    "wrong",
    [
        {"target": {"url": "example.com"}},
        {"target": {"url": "http://"}},
        {"target": {"url": "http://host:99999"}},
        {"target": {"url": "http://x", "service": {"name": "a", "namespace": "b"}}},
        {"target": {"service": {"name": "a"}}},
        {"target": {}},
        {"target": {"url": "http://x"}, "method": "GET"},
        {"target": {"url": "http://x"}, "code": 99},
        {"target": {"url": "http://x"}, "headers": [{"name": "a b", "value": "c"}]},
        {"target": {"url": "http://x"}, "headers": [{"name": "a", "value": "b\r\nc: d"}]},
        {"target": {"url": "http://x"}, "timeout": 0},
        {},
    ],
)
def test_probes_that_are_refused(wrong: dict[str, Any]) -> None:
    """No target or two, no URL, impossible statuses, headers that would smuggle others."""
    with pytest.raises(ValidationError):
        check_step(probeHTTP=wrong)


def test_observing() -> None:
    """A scenario may watch goldpinger through all its steps."""
    observe = [{"goldpinger": {"service": {"name": "goldpinger"}}}]
    scenario = check({"scenarios": [{"name": "test", "steps": [], "observe": observe}]}).scenarios[0]
    watched = scenario.observe[0].spec
    assert (watched.service.namespace, watched.service.port, watched.interval_seconds) == ("default", 8080, 0.5)


@pytest.mark.parametrize(
    ("value", "is_number"),
    [(1, True), (1.5, True), (0, True), ("1", False), (True, False), (None, False), (float("inf"), False), (-1, False)],
)
def test_numbers_are_numbers(value: object, is_number: bool) -> None:  # noqa: FBT001 -- a column of the table
    """Text in quotes, true, null and infinity are no number of seconds."""
    if is_number:
        assert check_step(wait={"seconds": value}).seconds == value
    else:
        with pytest.raises(ValidationError):
            check_step(wait={"seconds": value})


def test_policies_can_be_written_and_read_back() -> None:
    """What a policy was read as can be kept as plain data and read again without loss."""
    step = {"matches": [{"labels": {"selector": "a=b", "namespace": "c"}}], "actions": [{"kill": {}}]}
    policy = check({"scenarios": [{"name": "one", "steps": [{"podAction": step}, {"wait": {"seconds": 1}}]}]})
    assert check(policy.model_dump(mode="json")) == policy


def test_keys_are_those_of_the_file() -> None:
    """A file says `runStrategy`; the name that the code uses is an unknown key there."""
    assert refusals({"config": {"run_strategy": {}}, "scenarios": []}) == [("config.run_strategy", "unknown key")]
