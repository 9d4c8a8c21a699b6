"""Webhooks, against real servers: what is sent, what is believed, what is never said."""

import asyncio
import base64
import hashlib
import hmac
import ssl

import pytest
import trustme

from seatrial.errors import ConfigurationError
from seatrial.telemetry.notifications.carriers import open_carrier
from seatrial.telemetry.notifications.delivery import DeliveryFailed
from seatrial.telemetry.notifications.webhook import signature
from tests.telemetry.notifications.receivers import hang, receiving, status
from tests.telemetry.notifications.samples import message, webhook

SECRET = "s3cret-path"


async def deliver(url, *, times=1, about=None, **said):
    """What a webhook answers to a message."""
    carrier = await open_carrier(webhook(url, **said), number=1)
    try:
        return [await carrier.deliver(about or message()) for _ in range(times)][-1]
    finally:
        await carrier.close()


async def refusal(url, **said):
    """Why a message is not taken."""
    with pytest.raises(DeliveryFailed) as caught:
        await deliver(url, **said)
    return caught.value


async def test_without_a_template_all_is_sent_as_json():
    """A POST with the documented form, and ids by which receivers know what they have had already."""
    async with receiving() as receiver:
        about = message()
        assert await deliver(f"{receiver.url}/hook?x=1", times=2, about=about) == "200 thanks"
        first, second = receiver.calls
        assert (first.method, first.path, first.json) == ("POST", "/hook?x=1", about.values)
        assert first.headers["Content-Type"] == "application/json"
        assert {each.headers["Idempotency-Key"] for each in (first, second)} == {about.id}
        assert first.headers["webhook-id"] == about.id
        assert "webhook-signature" not in first.headers


async def test_a_template_says_what_is_sent():
    """Values as JSON, other methods, headers of one's own, values from the environment and from files."""
    body = '{"text": {{ text | tojson }}, "n": {{ notices | length }}, "run": {{ run.id | tojson }}}'
    async with receiving() as receiver:
        await deliver(receiver.url, method="put", body=body, headers=[{"name": "X-Key", "value": "k"}])
        [call] = receiver.calls
        assert (call.method, call.headers["X-Key"]) == ("PUT", "k")
        assert (call.json["n"], call.json["run"]) == (1, "0a1b2c")
        assert call.json["text"].startswith("Violated: start: p95 below 30 s\n")


async def test_headers_of_ones_own_take_the_place_of_ours():
    """Whatever their case: none is sent twice."""
    async with receiving() as receiver:
        await deliver(receiver.url, body="x", headers=[{"name": "content-TYPE", "value": "text/plain"}])
        [call] = receiver.calls
        named = [value for name, value in call.headers.items() if name.lower() == "content-type"]
        assert named == ["text/plain"]


async def test_a_template_that_fails_at_night_is_said_to():
    """Not every value that there may be can be tried before."""
    async with receiving() as receiver:
        body = "{% if title != 'a \"title\"' %}{{ 1 // 0 }}{% endif %}1"
        failure = await refusal(receiver.url, body=body)
        assert (str(failure), failure.may_pass) == (
            "its template fails: ZeroDivisionError: integer division or modulo by zero", False,
        )  # fmt: skip


async def test_secrets_are_read_where_they_are(monkeypatch, tmp_path):
    """The URL from a variable, a header from a file, which may change while Seatrial runs."""
    token = tmp_path / "token"
    token.write_text("Bearer one\n")
    async with receiving() as receiver:
        monkeypatch.setenv("HOOK", f"{receiver.url}/from-env")
        headers = [{"name": "Authorization", "valueFrom": {"file": str(token)}}]
        carrier = await open_carrier(webhook(None, urlFrom={"env": "HOOK"}, headers=headers), number=1)
        await carrier.deliver(message())
        token.write_text("Bearer two\n")
        await carrier.deliver(message())
        await carrier.close()
        assert [each.headers["Authorization"] for each in receiver.calls] == ["Bearer one", "Bearer two"]
        assert receiver.calls[0].path == "/from-env"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"urlFrom": {"env": "NOWHERE_TO_BE_FOUND"}}, "variable NOWHERE_TO_BE_FOUND is not set"),
        ({"urlFrom": {"file": "/nowhere"}}, "can't read /nowhere: No such file"),
        ({"urlFrom": {"env": "PATH"}}, "holds no URL"),
        ({"url": "http://h", "caFile": "/nowhere"}, "caFile /nowhere: No such file"),
        ({"url": "http://h", "secret": "whsec_%"}, "no base64"),
        (
            {"url": "http://h", "headers": [{"name": "X", "valueFrom": {"env": "NOWHERE_TO_BE_FOUND"}}]},
            "is not set",
        ),
    ],
    ids=["variable", "file", "no URL", "certificates", "secret", "header"],
)
async def test_what_is_missing_shows_before_the_run(said, told):
    """Not in the middle of the night."""
    with pytest.raises(ConfigurationError, match=told):
        await open_carrier(webhook(said.pop("url", None), **said), number=1)


def test_the_signature_is_that_of_standard_webhooks():
    """HMAC-SHA256 of id, time and body; the example that the specification's libraries are tested with."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature(
        key, message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp="1614265330", body=b'{"test": 2432232314}'
    )
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("secret", "key"), [("whsec_" + base64.b64encode(b"key").decode(), b"key"), ("a plain text", b"a plain text")]
)
async def test_messages_are_signed_where_there_is_a_secret(secret, key):
    """A receiver can tell that it was us, and that nobody changed it."""
    async with receiving() as receiver:
        await deliver(receiver.url, secret=secret)
        [call] = receiver.calls
        content = f"{call.headers['webhook-id']}.{call.headers['webhook-timestamp']}.".encode() + call.body
        expected = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
        assert call.headers["webhook-signature"] == f"v1,{expected}"


@pytest.mark.parametrize(
    ("codes", "may_pass", "is_hopeless"),
    [((500, 503, 429, 408), True, False), ((401, 404, 304), False, False), ((400, 413, 422), False, True)],
    ids=["may pass", "somebody may put it right", "the message"],
)
async def test_an_answer_that_is_no_yes_is_a_no(codes, may_pass, is_hopeless):
    """Overload and breakdowns are tried again; what is wrong with the message will be wrong for ever."""
    for code in codes:
        async with receiving(status(code)) as receiver:
            failure = await refusal(receiver.url)
            assert (str(failure), failure.may_pass, failure.is_hopeless) == (f"answered {code}", may_pass, is_hopeless)


async def test_a_receiver_may_say_when_to_come_back():
    """`Retry-After`, in seconds or as a date."""
    async with receiving(status(503, Retry_After="17"), status(503, Retry_After="soon")) as receiver:
        assert (await refusal(receiver.url)).retry_after_seconds == 17
        assert (await refusal(receiver.url)).retry_after_seconds == 0


async def test_redirects_are_followed_on_the_same_host_only():
    """A message may carry secrets, which another host must not get; its method and body stay as they are."""
    async with receiving() as elsewhere, receiving(status(307, Location="/new"), status(200)) as receiver:
        await deliver(f"{receiver.url}/old")
        assert [(each.method, each.path, bool(each.body)) for each in receiver.calls] == [
            ("POST", "/old", True),
            ("POST", "/new", True),
        ]
        receiver.answers[:] = [status(308, Location=f"{elsewhere.url}/stolen")]
        assert str(await refusal(receiver.url)) == "answered 308, a redirect to another host"
        receiver.answers[:] = [status(302, Location="/as-get")]
        assert str(await refusal(receiver.url)) == "answered 302, a redirect that is not followed"
        receiver.answers[:] = [status(307, Location="/a"), status(307, Location="/b")]
        assert "redirect" in str(await refusal(receiver.url))
        assert elsewhere.calls == []


async def test_a_receiver_that_hangs_is_left():
    """After the time that one try may take."""
    async with receiving(hang) as receiver:
        failure = await refusal(receiver.url, timeout=0.2)
        assert (str(failure), failure.may_pass) == ("no answer within 0.2 s", True)


async def test_a_receiver_that_is_not_there(unused_tcp_port):
    """May be there later."""
    failure = await refusal(f"http://127.0.0.1:{unused_tcp_port}/{SECRET}")
    assert failure.may_pass
    assert str(failure).startswith("no answer: ")
    assert SECRET not in str(failure)


async def test_what_a_receiver_repeats_of_our_secrets_is_not_shown():
    """The URL's path, a header's value, the signing secret."""
    echo = f"no such hook: /{SECRET}, Bearer t0ken, signed-with"
    async with receiving(status(404, echo)) as receiver:
        said = {"headers": [{"name": "Authorization", "value": "Bearer t0ken"}], "secret": "signed-with"}
        failure = await refusal(f"{receiver.url}/{SECRET}", **said)
        assert str(failure) == "answered 404 no such hook: ***, ***, ***"


async def test_certificates_are_checked(tmp_path):
    """Of an unknown authority: refused; trusted by `caFile`, or by `insecure`."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    async with receiving(tls=context) as receiver:
        assert "certificate is not trusted" in str(await refusal(receiver.url))
        assert receiver.calls == []
        assert await deliver(receiver.url, caFile=str(file)) == "200 thanks"
        assert await deliver(receiver.url, insecure=True) == "200 thanks"


async def test_a_proxy_is_used_where_one_is_named(monkeypatch):
    """By the policy; variables of the environment are not asked."""
    async with receiving() as proxy, receiving() as receiver:
        await deliver("http://nowhere.invalid/hook", proxy=proxy.url)
        assert proxy.calls[0].headers["Host"] == "nowhere.invalid"
        monkeypatch.setenv("http_proxy", proxy.url)
        await deliver(receiver.url)
        assert (len(proxy.calls), len(receiver.calls)) == (1, 1)


async def test_a_webhook_is_called_by_its_host_and_nothing_else():
    """The name in messages shows where it leads, without path, user or password."""
    carrier = await open_carrier(webhook("https://me:pw@hooks.example.com/T/B"), number=2)
    named = await open_carrier(webhook("https://hooks.example.com/T/B", name="on call"), number=2)
    await asyncio.gather(carrier.close(), named.close())
    assert (carrier.name, named.name) == ("webhook 2 (hooks.example.com)", "on call")
