"""What a policy may say of a clone; every form that PowerfulSeal 3.x reads is read."""

import textwrap

import pytest

from seatrial.policy.load import load_policy
from seatrial.policy.problems import InvalidPolicy
from seatrial.steps.registry import policy_model

EVERYTHING = """\
    config: {runStrategy: {runs: 1}}
    scenarios:
    - name: Clone everything
      steps:
      - clone:
          source:
            deployment: {name: goldpinger, namespace: default}
          replicas: 2
          servicesToRetarget:
          - service: {name: goldpinger, namespace: default}
          labels:
          - service: {name: goldpinger, namespace: default}
          - label: {key: example.com/tier, value: slow}
          mutations:
          - environment: {name: MODE, value: slow}
          - tc:
              command: [tc]
              args: [qdisc, add, dev, eth0, root, netem, delay, 100ms]
              user: 0
              image: gaiadocker/iproute2:latest
              delay: 30
          - toxiproxy:
              user: 0
              imageIptables: gaiadocker/iproute2:latest
              imageToxiproxy: docker.io/shopify/toxiproxy:2.1.4
              toxiproxyCli: /go/bin/toxiproxy-cli
              proxies:
              - {name: github, listen: "0.0.0.0:2222", upstream: "github.com:80"}
              toxics:
              - targetProxy: "8080"
                toxicType: latency
                toxicAttributes:
                - {name: latency, value: 250}
              - {targetProxy: github, toxicType: timeout}
              - {targetProxy: auto8080, toxicType: bandwidth, stream: upstream, toxicity: 0.5}
      - wait: {seconds: 180}
    """


def load(text):
    return load_policy(textwrap.dedent(text).encode(), model=policy_model())


def problems(step):
    text = (
        f"scenarios: [{{name: one, steps: [{{clone: {{source: {{deployment: {{name: a, namespace: b}}}}, {step}}}}}]}}]"
    )
    with pytest.raises(InvalidPolicy) as caught:
        load(text)
    return [(each.path.removeprefix("scenarios[0].steps[0].clone."), each.message) for each in caught.value.problems]


def test_every_field_is_read():
    """All fields of PowerfulSeal, and `stream` and `toxicity`."""
    spec = load(EVERYTHING).scenarios[0].steps[0].spec
    assert [each.key for each in spec.mutations] == ["environment", "tc", "toxiproxy"]
    assert spec.mutations[2].spec.toxics[0].toxic_attributes[0].value == 250


def test_the_defaults_are_those_of_powerfulseal():
    """One replica, and images, users and paths as they were."""
    text = """\
        scenarios:
        - name: Defaults
          steps:
          - clone:
              source: {deployment: {name: web, namespace: shop}}
              mutations:
              - tc: {command: [tc]}
              - toxiproxy:
        """
    spec = load(text).scenarios[0].steps[0].spec
    tc, toxiproxy = (each.spec for each in spec.mutations)
    assert spec.replicas == 1
    assert (tc.image, tc.user, tc.delay) == ("gaiadocker/iproute2:latest", 0, 0)
    assert toxiproxy.image_iptables == "gaiadocker/iproute2:latest"
    assert toxiproxy.image_toxiproxy == "docker.io/shopify/toxiproxy:2.1.4"
    assert (toxiproxy.toxiproxy_cli, toxiproxy.user) == ("/go/bin/toxiproxy-cli", 0)


@pytest.mark.parametrize(
    ("step", "path"),
    [
        ("replicas: 0", "replicas"),
        ("labels: [{label: {key: 'a b', value: x}}]", "labels[0].label.key"),
        ("labels: [{label: {key: a, value: 'x y'}}]", "labels[0].label.value"),
        ("mutations: [{tc: {}}]", "mutations[0].tc"),
        ("mutations: [{tc: {command: []}}]", "mutations[0].tc.command"),
        ("mutations: [{environment: {name: A=B, value: x}}]", "mutations[0].environment.name"),
        (
            "mutations: [{toxiproxy: {proxies: [{name: a, listen: localhost, upstream: 'b:1'}]}}]",
            "mutations[0].toxiproxy.proxies[0].listen",
        ),
        (
            "mutations: [{toxiproxy: {toxics: [{targetProxy: a, toxicType: latency, toxicity: 2}]}}]",
            "mutations[0].toxiproxy.toxics[0].toxicity",
        ),
    ],
)
def test_what_can_not_work_is_an_error_of_the_policy(step, path):
    """Named by its place, before a cluster is touched."""
    assert [where for where, _ in problems(step)] == [path]


def test_names_of_proxies_are_unique():
    """The second of a name is the error."""
    proxy = "{name: a, listen: 'x:1', upstream: 'y:2'}"
    [(path, message)] = problems(f"mutations: [{{toxiproxy: {{proxies: [{proxy}, {proxy}]}}}}]")
    assert path == "mutations[0].toxiproxy.proxies[1].name"
    assert "names must be unique" in message
