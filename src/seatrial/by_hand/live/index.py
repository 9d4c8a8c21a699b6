"""Objects by namespace and name, in order at any time: a change costs a binary search, nothing is sorted."""

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Generic, TypeVar

from seatrial.kube.reduction import Reduced

T = TypeVar("T", bound=Reduced)


class Index(Generic[T]):
    """What is known of a kind."""

    def __init__(self) -> None:
        self._spaces: dict[str, dict[str, T]] = {}
        self._names: dict[str, list[str]] = {}
        self._full_names: list[str] | None = None

    def put(self, item: T) -> T | None:
        """Take an object; answers the state of it that was known before."""
        space = self._spaces.setdefault(item.namespace, {})
        earlier = space.get(item.name)
        space[item.name] = item
        if earlier is None:
            insort(self._names.setdefault(item.namespace, []), item.name)
            self._full_names = None
        return earlier

    def remove(self, item: T) -> T | None:
        """Drop an object, unless another of its name has taken its place; answers what was known of it."""
        space = self._spaces.get(item.namespace, {})
        known = space.get(item.name)
        if known is None or known.uid != item.uid:
            return None
        del space[item.name]
        names = self._names[item.namespace]
        del names[bisect_left(names, item.name)]
        if not names:
            del self._spaces[item.namespace], self._names[item.namespace]
        self._full_names = None
        return known

    def all(self) -> Sequence[T]:
        """All objects, by namespace and name."""
        return [self._spaces[space][name] for space in sorted(self._spaces) for name in self._names[space]]

    def in_namespace(self, namespace: str) -> Sequence[T]:
        """The objects of a namespace, by name."""
        space = self._spaces.get(namespace, {})
        return [space[name] for name in self._names.get(namespace, ())]

    def get(self, namespace: str, name: str) -> T | None:
        """The object of that name."""
        return self._spaces.get(namespace, {}).get(name)

    def names(self, namespace: str = "") -> Sequence[str]:
        """The names in a namespace, in order; without one all, as `NAMESPACE/NAME` where there are namespaces."""
        if namespace or "" in self._names:
            return tuple(self._names.get(namespace, ()))
        if self._full_names is None:
            self._full_names = sorted(f"{space}/{name}" for space, names in self._names.items() for name in names)
        return tuple(self._full_names)

    def __len__(self) -> int:
        return sum(map(len, self._names.values()))
