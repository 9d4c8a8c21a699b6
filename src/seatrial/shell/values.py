"""What arguments of the shell's commands are, as `type=` of arguments and options: the types that complete."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from seatrial.by_hand.list_numbers import number_in
from seatrial.shell.live_value import Asked, LiveValue, described
from seatrial.shell.matching import MOST, matching
from seatrial.shell.nodes_value import NodesValue
from seatrial.shell.selector_value import SelectorValue

if TYPE_CHECKING:
    from seatrial.by_hand.live.kind import LiveKind

_HTTP_PORT = 80


class NamesValue(LiveValue):
    """The name of an object of a kind: of the line's namespace, or `NAMESPACE/NAME`."""

    def __init__(self, kind: str, *, prefix: str = "") -> None:
        """`kind` is an attribute of `LiveCluster`; `prefix` stands before each name, as in `deployment/web`."""
        self.name = kind.removesuffix("s").replace("_", " ")
        self._kind = kind
        self._prefix = prefix

    def candidates(self, asked: Asked, part: str) -> Iterable[CompletionItem]:
        """Names in the namespace; in others, once something is typed."""
        kind = asked.opened(self._kind)
        for namespace, name, text in _named(kind, part, asked.namespace):
            if text not in asked.given:
                yield CompletionItem(self._prefix + text, help=described(kind.get(namespace, name), asked))


class NamespaceValue(LiveValue):
    """A namespace."""

    name = "namespace"

    def candidates(self, asked: Asked, part: str) -> Iterable[CompletionItem]:
        """The namespaces; where they may not be listed, the one that one is in."""
        kind = asked.opened("namespaces")
        names = kind.names() if kind.is_ready else (asked.shell.namespace,)
        for name in matching(names, part):
            yield CompletionItem(name, help=described(kind.get("", name), asked))


class PodValue(LiveValue):
    """A pod: its number in the last list, its name in the shell's namespace, or `NAMESPACE/NAME`."""

    name = "pod"

    def candidates(self, asked: Asked, part: str) -> Iterable[CompletionItem]:
        """Numbers while there is nothing but a number, then names."""
        kind = asked.opened("pods")
        taken = {_pod(word, asked) for word in asked.given}
        if not part or number_in(part) is not None:
            for number, (namespace, name) in enumerate(asked.shell.numbered_pods, start=1):
                if str(number).startswith(part) and (namespace, name) not in taken:
                    pod = kind.get(namespace, name)
                    state = described(pod, asked) if pod else "gone"
                    yield CompletionItem(str(number), help=f"{name}  {state}")
        for namespace, name, text in _named(kind, part, asked.namespace):
            if (namespace, name) not in taken:
                yield CompletionItem(text, help=described(kind.get(namespace, name), asked))


class ContainerValue(LiveValue):
    """A container of the pod that the line names, or of the pods of its namespace."""

    name = "container"

    def candidates(self, asked: Asked, part: str) -> Iterable[CompletionItem]:
        """The containers' names, with their images."""
        kind = asked.opened("pods")
        found = [kind.get(*_pod(word, asked)) for word in asked.words_of(PodValue)]
        pods = [pod for pod in found if pod is not None] or kind.in_namespace(asked.namespace)
        images = {name: image for pod in pods for name, image in zip(pod.containers, pod.images, strict=True)}
        for name in matching(sorted(images), part):
            yield CompletionItem(name, help=images[name])


class WorkloadValue(LiveValue):
    """A workload as `KIND/NAME`, such as `deployment/web`."""

    name = "workload"

    def __init__(self, *kinds: str) -> None:
        """`kinds` are attributes of `LiveCluster`."""
        self._kinds = {kind.removesuffix("s").replace("_", ""): kind for kind in kinds}

    def candidates(self, asked: Asked, part: str) -> Iterable[CompletionItem]:
        """Each kind's names; a name without a kind is found as well."""
        word, slash, rest = part.partition("/")
        for word_of_kind, kind in self._kinds.items():
            if slash and word != word_of_kind:
                continue
            typed = rest if slash else "" if word_of_kind.startswith(word) else word
            yield from NamesValue(kind, prefix=f"{word_of_kind}/").candidates(asked, typed)


class ServiceAddressValue(LiveValue):
    """Where a Service is reached, as in the cluster's DNS: `web`, `cart.shop:8080`."""

    name = "service address"

    def candidates(self, asked: Asked, part: str) -> Iterable[CompletionItem]:
        """Each TCP port of each Service; port 80 goes without saying."""
        found: dict[str, str] = {}
        for service in asked.opened("services").all():
            host = service.name if service.namespace == asked.namespace else f"{service.name}.{service.namespace}"
            for port in service.ports:
                if port.protocol == "TCP":
                    address = host if port.port == _HTTP_PORT else f"{host}:{port.port}"
                    found[address] = "  ".join(filter(None, (service.type, port.name)))
        for address in matching(sorted(found), part):
            yield CompletionItem(address, help=found[address])


class KindValue(click.Choice[str]):
    """A kind of objects that the live view has, in the plural or the singular."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The plural."""
        plural = f"{value}s"
        return super().convert(plural if plural in self.choices else value, param, ctx)


NAMESPACE = NamespaceValue()
POD = PodValue()
NODES = NodesValue()
DEPLOYMENT = NamesValue("deployments")
SERVICE = NamesValue("services")
SCALABLE = WorkloadValue("deployments", "stateful_sets", "replica_sets")
SERVICE_ADDRESS = ServiceAddressValue()
SELECTOR = SelectorValue()
CONTAINER = ContainerValue()
KIND = KindValue(
    [
        "nodes", "namespaces", "pods", "deployments", "statefulsets", "daemonsets", "replicasets", "jobs", "services",
        "events",
    ]
)  # fmt: skip
# A terminal's prompt completes paths itself.
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _named(kind: "LiveKind[Any]", part: str, namespace: str) -> Iterable[tuple[str, str, str]]:
    """Namespace, name, and what to type for it: names alone in this namespace, in others with theirs."""
    space, slash, name = part.partition("/")
    if slash:
        for found in matching(kind.names(space), name):
            yield space, found, f"{space}/{found}"
        return
    ours = matching(kind.names(namespace), part)
    for found in ours:
        yield namespace, found, found
    if part and len(ours) < MOST:
        for full in matching(kind.names(), part):
            space, _, found = full.rpartition("/")
            if space and space != namespace:
                yield space, found, full


def _pod(word: str, asked: Asked) -> tuple[str, str]:
    """Namespace and name of a pod, as far as a word says them."""
    numbered = asked.shell.numbered_pods
    number = number_in(word)
    if number is not None and 1 <= number <= len(numbered):
        return numbered[number - 1]
    namespace, _, name = word.rpartition("/")
    return namespace or asked.namespace, name
