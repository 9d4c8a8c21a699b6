"""What can be done with a pod beyond reading and writing it: eviction, commands, port-forwards, logs, and the like.

Part of `Client`, in a file of its own because only pods have these.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec

from seatrial.kube import errors
from seatrial.kube.exec import ExecResult, execute
from seatrial.kube.port_forward import PortForward, try_port
from seatrial.kube.resources import PODS
from seatrial.kube.transport import Transport

_MOST_LOG_BYTES = 1024 * 1024


class PodSubresources:
    """The methods of `Client` for the subresources of pods."""

    default_namespace: str
    _transport: Transport

    async def exec(
        self,
        name: str,
        *,
        command: Sequence[str],
        namespace: str | None = None,
        container: str | None = None,
        stdin: bytes = b"",
        timeout_seconds: float = 30.0,
    ) -> ExecResult:
        """Run a command in a container of a pod and wait for its end; there is no shell in between.

        Sent once. When the time is over the command may go on in its container. `stdin` needs Kubernetes 1.30.
        """
        return await execute(
            self._transport,
            self._pod_path(name, namespace, "exec"),
            command=command,
            container=container,
            stdin=stdin,
            timeout_seconds=timeout_seconds,
        )

    def port_forward(
        self, name: str, *, port: int, namespace: str | None = None
    ) -> AbstractAsyncContextManager[PortForward]:
        """A local port (`.host`, `.port`) that leads to a pod's for the length of an `async with` block.

        Nothing is sent before something connects to it.
        """
        return PortForward(self._transport, self._pod_path(name, namespace, "portforward"), port=port).listening()

    async def try_port(self, name: str, *, port: int, namespace: str | None = None, quiet_seconds: float = 0.5) -> None:
        """Connect to a pod's port and hang up; raises `PortUnreachable` when it refuses.

        Success isn't told by the protocol: a port that doesn't refuse for `quiet_seconds` counts as connected.
        """
        path = self._pod_path(name, namespace, "portforward")
        await try_port(self._transport, path, port=port, quiet_seconds=quiet_seconds)

    async def logs(
        self,
        name: str,
        *,
        namespace: str | None = None,
        container: str | None = None,
        previous: bool = False,
        tail_lines: int | None = None,
        since_seconds: int | None = None,
        most_bytes: int = _MOST_LOG_BYTES,
    ) -> str:
        """What a container has written, at most so many bytes of it from the beginning of what is asked for."""
        answer = await self._transport.request(
            "GET",
            self._pod_path(name, namespace, "log"),
            params={
                "container": container,
                "previous": previous or None,
                "tailLines": tail_lines,
                "sinceSeconds": since_seconds,
                "limitBytes": most_bytes,
            },
            headers={"Accept": "*/*"},
        )
        return answer.body.decode(errors="replace")

    def log_stream(
        self,
        name: str,
        *,
        namespace: str | None = None,
        container: str | None = None,
        previous: bool = False,
        follow: bool = False,
        tail_lines: int | None = None,
        since_seconds: int | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """What a container has written, all of it, in pieces as they come; with `follow` also what it goes on to write.

        That ends when the container does.
        """
        return self._transport.stream(
            self._pod_path(name, namespace, "log"),
            params={
                "container": container,
                "previous": previous or None,
                "follow": follow or None,
                "tailLines": tail_lines,
                "sinceSeconds": since_seconds,
            },
            headers={"Accept": "*/*"},
            silence_seconds=None if follow else self._transport.timeout_seconds,
        )

    async def ephemeral_container(
        self, name: str, container: Mapping[str, Any], *, namespace: str | None = None
    ) -> None:
        """Add an ephemeral container to a pod; it can't be taken away again, and has to have a name of its own."""
        await self._transport.request(
            "PATCH",
            self._pod_path(name, namespace, "ephemeralcontainers"),
            body=msgspec.json.encode({"spec": {"ephemeralContainers": [container]}}),
            headers={"Content-Type": "application/strategic-merge-patch+json"},
            # The list is merged by name: the same container is not added twice.
            repeatable=True,
        )

    async def evict(
        self,
        name: str,
        *,
        namespace: str | None = None,
        uid: str | None = None,
        grace_period_seconds: int | None = None,
        dry_run: bool = False,
    ) -> None:
        """Ask for a pod's eviction, which respects PodDisruptionBudgets.

        Raises:
            DisruptionBudgetBlocked: a budget forbids it at the moment.
        """
        options = {
            "preconditions": {"uid": uid} if uid else None,
            "gracePeriodSeconds": grace_period_seconds,
            "dryRun": ["All"] if dry_run else None,
        }
        where = namespace or self.default_namespace
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": where},
            "deleteOptions": {key: value for key, value in options.items() if value is not None},
        }
        try:
            await self._transport.request(
                "POST",
                PODS.path(where, name, "eviction"),
                body=msgspec.json.encode(eviction),
                repeatable=bool(uid) or dry_run,
            )
        except (errors.NotFound, errors.Conflict) as error:
            if not (uid and error.after_repeat):
                raise

    def _pod_path(self, name: str, namespace: str | None, subresource: str) -> str:
        return PODS.path(namespace or self.default_namespace, name, subresource)
