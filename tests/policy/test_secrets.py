"""Policies as they may be kept and shown."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from seatrial.policy.secrets import redacted, scrubbed

POLICY = """\
config:
  seed: 7  # a comment
  notify:
  - webhook: {url: "https://hooks.example.com/SECRET1", on: [violated]}
  # - webhook: {url: https://hooks.example.com/SECRET2}
  - webhook:
      urlFrom: {env: HOOK}
      headers:
      - {name: X-Anything, value: SECRET10}
      - name: Authorization
        value: |
          Bearer SECRET3
      proxy: http://me:SECRET4@proxy:3128
      secret: &key SECRET5
  - apprise:
      urls: [slack://SECRET6, "mailto://u:SECRET7@example.com"]
scenarios:
# what it is about
- name: probe
  steps:
  - probeHTTP:
      target: {url: "http://user:SECRET8@example.com/healthz"}
      headers: [{name: Cookie, value: SECRET9}, {name: Accept, value: text/html}]
      body: *key
"""


def test_secrets_are_hidden_and_all_else_stays() -> None:
    """URLs and secrets of channels, credentials in headers and URLs; names, comments and order stay as they are."""
    kept = redacted(POLICY)
    assert "SECRET" not in kept
    assert "{env: HOOK}" in kept
    for line in ("  seed: 7  # a comment", "# what it is about", '      - {name: X-Anything, value: "***"}'):
        assert line in kept.splitlines()
    assert '      target: {url: "http://***@example.com/healthz"}' in kept.splitlines()
    assert '      headers: [{name: Cookie, value: "***"}, {name: Accept, value: text/html}]' in kept.splitlines()


def test_what_is_kept_is_yaml_of_the_same_form() -> None:
    """The same keys and lists, so that it can be read again."""

    def form(value: object) -> object:
        match value:
            case dict():
                return {key: form(inner) for key, inner in value.items()}
            case list():
                return [form(inner) for inner in value]
        return None

    plain = POLICY.replace("&key ", "").replace("*key", "x")
    assert form(yaml.safe_load(redacted(plain))) == form(yaml.safe_load(plain))


@pytest.mark.parametrize("style", [None, '"', "'", "|", ">"], ids=["plain", "double", "single", "literal", "folded"])
@given(secret=st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1), flow=st.booleans())
def test_a_secret_is_hidden_however_it_is_written(style: Any, secret: str, flow: bool) -> None:  # noqa: FBT001
    """In each of YAML's ways of writing a text; what stands beside it means what it meant."""
    header = {"name": "X", "value": secret}
    channel = {"webhook": {"url": secret, "headers": [header], "method": "put"}}
    policy = {"config": {"notify": [channel], "seed": 7}, "scenarios": []}
    kept = yaml.safe_load(redacted(yaml.safe_dump(policy, default_style=style, default_flow_style=flow)))
    [found] = kept["config"].pop("notify")
    assert found == {"webhook": {"url": "***", "headers": [{"name": "X", "value": "***"}], "method": "put"}}
    assert kept == {"config": {"seed": 7}, "scenarios": []}


def test_a_text_that_is_no_yaml_is_not_kept() -> None:
    """Nobody knows what stands in it."""
    assert redacted("{SECRET") == "***"


def test_what_others_repeat_is_hidden() -> None:
    """Longer secrets first, since one may hold another; what is as short as a word would hide half the text."""
    assert scrubbed("no /T/B/xyz here: xyz1, at", ["xyz1", "/T/B/xyz", "at"]) == "no *** here: ***, at"
