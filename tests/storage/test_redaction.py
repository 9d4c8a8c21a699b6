"""What a store leaves out of policies, events and command lines."""

import pytest
import yaml

from seatrial.storage.redaction import redact_arguments, redact_policy, without_secrets

_KEPT = """\
# why this is here
config: {runStrategy: {runs: 3}}   # three
scenarios:
- name: "quoted: name"
  steps:
  - kubectl:
      action: apply
      payload: |
        kind: Pod
        spec:
          volumes:
          - secret: {secretName: certificates}
          containers:
          - env:
            - name: LOG_LEVEL
              value: debug
"""


def test_leaves_the_rest_as_it_was_written():
    """Comments, order and layout included; names of Secrets are no secrets."""
    assert redact_policy(_KEPT) == (_KEPT, 0)


@pytest.mark.parametrize(
    "text",
    [
        "headers: [{name: Authorization, value: S3CRET}]",
        "headers:\n- name: X-Api-Key\n  value: S3CRET\n",
        "{password: S3CRET, user: kept}",
        "apiToken: S3CRET",
        "token:\n- S3CRET\n",
        "environment: [{name: DB_PASSWORD, value: S3CRET}]",
        "payload: |\n  kind: Secret\n  stringData:\n    kept: S3CRET\n",
        "payload: |-\n  kind: Secret\n  data: {kept: S3CRET}\n  ---\n  kind: other\n",
        'payload: "kind: Secret\\ndata: {kept: S3CRET}\\n"',
        'payload: \'{"kind": "Secret", "data": {"kept": "S3CRET"}}\'',
        "payload: |\n  kind: Pod\n  env:\n  - name: TOKEN\n    value: S3CRET\n",
        "url: https://user:S3CRET@host/path",
        "cmd: |\n  curl -H 'Authorization: Bearer S3CRETS3CRET' http://x",
        "cmd: app --password=S3CRET",
        "cmd: app --password S3CRET --quiet",
        "cmd: AWS_SECRET_ACCESS_KEY=S3CRET app",
        "args: [--token, S3CRET, kept]",
        "args: ['--token', 'S3CRET', kept]",
        "args:\n- --token\n- S3CRET\n- kept\n",
        "command: [curl, -H, 'X-Api-Key: S3CRET', http://h]",
        "command: [curl, -H, 'Authorization: Basic S3CRET', http://h]",
        """cmd: 'curl -d ''{"user": "kept", "password": "S3CRET"}'' http://h'""",
        "config: {notify: [{webhook: {url: 'https://hooks.example.com/S3CRET'}}]}",
        "payload: >\n  kind: Secret\n\n  data: {kept: S3CRET}\nother: 1\n",
        "password: |\n  S3CRET\n  S3CRET\nkept: 1\n",
        "password: S3CRET # and why\n",
    ],
)
def test_leaves_out_secrets(text):
    """Wherever they stand; what remains is YAML still, with the same keys."""
    redacted, count = redact_policy(text)
    assert "S3CRET" not in redacted
    assert count == 1
    before, after = list(yaml.safe_load_all(text)), list(yaml.safe_load_all(redacted))
    assert [list(each) if isinstance(each, dict) else each for each in before] == [
        list(each) if isinstance(each, dict) else each for each in after
    ]


def test_what_is_no_yaml_is_left_out_whole():
    """Nothing is known of where its secrets are."""
    assert "S3CRET" not in redact_policy("a: [S3CRET")[0]


def test_leaves_credentials_out_of_text():
    """Of a command's output, say."""
    assert without_secrets("postgresql://u:pw@db/x?a=b ok") == "postgresql://***@db/x?a=b ok"
    assert without_secrets('{"text":"{\\"token\\": \\"S3CRET\\"}"}') == '{"text":"{\\"token\\": \\"***\\"}"}'
    for text in ("nothing to hide", "secretName=kept", "tokens: 7", "--token-path /kept", '"secretName": "kept"'):
        assert without_secrets(text) == text


@pytest.mark.parametrize("text", ["x-" * 50_000, "--" * 50_000, "--a" * 40_000, "x-token" * 15_000, "a" * 100_000])
def test_long_texts_are_looked_through_once(text):
    """Output of commands may be anything, and whoever looks for secrets in it keeps everybody else waiting."""
    assert without_secrets(f"{text} token=S3CRET") == f"{text} token=***"


def test_a_command_line_without_its_secrets():
    """As a shell reads it."""
    arguments = [
        "seatrial",
        "autonomous",
        "--ssh-password",
        "p w",
        "--store=postgresql://u:p@h/d",
        "--policy-file",
        "a b",
    ]
    assert redact_arguments(arguments) == ("seatrial autonomous --ssh-password *** --store=*** --policy-file 'a b'")
