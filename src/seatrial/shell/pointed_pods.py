"""The pods that a person points at: by their numbers in the last list, or by name, with or without a namespace."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from seatrial.by_hand.list_numbers import number_in
from seatrial.errors import UsageError
from seatrial.shell.shell import Shell

if TYPE_CHECKING:
    from seatrial.kube.objects import Pod

_AT_ONCE = 20
_MOST_NAMED = 3


class _Pointed(NamedTuple):
    """A pod by its namespace and name, and the word that points at it: a number of the last list, maybe."""

    namespace: str
    name: str
    word: str
    number: int | None

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


async def pointed_pods(words: Sequence[str], shell: Shell) -> "Sequence[Pod]":
    """The pods as they are at this moment, in the order of the words, each once.

    Raises:
        UsageError: a number isn't in the last list, there is no such pod (any more), or a name may mean several.
        ClusterError: the API server did not answer.
    """
    from seatrial.actions.parallel import in_parallel
    from seatrial.kube.errors import NotFound
    from seatrial.kube.objects import Pod
    from seatrial.kube.resources import PODS

    cluster = shell.session.context.cluster

    async def read(pointed: _Pointed) -> Pod:
        listed = f", number {pointed.word} of the last list," if pointed.number else ""
        try:
            pod = await cluster.get(PODS, pointed.name, namespace=pointed.namespace, type=Pod)
        except NotFound:
            hint = _elsewhere(pointed.name, shell) or f"'pods {pointed.namespace}' lists those there are"
            any_more = f"{listed} any more" if listed else ""
            raise UsageError(f"there is no pod {pointed}{any_more}", hint=hint) from None
        if _is_another(pointed, pod, shell):
            raise UsageError(
                f"pod {pointed}{listed} is gone: another has its name",
                hint=f"'pods {pointed.namespace}' lists those there are",
            )
        _refuse_doubt(pointed, shell)
        return pod

    named: dict[str, _Pointed] = {}
    for pointed in (_pointed(word, shell) for word in words):
        named.setdefault(str(pointed), pointed)
    return await in_parallel([*named.values()], read, most=_AT_ONCE)


async def those_to_end(words: Sequence[str], shell: Shell, *, force: bool = False) -> "Sequence[Pod]":
    """The pods that there is something of to end; of the others it is said why they are left out.

    Raises:
        UsageError: as `pointed_pods`; and where no pod was named.
        ClusterError: likewise.
    """
    from seatrial.by_hand.pod_orders import why_left_out

    if not words:
        raise UsageError("which pods? their numbers in the last list, or their names")
    ended = []
    for pod in await pointed_pods(words, shell):
        if why := why_left_out(pod, shell.session.context.identity, force=force):
            shell.output.line(f"{pod.metadata.namespace}/{pod.metadata.name} is left out: {why}", "yellow")
        else:
            ended.append(pod)
    return ended


def _elsewhere(name: str, shell: Shell) -> str:
    """Where there is a pod of that name, as far as the live view knows: it is not hit by its bare name."""
    found = [each for each in shell.live.pods.names() if each.endswith(f"/{name}")]
    return f"there is {' and '.join(found[:_MOST_NAMED])}" if found else ""


def _is_another(pointed: _Pointed, pod: "Pod", shell: Shell) -> bool:
    """Whether a number means a pod whose name another one has by now, as the pods of StatefulSets do."""
    listed = shell.listed_pods
    return bool(pointed.number and listed and listed.pods[pointed.number - 1].uid != pod.metadata.uid)


def _refuse_doubt(pointed: _Pointed, shell: Shell) -> None:
    """A bare name means the shell's namespace; who looks at a list may mean the pod of that name that it shows."""
    if pointed.number or pointed.word != pointed.name:
        return
    shown = [f"{space}/{name}" for space, name in shell.numbered_pods if name == pointed.name]
    if others := [each for each in shown if each != str(pointed)]:
        both = " or ".join([str(pointed), *others[:_MOST_NAMED]])
        raise UsageError(f"{pointed.name} may be {both}", hint="say which, with its namespace or by its number")


def _pointed(word: str, shell: Shell) -> _Pointed:
    number = number_in(word)
    if number is not None:
        if not 1 <= number <= len(shell.numbered_pods):
            many = len(shell.numbered_pods)
            listed = f"the last list has {many}" if many else "no pods were listed so far"
            raise UsageError(f"there is no pod number {word}: {listed}", hint="'pods' lists and numbers them")
        return _Pointed(*shell.numbered_pods[number - 1], word, number)
    namespace, slash, name = word.rpartition("/")
    if not name or (slash and not namespace):
        raise UsageError(f"{word!r} names no pod", hint="a pod is named NAME or NAMESPACE/NAME")
    return _Pointed(namespace or shell.namespace, name, word, number)
