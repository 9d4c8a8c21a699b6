"""The dashboard without a terminal: keys are pressed, and what stands on the screen is read; on clusters that are real.

`screen` works on an API server in this process, which has no controllers; `opened` on any other.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from seatrial.by_hand.live.cluster import LiveCluster
from seatrial.by_hand.session import HandSession
from seatrial.cli.hand_session import EMPTY_POLICY, hand_session
from seatrial.cli.session import SessionOptions
from seatrial.dashboard.app import Dashboard, DashboardSettings
from seatrial.engine.interrupts import Interrupts
from seatrial.runtime.events import Record
from seatrial.runtime.guardrails import Guardrails

PATIENCE_SECONDS = 30.0


class Seen:
    """A dashboard, the keys, and what is to be seen."""

    def __init__(self, app: Dashboard, pilot: Pilot, session: HandSession) -> None:
        self.app = app
        self.session = session
        self._pilot = pilot

    async def press(self, *keys: str) -> None:
        """Press keys, and see what they do at once."""
        await self._pilot.press(*keys)
        await self._pilot.pause()

    async def type(self, text: str) -> None:
        """Type a text."""
        await self.press(*("space" if each == " " else each for each in text))

    async def click(self, selector: str, offset: tuple[int, int]) -> None:
        """Click on a widget, so many columns and lines from its corner."""
        await self._pilot.click(selector, offset=offset)
        await self._pilot.pause()

    async def resize(self, columns: int, lines: int) -> None:
        """Make the window larger or smaller."""
        await self._pilot.resize_terminal(columns, lines)
        await self._pilot.pause()

    @property
    def rows(self) -> Sequence[str]:
        """The lines on the screen, without blanks at their ends."""
        lines = self.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in line).rstrip() for line in lines]

    @property
    def shown(self) -> str:
        """All of the screen."""
        return "\n".join(self.rows)

    @property
    def said(self) -> str:
        """What was notified."""
        return "\n".join(f"{each.title} {each.message}".strip() for each in self.app._notifications)

    def row(self, text: str) -> str:
        """The line that has a text."""
        return next((row for row in self.rows if text in row), "")

    async def until(self, what: str | Callable[[], object]) -> None:
        """Return when the screen or a notification says so, or a condition holds."""

        def is_there() -> bool:
            return bool(what()) if callable(what) else what in self.shown or what in self.said

        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not is_there():
                    await asyncio.sleep(0.02)
                    await self._pilot.pause()
        except TimeoutError:
            raise AssertionError(f"never seen: {what!r}; on the screen:\n{self.shown}\nsaid:\n{self.said}") from None


@asynccontextmanager
async def seen_dashboard(
    kubeconfig: Path,
    state: Path,
    *,
    size: tuple[int, int] = (80, 24),
    guardrails: Guardrails | None = None,
    recovery_timeout_seconds: float = 60,
    **settings: str,
) -> AsyncIterator[Seen]:
    """A dashboard on a cluster, with a session that is put together as the program does it."""
    screens: list[Dashboard] = []
    loop = asyncio.get_running_loop()

    def hear(record: Record) -> None:
        for app in screens:
            loop.call_soon_threadsafe(app.hear, record)

    options = SessionOptions(
        policy=EMPTY_POLICY,
        policy_name="by hand",
        kubeconfig=kubeconfig,
        seed=7,
        state_directory=state,
        guardrails=guardrails or Guardrails(),
        recovery_timeout_seconds=recovery_timeout_seconds,
    )
    async with (
        hand_session(options, [hear], Interrupts(), keeps=lambda: False) as session,
        LiveCluster(session.context.cluster) as live,
    ):
        app = Dashboard(session, live, DashboardSettings(**settings))
        screens.append(app)
        async with app.run_test(size=size, notifications=True) as pilot:
            seen = Seen(app, pilot, session)
            await seen.until(lambda: live.pods.is_ready or seen.said)
            yield seen
        screens.clear()


@pytest.fixture
def opened(tmp_path):
    """Opens dashboards whose journal is this test's."""

    def opened(kubeconfig: Path, **options):
        return seen_dashboard(kubeconfig, tmp_path / "state", **options)

    return opened


async def set_ready(control, name, *, is_ready):
    """Report a node as a kubelet would."""
    condition = {"type": "Ready", "status": "True" if is_ready else "Unknown"}
    status = {"conditions": [condition]}
    await control.server.api.patch("nodes", name, None, {"status": status}, subresource="status")


async def create_pod(control, name, *, node="", namespace="default", ready=True, owner="", **labels):
    """A pod that runs, as far as the API server was told."""
    meta = {"name": name, "labels": labels}
    if owner:
        by = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": "1", "controller": True}
        meta["ownerReferences"] = [by]
    spec = {"containers": [{"name": "c", "image": "busybox"}], "nodeName": node}
    await control.server.api.create("pods", {"metadata": meta, "spec": spec}, namespace)
    if node:
        container = {"name": "c", "ready": ready, "state": {"running": {}}, "restartCount": 0, "image": "busybox"}
        container |= {"imageID": "busybox"}
        conditions = [{"type": "Ready", "status": str(ready)}]
        status = {"phase": "Running", "conditions": conditions, "containerStatuses": [container]}
        await control.server.api.patch("pods", name, namespace, {"status": status}, subresource="status")


async def let_see(control, user, *resources):
    """Let somebody list and watch these, and nothing else; their kubeconfig is called like them."""
    rules = [{"apiGroups": [""], "resources": list(resources), "verbs": ["get", "list", "watch"]}]
    api, group = control.server.api, "rbac.authorization.k8s.io"
    await api.create(f"clusterroles.{group}", {"metadata": {"name": user}, "rules": rules}, None)
    binding = {
        "metadata": {"name": user},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": user},
        "subjects": [{"kind": "User", "name": user, "apiGroup": group}],
    }
    await api.create(f"clusterrolebindings.{group}", binding, None)
    client = await control.connect_as(user)
    await client.close()


@pytest.fixture
async def nodes(control):
    """Two nodes in the zone `east`, one in `west`, which are Ready and of which nobody hears again."""
    for name, zone in (("node-1", "east"), ("node-2", "east"), ("node-3", "west")):
        labels = {"topology.kubernetes.io/zone": zone}
        await control.server.api.create("nodes", {"metadata": {"name": name, "labels": labels}}, None)
        await set_ready(control, name, is_ready=True)


@pytest.fixture
async def screen(control, nodes, opened):
    """A dashboard on the API server of `control`, with those nodes."""
    async with opened(control.directory / "kubeconfig", recovery_timeout_seconds=0.5) as seen:
        yield seen
