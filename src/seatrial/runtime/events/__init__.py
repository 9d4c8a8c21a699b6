"""What happens in a run, as small frozen records on one stream.

Logs, metrics, the terminal's account and the report are listeners on it; the engine knows none of them. `event` says
what an event is and `stream` how it gets to its listeners; the events themselves stand in a module for each topic.

    Preparing ─ RunStarted ─ FailureAwaited ─ RoundStarted ─ FailureStruck ─ ScenarioStarted ─ StepStarted
    ─ TargetsMatched ─ TargetsFiltered
    ─ TargetsChosen | NodesChosen
    ─ ReplacementForeseen | ScalingGroupSuspended ─ ScalingGroupResumed
    ─ MachineStopped | MachineStopFailed | MachineSkipped ─ MachineStarted ─ MachineRebooted
    ─ MachinePaused ─ MachineDeleted
    ─ CommandOutput ─ CommandExecuted ─ ProcessesSignalled ─ ServiceStopped ─ ServiceStarted
    ─ StressStarted ─ NodeCordoned ─ NodeUncordoned ─ NodeTainted ─ PodEvicted | EvictionBlocked | EvictionSkipped
    ─ PodCommandExecuted ─ ContainerSignalled ─ ContainerRestarted
    ─ PodKilled | PodKillSkipped | PodSpared ─ PodRecovered | RecoveryMissed ─ ProbeSampled ─ MeshSampled
    ─ ObjectApplied
    ─ GuardrailHeld ─ FaultProven ─ FaultCleared ─ ProofMissing ─ MeasurementTaken | MeasurementMissed
    ─ SampleTaken ─ OutageSeen
    ─ StepFinished ─ UndoWritten ─ UndoRetried ─ UndoDone | UndoFailed ─ ScenarioFinished ─ ObjectiveJudged
    ─ NotificationSent | NotificationFailed
    ─ PauseStarted ─ ScheduleMissed ─ PolicyReloaded | PolicyRejected
    ─ StopRequested | RunHalted | HaltUnreadable ─ FailuresCounted ─ RunFinished
    ─ EarlierRunFound (what a dead run left behind is undone)
    ─ ChangesKept (a session by hand leaves on purpose what it changed)
"""

from seatrial.runtime.events.changes import AlertsMuted, ObjectApplied, ObjectDeleted
from seatrial.runtime.events.clean_up import (
    ChangesKept,
    EarlierRunFound,
    UndoDone,
    UndoFailed,
    UndoRetried,
    UndoWritten,
)
from seatrial.runtime.events.event import Event, Record, Where
from seatrial.runtime.events.evidence import FaultCleared, FaultProven, ProofMissing
from seatrial.runtime.events.failures import FailureAwaited, FailuresCounted, FailureStruck
from seatrial.runtime.events.machines import (
    CommandExecuted,
    CommandOutput,
    MachineDeleted,
    MachinePaused,
    MachineRebooted,
    MachineSkipped,
    MachineStarted,
    MachineStopFailed,
    MachineStopped,
    MoveMissed,
    NodeCordoned,
    NodeTainted,
    NodeUncordoned,
    PodMoved,
    ProcessesSignalled,
    ReplacementForeseen,
    ScalingGroupResumed,
    ScalingGroupSuspended,
    ServiceStarted,
    ServiceStopped,
    StressStarted,
)
from seatrial.runtime.events.notifications import NotificationFailed, NotificationSent
from seatrial.runtime.events.objectives import BudgetState, ObjectiveJudged, ObjectiveStatus
from seatrial.runtime.events.observations import (
    ExperimentAborted,
    MeasurementMissed,
    MeasurementTaken,
    MeshSampled,
    OutageSeen,
    ProbeSampled,
    SampleTaken,
    SteadyStateHeld,
    SteadyStateLost,
    SteadyStateRegained,
    SteadyStateSampled,
)
from seatrial.runtime.events.pod_faults import (
    ContainerRestarted,
    ContainerSignalled,
    EvictionBlocked,
    EvictionSkipped,
    PodCommandExecuted,
    PodEvicted,
    PodKilled,
    PodKillSkipped,
    PodRecovered,
    PodSpared,
    RecoveryMissed,
    TimerArmed,
)
from seatrial.runtime.events.references import NodeRef, PodRef
from seatrial.runtime.events.run import (
    HaltUnreadable,
    PauseStarted,
    PolicyRejected,
    PolicyReloaded,
    Preparing,
    RoundStarted,
    RunFinished,
    RunHalted,
    RunStarted,
    ScenarioFinished,
    ScenarioStarted,
    ScheduleMissed,
    StepFinished,
    StepStarted,
    StopRequested,
)
from seatrial.runtime.events.stream import EventStream, Listener
from seatrial.runtime.events.targets import GuardrailHeld, NodesChosen, TargetsChosen, TargetsFiltered, TargetsMatched

__all__ = [
    "AlertsMuted",
    "BudgetState",
    "ChangesKept",
    "CommandExecuted",
    "CommandOutput",
    "ContainerRestarted",
    "ContainerSignalled",
    "EarlierRunFound",
    "Event",
    "EventStream",
    "EvictionBlocked",
    "EvictionSkipped",
    "ExperimentAborted",
    "FailureAwaited",
    "FailureStruck",
    "FailuresCounted",
    "FaultCleared",
    "FaultProven",
    "GuardrailHeld",
    "HaltUnreadable",
    "Listener",
    "MachineDeleted",
    "MachinePaused",
    "MachineRebooted",
    "MachineSkipped",
    "MachineStarted",
    "MachineStopFailed",
    "MachineStopped",
    "MeasurementMissed",
    "MeasurementTaken",
    "MeshSampled",
    "MoveMissed",
    "NodeCordoned",
    "NodeRef",
    "NodeTainted",
    "NodeUncordoned",
    "NodesChosen",
    "NotificationFailed",
    "NotificationSent",
    "ObjectApplied",
    "ObjectDeleted",
    "ObjectiveJudged",
    "ObjectiveStatus",
    "OutageSeen",
    "PauseStarted",
    "PodCommandExecuted",
    "PodEvicted",
    "PodKillSkipped",
    "PodKilled",
    "PodMoved",
    "PodRecovered",
    "PodRef",
    "PodSpared",
    "PolicyRejected",
    "PolicyReloaded",
    "Preparing",
    "ProbeSampled",
    "ProcessesSignalled",
    "ProofMissing",
    "Record",
    "RecoveryMissed",
    "ReplacementForeseen",
    "RoundStarted",
    "RunFinished",
    "RunHalted",
    "RunStarted",
    "SampleTaken",
    "ScalingGroupResumed",
    "ScalingGroupSuspended",
    "ScenarioFinished",
    "ScenarioStarted",
    "ScheduleMissed",
    "ServiceStarted",
    "ServiceStopped",
    "SteadyStateHeld",
    "SteadyStateLost",
    "SteadyStateRegained",
    "SteadyStateSampled",
    "StepFinished",
    "StepStarted",
    "StopRequested",
    "StressStarted",
    "TargetsChosen",
    "TargetsFiltered",
    "TargetsMatched",
    "TimerArmed",
    "UndoDone",
    "UndoFailed",
    "UndoRetried",
    "UndoWritten",
    "Where",
]
