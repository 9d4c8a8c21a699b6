"""Every matcher with every filter and every action of the old language, run on one sandbox in one policy."""

import json
from itertools import product

import yaml

from tests.compatibility.test_corpus import WEB

SIZE = 2
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
MIDNIGHT, LAST_SECOND = {"hour": 0, "minute": 0, "second": 0}, {"hour": 23, "minute": 59, "second": 59}

MATCHERS = [
    {"namespace": "default"},
    {"deployment": {"name": "web", "namespace": "default"}},
    {"labels": {"selector": "app=web", "namespace": "default"}},
    {"labels": {"selector": "app in (web),!none", "namespace": ""}},
]
# Each filter with how many of two pods it leaves.
FILTERS = [
    (None, 2),
    ({"property": {"name": "name", "value": "WEB-"}}, 2),
    ({"property": {"name": "name", "value": "web", "negative": True}}, 0),
    ({"property": {"name": "state", "value": "running"}}, 2),
    ({"dayTime": {"onlyDays": DAYS, "startTime": MIDNIGHT, "endTime": LAST_SECOND}}, 2),
    ({"randomSample": {"size": 1}}, 1),
    ({"randomSample": {"size": 9}}, 2),
    ({"randomSample": {"ratio": 0.5}}, 1),
    ({"randomSample": {"ratio": 0.49}}, 0),
    ({"probability": 1}, 2),
    ({"probability": 0}, 0),
]
RETRIES = [
    None,
    {"retriesCount": {"count": 1, "sleep": 0}},
    {"retriesTimeout": {"timeout": 0, "sleep": 0}},
    {"retriesCount": {}},
]


def expected(action, left):
    """The verdicts that an action on so many pods may have."""
    if action in {"checkPodCount", "wait"}:  # these mean something without a pod, too
        return {"passed"}
    if not left:
        return {"inconclusive"}
    # What a probability of 0 spares was not hit: nothing was shown.
    return {"passed", "inconclusive"} if action == "kill" else {"passed"}


def actions(left):
    return [
        {"checkPodCount": {"count": left}},
        {"checkPodState": {"state": "Running"}},
        {"wait": {"seconds": 0}},
        {"kill": {"probability": 0}},
        {"kill": {"probability": 0, "force": True}},
    ]


def scenarios():
    """One a combination: its policy, and the verdicts that it may have."""
    for number, (matcher, (filter_, left)) in enumerate(product(MATCHERS, FILTERS)):
        for action in actions(left):
            [key] = action
            retries = RETRIES[number % len(RETRIES)] if expected(key, left) == {"passed"} else None
            step = {
                "matches": [matcher],
                **({"filters": [filter_]} if filter_ else {}),
                "actions": [action],
                **({"retries": retries} if retries else {}),
            }
            name = f"{number} {next(iter(matcher))} {next(iter(filter_ or {'no filter': 0}))} {json.dumps(action)}"
            yield {"name": name[:80], "steps": [{"podAction": step}]}, expected(key, left)


def test_every_combination_does_what_it_says(on_cluster, tmp_path):
    """Each has the verdict that its matcher, filter and action make together; nothing breaks, nothing is killed."""
    made = list(scenarios())
    policy, manifests = tmp_path / "pairs.yml", tmp_path / "web.yml"
    policy.write_text(yaml.safe_dump({"config": {"runStrategy": {"runs": 1}}, "scenarios": [each for each, _ in made]}))
    manifests.write_text(WEB)
    done = on_cluster.run("autonomous", "--policy-file", policy, "--load", manifests, "--output", "json")
    result = json.loads(done.stdout)
    verdicts = {
        each["name"]: next(verdict for verdict in ("passed", "failed", "inconclusive") if each[verdict])
        for each in result["scenarios"]
    }
    wrong = [
        (each["name"], verdicts.get(each["name"]), allowed)
        for each, allowed in made
        if verdicts.get(each["name"]) not in allowed
    ]
    assert wrong == []
    assert len(verdicts) == len(made) == len(MATCHERS) * len(FILTERS) * 5
    assert result["pods"]["killed"] == 0
    assert "broke" not in done.stderr
