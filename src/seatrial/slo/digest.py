"""What an experiment is known by: a digest of what decides what it measures; an edited scenario begins a new series."""

import hashlib
import json

from seatrial.policy.models import Scenario
from seatrial.slo.series import SeriesKey

_SAY_NOTHING = {"name", "description", "objectives"}


def digest_of(scenario: Scenario) -> str:
    """Sixteen hexadecimal digits: of what the scenario does, whatever it is called and is held to.

    What is as it would be anyway isn't part of it: else an option that a later version adds would begin new series
    everywhere. So are the keys those of the language, whatever the models call them.
    """
    said = scenario.model_dump(mode="json", exclude=_SAY_NOTHING, exclude_defaults=True, by_alias=True)
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def series_key(scenario: Scenario, *, policy: str, cluster: str) -> SeriesKey:
    """The series of a scenario of a policy on a cluster."""
    return SeriesKey(cluster=cluster, policy=policy, scenario=scenario.name, digest=digest_of(scenario))
