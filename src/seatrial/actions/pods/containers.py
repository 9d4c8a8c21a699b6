"""Which container of a pod an action is about."""

from seatrial.kube.objects import Container, ContainerStatus, Pod

_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


def chosen_container(pod: Pod, wanted: str | None) -> Container | None:
    """The container of that name, sidecars included; without a name the one that kubectl would take.

    That is the one that the annotation `kubectl.kubernetes.io/default-container` names, else the first.
    """
    name = wanted or (pod.metadata.annotations or {}).get(_DEFAULT_CONTAINER, "")
    sidecars = [each for each in pod.spec.init_containers if each.restart_policy == "Always"]
    for container in (*pod.spec.containers, *sidecars):
        if container.name == name:
            return container
    return None if wanted else next(iter(pod.spec.containers), None)


def status_of(pod: Pod, container: str) -> ContainerStatus | None:
    """What the kubelet reports about a container of the pod, ephemeral ones included."""
    status = pod.status
    every = (*status.container_statuses, *status.init_container_statuses, *status.ephemeral_container_statuses)
    return next((each for each in every if each.name == container), None)
