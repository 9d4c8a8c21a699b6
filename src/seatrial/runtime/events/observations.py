"""What was seen of the system under test: probes, goldpinger's graph, measurements, the steady state."""

from seatrial.runtime.events.event import Event


class ProbeSampled(Event, frozen=True, kw_only=True):
    """One look of a probe; `latency_ms` is None when no answer came, or when the way there hides how long it took.

    `via` names the way: `url`, `clusterIP`, `apiserver`, `portForward`, `tcp`, `dns`, `command`. `status` is that of an
    HTTP answer, `answer` another probe's in a few words. The times of a request's parts are None where they can't be
    seen: `connect_ms` until the connection stands (looking up the name included), `tls_ms` for the handshake,
    `first_byte_ms` from the beginning until the answer's head is there.
    """

    target: str
    via: str
    ok: bool
    attempt: int
    status: int | None
    latency_ms: float | None
    error: str = ""
    answer: str = ""
    connect_ms: float | None = None
    tls_ms: float | None = None
    first_byte_ms: float | None = None


class MeshSampled(Event, frozen=True, kw_only=True):
    """One look at goldpinger's graph: of `pairs` calls between instances, those in `failed` did not succeed.

    Each failed pair reads `caller -> callee`. `error` tells why goldpinger itself could not be asked.
    """

    instances: int
    pairs: int
    failed: tuple[str, ...]
    slowest_ms: float | None
    error: str = ""


class MeasurementTaken(Event, frozen=True, kw_only=True):
    """A named measurement, in seconds of the monotonic clock; `of` says what was measured."""

    name: str
    of: str
    seconds: float


class SteadyStateHeld(Event, frozen=True, kw_only=True):
    """All probes of the steady state held, `before` the first step or `after` clean-up.

    `seconds` is how long that took: until all had been looked at, or until all held again.
    """

    moment: str
    probes: int
    seconds: float


class SteadyStateLost(Event, frozen=True, kw_only=True):
    """A probe of the steady state stopped holding while the steps ran, and why."""

    probe: str
    reason: str


class SteadyStateRegained(Event, frozen=True, kw_only=True):
    """A probe of the steady state holds again, after so many seconds."""

    probe: str
    seconds: float


class SteadyStateSampled(Event, frozen=True, kw_only=True):
    """What all samples of one probe came to while the steps ran; `unseen` ones could not be taken."""

    probe: str
    samples: int
    failed: int
    unseen: int
    longest_outage_seconds: float


class ExperimentAborted(Event, frozen=True, kw_only=True):
    """A condition of `abortWhen` is met: the experiment ends at once."""

    condition: str
    reason: str
