import json
from typing import Any

import pytest

from seatrial.sandbox.api import Object
from seatrial.sandbox.rules.role_aggregation import aggregated_rules
from tests.sandbox.apiserver.conftest import Served
from tests.sandbox.apiserver.objects import config_map, pod

GROUP = "rbac.authorization.k8s.io"
PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
REVIEWS = "/apis/authorization.k8s.io/v1"


def rule(verbs: str, resources: str, group: str = "", names: str = "") -> Object:
    """A rule about resources."""
    found: Object = {"verbs": verbs.split(), "apiGroups": [group], "resources": resources.split()}
    return {**found, "resourceNames": names.split()} if names else found


async def allow(served: Served, name: str, *rules: Object, user: str = "jane", namespace: str | None = None) -> None:
    """Make a role of these rules and bind it to a user, everywhere or in a namespace."""
    kind = "Role" if namespace else "ClusterRole"
    await served.api.create(f"{kind.lower()}s.{GROUP}", {"metadata": {"name": name}, "rules": list(rules)}, namespace)
    await bind(served, name, kind=kind, user=user, namespace=namespace)


async def bind(served: Served, role: str, *, kind: str, user: str, namespace: str | None = None) -> None:
    """Bind a role that may exist to a user."""
    body = {
        "metadata": {"name": f"{role}-{user}"},
        "roleRef": {"apiGroup": GROUP, "kind": kind, "name": role},
        "subjects": [{"apiGroup": GROUP, "kind": "User", "name": user}],
    }
    plural = "rolebindings" if namespace else "clusterrolebindings"
    await served.api.create(f"{plural}.{GROUP}", body, namespace)


async def ask(served: Served, method: str, path: str, *, user: str = "jane", **options: Any) -> tuple[int, str]:
    """A request in somebody's name: the status, and the message of a refusal."""
    headers = {"Impersonate-User": user, **options.pop("headers", {})}
    async with served.session.request(method, path, headers=headers, **options) as answer:
        text = await answer.text()
        return answer.status, json.loads(text).get("message", "") if text.startswith("{") else text


async def test_names_limit_a_rule_to_single_objects(served: Served) -> None:
    """With resourceNames one object can be read, and listed or watched where the selector names it; none created."""
    await served.api.create("configmaps", config_map("one"), "default")
    await allow(served, "r", rule("get list watch create", "configmaps", names="one"), namespace="default")
    assert (await ask(served, "GET", f"{MAPS}/one"))[0] == 200
    assert (await ask(served, "GET", f"{MAPS}/two"))[0] == 403
    assert (await ask(served, "GET", MAPS))[0] == 403
    assert (await ask(served, "GET", MAPS, params={"fieldSelector": "metadata.name=one"}))[0] == 200
    assert (await ask(served, "POST", MAPS, json=config_map("one")))[0] == 403


async def test_subresources_are_granted_by_themselves(served: Served) -> None:
    """`pods` doesn't include `pods/eviction`, `*/scale` is any scale, and `*` is everything."""
    await served.api.create("pods", pod("p"), "default")
    await allow(served, "a", rule("create", "pods"), rule("get", "*/scale", "apps"))
    assert (await ask(served, "POST", f"{PODS}/p/eviction", json={"metadata": {"name": "p"}}))[0] == 403
    scale = "/apis/apps/v1/namespaces/default/deployments/none/scale"
    assert (await ask(served, "GET", scale))[0] == 404
    assert (await ask(served, "GET", scale.removesuffix("/scale")))[0] == 403
    await allow(served, "b", rule("create", "pods/eviction"))
    assert (await ask(served, "POST", f"{PODS}/p/eviction", json={"metadata": {"name": "p"}}))[0] == 201


async def test_paths_are_granted_by_cluster_roles(served: Served) -> None:
    """A path that is no resource needs a rule with nonResourceURLs, where `*` may end it."""
    assert await ask(served, "GET", "/metrics") == (403, 'forbidden: User "jane" cannot get path "/metrics"')
    await allow(served, "m", {"verbs": ["get"], "nonResourceURLs": ["/metrics", "/log*"]})
    assert (await ask(served, "GET", "/metrics"))[0] == 200
    assert (await ask(served, "GET", "/logs"))[0] == 404


async def test_a_bound_role_that_is_missing_is_named(served: Served) -> None:
    """The refusal says which role couldn't be found."""
    await bind(served, "nosuch", kind="ClusterRole", user="jane")
    code, message = await ask(served, "GET", PODS)
    assert code == 403
    assert message.endswith(f': RBAC: clusterrole.{GROUP} "nosuch" not found')


@pytest.mark.parametrize(
    ("role", "allowed", "refused"),
    [
        ("view", ["GET pods", "GET deployments", "GET services"], ["GET secrets", "DELETE pods", "GET roles"]),
        ("edit", ["DELETE pods", "GET secrets", "PATCH deployments"], ["GET roles", "DELETE namespaces"]),
        ("admin", ["GET roles", "POST rolebindings", "DELETE pods"], ["PATCH resourcequotas", "GET nodes"]),
        ("cluster-admin", ["GET nodes", "DELETE namespaces", "POST roles"], []),
    ],
)
async def test_roles_for_people(served: Served, role: str, allowed: list[str], refused: list[str]) -> None:
    """What `view`, `edit`, `admin` and `cluster-admin` may do in a namespace they are bound in."""
    await bind(served, role, kind="ClusterRole", user="jane", namespace="default")
    verbs = {"GET": "get", "POST": "create", "PATCH": "patch", "DELETE": "delete"}
    groups = {"deployments": "apps", "roles": GROUP, "rolebindings": GROUP}
    for case in (*allowed, *refused):
        method, resource = case.split()
        attributes = {"namespace": "default", "verb": verbs[method], "resource": resource}
        review = {"spec": {"user": "jane", "resourceAttributes": {**attributes, "group": groups.get(resource, "")}}}
        async with served.session.post(f"{REVIEWS}/subjectaccessreviews", json=review) as answer:
            status = (await answer.json())["status"]
        assert status["allowed"] is (case in allowed), case


async def test_every_cluster_has_the_roles_that_tools_bind(served: Served) -> None:
    """Default roles exist with their labels, and their aggregation is theirs to keep."""
    for name in ("cluster-admin", "admin", "edit", "view", "system:auth-delegator", "system:node-proxier"):
        role = await served.api.get(f"clusterroles.{GROUP}", name)
        assert role["rules"]
        assert role["metadata"]["labels"]["kubernetes.io/bootstrapping"] == "rbac-defaults"
    view, edit, admin = [(await served.api.get(f"clusterroles.{GROUP}", n))["rules"] for n in ("view", "edit", "admin")]
    assert all(entry in edit for entry in view)
    assert all(entry in admin for entry in edit)


def test_an_aggregated_role_has_the_rules_of_those_it_picks() -> None:
    """By name, none twice, never its own; a selector that makes no sense picks nothing."""
    selectors: list[Any] = [{"matchLabels": {"a": "1"}}, {"matchExpressions": [{"key": "!", "operator": "What"}]}]
    whole = {"metadata": {"name": "whole", "labels": {"a": "1"}}, "rules": [rule("get", "own")]}
    whole["aggregationRule"] = {"clusterRoleSelectors": selectors}
    roles = [
        {"metadata": {"name": "z", "labels": {"a": "1"}}, "rules": [rule("get", "pods"), rule("get", "nodes")]},
        {"metadata": {"name": "b", "labels": {"a": "1"}}, "rules": [rule("get", "pods")]},
        {"metadata": {"name": "c"}, "rules": [rule("get", "secrets")]},
        whole,
    ]
    assert aggregated_rules(whole, roles) == [rule("get", "pods"), rule("get", "nodes")]


async def test_nobody_gives_rights_they_lack(served: Served) -> None:
    """A role is refused line by line; `escalate` and `bind` lift the check."""
    await allow(served, "maker", rule("create", "roles rolebindings", GROUP), rule("get", "pods"), namespace="default")
    roles = f"/apis/{GROUP}/v1/namespaces/default/roles"
    bindings = f"/apis/{GROUP}/v1/namespaces/default/rolebindings"
    body: Object = {"metadata": {"name": "more"}, "rules": [rule("get list", "pods secrets")]}
    code, message = await ask(served, "POST", roles, json=body)
    assert code == 403
    assert message.splitlines()[1:] == [
        '{APIGroups:[""], Resources:["pods"], Verbs:["list"]}',
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}',
    ]
    assert (await ask(served, "POST", roles, json={**body, "rules": [rule("get", "pods")]}))[0] == 201
    bound = {"metadata": {"name": "b"}, "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "view"}}
    assert (await ask(served, "POST", bindings, json=bound))[0] == 403
    await allow(served, "binder", rule("bind", "clusterroles", GROUP, names="view"))
    assert (await ask(served, "POST", bindings, json=bound))[0] == 201


async def test_impersonation_takes_a_right_for_every_part(served: Served) -> None:
    """User, groups, uid and extra values are granted each by itself, as kubectl's `--as` options need them."""
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    account = await served.api.create("serviceaccounts/token", {"metadata": {"name": "default"}, "spec": {}}, "default")
    token = {"Authorization": f"Bearer {account['status']['token']}"}
    headers = {
        "Impersonate-User": "jane", "Impersonate-Group": "crew", "Impersonate-Uid": "7",
        "Impersonate-Extra-Acme.com%2Fscope": "night", **token,
    }  # fmt: skip
    steps = (
        rule("impersonate", "users", names="jane"),
        rule("impersonate", "groups", names="crew"),
        rule("impersonate", "uids", "authentication.k8s.io", names="7"),
        rule("impersonate", "userextras/acme.com/scope", "authentication.k8s.io", names="night"),
    )
    for number, step in enumerate(steps):
        async with served.session.post(path, json={}, headers=headers) as answer:
            assert answer.status == 403
            assert "cannot impersonate resource" in (await answer.json())["message"]
        await allow(served, f"step{number}", step, user="system:serviceaccount:default:default")
    async with served.session.post(path, json={}, headers=headers) as answer:
        info = (await answer.json())["status"]["userInfo"]
    assert info == {
        "username": "jane",
        "uid": "7",
        "groups": ["crew", "system:authenticated"],
        "extra": {"acme.com/scope": ["night"]},
    }


async def test_service_accounts_are_impersonated_in_their_namespace(served: Served) -> None:
    """The right to act as an account is a right on that account, and brings the account's groups."""
    await allow(served, "act", rule("impersonate", "users", names="jane"), user="boss")
    headers = {"Impersonate-User": "system:serviceaccount:default:default"}
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    async with served.session.post(path, json={}, headers=headers) as answer:
        info = (await answer.json())["status"]["userInfo"]
    expected = ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]
    assert info["groups"] == expected


async def test_a_rules_review_lists_what_one_may_do(served: Served) -> None:
    """Rules of all bindings, cluster-wide and of the namespace."""
    await allow(served, "r", rule("get", "configmaps", names="one"), namespace="default")
    body = {"spec": {"namespace": "default"}}
    headers = {"Impersonate-User": "jane"}
    async with served.session.post(f"{REVIEWS}/selfsubjectrulesreviews", json=body, headers=headers) as answer:
        status = (await answer.json())["status"]
    assert rule("get", "configmaps", names="one") in status["resourceRules"]
    assert rule("create", "selfsubjectreviews", "authentication.k8s.io") in status["resourceRules"]
    assert any("/healthz" in entry["nonResourceURLs"] for entry in status["nonResourceRules"])


@pytest.mark.parametrize(
    ("kind", "spec", "field"),
    [
        ("subjectaccessreviews", {"user": "jane"}, "spec.resourceAttributes"),
        ("subjectaccessreviews", {"resourceAttributes": {"verb": "get"}}, "spec.user"),
        (
            "selfsubjectaccessreviews",
            {"resourceAttributes": {}, "nonResourceAttributes": {}},
            "spec.nonResourceAttributes",
        ),
    ],
)
async def test_a_review_without_a_question_is_422(served: Served, kind: str, spec: Object, field: str) -> None:
    """Exactly one thing is asked, about somebody."""
    async with served.session.post(f"{REVIEWS}/{kind}", json={"spec": spec}) as answer:
        assert answer.status == 422
        assert (await answer.json())["details"]["causes"][0]["field"] == field
