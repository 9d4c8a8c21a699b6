"""READY, STATUS and RESTARTS of a pod as `kubectl get pods` prints them.

A pod's phase says little: a crashing pod is Running, a deleted one too. What people call its state is what kubectl
prints, which the API server works out from conditions and container states. The steps below are
the server's, in its order; its answers for 63 pods are in the tests.
"""

from seatrial.kube.objects import Container, ContainerStatus, Pod


def printed_status(pod: Pod) -> str:
    """The STATUS column: `Running`, `Terminating`, `CrashLoopBackOff`, `Init:0/2`, ..."""
    status = pod.status.reason or pod.status.phase
    scheduled = pod.condition("PodScheduled")
    if scheduled is not None and scheduled.reason == "SchedulingGated":
        status = "SchedulingGated"
    init = _init_status(pod)
    if init is None or _is_initialized(pod):
        status = _container_status(pod) or init or status
        if status == "Completed" and any(_is_running_ready(c) for c in pod.status.container_statuses):
            status = "Running" if pod.is_ready else "NotReady"
    else:
        status = init
    return _terminating_status(pod, status)


def printed_ready(pod: Pod) -> str:
    """The READY column: `1/2`, counting containers and sidecars."""
    sidecars = _sidecars(pod)
    done, current = _init_progress(pod)
    ready = sum(c.ready for c in done if c.name in sidecars and c.state.terminated is None)
    if current is None or _is_initialized(pod):
        ready += sum(_is_running_ready(c) for c in pod.status.container_statuses)
    return f"{ready}/{len(pod.spec.containers) + len(sidecars)}"


def restart_count(pod: Pod) -> int:
    """The number in the RESTARTS column: init containers' while these are at work, then all others'."""
    done, current = _init_progress(pod)
    if current is not None and not _is_initialized(pod):
        return current.restart_count + sum(c.restart_count for c in done)
    sidecars = _sidecars(pod)
    of_sidecars = sum(c.restart_count for c in done if c.name in sidecars)
    return of_sidecars + sum(c.restart_count for c in pod.status.container_statuses)


def _init_progress(pod: Pod) -> tuple[list[ContainerStatus], ContainerStatus | None]:
    """The init containers that are done or serve as sidecars, and the first that isn't so far."""
    sidecars = _sidecars(pod)
    done: list[ContainerStatus] = []
    for container in pod.status.init_container_statuses:
        ended = container.state.terminated is not None and container.state.terminated.exit_code == 0
        if not ended and not (container.name in sidecars and container.started):
            return done, container
        done.append(container)
    return done, None


def _init_status(pod: Pod) -> str | None:
    """What the first init container that isn't done has to say; None when all are done."""
    done, current = _init_progress(pod)
    if current is None:
        return None
    return f"Init:{_reason(current) or f'{len(done)}/{len(pod.spec.init_containers)}'}"


def _reason(container: ContainerStatus) -> str:
    waiting, terminated = container.state.waiting, container.state.terminated
    if terminated:
        return _end(container)
    return waiting.reason if waiting and waiting.reason != "PodInitializing" else ""


def _end(container: ContainerStatus) -> str:
    terminated = container.state.terminated
    if terminated is None:
        return ""
    if terminated.reason:
        return terminated.reason
    return f"Signal:{terminated.signal}" if terminated.signal else f"ExitCode:{terminated.exit_code}"


def _container_status(pod: Pod) -> str:
    """The first container in the list with something to say wins."""
    for container in pod.status.container_statuses:
        waiting = container.state.waiting
        if waiting and waiting.reason:
            return waiting.reason
        if container.state.terminated:
            return _end(container)
    return ""


def _terminating_status(pod: Pod, status: str) -> str:
    if not pod.is_terminating:
        return status
    if pod.status.reason == "NodeLost":
        return "Unknown"
    return status if pod.is_finished else "Terminating"


def _sidecars(pod: Pod) -> frozenset[str]:
    return frozenset(c.name for c in pod.spec.init_containers if _is_sidecar(c))


def _is_sidecar(container: Container) -> bool:
    return container.restart_policy == "Always"


def _is_initialized(pod: Pod) -> bool:
    initialized = pod.condition("Initialized")
    return initialized is not None and initialized.is_true


def _is_running_ready(container: ContainerStatus) -> bool:
    return container.ready and container.state.running is not None
