"""What a policy may say of who is told."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from seatrial.policy.document import read_document
from seatrial.steps.registry import policy_model

URL = "https://hooks.example.com/T/B"


def check(*items: Any) -> Any:
    document = {"config": {"notify": list(items)}, "scenarios": []}
    return policy_model().model_validate(document, by_alias=True, by_name=False)


def refusals(*items: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        check(*items)
    return [
        (".".join(map(str, each["loc"])).removeprefix("config.notify."), each["msg"]) for each in caught.value.errors()
    ]


def test_what_is_left_out_is_what_wakes_nobody_without_need() -> None:
    """Violations, recoveries and failed clean-up, every five minutes at most, without reminders."""
    [item] = check({"webhook": {"url": URL}}).config.notify
    spec = item.spec
    assert (spec.on, spec.at_most_every, spec.remind_every) == (("violated", "recovered", "cleanUpFailed"), "5m", None)
    assert (spec.method, spec.timeout_seconds, spec.retries, spec.insecure) == ("post", 10, 4, False)
    assert check().config.notify == ()


def test_everything_that_can_be_said_is_understood() -> None:
    """Both kinds of channels, in the order written."""
    webhook = {
        "urlFrom": {"env": "HOOK"}, "name": "on call", "on": ["failed"], "atMostEvery": "1h", "remindEvery": "1d",
        "timeout": 3, "retries": 0, "method": "put", "body": "{{ text | tojson }}", "secretFrom": {"file": "/s"},
        "headers": [{"name": "Authorization", "valueFrom": {"env": "TOKEN"}}], "proxy": "http://proxy:3128",
        "caFile": "/ca.pem",
    }  # fmt: skip
    first, second = check(
        {"webhook": webhook}, {"apprise": {"urlsFrom": {"file": "/urls"}, "title": "t"}}
    ).config.notify
    assert (first.key, second.key) == ("webhook", "apprise")
    assert (first.spec.url_from.key, first.spec.url_from.spec) == ("env", "HOOK")
    assert first.spec.headers[0].value_from.spec == "TOKEN"
    assert second.spec.urls_from.spec == "/urls"


@pytest.mark.parametrize(
    ("item", "place", "message"),
    [
        ({"webhook": {}}, "webhook", "needs one of: url, urlFrom"),
        ({"webhook": {"url": URL, "urlFrom": {"env": "X"}}}, "webhook", "has both: url, urlFrom"),
        ({"webhook": {"url": "hooks.example.com"}}, "webhook.url", "is no URL with a host"),
        ({"webhook": {"url": "ftp://x"}}, "webhook.url", "is no URL with a host"),
        ({"webhook": {"url": URL, "on": []}}, "webhook.on", "is an empty list"),
        ({"webhook": {"url": URL, "on": ["broken"]}}, "webhook.on.0", "'violated'"),
        ({"webhook": {"url": URL, "atMostEvery": "often"}}, "webhook.atMostEvery", "is no span of time"),
        ({"webhook": {"url": URL, "secret": "s", "secretFrom": {"env": "S"}}}, "webhook.secretFrom", "second secret"),
        ({"webhook": {"url": URL, "insecure": True, "caFile": "/x"}}, "webhook.caFile", "makes no sense with"),
        ({"webhook": {"url": URL, "headers": [{"name": "X"}]}}, "webhook.headers.0", "needs one of: value, valueFrom"),
        ({"webhook": {"url": URL, "headers": [{"name": "a b", "value": "x"}]}}, "webhook.headers.0.name", "pattern"),
        (
            {"webhook": {"url": URL, "headers": [{"name": "X", "value": "a\nb"}]}},
            "webhook.headers.0.value",
            "has several lines",
        ),
        ({"apprise": {}}, "apprise", "needs one of: urls, urlsFrom"),
        ({"apprise": {"urls": []}}, "apprise.urls", "is an empty list"),
        ({"mail": {"url": URL}}, "mail", "unknown key"),
    ],
)
def test_what_makes_no_sense_is_refused(item: Any, place: str, message: str) -> None:
    """Each with its place and what is needed there."""
    [(where, said)] = [each for each in refusals(item) if message in each[1]]
    assert where == f"0.{place}"
    assert message in said


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{{ titel | tojson }}", "names 'titel', which there is not; there are: schema, id, title"),
        ("{{ run.idd | tojson }}", "has no attribute 'idd'"),
        ("{{ text | tojson", "is no template that works: unexpected end of template"),
        ("{{ text | jsn }}", "No filter named 'jsn'"),
        ("{{ ''.__class__.__mro__ }}", "is unsafe"),
        ('{"text": "{{ text }}"}', "becomes no JSON; write values as {{ title | tojson }}"),
        ("{{ 1 // 0 }}", "ZeroDivisionError"),
    ],
    ids=["name", "attribute", "syntax", "filter", "sandbox", "quotes", "arithmetic"],
)
def test_templates_are_tried_when_the_policy_is_read(body: str, message: str) -> None:
    """Not when the first message is to be sent."""
    assert [where for where, said in refusals({"webhook": {"url": URL, "body": body}}) if message in said] == [
        "0.webhook.body"
    ]


def test_a_template_must_do_without_an_objective_where_there_may_be_none() -> None:
    """A channel that hears of failed clean-up, too, is told so by its template's check, not when clean-up fails."""
    body = "{{ notices[0].objective.samples }}"
    [(where, said)] = refusals({"webhook": {"url": URL, "body": body}})
    assert where == "0.webhook.body"
    assert said == ("fails for 'cleanUpFailed', where 'objective' is null: 'None' has no attribute 'samples'")
    assert check({"webhook": {"url": URL, "body": body, "on": ["violated", "burning"]}})
    assert check({"webhook": {"url": URL, "body": "{{ (notices[0].objective or {}).get('samples', 0) }}"}})
    assert refusals({"apprise": {"urls": ["json://x"], "title": body, "on": ["finished"]}})


def test_only_what_is_sent_as_json_must_be_json() -> None:
    """A header may say that it is something else."""
    plain = {"name": "Content-Type", "value": "text/plain"}
    json = {"name": "content-type", "value": "application/vnd.x+json"}
    assert check({"webhook": {"url": URL, "body": "{{ text }}", "headers": [plain]}})
    assert refusals({"webhook": {"url": URL, "body": "{{ text }}", "headers": [json]}})
    assert check({"apprise": {"urls": ["json://x"], "body": "{{ text }}"}})


def test_the_channels_of_the_page_are_valid() -> None:
    """What people copy from docs/how-to/notify.md passes the check."""
    page = Path(__file__).parents[2] / "docs" / "how-to" / "notify.md"
    found = re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)
    blocks = [read_document(each.encode()).value for each in found]  # to PyYAML by itself, `on` is true
    assert len(blocks) == 3
    for block in blocks:
        assert check(*(block if isinstance(block, list) else block["config"]["notify"]))


def test_no_secret_is_shown_or_written_back() -> None:
    """Neither by `repr`, nor in the JSON of plans and digests, nor in what is said of a mistake."""
    header = {"name": "X", "value": "hidden-value"}
    item = {"url": f"{URL}/hidden-path", "secret": "hidden-key", "headers": [header]}
    policy = check({"webhook": item}, {"apprise": {"urls": ["slack://hidden-token"]}})
    assert "hidden" not in repr(policy)
    assert "hidden" not in policy.model_dump_json()
    assert all("hidden" not in said for _, said in refusals({"webhook": {**item, "url": "hidden://x"}}))
