"""What was seen of the system under test: probes, goldpinger's graph, measurements, the steady state."""

from typing import Literal

from seatrial.runtime.events.event import Event


class ProbeSampled(Event, frozen=True, kw_only=True):
    """One look of a probe; `latency_ms` is None when no answer came, or when the way there hides how long it took.

    `via` names the way: `url`, `clusterIP`, `apiserver`, `portForward`, `tcp`, `dns`, `command`. `status` is that of an
    HTTP answer, `answer` another probe's in a few words. The times of a request's parts are None where they can't be
    seen: `connect_ms` until the connection stands (looking up the name included), `tls_ms` for the handshake,
    `first_byte_ms` from the beginning until the answer's head is there.

    A look that belongs to a sample taken beside the steps has in `probe` what the probe is called, and in
    `since_due_ms` how long it was from when the sample was due until this answer, tries before included.
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
    probe: str = ""
    since_due_ms: float | None = None


class MeshSampled(Event, frozen=True, kw_only=True):
    """One look at goldpinger's graph: of `pairs` calls between instances, those in `failed` did not succeed.

    Each failed pair reads `caller -> callee`. `error` tells why goldpinger itself could not be asked. `names` are those
    of the instances, and `calls_ms` how long each took to reach each: a row for each that calls, in their order, None
    where no call succeeded. Both are empty where there are more than 24 instances; log lines leave them out.
    """

    instances: int
    pairs: int
    failed: tuple[str, ...]
    slowest_ms: float | None
    error: str = ""
    names: tuple[str, ...] = ()
    calls_ms: tuple[tuple[float | None, ...], ...] = ()


class MeasurementTaken(Event, frozen=True, kw_only=True):
    """A named measurement, in seconds of the monotonic clock; `of` says what was measured.

    With `is_lower_bound` it had not come when nobody waited any more: it takes longer than that.
    """

    name: str
    of: str
    seconds: float
    is_lower_bound: bool = False


class MeasurementMissed(Event, frozen=True, kw_only=True):
    """A measurement can't be taken, and why: nothing is known of how long it took, not even that it was long."""

    name: str
    of: str
    reason: str


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


class SampleTaken(Event, frozen=True, kw_only=True):
    """One sample of a probe of the steady state while the steps ran, the `number`th probe from 0; its tries are one.

    `due` is Unix time, of when it was due; `latency_ms` is from then until the answer came, however late the sample
    began: None where none came. What could not be seen is `unseen`: nobody could look, or twenty samples before it
    were still waiting for an answer.
    """

    probe: str
    number: int
    result: Literal["ok", "failed", "unseen"]
    due: float
    latency_ms: float | None = None


class OutageSeen(Event, frozen=True, kw_only=True):
    """A stretch in which every sample of a probe of the steady state failed, told when it is over.

    `began` is Unix time, of when the first of them was due; `seconds` is from then until the first one that passed was
    due. One that `is_open` was not over when the steps were: it lasted so long up to the last sample that failed.
    """

    probe: str
    number: int
    began: float
    seconds: float
    is_open: bool = False


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
