"""Acting as somebody else: the `Impersonate-*` headers, and the rights that each of them takes.

See "User impersonation" in Kubernetes' documentation of authentication. `kubectl --as` is its best known use.
"""

from collections.abc import Iterator
from urllib.parse import unquote

from multidict import CIMultiDictProxy

from seatrial.sandbox.apiserver.access.authorization import Attributes, Authorizer
from seatrial.sandbox.apiserver.calls import User
from seatrial.sandbox.apiserver.statuses import bad_request

_EXTRA = "impersonate-extra-"
_ACCOUNT = "system:serviceaccount:"
_GROUP = "authentication.k8s.io"


def impersonated(headers: CIMultiDictProxy[str]) -> User | None:
    """The user whom the headers ask for; None without them, 400 when they name no user."""
    name = headers.get("Impersonate-User", "")
    groups = headers.getall("Impersonate-Group", [])
    uid = headers.get("Impersonate-Uid", "")
    extra = _extra(headers)
    if not name:
        if groups or uid or extra:
            raise bad_request(f"requested {_go_user(uid, groups, extra)} without impersonating a user name")
        return None
    if name.startswith(_ACCOUNT) and not groups:
        namespace = name.split(":")[2]
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}"]
    everyone = "system:unauthenticated" if name == "system:anonymous" else "system:authenticated"
    added = () if everyone in groups else (everyone,)
    return User(name, (*groups, *added), uid, extra)


def demand_rights(authorizer: Authorizer, user: User, headers: CIMultiDictProxy[str], other: User) -> None:
    """403 unless the user may act as this other one, in every respect."""
    for wanted in _rights(headers, other):
        authorizer.demand(user, wanted)


def _rights(headers: CIMultiDictProxy[str], other: User) -> Iterator[Attributes]:
    _, _, account = other.name.partition(_ACCOUNT)
    if account and account.count(":") == 1:
        namespace, _, name = account.partition(":")
        yield Attributes("impersonate", resource="serviceaccounts", namespace=namespace, name=name)
    else:
        yield Attributes("impersonate", resource="users", name=other.name)
    for group in headers.getall("Impersonate-Group", []):
        yield Attributes("impersonate", resource="groups", name=group)
    for key, values in other.extra.items():
        for value in values:
            yield Attributes("impersonate", group=_GROUP, resource="userextras", subresource=key, name=value)
    if other.uid:
        yield Attributes("impersonate", group=_GROUP, resource="uids", name=other.uid)


def _extra(headers: CIMultiDictProxy[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for header, value in headers.items():
        if header.lower().startswith(_EXTRA):
            found.setdefault(unquote(header[len(_EXTRA) :].lower()), []).append(value)
    return found


def _go_user(uid: str, groups: list[str], extra: dict[str, list[str]]) -> str:
    """A user without a name, as Go prints the structure."""
    names = _go_texts(groups)
    listed = f"[]string{{{names}}}" if groups else "[]string(nil)"
    pairs = ", ".join(f'"{key}":[]string{{{_go_texts(values)}}}' for key, values in sorted(extra.items()))
    extras = f"map[string][]string{{{pairs}}}" if extra else "map[string][]string(nil)"
    return f'&user.DefaultInfo{{Name:"", UID:"{uid}", Groups:{listed}, Extra:{extras}}}'


def _go_texts(values: list[str]) -> str:
    return ", ".join(f'"{value}"' for value in values)
