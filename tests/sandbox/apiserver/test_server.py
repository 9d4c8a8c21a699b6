import asyncio
import base64
import io
import json
import ssl
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from seatrial.errors import SandboxError
from seatrial.sandbox.apiserver.server import ApiServer, ApiServerConfig
from seatrial.sandbox.pki import Authority
from tests.sandbox.apiserver.conftest import Served
from tests.sandbox.apiserver.objects import config_map, deployment, pod

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


async def lines(answer: aiohttp.ClientResponse) -> AsyncIterator[Any]:
    """The events of a watch."""
    rest = b""
    async for chunk in answer.content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield json.loads(line)


async def events(answer: aiohttp.ClientResponse, count: int) -> list[Any]:
    """The first events of a watch."""
    found = []
    async for event in lines(answer):
        found.append(event)
        if len(found) == count:
            break
    return found


async def token_of(served: Served, name: str) -> dict[str, str]:
    """The headers of a service account of the namespace default."""
    answer = await served.api.create("serviceaccounts/token", {"metadata": {"name": name}, "spec": {}}, "default")
    return {"Authorization": f"Bearer {answer['status']['token']}"}


async def test_a_wrong_token_is_401_and_none_is_403(served: Served) -> None:
    """A bad credential is refused before anything else; nobody in particular may do nearly nothing."""
    async with served.session.get(CONFIG_MAPS, headers={"Authorization": "Bearer wrong"}) as answer:
        assert (answer.status, (await answer.json())["reason"]) == (401, "Unauthorized")
    async with served.session.get(CONFIG_MAPS, headers={"Authorization": ""}) as answer:
        assert answer.status == 403
        assert 'User "system:anonymous" cannot list resource "configmaps"' in (await answer.json())["message"]
    async with served.session.get("/healthz", headers={"Authorization": ""}) as answer:
        assert await answer.text() == "ok"


async def test_a_client_certificate_names_user_and_groups(served: Served) -> None:
    """CN is the user, O the groups, as SelfSubjectReview tells."""
    credential = served.authority.issue_client("jane", ["developers", "system:masters"])
    tls = ssl.create_default_context(cafile=str(served.authority.ca_file))
    tls.load_cert_chain(credential.cert_file, credential.key_file)
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as session,
        session.post(f"{served.server.url}/apis/authentication.k8s.io/v1/selfsubjectreviews", json={}) as answer,
    ):
        user = (await answer.json())["status"]["userInfo"]
    assert user["username"] == "jane"
    assert user["groups"] == ["developers", "system:masters", "system:authenticated"]


async def test_a_certificate_of_somebody_else_is_refused(served: Served, tmp_path: Path) -> None:
    """Only the sandbox's own authority vouches for users."""
    stranger = Authority.create(tmp_path)
    credential = stranger.issue_client("kubernetes-admin", ["system:masters"])
    tls = ssl.create_default_context(cafile=str(served.authority.ca_file))
    tls.load_cert_chain(credential.cert_file, credential.key_file)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as session:
        with pytest.raises(aiohttp.ClientError):
            await session.get(served.server.url + CONFIG_MAPS)


async def test_rbac_lets_a_service_account_do_what_its_role_says(served: Served) -> None:
    """Before the binding 403, after it 200; other verbs stay forbidden; a deleted account's token is worthless."""
    await served.api.create("serviceaccounts", {"metadata": {"name": "bob"}}, "default")
    headers = await token_of(served, "bob")
    async with served.session.get(CONFIG_MAPS, headers=headers) as answer:
        assert answer.status == 403
    role = {"metadata": {"name": "r"}, "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]}
    await served.api.create("roles.rbac.authorization.k8s.io", role, "default")
    subject = {"kind": "ServiceAccount", "name": "bob", "namespace": "default"}
    binding = {"metadata": {"name": "b"}, "roleRef": {"kind": "Role", "name": "r"}, "subjects": [subject]}
    await served.api.create("rolebindings.rbac.authorization.k8s.io", binding, "default")
    async with served.session.get(CONFIG_MAPS, headers=headers) as answer:
        assert answer.status == 200
    async with served.session.post(CONFIG_MAPS, headers=headers, json=config_map("c")) as answer:
        assert answer.status == 403
    await served.api.delete("serviceaccounts", "bob", "default")
    async with served.session.get(CONFIG_MAPS, headers=headers) as answer:
        assert answer.status == 401


async def test_impersonation_needs_a_right_for_each_name(served: Served) -> None:
    """An administrator can act as anybody; who may impersonate one user may not add groups to it."""
    as_jane = {"Impersonate-User": "jane"}
    async with served.session.get(CONFIG_MAPS, headers=as_jane) as answer:
        assert 'User "jane" cannot list' in (await answer.json())["message"]
    rule = {"apiGroups": [""], "resources": ["users"], "resourceNames": ["jane"], "verbs": ["impersonate"]}
    await served.api.create("clusterroles.rbac.authorization.k8s.io", {"metadata": {"name": "i"}, "rules": [rule]})
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": "default"}
    binding = {"metadata": {"name": "i"}, "roleRef": {"kind": "ClusterRole", "name": "i"}, "subjects": [subject]}
    await served.api.create("clusterrolebindings.rbac.authorization.k8s.io", binding)
    headers = await token_of(served, "default") | as_jane
    review = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    async with served.session.post(review, json={}, headers=headers) as answer:
        assert (await answer.json())["status"]["userInfo"]["username"] == "jane"
    headers["Impersonate-Group"] = "system:masters"
    async with served.session.post(review, json={}, headers=headers) as answer:
        assert answer.status == 403


async def test_nobody_gives_rights_that_they_lack(served: Served) -> None:
    """Who may write roles can pass on their own rights, and no others, neither by a role nor by a binding."""
    await served.api.create("serviceaccounts", {"metadata": {"name": "bob"}}, "default")
    may_write = {
        "apiGroups": ["rbac.authorization.k8s.io"],
        "resources": ["roles", "rolebindings"],
        "verbs": ["create"],
    }
    await served.api.create(
        "roles.rbac.authorization.k8s.io", {"metadata": {"name": "r"}, "rules": [may_write]}, "default"
    )
    subject = {"kind": "ServiceAccount", "name": "bob", "namespace": "default"}
    binding = {"metadata": {"name": "b"}, "roleRef": {"kind": "Role", "name": "r"}, "subjects": [subject]}
    await served.api.create("rolebindings.rbac.authorization.k8s.io", binding, "default")
    headers = await token_of(served, "bob")
    base = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
    secrets = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    for rule, status in ((secrets, 403), (may_write, 201)):
        body = {"metadata": {"name": f"given-{status}"}, "rules": [rule]}
        async with served.session.post(f"{base}/roles", json=body, headers=headers) as answer:
            assert answer.status == status
    admin = {**binding, "metadata": {"name": "up"}, "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"}}
    async with served.session.post(f"{base}/rolebindings", json=admin, headers=headers) as answer:
        assert answer.status == 403


async def test_a_client_that_leaves_ends_its_watch(served: Served) -> None:
    """Nothing is kept for a client that has gone."""
    store = served.server._store
    answer = await served.session.get(f"{CONFIG_MAPS}?watch=1")
    await events(answer, 1)
    [subscription] = store._table("configmaps").subscriptions
    answer.close()
    async with asyncio.timeout(30):
        assert await subscription.next() == []


async def test_a_watch_streams_changes_and_ends_with_the_server(served: Served) -> None:
    """Events come as they happen; stopping the server ends the stream at once."""
    async with served.session.get(f"{CONFIG_MAPS}?watch=1") as answer:
        first = await events(answer, 1)
        assert (first[0]["type"], first[0]["object"]["metadata"]["name"]) == ("ADDED", "kube-root-ca.crt")
        await served.api.create("configmaps", config_map("c", a="1"), "default")
        await served.api.delete("configmaps", "c", "default")
        assert [event["type"] for event in await events(answer, 2)] == ["ADDED", "DELETED"]
        async with asyncio.timeout(30):
            await served.server.stop()
            assert [event async for event in lines(answer)] == []


async def test_initial_events_end_with_a_bookmark(served: Served) -> None:
    """`sendInitialEvents` replaces the list: all that exists, then a bookmark that says so."""
    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    async with served.session.get(f"{CONFIG_MAPS}?{query}") as answer:
        found = await events(answer, 2)
    assert [event["type"] for event in found] == ["ADDED", "BOOKMARK"]
    assert found[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_timeout_seconds_ends_a_watch_after_a_bookmark(served: Served) -> None:
    """Shortly before its end a watch tells how far it has seen."""
    since = (await served.api.list("configmaps")).resource_version
    query = f"watch=1&resourceVersion={since}&allowWatchBookmarks=true&timeoutSeconds=2"
    async with asyncio.timeout(30), served.session.get(f"{CONFIG_MAPS}?{query}") as answer:
        found = [event async for event in lines(answer)]
    assert [event["type"] for event in found] == ["BOOKMARK"]


async def test_an_expired_watch_is_200_with_an_error_event(served: Served) -> None:
    """Clients learn of 410 inside the stream, as from a real server."""
    async with served.session.get(f"{CONFIG_MAPS}?watch=1&resourceVersion=1") as answer:
        assert answer.status == 200
        [event] = [event async for event in lines(answer)]
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


async def test_lists_and_tables_of_many_objects_page(served: Served) -> None:
    """Pages show the state of the first page, whatever happens meanwhile."""
    for index in range(5):
        await served.api.create("configmaps", config_map(f"c{index}"), "default")
    async with served.session.get(f"{CONFIG_MAPS}?limit=4") as answer:
        first = await answer.json()
    await served.api.delete("configmaps", "c4", "default")
    await served.api.create("configmaps", config_map("a-late-one"), "default")
    async with served.session.get(f"{CONFIG_MAPS}?limit=4&continue={first['metadata']['continue']}") as answer:
        second = await answer.json()
    names = [item["metadata"]["name"] for item in first["items"] + second["items"]]
    assert names == ["c0", "c1", "c2", "c3", "c4", "kube-root-ca.crt"]
    assert "continue" not in second["metadata"]


async def test_server_side_apply_conflicts_and_force(served: Served) -> None:
    """Another manager's value is a conflict that names the field; force takes it over."""
    headers = {"Content-Type": "application/apply-patch+yaml"}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}}
    path = f"{CONFIG_MAPS}/c"
    async with served.session.patch(f"{path}?fieldManager=one", data=json.dumps(body), headers=headers) as answer:
        assert answer.status == 201
    body["data"] = {"a": "2"}
    async with served.session.patch(f"{path}?fieldManager=two", data=json.dumps(body), headers=headers) as answer:
        status = await answer.json()
    assert (status["code"], status["details"]["causes"][0]["field"]) == (409, ".data.a")
    forced = f"{path}?fieldManager=two&force=true"
    async with served.session.patch(forced, data=json.dumps(body), headers=headers) as answer:
        assert (await answer.json())["data"] == {"a": "2"}


async def test_applying_less_removes_what_was_owned(served: Served) -> None:
    """A field a manager no longer states goes, unless somebody else owns it."""
    headers = {"Content-Type": "application/apply-patch+yaml"}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1", "b": "1"}}
    path = f"{CONFIG_MAPS}/c?fieldManager=one"
    for data, expected in (({"a": "1", "b": "1"}, {"a": "1", "b": "1"}), ({"b": "1"}, {"b": "1", "x": "y"})):
        text = json.dumps({**body, "data": data})
        async with served.session.patch(path, data=text, headers=headers) as answer:
            assert (await answer.json())["data"] == expected
        await served.api.patch("configmaps", "c", "default", {"data": {"x": "y"}})


async def test_applying_less_removes_items_of_lists(served: Served) -> None:
    """List items are told apart by their keys: a manager's own go, another manager's stay."""
    headers = {"Content-Type": "application/apply-patch+yaml"}
    path = "/apis/apps/v1/namespaces/default/deployments/d"

    def config(**container: object) -> str:
        body = {"apiVersion": "apps/v1", "kind": "Deployment", **deployment("d")}
        body["spec"]["template"]["spec"]["containers"] = [{"name": "c", **container}]
        return json.dumps(body)

    mine = [{"name": "A", "value": "1"}]
    full = config(image="nginx", env=mine, ports=[{"containerPort": 80}])
    for manager, text in (
        ("one", full),
        ("two", config(env=[{"name": "B", "value": "2"}])),
        ("one", config(image="nginx")),
    ):
        async with served.session.patch(f"{path}?fieldManager={manager}", data=text, headers=headers) as answer:
            assert answer.status in (200, 201)
    found = await served.api.get("deployments.apps", "d", "default")
    container = found["spec"]["template"]["spec"]["containers"][0]
    assert container["env"] == [{"name": "B", "value": "2"}]
    assert "ports" not in container


async def test_strict_validation_names_the_unknown_field(served: Served) -> None:
    """Strict refuses a misspelt field, the default warns, Ignore says nothing; all drop it."""
    body = deployment("d")
    body["spec"]["replicsa"] = 3
    path = "/apis/apps/v1/namespaces/default/deployments"
    async with served.session.post(f"{path}?fieldValidation=Strict", json=body) as answer:
        assert answer.status == 400
        assert 'strict decoding error: unknown field "spec.replicsa"' in (await answer.json())["message"]
    async with served.session.post(f"{path}?dryRun=All", json=body) as answer:
        assert answer.headers["Warning"] == '299 - "unknown field \\"spec.replicsa\\""'
    async with served.session.post(f"{path}?fieldValidation=Ignore", json=body) as answer:
        assert "Warning" not in answer.headers
        assert "replicsa" not in (await answer.json())["spec"]


async def test_events_have_two_faces(served: Served) -> None:
    """An event written as events.k8s.io/v1 is the same object in the core group, with its older names."""
    event = {
        "metadata": {"name": "e"},
        "regarding": {"kind": "Pod", "name": "p", "namespace": "default"},
        "note": "hello",
        "reason": "Greeting",
        "type": "Normal",
        "action": "greet",
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "tests",
        "reportingInstance": "tests-1",
    }
    async with served.session.post("/apis/events.k8s.io/v1/namespaces/default/events", json=event) as answer:
        assert (await answer.json())["note"] == "hello"
    async with served.session.get("/api/v1/namespaces/default/events/e") as answer:
        core = await answer.json()
    assert (core["message"], core["involvedObject"]["name"], core["reportingComponent"]) == ("hello", "p", "tests")
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    async with served.session.get("/apis/events.k8s.io/v1/events", headers=accept) as answer:
        [row] = (await answer.json())["rows"]
    assert row["cells"][1:4] == ["Normal", "Greeting", "pod/p"]


async def test_a_body_too_large_is_413(served: Served) -> None:
    """A body over 3 MiB is refused without being read to its end into memory."""
    body = io.BytesIO(json.dumps(config_map("c", a="x" * 4_000_000)).encode())
    async with served.session.post(CONFIG_MAPS, data=body) as answer:
        assert answer.status == 413


async def test_bodies_of_unknown_types_are_415(served: Served) -> None:
    """A body that can't be read is refused with the types that can."""
    headers = {"Content-Type": "application/cbor"}
    async with served.session.post(CONFIG_MAPS, data=b"\xa0", headers=headers) as answer:
        assert (answer.status, (await answer.json())["reason"]) == (415, "UnsupportedMediaType")


async def test_a_log_needs_a_container_name_among_several(served: Served) -> None:
    """With several containers the answer lists the choices."""
    body = pod("p")
    body["spec"]["containers"].append({"name": "d", "image": "nginx"})
    await served.api.create("pods", body, "default")
    async with served.session.get("/api/v1/namespaces/default/pods/p/log") as answer:
        message = (await answer.json())["message"]
    assert message == "a container name must be specified for pod p, choose one of: [c d]"


async def test_a_taken_address_is_a_clear_error(served: Served, authority: Authority) -> None:
    """A second server on the same port says so, with a hint."""
    port = int(served.server.url.rsplit(":", 1)[1])
    config = ApiServerConfig("127.0.0.1", port, authority.directory, "127.3.128.0/17")
    with pytest.raises(SandboxError, match="can't listen") as caught:
        await ApiServer(config, authority).start()
    assert caught.value.hint


def test_secrets_on_disk_are_the_owners_alone(kubeconfig: Path, authority: Authority) -> None:
    """Kubeconfig and keys can't be read by others."""
    files = [kubeconfig, *authority.directory.glob("*.key")]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_a_list_of_many_pods_joins_cached_bytes(served: Served) -> None:
    """Listing again takes no encoding: every record's bytes are the same objects as before."""
    for index in range(50):
        await served.api.create("pods", pod(f"p{index}"), "default")
    async with served.session.get("/api/v1/pods") as answer:
        first = await answer.read()
    store = served.server._store
    before = [id(record.encoded) for record in store.list("pods")]
    async with served.session.get("/api/v1/pods") as answer:
        assert await answer.read() == first
    assert [id(record.encoded) for record in store.list("pods")] == before


async def test_an_inconsistent_continuation_names_the_present_revision(served: Served) -> None:
    """Who goes on after an expired token gets a list that can be watched from."""
    for name in "abc":
        await served.api.create("configmaps", config_map(name), "default")
    start = json.dumps({"v": "meta.k8s.io/v1", "rv": -1, "start": "a\0"}).encode()
    token = base64.urlsafe_b64encode(start).decode()
    url = f"/api/v1/namespaces/default/configmaps?limit=1&continue={token}"
    async with served.session.get(url) as answer:
        body = await answer.json()
    assert [item["metadata"]["name"] for item in body["items"]] == ["b"]
    assert int(body["metadata"]["resourceVersion"]) >= int(body["items"][0]["metadata"]["resourceVersion"])


async def test_a_field_selector_gives_no_right_to_create(served: Served) -> None:
    """Rights to a single name never cover what has no name yet, whatever the query says."""
    headers = await token_of(served, "default")
    rule = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["mine"], "verbs": ["create", "list"]}
    await served.api.create("roles.rbac.authorization.k8s.io", {"metadata": {"name": "r"}, "rules": [rule]}, "default")
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
    subjects = [{"kind": "ServiceAccount", "name": "default", "namespace": "default"}]
    binding = {"metadata": {"name": "b"}, "roleRef": reference, "subjects": subjects}
    await served.api.create("rolebindings.rbac.authorization.k8s.io", binding, "default")
    url = "/api/v1/namespaces/default/configmaps?fieldSelector=metadata.name%3Dmine"
    async with served.session.get(url, headers=headers) as answer:
        assert answer.status == 200
    async with served.session.post(url, headers=headers, json=config_map("other")) as answer:
        assert answer.status == 403


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/api/v1/namespaces/default/finalize", {"metadata": {"name": "default"}, "spec": ["x"]}),
        ("PUT", "/api/v1/namespaces/default/finalize", {"metadata": {"name": "default"}, "spec": {"finalizers": 1}}),
        ("POST", "/api/v1/namespaces/default/serviceaccounts/default/token", {"spec": {"expirationSeconds": 2**62}}),
        ("GET", "/api/v1/namespaces/default/services/kubernetes:%C2%B2/proxy/", None),
        ("GET", f"/api/v1/namespaces/default/pods?limit={'9' * 5000}", None),
    ],
)
async def test_nonsense_is_the_clients_error(served: Served, method: str, path: str, body: Any) -> None:
    """What makes no sense is refused; it never breaks the server."""
    async with served.session.request(method, path, json=body) as answer:
        assert answer.status in {400, 422, 503}, await answer.text()


@pytest.mark.parametrize(("kind", "resource"), [("Secret", "secrets"), ("Node", "nodes")])
async def test_a_token_lasts_as_long_as_what_it_is_bound_to(served: Served, kind: str, resource: str) -> None:
    """When the object goes, whoever still holds the token is nobody."""
    namespace = None if resource == "nodes" else "default"
    await served.api.create(resource, {"metadata": {"name": "held"}}, namespace)
    spec = {"boundObjectRef": {"kind": kind, "apiVersion": "v1", "name": "held"}}
    answer = await served.api.create(
        "serviceaccounts/token", {"metadata": {"name": "default"}, "spec": spec}, "default"
    )
    headers = {"Authorization": f"Bearer {answer['status']['token']}"}
    async with served.session.get("/version", headers=headers) as response:
        assert response.status == 200
    await served.api.delete(resource, "held", namespace)
    async with served.session.get("/version", headers=headers) as response:
        assert response.status == 401
