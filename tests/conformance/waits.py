"""Waits for what a recording waited for: its words are read as conditions on the objects of a namespace.

Nothing depends on fixed pauses: a condition is looked at again and again until it holds, and then until the
controllers have had their say. Words that aren't understood, and plain durations, wait until nothing changes any more.
"""

import asyncio
import re
from collections.abc import Callable, Iterable
from typing import Any

from tests.conformance.access import Access


class Objects(dict[str, list[dict[str, Any]]]):
    """Objects by kind; a kind that was asked for and isn't there is noted, so that it can be looked at."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.wanted: set[str] = set()

    def __missing__(self, kind: str) -> list[dict[str, Any]]:
        self.wanted.add(kind)
        return []


Condition = Callable[[Objects], bool]

_PATIENCE_SECONDS = 30
_LOOK_SECONDS = 0.05
_QUIET_SECONDS = 0.25
# For what follows from a state that was waited for: not so long that the next thing happens.
_AFTERMATH_SECONDS = 0.5
_KINDS = {
    "namespaces": "/api/v1/namespaces",
    "nodes": "/api/v1/nodes",
    "pods": "/api/v1/{}/pods",
    "services": "/api/v1/{}/services",
    "endpoints": "/api/v1/{}/endpoints",
    "configmaps": "/api/v1/{}/configmaps",
    "secrets": "/api/v1/{}/secrets",
    "serviceaccounts": "/api/v1/{}/serviceaccounts",
    "persistentvolumeclaims": "/api/v1/{}/persistentvolumeclaims",
    "deployments": "/apis/apps/v1/{}/deployments",
    "replicasets": "/apis/apps/v1/{}/replicasets",
    "statefulsets": "/apis/apps/v1/{}/statefulsets",
    "daemonsets": "/apis/apps/v1/{}/daemonsets",
    "jobs": "/apis/batch/v1/{}/jobs",
    "cronjobs": "/apis/batch/v1/{}/cronjobs",
    "poddisruptionbudgets": "/apis/policy/v1/{}/poddisruptionbudgets",
    "customresourcedefinitions": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
}
_STATE = re.compile(
    r"\b(up|gone|collected|established|allows|counts|counted|restarted|backs off|ended|finished|complete|available"
    r"|rolled out|ready)\b",
    re.IGNORECASE,
)
_WORKLOADS = ("deployments", "statefulsets", "daemonsets")


class Waits:
    """Waits on one cluster.

    Args:
        cluster: where to look.
    """

    def __init__(self, cluster: Access) -> None:
        self._cluster = cluster
        self.notes: list[str] = []

    async def until(self, text: str, namespace: str, *, touched: Iterable[str] = ()) -> None:
        """Wait for what the words say.

        Args:
            text: a recording's words.
            namespace: where it happens.
            touched: paths of objects that were written, latest last: "the namespace" is the last of its kind.
        """
        limit = re.match(r"([\d.]+) s\b", text)
        if limit:
            await self._settle(namespace, float(limit[1]) + 2)
            return
        conditions = [_condition(clause, list(touched)) for clause in _clauses(text)]
        known = [condition for condition in conditions if condition]
        if len(known) < len(conditions) or not known:
            self.notes.append(f"wait not understood, settled instead: {text}")
        if known:
            await self._hold(text, namespace, known)
        await self._settle(namespace, _AFTERMATH_SECONDS, quiet=_AFTERMATH_SECONDS / 4)

    async def _hold(self, text: str, namespace: str, conditions: list[Condition]) -> None:
        objects = Objects()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while True:
                    objects = await self._look(namespace, objects.wanted)
                    # Each is asked, so that all kinds that are needed come to light.
                    verdicts = [condition(objects) for condition in conditions]
                    if not objects.wanted <= objects.keys():
                        continue
                    if all(verdicts):
                        return
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            self.notes.append(f"not reached within {_PATIENCE_SECONDS} s: {text}")

    async def _settle(self, namespace: str, seconds: float, *, quiet: float = _QUIET_SECONDS) -> None:
        """Until nothing has changed for a while and no pod is on its way, at most so many seconds."""
        loop = asyncio.get_running_loop()
        end, seen, quiet_since = loop.time() + seconds, "", loop.time()
        while (at := loop.time()) < end:
            pods = await self._cluster.call("GET", _path("pods", namespace))
            # A list's resourceVersion is that of everything the server keeps.
            revision = pods["metadata"]["resourceVersion"]
            moving = quiet == _QUIET_SECONDS and any(_on_its_way(pod) for pod in pods["items"])
            if revision != seen or moving:
                seen, quiet_since = revision, at
            elif at - quiet_since >= quiet:
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def _look(self, namespace: str, kinds: Iterable[str]) -> "Objects":
        names = list(kinds)
        answers = await asyncio.gather(*(self._cluster.call("GET", _path(kind, namespace)) for kind in names))
        found = Objects((kind, (answer or {}).get("items") or []) for kind, answer in zip(names, answers, strict=True))
        found.wanted.update(names)
        return found


def _path(kind: str, namespace: str) -> str:
    return _KINDS[kind].format(f"namespaces/{namespace}" if namespace else "").replace("//", "/")


def _clauses(text: str) -> list[str]:
    """The statements of a text: "a and b are Ready; c backs off", "the pods are Ready and budget h counts 2"."""
    found: list[str] = []
    for statement in text.split(";"):
        pieces = statement.split(" and ")
        while pieces:
            clause = pieces.pop(0)
            while pieces and not _STATE.search(clause):
                clause = f"{clause} and {pieces.pop(0)}"
            found.append(clause)
    return found


def _condition(clause: str, touched: list[str]) -> Condition | None:
    words = set(re.findall(r"[\w.-]+", clause))
    number = next((int(word) for word in words if word.isdigit()), 1)
    lower = clause.lower()
    rules: list[tuple[str, Condition]] = [
        (r"default service account", lambda found: "default" in _names(found["serviceaccounts"])),
        (r"unschedulable taint", lambda found: any((node["spec"].get("taints") or []) for node in found["nodes"])),
        (r"taint is gone", lambda found: not any(node["spec"].get("taints") for node in found["nodes"])),
        (r"is gone|are gone|collected|^gone", lambda found: _gone(found, words, touched)),
        (r"established", lambda found: all(_has(each, "Established") for each in found["customresourcedefinitions"])),
        (r"budget.* allows", lambda found: _budget(found, "disruptionsAllowed", number)),
        (r"budget.* counts", lambda found: _budget(found, "currentHealthy", number)),
        (r"pdb counted", lambda found: all(_is_seen(each) for each in found["poddisruptionbudgets"])),
        (r"endpoint", lambda found: any(_addresses(each) for each in found["endpoints"])),
        (r"restarted", lambda found: any(_restarts(pod) >= number for pod in _of(found["pods"], words))),
        (r"backs off", lambda found: any(_backs_off(pod) for pod in _of(found["pods"], words))),
        (r"ended|finished|complete", lambda found: _ended(found, words)),
        (r"\bup\b|available|rolled out|scaled", lambda found: all(map(_is_rolled_out, _workloads(found)))),
        (r"ready", lambda found: _ready(found, words)),
    ]  # fmt: skip
    return next((condition for pattern, condition in rules if re.search(pattern, lower)), None)


def _addresses(endpoints: dict[str, Any]) -> list[Any]:
    return [address for subset in endpoints.get("subsets") or [] for address in subset.get("addresses") or []]


def _workloads(found: Objects) -> list[dict[str, Any]]:
    return [each for kind in _WORKLOADS for each in found[kind]]


def _gone(found: Objects, words: set[str], touched: list[str]) -> bool:
    named = [path for path in touched if path.rsplit("/", 1)[-1] in words]
    for word, kind in (("namespace", "namespaces"), ("definition", "customresourcedefinitions")):
        if word in words:
            named += [path for path in touched if path.split("/")[-2] == kind][-1:]
    wanted = {tuple(path.split("/")[-2:]) for path in named}
    return not any((kind, name) in wanted for kind in {kind for kind, _ in wanted} for name in _names(found[kind]))


def _ready(found: Objects, words: set[str]) -> bool:
    pods = [pod for pod in _of(found["pods"], words) if pod["spec"].get("schedulerName") == "default-scheduler"]
    return (
        bool(pods)
        and all(_has(pod, "Ready") or _is_probed(pod) for pod in pods)
        and all(map(_is_rolled_out, _workloads(found)))
    )


def _ended(found: Objects, words: set[str]) -> bool:
    jobs = [job for job in found["jobs"] if not job["spec"].get("suspend")]
    if jobs:
        return all(_has(job, "Complete") or _has(job, "Failed") for job in jobs)
    pods = _of(found["pods"], words)
    return any(pod["status"].get("phase") in ("Succeeded", "Failed") for pod in pods) or any(
        "terminated" in status["state"]
        for pod in found["pods"]
        for status in pod["status"].get("ephemeralContainerStatuses") or []
    )


def _is_probed(pod: dict[str, Any]) -> bool:
    """A pod that runs, but whose probe may never be satisfied."""
    return pod["status"].get("phase") == "Running" and any(
        each.get("readinessProbe") for each in pod["spec"]["containers"]
    )


def _budget(found: Objects, field: str, number: int) -> bool:
    budgets = found["poddisruptionbudgets"]
    return any(budget.get("status", {}).get(field) == number for budget in budgets)


def _is_rolled_out(workload: dict[str, Any]) -> bool:
    status, spec = workload.get("status", {}), workload["spec"]
    if status.get("observedGeneration", 0) < workload["metadata"]["generation"]:
        return False
    if workload.get("kind") == "DaemonSet" or "desiredNumberScheduled" in status:
        wanted = status.get("desiredNumberScheduled", 0)
        return bool(status.get("updatedNumberScheduled", 0) == status.get("numberAvailable", 0) == wanted)
    wanted = spec.get("replicas", 1)
    counts = [status.get(name, 0) for name in ("replicas", "readyReplicas", "availableReplicas")]
    is_current = status.get("updatedReplicas", 0) == wanted or status.get("currentRevision") == status.get(
        "updateRevision", ""
    )
    return all(count == wanted for count in counts) and is_current and not status.get("terminatingReplicas")


def _is_seen(budget: dict[str, Any]) -> bool:
    return bool(budget.get("status", {}).get("observedGeneration"))


def _of(pods: list[dict[str, Any]], words: set[str]) -> list[dict[str, Any]]:
    """The pods that are named, else all of them."""
    named = [pod for pod in pods if pod["metadata"]["name"] in words]
    return named or pods


def _names(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["metadata"]["name"] for entry in entries]


def _has(obj: dict[str, Any], condition: str) -> bool:
    conditions = obj.get("status", {}).get("conditions") or []
    return any(each["type"] == condition and each["status"] == "True" for each in conditions)


def _statuses(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*(pod["status"].get("initContainerStatuses") or []), *(pod["status"].get("containerStatuses") or [])]


def _restarts(pod: dict[str, Any]) -> int:
    return max((status["restartCount"] for status in _statuses(pod)), default=0)


def _waiting(pod: dict[str, Any]) -> str:
    return " ".join(status["state"].get("waiting", {}).get("reason", "") for status in _statuses(pod))


def _backs_off(pod: dict[str, Any]) -> bool:
    """An image that can't be had is tried again and again: between two pauses the reason is another."""
    return "BackOff" in _waiting(pod) or "ErrImagePull" in _waiting(pod)


def _on_its_way(pod: dict[str, Any]) -> bool:
    """A pod that starts or ends as fast as its machine can: there is no use in looking at it just then."""
    if pod["spec"].get("schedulerName") != "default-scheduler":
        return False
    if pod["metadata"].get("deletionTimestamp"):
        return bool(pod["metadata"].get("deletionGracePeriodSeconds"))
    return "ContainerCreating" in _waiting(pod) or "PodInitializing" in _waiting(pod)
