"""What events call pods and nodes: enough to find them again, and to tell one from its successor."""

import msgspec


class PodRef(msgspec.Struct, frozen=True):
    """A pod as events name it."""

    namespace: str
    name: str
    uid: str
    node: str = ""
    owner: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class NodeRef(msgspec.Struct, frozen=True):
    """A node as events name it."""

    name: str
    uid: str
    zone: str = ""

    def __str__(self) -> str:
        return self.name
