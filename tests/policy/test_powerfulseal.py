"""Policies in the shapes that PowerfulSeal 3.x reads are valid without a change."""

import textwrap

import pytest

from seatrial.policy.load import load_policy
from seatrial.policy.models import Policy
from seatrial.policy.problems import InvalidPolicy
from seatrial.steps.registry import policy_model

VALID = {
    "no scenarios": """\
        scenarios: []
        """,
    "half of the pods": """\
        config:
          runStrategy: {runs: 1}
        scenarios:
        - name: Kill half of the pods
          steps:
          - podAction:
              matches:
              - labels: {selector: app=goldpinger, namespace: default}
              filters:
              - randomSample: {ratio: 0.5}
              actions:
              - kill: {force: true}
        """,
    "every setting of the run": """\
        ---
        config:
          runStrategy:
            strategy: random
            runs: 10
            minSecondsBetweenRuns: 1
            maxSecondsBetweenRuns: 2.5
          exitStrategy: {strategy: fail-fast}
        scenarios:
        - name: Nothing at all
          description: A scenario may have no steps
          steps: []
        """,
    "every filter": """\
        scenarios:
        - name: Filtered
          steps:
          - podAction:
              matches:
              - namespace: default
              - deployment: {name: web, namespace: shop}
              filters:
              - property: {name: name, value: "web-.*", negative: true}
              - property: {name: state, value: Running}
              - dayTime:
                  onlyDays: [monday, tuesday, wednesday, thursday, friday]
                  startTime: {hour: 10, minute: 0, second: 0}
                  endTime: {hour: 17, minute: 30, second: 0}
              - randomSample: {size: 3}
              - probability: 0.5
              actions:
              - kill: {probability: 0.7}
              - wait: {seconds: 5}
              - checkPodState: {state: Running}
              - checkPodCount: {count: 3}
        """,
    "retries": """\
        scenarios:
        - name: Wait for pods
          steps:
          - podAction:
              matches: [{namespace: "*"}]
              retries:
                retriesTimeout: {timeout: 180, sleep: 10}
              actions: [{checkPodCount: {count: 3}}]
          - podAction:
              matches: [{namespace: ""}]
              retries:
                retriesCount: {count: 10, sleep: 2}
              actions: [{checkPodState: {state: Running}}]
        """,
    "probes": """\
        scenarios:
        - name: Probes
          steps:
          - probeHTTP:
              target:
                service: {name: web, namespace: shop, port: 8080, protocol: https}
              endpoint: /healthz
              retries: 2
              delay: 500
              timeout: 2500
              code: 201
              count: 10
              method: post
              body: '{"a": 1}'
              headers:
              - {name: Content-Type, value: application/json}
              proxy: "http://proxy:3128"
              insecure: true
          - probeHTTP: {target: {url: "http://example.com"}}
          - wait: {seconds: 0}
        """,
    "machines": """\
        scenarios:
        - name: Machines down
          steps:
          - nodeAction:
              matches:
              - property: {name: az, value: "WEST.*"}
              - property: {name: group, value: workers, negative: true}
              filters:
              - property: {name: state, value: UP}
              - property: {name: ip, value: "10.0.*"}
              - dayTime:
                  onlyDays: [monday]
                  startTime: {hour: 10, minute: 0, second: 0}
                  endTime: {hour: 17, minute: 30, second: 0}
              - randomSample: {size: 1}
              - probability: 0.5
              retries:
                retriesCount: {count: 2, sleep: 1}
              actions:
              - stop: {force: true, autoRestart: false}
              - wait: {seconds: 5}
              - execute: {cmd: sudo service docker restart}
              - start:
              - start: {}
          - podAction:
              matches: [{namespace: shop}]
              filters: [{randomSample: {size: 1}}]
              actions: [{stopHost: {autoRestart: true}}, {stopHost: {force: true}}]
        """,
    "anchors and merge keys": """\
        scenarios:
        - name: Repeated
          steps:
          - probeHTTP: &probe
              target: {url: "http://example.com"}
          - probeHTTP:
              <<: *probe
              code: 503
        """,
}


@pytest.mark.parametrize("text", VALID.values(), ids=VALID.keys())
def test_valid_policies_stay_valid(text: str) -> None:
    """Each shape of the compatible core is read."""
    assert isinstance(load_policy(textwrap.dedent(text).encode(), model=policy_model()), Policy)


def test_unknown_steps_are_said() -> None:
    """A step that no installed package brings is an unknown key, with those that there are."""
    with pytest.raises(InvalidPolicy) as caught:
        load_policy(b"scenarios: [{name: one, steps: [{sing: {song: x}}]}]", model=policy_model())
    (problem,) = caught.value.problems
    assert (problem.path, problem.found) == ("scenarios[0].steps[0]", "sing")
    assert {"podAction", "probeHTTP", "wait"} <= set(problem.allowed)
