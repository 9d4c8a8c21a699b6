"""What events call pods and nodes: enough to find them again, and to tell one from its successor."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PodRef:
    """A pod as events name it."""

    namespace: str
    name: str
    uid: str
    node: str = ""
    owner: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class NodeRef:
    """A node as events name it."""

    name: str
    uid: str
    zone: str = ""

    def __str__(self) -> str:
        return self.name
