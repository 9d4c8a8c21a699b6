"""What a sandbox's main process is told when it is started: one JSON text on its command line.

Nothing in it is secret: command lines are for all to see.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from seatrial.sandbox.cluster_config import ClusterConfig
from seatrial.sandbox.disturbance import Disturbance
from seatrial.sandbox.timing import Timing


@dataclass(frozen=True, kw_only=True)
class Order:
    """A cluster to run, and the pipes to whoever ordered it.

    Args:
        config: the cluster.
        began: when the command was given, by the monotonic clock that all processes share.
        ready_fd: where to tell that it is ready, or failed.
        owner_fd: closes when the owner is gone, and the sandbox with it; None for one that outlives its owner.
    """

    config: ClusterConfig
    began: float
    ready_fd: int
    owner_fd: int | None

    def encode(self) -> str:
        """The text for the command line."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def decode(cls, text: str) -> "Order":
        """The order that a text holds."""
        fields = json.loads(text)
        config = fields.pop("config")
        config["directory"] = Path(config["directory"])
        config["images"] = {name: tuple(command) for name, command in config["images"].items()}
        config["disturbance"] = Disturbance(**config["disturbance"])
        config["timing"] = Timing.from_mapping(config["timing"])
        return cls(config=ClusterConfig(**config), **fields)
