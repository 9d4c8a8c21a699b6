"""Commands on nodes through Kubernetes alone: a privileged pod on the node that enters its namespaces.

The way to the machines of a cluster that nobody has told us anything about. Each run has one pod on each node it sends
commands to, made at the first of them (`node_shell_pod` has the manifest, `node_shell_command` what is run in it). It
is written down in the run's books before it is made, and clean-up deletes it after all that may need it; a process that
finishes the clean-up of a dead run finds it by its name, or makes it anew.
"""

import asyncio
import shlex
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress

from seatrial.errors import ClusterError, CommandNotStarted, MachineError
from seatrial.kube.client import Client
from seatrial.kube.errors import (
    AlreadyExists,
    ApiStatusError,
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    RequestTimeout,
    had_no_effect,
)
from seatrial.kube.objects import Node, Pod
from seatrial.kube.resources import NODES, PODS
from seatrial.remote.books import Books
from seatrial.remote.executor import CommandResult, ExecutorType
from seatrial.remote.node_shell_command import entering, entering_by_hand, knocking, was_overdue, why_not_entered
from seatrial.remote.node_shell_pod import (
    CONTAINER,
    EXECUTOR_NAME,
    ShellSettings,
    is_open,
    is_over,
    pod_name,
    progress_of,
    shell_pod,
    why_closed,
)
from seatrial.remote.output import BoundedOutput, LineListener

_START_SECONDS = 90.0
_KNOCK_SECONDS = 20.0
# What the way there and back may take on top of the command's own time.
_TRAVEL_SECONDS = 20.0
_WINDOWS = {"kubernetes.io/os": "windows"}
# In what the cluster says of a container that does not start.
_ABOUT_THE_IMAGE = ("Image", "Pull", "StartError", "ContainerCannotRun", "executable file")
_ELSEWHERE = "another namespace may allow it: --node-shell-namespace"
# Over WebSocket a command is a GET; Kubernetes 1.35 and later ask for the verb `create` as well.
_VERBS = (
    ("create", None), ("get", None), ("list", None), ("watch", None), ("delete", None),
    ("get", "exec"), ("create", "exec"),
)  # fmt: skip


class NodeShell:
    """The executor."""

    name = EXECUTOR_NAME

    def __init__(self, cluster: Client, settings: ShellSettings) -> None:
        self._cluster = cluster
        self._settings = settings
        self._books: Books | None = None
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def keep_books(self, books: Books) -> None:
        """Write pods down there."""
        self._books = books

    async def require(self) -> None:
        """Refuse where such a pod would not be taken, as far as the API server can tell without making one."""
        namespace = self._settings.namespace
        self._refuse_protected()
        answers = await asyncio.gather(
            *(self._cluster.can_i(verb, PODS, namespace=namespace, subresource=part) for verb, part in _VERBS),
            self._cluster.can_i("get", NODES),
        )
        asked = [*(f"{verb} pods{f'/{part}' if part else ''} in {namespace}" for verb, part in _VERBS), "get nodes"]
        if missing := [what for what, allowed in zip(asked, answers, strict=True) if not allowed]:
            raise MachineError(
                f"commands get to machines through pods, for which these permissions are missing: {', '.join(missing)}",
                hint=f"{_ELSEWHERE}; or name another way: --execution-mode ssh",
            )
        try:
            await self._cluster.create(PODS, shell_pod("", self._settings), namespace=namespace, dry_run=True)
        except (AlreadyExists, BadRequest):
            return  # an admission webhook that can't be asked without being meant; the pod itself will tell
        except ApiStatusError as error:
            raise self._refusal(error, node="") from error

    async def run(
        self, node: str, command: str, *, timeout_seconds: float = 60, heard: LineListener | None = None
    ) -> CommandResult:
        """Run a shell command on a node; its output comes at its end, as a whole."""
        pod = await self._open(node)
        try:
            result = await self._cluster.exec(
                pod,
                namespace=self._settings.namespace,
                container=CONTAINER,
                command=entering(command, timeout_seconds=timeout_seconds),
                timeout_seconds=timeout_seconds + _TRAVEL_SECONDS,
            )
        except RequestTimeout as error:
            raise MachineError(
                f"no word came of the command on {node} within {timeout_seconds + _TRAVEL_SECONDS:g} s",
                hint=f"the node ends it after {timeout_seconds:g} s, if it runs",
            ) from error
        except ClusterError as error:
            if not had_no_effect(error):
                raise
            raise CommandNotStarted(f"can't enter {node} through its pod: {error.message}", hint=error.hint) from error
        if was_overdue(result):
            raise MachineError(f"the command on {node} did not end within {timeout_seconds:g} s and was killed")
        if problem := why_not_entered(result):
            raise CommandNotStarted(f"can't enter {node}: {problem}")
        output = BoundedOutput(heard)
        output.add(result.stdout.decode(errors="replace"))
        output.finish()
        return CommandResult(exit_code=result.exit_code, output=output.text)

    async def by_hand(self, node: str, command: str) -> str:
        """Kubectl's own pod on the node, which stays there and is to be deleted."""
        words = [
            "kubectl", "debug", f"node/{node}", "-i", "-n", self._settings.namespace,
            f"--image={self._settings.image}", "--profile=sysadmin", "--", *entering_by_hand(command),
        ]  # fmt: skip
        return shlex.join(words)

    async def close(self) -> None:
        """The pods are deleted by clean-up, and the cluster's client is not this executor's to close."""

    async def _open(self, node: str) -> str:
        """The name of a pod on the node that commands can be run in."""
        if self._books is None:
            raise CommandNotStarted(f"there is no journal to write the pod on {node} down in")
        name = pod_name(node, self._books.run_id)
        async with self._turns[node]:
            found = await self._find(name, self._books)
            if found is not None and is_open(found):
                return name
            if found is not None and is_over(found):
                await self._delete(found)
                found = None
            if found is None:
                await self._look_at(node)
                await self._make(node, name, self._books)
            try:
                await self._started(node, name)
                await self._knock(node, name)
            except CommandNotStarted:
                # So that the next try makes it anew; where this fails, clean-up deletes it.
                with suppress(ClusterError):
                    if (stuck := await self._find(name, self._books)) is not None:
                        await self._delete(stuck)
                raise
            return name

    async def _find(self, name: str, books: Books) -> Pod | None:
        try:
            found = await self._cluster.get(PODS, name, namespace=self._settings.namespace, type=Pod)
        except NotFound:
            return None
        if not books.labels.items() <= (found.metadata.labels or {}).items():
            raise CommandNotStarted(
                f"the pod {self._settings.namespace}/{name} is not this run's",
                hint=f"if nobody needs it: kubectl delete pod -n {self._settings.namespace} {name}",
            )
        return found

    async def _look_at(self, node: str) -> None:
        """Refuse nodes that can't start such a pod."""
        try:
            found = await self._cluster.get(NODES, node, type=Node)
        except NotFound:
            raise CommandNotStarted(f"there is no node {node}") from None
        if _WINDOWS.items() <= (found.metadata.labels or {}).items():
            raise CommandNotStarted(
                f"{node} runs Windows, where a pod can't enter the machine so",
                hint="choose others: a matcher `labels: {selector: kubernetes.io/os=linux}`",
            )
        if not found.is_ready:
            raise CommandNotStarted(
                f"{node} is not Ready, and its kubelet has to start the pod that commands go through",
                hint="--execution-mode ssh does without",
            )

    def _refuse_protected(self) -> None:
        namespace = self._settings.namespace
        if self._books is not None and namespace in self._books.protected:
            raise CommandNotStarted(
                f"the namespace {namespace} is protected, and the pods that commands go through would be made there",
                hint="choose another: --node-shell-namespace",
            )

    async def _make(self, node: str, name: str, books: Books) -> None:
        self._refuse_protected()
        body = shell_pod(node, self._settings, name=name, labels=books.labels)
        strike_out = await books.write_down(body)
        try:
            await self._cluster.create(PODS, body, namespace=self._settings.namespace)
        except AlreadyExists as error:
            if not error.after_repeat:
                raise
        except ClusterError as error:
            if not had_no_effect(error):
                raise
            await strike_out()
            raise self._refusal(error, node=node) from error

    async def _started(self, node: str, name: str) -> None:
        """Wait until it runs, or is known not to start."""
        latest: Pod | None = None
        watching = self._cluster.watch(
            PODS, namespace=self._settings.namespace, field_selector=f"metadata.name={name}", type=Pod
        )
        try:
            async with asyncio.timeout(_START_SECONDS), watching as watch:
                latest = next(iter(watch.snapshot), None)
                while latest is None or not is_open(latest):
                    if latest is not None and (reason := why_closed(latest)):
                        raise self._unstarted(node, reason)
                    event = await anext(watch)
                    latest = event.object if event.type != "DELETED" else None
                    if latest is None:
                        raise self._unstarted(node, "somebody deleted it")
        except TimeoutError:
            reason = f"not within {_START_SECONDS:g} s ({progress_of(latest)})"
            raise self._unstarted(node, reason) from None

    async def _knock(self, node: str, name: str) -> None:
        """Try whether the node can be entered: its system may have no shell, the image no `nsenter`."""
        try:
            result = await self._cluster.exec(
                name,
                namespace=self._settings.namespace,
                container=CONTAINER,
                command=knocking(),
                timeout_seconds=_KNOCK_SECONDS,
            )
        except ClusterError as error:
            raise CommandNotStarted(f"can't enter {node} through a pod: {error.message}", hint=error.hint) from error
        if result.exit_code:
            said = " ".join((result.stderr + result.stdout).decode(errors="replace").split())[:300]
            raise CommandNotStarted(
                f"can't enter {node} through a pod: {said or f'nsenter ended with {result.exit_code}'}",
                hint="the node's system needs a shell, the image (--node-shell-image) the program nsenter",
            )

    async def _delete(self, pod: Pod) -> None:
        """Delete a pod that is over, and wait until its name is free."""
        meta = pod.metadata
        watching = self._cluster.watch(
            PODS, namespace=meta.namespace, field_selector=f"metadata.name={meta.name}", type=Pod
        )
        async with watching as watch:
            try:
                await self._cluster.delete(
                    PODS, meta.name, namespace=meta.namespace, uid=meta.uid, grace_period_seconds=0
                )
            except (NotFound, Conflict):
                return
            if all(each.metadata.uid != meta.uid for each in watch.snapshot):
                return
            async for event in watch:
                if event.type == "DELETED" and event.object.metadata.uid == meta.uid:
                    return

    def _unstarted(self, node: str, reason: str) -> CommandNotStarted:
        hint = f"kubectl describe node {node} may tell more"
        if any(word in reason for word in _ABOUT_THE_IMAGE):
            hint = "--node-shell-image names another image, --node-shell-pull-secret a Secret for its registry"
        return CommandNotStarted(f"the pod for commands on {node} does not start: {reason}", hint=hint)

    def _refusal(self, error: ClusterError, *, node: str) -> CommandNotStarted:
        """Why the API server takes no such pod, and what helps."""
        namespace, hint = self._settings.namespace, error.hint
        if isinstance(error, Forbidden) and "PodSecurity" in error.message:
            label = "pod-security.kubernetes.io/enforce=privileged"
            hint = f"{_ELSEWHERE}; or: kubectl label namespace {namespace} --overwrite {label}"
        elif isinstance(error, Forbidden):
            hint = hint or _ELSEWHERE
        elif isinstance(error, NotFound):
            hint = f"kubectl create namespace {namespace}, or name another: --node-shell-namespace"
        what = f"the pod for commands on {node}" if node else "a pod for commands on machines"
        return CommandNotStarted(f"{what} is refused: {error.message}", hint=hint)


async def _connect(cluster: Client, settings: Mapping[str, str]) -> NodeShell:
    return NodeShell(cluster, ShellSettings.of(settings))


async def _recognizes(_cluster: Client) -> bool:
    return True


EXECUTOR = ExecutorType(name=NodeShell.name, connect=_connect, recognizes=_recognizes, last_resort=True)
