"""Questions about rights and tokens: SubjectAccessReview and its relatives, SelfSubjectReview, TokenReview."""

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver import statuses
from seatrial.sandbox.apiserver.access.authorization import Attributes, Authorizer
from seatrial.sandbox.apiserver.access.tokens import ISSUER, TokenSigner
from seatrial.sandbox.apiserver.calls import Call, User
from seatrial.sandbox.apiserver.metadata import now
from seatrial.sandbox.apiserver.operations import Operations
from seatrial.sandbox.apiserver.patching.managed_fields import track_update
from seatrial.sandbox.apiserver.resources import Resource


class Reviews:
    """Answers reviews; nothing is stored."""

    def __init__(self, operations: Operations, authorizer: Authorizer, signer: TokenSigner) -> None:
        self._operations = operations
        self._authorizer = authorizer
        self._signer = signer

    def answer(self, resource: Resource, body: Object, call: Call) -> Object:
        """The review with its status."""
        review = self._operations.decode(resource, body, call)
        review["metadata"] = {**review.get("metadata", {})}
        if resource.kind != "SelfSubjectReview":
            review["metadata"]["managedFields"] = track_update(
                None, review, manager=call.manager, subresource="", excluded=("status",)
            )
        spec = review.get("spec") or {}
        self._check(resource, review, spec)
        if resource.kind == "SelfSubjectReview":
            review["metadata"].setdefault("creationTimestamp", now())
            return {**review, "status": {"userInfo": _user_info(call.user)}}
        if resource.kind == "TokenReview":
            return {**review, "status": self._token_status(spec)}
        if resource.kind == "SelfSubjectRulesReview":
            return {**review, "status": self._rules_status(call.user, spec.get("namespace", ""))}
        user = call.user
        if resource.kind != "SelfSubjectAccessReview":
            user = User(
                spec.get("user", ""), tuple(spec.get("groups") or ()), spec.get("uid", ""), spec.get("extra") or {}
            )
        decision = self._authorizer.decide(user, attributes_of(spec))
        status: Object = {"allowed": decision.allowed}
        if decision.reason:
            status["reason"] = decision.reason
        return {**review, "status": status}

    @staticmethod
    def _check(resource: Resource, review: Object, spec: Object) -> None:
        """A review asks one question about one user; 422."""
        if not resource.kind.endswith("AccessReview"):
            return
        errors = []
        attributes, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
        shown = None if path is None else {"Path": path.get("path", ""), "Verb": path.get("verb", "")}
        if attributes is not None and path is not None:
            text = "cannot be specified in combination with resourceAttributes"
            errors.append(statuses.invalid("spec.nonResourceAttributes", shown, text))
        if attributes is None and path is None:
            text = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
            errors.append(statuses.invalid("spec.resourceAttributes", None, text))
        if resource.kind != "SelfSubjectAccessReview" and not spec.get("user") and not spec.get("groups"):
            errors.append(statuses.invalid("spec.user", "", "at least one of user or group must be specified"))
        if resource.kind == "LocalSubjectAccessReview":
            where = review["metadata"].get("namespace", "")
            if attributes is not None and attributes.get("namespace", "") != where:
                text = "must match metadata.namespace"
                errors.append(
                    statuses.invalid("spec.resourceAttributes.namespace", attributes.get("namespace", ""), text)
                )
            if path is not None:
                text = "disallowed on this kind of request"
                errors.append(statuses.invalid("spec.nonResourceAttributes", shown, text))
        if errors:
            raise statuses.unprocessable(resource.group, resource.kind, "", errors)

    def _token_status(self, spec: Object) -> Object:
        audiences = tuple(spec.get("audiences") or ())
        token = spec.get("token", "")
        user = self._signer.verify(token, audiences=audiences) if audiences else self._signer.verify(token)
        if user is None:
            return {"user": {}, "error": "[invalid bearer token, token lookup failed]"}
        return {"authenticated": True, "user": _user_info(user), "audiences": list(audiences or (ISSUER,))}

    def _rules_status(self, user: User, namespace: str) -> Object:
        resource_rules, path_rules = [], []
        for _reason, rules in self._authorizer.grants(user, namespace):
            for rule in rules:
                if rule.get("nonResourceURLs"):
                    path_rules.append({"verbs": rule["verbs"], "nonResourceURLs": rule["nonResourceURLs"]})
                else:
                    keys = ("verbs", "apiGroups", "resources", "resourceNames")
                    resource_rules.append({key: rule[key] for key in keys if rule.get(key)})
        return {"resourceRules": resource_rules, "nonResourceRules": path_rules, "incomplete": False}


def attributes_of(spec: Object) -> Attributes:
    """What a review asks about."""
    path = spec.get("nonResourceAttributes")
    if path:
        return Attributes(verb=path.get("verb", ""), path=path.get("path", ""))
    wanted = spec.get("resourceAttributes") or {}
    return Attributes(
        verb=wanted.get("verb", ""),
        group=wanted.get("group", ""),
        resource=wanted.get("resource", ""),
        subresource=wanted.get("subresource", ""),
        namespace=wanted.get("namespace", ""),
        name=wanted.get("name", ""),
    )


def _user_info(user: User) -> Object:
    info: Object = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = user.extra
    return info
