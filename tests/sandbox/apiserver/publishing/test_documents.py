import asyncio
import json
import ssl
from typing import Any

import jwt
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from seatrial.sandbox.apiserver import yaml_text
from tests.sandbox.apiserver.conftest import Served
from tests.sandbox.apiserver.objects import config_map

JSON = {"Accept": "application/json"}


async def test_groups_are_listed_by_priority(served: Served) -> None:
    """Of two resources of a name kubectl takes that of the first group: `apps` comes before groups of less weight."""
    async with served.session.get("/apis", headers=JSON) as answer:
        names = [group["name"] for group in (await answer.json())["groups"]]
    assert names[:3] == ["apiregistration.k8s.io", "apps", "events.k8s.io"]
    assert names.index("events.k8s.io") < names.index("resource.k8s.io") < names.index("flowcontrol.apiserver.k8s.io")
    assert names[-1] == "metrics.k8s.io"


async def test_aggregated_discovery_is_not_sent_twice(served: Served) -> None:
    """Whoever shows the Etag of what they hold is told that it is still good."""
    headers = {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}
    async with served.session.get("/apis", headers=headers) as answer:
        tag = answer.headers["Etag"]
        assert answer.headers["Cache-Control"] == "public"
    async with served.session.get("/apis", headers={**headers, "If-None-Match": tag}) as answer:
        assert (answer.status, await answer.read()) == (304, b"")


async def test_openapi_documents_are_cached_by_their_hash(served: Served) -> None:
    """The index leads to URLs that never change; an outdated hash leads to the current one."""
    async with served.session.get("/openapi/v3") as answer:
        paths = json.loads(await answer.text())["paths"]
    url = paths["apis/apps/v1"]["serverRelativeURL"]
    async with served.session.get(url) as answer:
        tag = answer.headers["Etag"]
        document = await answer.json()
        assert answer.headers["Cache-Control"] == "public, immutable"
        assert "Expires" in answer.headers
    assert tag.strip('"') in url
    assert "io.k8s.api.apps.v1.Deployment" in document["components"]["schemas"]
    async with served.session.get(url, headers={"If-None-Match": tag}) as answer:
        assert answer.status == 304
    async with served.session.get("/openapi/v3/apis/apps/v1?hash=OLD", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (301, url)
    for name in paths:
        async with served.session.get(f"/openapi/v3/{name}") as answer:
            assert (await answer.json())["openapi"] == "3.0.0"
    async with served.session.get("/openapi/v3/nosuch") as answer:
        assert (answer.status, "Content-Type" in answer.headers) == (404, False)


async def test_every_group_version_has_an_api_service(served: Served) -> None:
    """`kubectl get apiservices` lists what is served, all of it local and available."""
    async with served.session.get("/apis", headers=JSON) as answer:
        groups = (await answer.json())["groups"]
    expected = {f"{version['version']}.{group['name']}" for group in groups for version in group["versions"]}
    found = (await served.api.list("apiservices.apiregistration.k8s.io")).items
    assert {item["metadata"]["name"] for item in found} == (expected - {"v1.apiregistration.k8s.io"}) | {"v1."}
    assert all(item["status"]["conditions"][0]["status"] == "True" for item in found)


async def test_definitions_bring_their_api_services_along(served: Served) -> None:
    """The group version of a definition has an APIService as long as the definition lasts."""
    schema = {"openAPIV3Schema": {"type": "object"}}
    spec = {
        "group": "example.com", "scope": "Namespaced", "names": {"plural": "boats", "kind": "Boat"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
    }  # fmt: skip
    services, definitions = "apiservices.apiregistration.k8s.io", "customresourcedefinitions.apiextensions.k8s.io"

    since = (await served.api.list(services)).resource_version
    await served.api.create(definitions, {"metadata": {"name": "boats.example.com"}, "spec": spec})
    async with asyncio.timeout(5):
        async for event in served.api.watch(services, resource_version=since):
            assert event.object["metadata"]["name"] == "v1.example.com"
            if event.type == "DELETED":
                break
            if "status" in event.object:
                await served.api.delete(definitions, "boats.example.com")


async def test_health_is_told_check_by_check(served: Served) -> None:
    """Each check has its own path; the verbose report lists them, excluded ones marked."""
    async with served.session.get("/readyz/poststarthook/rbac/bootstrap-roles") as answer:
        assert (answer.status, await answer.text()) == (200, "ok")
    async with served.session.get("/livez/nosuch") as answer:
        assert answer.status == 404
    async with served.session.get("/livez?verbose&exclude=etcd&exclude=what") as answer:
        lines = (await answer.text()).splitlines()
    assert "[+]etcd excluded: ok" in lines
    assert lines[-2:] == ['warn: some health checks cannot be excluded: no matches for "what"', "livez check passed"]


async def test_tokens_can_be_checked_with_the_published_keys(served: Served) -> None:
    """The issuer's documents lead to the key that service account tokens are signed with."""
    async with served.session.get("/.well-known/openid-configuration") as answer:
        configuration = await answer.json()
    async with served.session.get("/openid/v1/jwks") as answer:
        (key,) = (await answer.json())["keys"]
    review = await served.api.create("serviceaccounts/token", {"metadata": {"name": "default"}, "spec": {}}, "default")
    claims = jwt.decode(
        review["status"]["token"], jwt.PyJWK(key).key, algorithms=["ES256"], audience=configuration["issuer"]
    )
    assert claims["sub"] == "system:serviceaccount:default:default"


@pytest.mark.parametrize(
    ("request_line", "status"),
    [(b"BREW /api HTTP/1.1", b"405"), (b"\x00\x01 rubbish", b"400"), (b"GET / HTTP/9.9", b"400")],
)
async def test_what_is_no_http_request_is_refused_in_order(
    served: Served, request_line: bytes, status: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A method nobody knows isn't allowed, other rubbish a bad request; neither is worth a line in the log."""
    tls = ssl.create_default_context(cafile=str(served.authority.ca_file))
    host, port = served.server.url.removeprefix("https://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=tls, server_hostname=host)
    writer.write(request_line + b"\r\nHost: x\r\n\r\n")
    head = await reader.readline()
    writer.close()
    assert head.split()[1] == status
    assert not caplog.records


async def test_resources_that_nothing_acts_upon_are_stored(served: Served) -> None:
    """Charts bring webhook configurations and the like: they can be made, changed, read and deleted."""
    path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    body = {"metadata": {"name": "w"}, "webhooks": [{"name": "a.example.com", "sideEffects": "None"}]}
    async with served.session.post(path, json=body) as answer:
        made = await answer.json()
        assert (answer.status, made["webhooks"]) == (201, body["webhooks"])
    patch, headers = '{"metadata":{"labels":{"a":"b"}}}', {"Content-Type": "application/merge-patch+json"}
    async with served.session.patch(f"{path}/w", data=patch, headers=headers) as answer:
        assert (await answer.json())["metadata"]["labels"] == {"a": "b"}
    metadata: Any
    for metadata in (None, ["x"], "x", 3):
        async with served.session.post(path, json={"metadata": metadata}) as answer:
            assert 400 <= answer.status < 500
    async with served.session.delete(f"{path}/w") as answer:
        assert answer.status == 200


async def test_yaml_answers_are_quoted_as_by_go(served: Served) -> None:
    """Texts that look like something else stand in double quotes, long ones aren't folded."""
    await served.api.create("configmaps", config_map("c", a="no", b="1", c="x " * 80, d="two\nlines"), "default")
    path = "/api/v1/namespaces/default/configmaps/c"
    async with served.session.get(path, headers={"Accept": "application/yaml"}) as answer:
        text = await answer.text()
    assert '  a: "no"\n  b: "1"\n' in text
    assert "  d: |-\n    two\n    lines\n" in text


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=20)


@given(
    st.recursive(TEXTS | st.booleans() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner))
)
def test_yaml_is_read_as_it_was_written(value: object) -> None:
    """Whatever JSON holds comes back the same."""
    assert yaml.safe_load(yaml_text.dump(value)) == value
