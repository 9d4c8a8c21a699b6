"""The verbs: what each of them sends."""

import subprocess
import sys
from typing import Any

import pytest

from seatrial.kube import errors
from seatrial.kube.client import Client, PatchType, connect
from seatrial.kube.objects import Pod
from seatrial.kube.resources import DEPLOYMENTS, NODES, PODS
from tests.kube.conftest import WriteKubeconfig
from tests.kube.fake_apiserver import FakeApiServer, answer, pod, status

_POD = "/api/v1/namespaces/team/pods/p"
_DEPLOYMENT = "/apis/apps/v1/namespaces/prod/deployments/web"


async def test_an_object_is_read(server: FakeApiServer, client: Client) -> None:
    """From the namespace given, or the context's; whole, or as the structure asked for."""
    server.on("GET", _POD, pod("p", 1))
    server.on("GET", "/api/v1/namespaces/x/pods/p", pod("p", 2))
    server.on("GET", "/api/v1/nodes/n", {"metadata": {"name": "n"}})
    assert await client.get(PODS, "p") == pod("p", 1)
    found = await client.get(PODS, "p", namespace="x", type=Pod)
    assert (found.metadata.resource_version, found.spec.containers[0].name) == ("2", "c")
    assert (await client.get(NODES, "n"))["metadata"] == {"name": "n"}


async def test_the_namespace_of_the_caller_goes_before_the_context_s(
    server: FakeApiServer, write_kubeconfig: WriteKubeconfig
) -> None:
    """`--namespace` of a command means more than the kubeconfig."""
    async with await connect(kubeconfig=write_kubeconfig(server), namespace="mine") as client:
        assert client.default_namespace == "mine"
        assert (client.context_name, client.cluster_name) == ("test", "c")


@pytest.mark.parametrize(
    ("namespace", "body", "expected"),
    [("x", {"namespace": "y"}, "x"), (None, {"namespace": "y"}, "y"), (None, {}, "team")],
)
async def test_an_object_is_created_where_it_belongs(
    server: FakeApiServer, client: Client, namespace: str | None, body: dict[str, str], expected: str
) -> None:
    """What the caller says, what the object says, the default: in this order."""
    path = f"/api/v1/namespaces/{expected}/pods"
    server.on("POST", path, answer(pod("p", 1), code=201))
    sent = {"metadata": {"generateName": "p-", **body}}
    assert (await client.create(PODS, sent, namespace=namespace))["metadata"]["name"] == "p"
    assert server.sent[0].json() == sent
    assert server.sent[0].query == {}


async def test_a_dry_run_is_said_to_be_one(server: FakeApiServer, client: Client) -> None:
    """Each changing verb has it, and the server is told in the way that fits the verb."""
    body = pod("p", 1, namespace="team")
    server.on("POST", "/api/v1/namespaces/team/pods", body)
    for method in ("PUT", "PATCH", "DELETE"):
        server.on(method, _POD, body)
    server.on("POST", f"{_POD}/eviction", {})
    await client.create(PODS, body, dry_run=True)
    await client.replace(PODS, body, dry_run=True)
    await client.patch(PODS, "p", {}, dry_run=True)
    await client.delete(PODS, "p", dry_run=True)
    await client.evict("p", dry_run=True)
    assert [sent.query.get("dryRun") for sent in server.sent[:3]] == ["All"] * 3
    assert server.sent[3].json()["dryRun"] == ["All"]
    assert server.sent[4].json()["deleteOptions"]["dryRun"] == ["All"]


@pytest.mark.parametrize("patch_type", [PatchType.MERGE, PatchType.STRATEGIC, PatchType.JSON])
async def test_a_patch_says_of_what_kind_it_is(server: FakeApiServer, client: Client, patch_type: PatchType) -> None:
    """The media type tells them apart."""
    server.on("PATCH", f"{_POD}/status", pod("p", 2))
    body: Any = (
        [{"op": "remove", "path": "/a"}] if patch_type is PatchType.JSON else {"metadata": {"labels": {"a": None}}}
    )
    await client.patch(PODS, "p", body, patch_type=patch_type, subresource="status", field_manager="me")
    assert server.sent[0].headers["Content-Type"] == patch_type.value
    assert server.sent[0].query == {"fieldManager": "me"}
    assert server.sent[0].json() == body


async def test_an_apply_names_its_manager(server: FakeApiServer, client: Client) -> None:
    """Fields of others are taken over only with force; a conflict is an error of its own."""
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "prod"}}
    server.on("PATCH", _DEPLOYMENT, body, body, status(409, "Conflict", "Apply failed with 1 conflict"))
    await client.apply(DEPLOYMENTS, body)
    await client.apply(DEPLOYMENTS, body, force=True, field_manager="me")
    assert server.sent[0].headers["Content-Type"] == "application/apply-patch+yaml"
    assert [sent.query for sent in server.sent] == [
        {"fieldManager": "seatrial"}, {"fieldManager": "me", "force": "true"}
    ]  # fmt: skip
    with pytest.raises(errors.Conflict, match="Apply failed"):
        await client.apply(DEPLOYMENTS, body)


async def test_a_stale_replacement_is_a_conflict(server: FakeApiServer, client: Client) -> None:
    """The resourceVersion in the object guards against overwriting somebody else's change."""
    server.on("PUT", _POD, status(409, "Conflict", "the object has been modified"))
    with pytest.raises(errors.Conflict, match="modified"):
        await client.replace(PODS, pod("p", 1, namespace="team"))


async def test_a_name_that_is_taken(server: FakeApiServer, client: Client) -> None:
    """Told apart from other conflicts."""
    server.on("POST", "/api/v1/namespaces/team/pods", status(409, "AlreadyExists", 'pods "p" already exists'))
    with pytest.raises(errors.AlreadyExists):
        await client.create(PODS, {"metadata": {"name": "p"}})


async def test_a_delete_sends_what_it_was_given_and_no_more(server: FakeApiServer, client: Client) -> None:
    """No grace period means the pod's own; zero is a forced one."""
    server.on("DELETE", _POD, pod("p", 2))
    await client.delete(PODS, "p")
    await client.delete(
        PODS, "p", uid="u", resource_version="3", grace_period_seconds=0, propagation_policy="Foreground"
    )
    kind = {"apiVersion": "v1", "kind": "DeleteOptions"}
    assert server.sent[0].json() == kind
    assert server.sent[1].json() == {
        **kind,
        "preconditions": {"uid": "u", "resourceVersion": "3"},
        "gracePeriodSeconds": 0,
        "propagationPolicy": "Foreground",
    }


async def test_an_eviction_respects_budgets(server: FakeApiServer, client: Client) -> None:
    """What a budget forbids is told with the budget's words, and not tried again and again."""
    cause = {
        "reason": "DisruptionBudget",
        "message": "The disruption budget web needs 2 healthy pods and has 2 currently",
    }
    blocked = status(429, "TooManyRequests", "Cannot evict pod.", causes=[cause])
    server.on("POST", f"{_POD}/eviction", answer({"kind": "Status", "status": "Success"}, code=201), blocked)
    await client.evict("p", uid="u", grace_period_seconds=5)
    assert server.sent[0].json() == {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": "p", "namespace": "team"},
        "deleteOptions": {"preconditions": {"uid": "u"}, "gracePeriodSeconds": 5},
    }
    with pytest.raises(errors.DisruptionBudgetBlocked, match="budget web needs 2 healthy pods"):
        await client.evict("p")
    assert len(server.sent) == 2


async def test_scale_is_read_and_set(server: FakeApiServer, client: Client) -> None:
    """Through the subresource that all scalable kinds share."""
    scale = {"spec": {"replicas": 3}, "status": {"replicas": 2, "selector": "app=web"}}
    server.on("GET", f"{_DEPLOYMENT}/scale", scale)
    server.on("PATCH", f"{_DEPLOYMENT}/scale", scale)
    found = await client.get_scale(DEPLOYMENTS, "web", namespace="prod")
    assert (found.spec.replicas, found.status.replicas, found.status.selector) == (3, 2, "app=web")
    await client.scale(DEPLOYMENTS, "web", namespace="prod", replicas=0)
    assert server.sent[1].json() == {"spec": {"replicas": 0}}


async def test_a_missing_permission_is_told(server: FakeApiServer, client: Client) -> None:
    """Verb, resource, namespace and user, at once."""
    message = 'pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "team"'
    server.on("GET", "/api/v1/namespaces/team/pods", status(403, "Forbidden", message))
    with pytest.raises(errors.Forbidden) as refused:
        await client.list(PODS, namespace="team")
    assert (refused.value.user, refused.value.verb, refused.value.namespace) == ("bob", "list", "team")


_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


async def test_permissions_can_be_asked_for(server: FakeApiServer, client: Client) -> None:
    """The question holds what is needed and no more; without a namespace it is about all of them."""
    server.on("POST", _REVIEWS, {"status": {"allowed": True}}, {"status": {"allowed": False}}, {})
    assert await client.can_i("patch", DEPLOYMENTS, namespace="prod", name="web", subresource="scale") is True
    assert await client.can_i("delete", PODS) is False
    assert await client.can_i("get", NODES, namespace="prod") is False
    assert [sent.json()["spec"]["resourceAttributes"] for sent in server.sent] == [
        {"verb": "patch", "group": "apps", "resource": "deployments", "namespace": "prod", "name": "web",
         "subresource": "scale"},
        {"verb": "delete", "resource": "pods"},
        {"verb": "get", "resource": "nodes"},
    ]  # fmt: skip


async def test_who_we_are_can_be_asked_for(server: FakeApiServer, client: Client) -> None:
    """By the stable form, by the beta one of older servers, or not at all."""
    path = "/apis/authentication.k8s.io/{}/selfsubjectreviews"
    assert await client.whoami() == ""
    server.on("POST", path.format("v1beta1"), {"status": {"userInfo": {"username": "old"}}})
    assert await client.whoami() == "old"
    server.on("POST", path.format("v1"), {"status": {"userInfo": {"username": "bob"}}})
    assert await client.whoami() == "bob"


async def test_what_isn_t_there_is_named(server: FakeApiServer, client: Client) -> None:
    """The server names a missing object; where it doesn't, the request does."""
    server.on("GET", _POD, status(404, "NotFound", 'pods "p" not found', name="p", kind="pods"))
    with pytest.raises(errors.NotFound, match=r'^pods "p" not found$'):
        await client.get(PODS, "p")
    with pytest.raises(errors.NotFound, match=r"could not find the requested resource \(GET /apis/apps/v1/"):
        await client.get(DEPLOYMENTS, "web")


def test_the_import_is_light() -> None:
    """A command that talks to a cluster doesn't wait for libraries that this call doesn't need."""
    program = "import sys, seatrial.kube.client; print(*sys.modules)"
    output = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    loaded = set(output.split())
    assert "seatrial.kube.watch" in loaded
    assert not loaded & {"pydantic", "cryptography", "yaml", "jinja2", "rich", "structlog", "seatrial.kube.oidc"}


async def test_the_client_can_be_printed(client: Client) -> None:
    """Its repr names the cluster and holds no secret."""
    assert "test" in repr(client)
    assert "the-token" not in repr(client)
