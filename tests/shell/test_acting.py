"""What stands between a destructive command and the cluster: it is shown, asked for, refused, and told."""

import asyncio

import pytest

from seatrial.by_hand.confirmation import confirmation_of
from seatrial.by_hand.halts import until_seen
from seatrial.engine.halt_mark import own_mark, set_mark
from seatrial.runtime.guardrails import Guardrails
from tests.shell.conftest import driven_shell

OWNER = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "owner-1"}
READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}


async def make_ready(control, *names):
    for name in names:
        await control.server.api.patch("pods", name, "default", {"status": READY}, subresource="status")


async def forbid_disruptions(control, **labels):
    """A PodDisruptionBudget of these pods that allows none."""
    spec = {"selector": {"matchLabels": labels}, "minAvailable": 3}
    body = {"metadata": {"name": "strict"}, "spec": spec}
    await control.server.api.create("poddisruptionbudgets.policy", body, "default")


def as_script(shell):
    shell.front.is_interactive = False


async def test_the_preview_names_what_is_hit_and_what_is_left(shell, control):
    """Before the question stand the pods that would be hit, what each owner has left, and which budgets break."""
    await control.create_pods("db-0", "db-1", "db-2", owner=OWNER, app="db")
    await make_ready(control, "db-0", "db-1", "db-2")
    await forbid_disruptions(control, app="db")
    await shell.do("kill db-0", "n")
    assert "would hit default/db-0 on no node" in shell.words
    assert "leaves StatefulSet/db in default: 2 of 3 Ready pods until it replaces 1" in shell.words
    assert "BREAKS PodDisruptionBudget default/strict allows 0, this makes 1" in shell.words
    assert shell.questions == ["kill default/db-0? [y/N] "]


@pytest.mark.parametrize("answer", ["", "n", "no", "yep", "Y e s", "db-0"])
async def test_without_a_yes_nothing_is_done(shell, control, answer):
    """Whatever is no yes means no, Enter above all; that nothing was done is said, and the code is 3."""
    await control.create_pods("db-0")
    assert await shell.do("kill db-0", answer) == 3
    assert await control.pod_names() == ["db-0"]
    assert shell.words.endswith("nothing was done")


@pytest.mark.parametrize("answer", ["y", "Y", "yes", "YES"])
async def test_a_yes_is_a_yes(shell, control, answer):
    """However it is written."""
    await control.create_pods("db-0")
    assert await shell.do("kill db-0", answer) == 0
    assert await control.pod_names() == []


async def test_with_yes_nobody_is_asked(shell, control):
    """`--yes` shows what is hit, and does it."""
    await control.create_pods("db-0")
    assert await shell.do("kill db-0 --yes") == 0
    assert "would hit default/db-0" in shell.words
    assert shell.questions == []


async def test_where_nothing_would_be_hit_there_is_no_question(shell, control):
    """A Deployment that has as many replicas already: nothing to do, said without asking, code 3."""
    await control.server.api.create(
        "deployments.apps", {"metadata": {"name": "web"}, "spec": _web(replicas=2)}, "default"
    )
    assert await shell.do("scale deployment/web 2") == 3
    assert shell.questions == []
    assert "nothing to do: nothing was done" in shell.errors


def _web(*, replicas):
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}}
    return {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template}


async def test_what_cannot_be_told_is_not_done(shell):
    """Where it can't be worked out what would be hit, nobody is asked to agree to it."""
    assert await shell.do("scale deployment/nowhere 2 --yes") == 3
    assert "it can't be told what would be hit" in shell.errors
    assert shell.questions == []


async def test_a_guardrail_refuses_and_its_flag_is_named(control, tmp_path):
    """What a guardrail refuses isn't asked for; what the shell would have to be started with is said."""
    await control.create_pods("a", "b")
    limits = Guardrails(most_pods=1)
    async with driven_shell(control.directory / "kubeconfig", tmp_path / "state", guardrails=limits) as shell:
        assert await shell.do("kill a b --yes") == 3
        assert "REFUSED maxPods: the step would hit 2 pods, at most 1 may be" in shell.words
        assert "refused: nothing was done" in shell.errors
        assert "Seatrial started with another --max-pods" in shell.errors
        assert shell.questions == []
    assert await control.pod_names() == ["a", "b"]


async def test_who_may_not_is_told_before(control, tmp_path):
    """Permissions that are missing are said instead of a question."""
    await control.create_pods("a")
    role = {
        "metadata": {"name": "look"},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}],
    }
    subject = {"kind": "User", "name": "looker", "apiGroup": "rbac.authorization.k8s.io"}
    reference = {"kind": "ClusterRole", "name": "look", "apiGroup": "rbac.authorization.k8s.io"}
    await control.server.api.create("clusterroles.rbac.authorization.k8s.io", role)
    binding = {"metadata": {"name": "look"}, "subjects": [subject], "roleRef": reference}
    await control.server.api.create("clusterrolebindings.rbac.authorization.k8s.io", binding)
    await (await control.connect_as("looker")).close()
    async with driven_shell(control.directory / "looker.kubeconfig", tmp_path / "state") as shell:
        assert await shell.do("kill a --yes") == 3
        assert "FORBIDDEN you may not delete pods in default" in shell.words
        assert "a permission is missing: nothing was done" in shell.errors


async def test_long_lists_are_cut_and_plan_shows_all(shell, control):
    """Of many pods a few are named, and how many more there are; `plan` names each."""
    names = [f"pod-{number:02}" for number in range(30)]
    await control.create_pods(*names)
    await shell.do(f"kill {' '.join(names)}", "n")
    assert "kill 30 pods? [y/N] " in shell.questions
    assert shell.words.count("would hit default/pod-") == 8
    assert "and 22 more: 'plan' with the command shows all" in shell.words
    shell.forget()
    assert await shell.do(f"plan kill {' '.join(names)}") == 0
    assert shell.words.count("would hit default/pod-") == 30
    assert (shell.questions, await control.pod_names()) == ([], names)


async def test_what_was_agreed_to_is_what_is_done(shell, control):
    """Where the pod was replaced under its name before the answer, that is said, and it is asked for once more."""
    await control.create_pods("db-0")
    ask, replaced = shell.front.ask, []

    async def ask_slowly(question):
        if not replaced:
            await control.server.api.delete("pods", "db-0", "default")
            replaced.extend(await control.create_pods("db-0"))
        return await ask(question)

    shell.front.ask = ask_slowly
    assert await shell.do("kill db-0", "y", "n") == 3
    assert "the cluster has changed meanwhile: it would hit something else" in shell.words
    assert len(shell.questions) == 2
    assert await control.pod_names() == ["db-0"]


async def test_a_script_is_not_asked_but_refused(shell, control):
    """Where nobody can answer, nothing is done without `--yes`; the hint says so."""
    await control.create_pods("a")
    as_script(shell)
    assert await shell.do("kill a") == 3
    assert shell.questions == []
    assert "nobody can be asked, so nothing was done" in shell.errors
    assert "add --yes" in shell.errors
    assert await shell.do("kill a --yes") == 0


class TestProduction:
    """Clusters that look like production: their name is said in full, each time."""

    @pytest.fixture
    async def production(self, control, tmp_path):
        """A shell on a cluster whose context is called so."""
        await control.create_pods("a", "b")
        kubeconfig, state = control.directory / "kubeconfig", tmp_path / "state"
        async with driven_shell(kubeconfig, state, context_name="EU-Prod-1", recovery_timeout_seconds=0.5) as shell:
            yield shell

    async def test_the_name_is_typed_in_full(self, production, control):
        """Neither y nor a part of it will do."""
        for answer in ("y", "prod", "eu-prod-1", ""):
            assert await production.do("kill a", answer) == 3
        assert production.questions[0] == "EU-Prod-1 is production. Type its name in full to kill default/a: "
        assert await production.do("kill a", "EU-Prod-1") == 0
        assert await control.pod_names() == ["b"]

    async def test_yes_does_not_stand_for_the_name(self, production, control):
        """`--yes` is typed too easily: a person is asked for the name all the same."""
        assert await production.do("kill a --yes", "y") == 3
        assert len(production.questions) == 1
        assert await control.pod_names() == ["a", "b"]

    async def test_a_script_needs_the_name_and_yes(self, production, control):
        """The shell's command line has the name; without it nothing is done, and the hint says how."""
        as_script(production)
        assert await production.do("kill a --yes") == 3
        assert "EU-Prod-1 is production: nothing was done" in production.errors
        assert "--production EU-Prod-1" in production.errors
        assert await control.pod_names() == ["a", "b"]

    @pytest.mark.parametrize(
        ("production", "yes", "code"), [("EU-Prod-1", " --yes", 0), ("EU-Prod-1", "", 3), ("eu-prod-1", " --yes", 3)]
    )
    async def test_with_the_name_a_script_may(self, control, tmp_path, production, yes, code):
        """Exactly the name, and `--yes` beside it."""
        await control.create_pods("a")
        kubeconfig, state = control.directory / "kubeconfig", tmp_path / "state"
        more = {"context_name": "EU-Prod-1", "production": production, "recovery_timeout_seconds": 0.5}
        async with driven_shell(kubeconfig, state, **more) as shell:
            as_script(shell)
            assert await shell.do(f"kill a{yes}") == code

    async def test_another_pattern_makes_others_production(self, control, tmp_path):
        """The pattern is a glob of whole names; the API server's host counts as well as the context."""
        await control.create_pods("a")
        kubeconfig, state = control.directory / "kubeconfig", tmp_path / "state"
        async with driven_shell(kubeconfig, state, production_pattern="127.0.0.*", context_name="harmless") as shell:
            assert await shell.do("kill a --yes", "no") == 3
            assert shell.questions == ["harmless is production. Type its name in full to kill default/a: "]

    @pytest.mark.parametrize(
        ("names", "is_production"),
        [
            ({"context_name": "eu-prod-1"}, True),
            ({"context_name": "admin", "cluster_name": "EU-Prod"}, True),
            ({"context_name": "admin", "server": "https://api.prod.example.com:6443"}, True),
            ({"context_name": "admin", "cluster_name": "staging", "server": "https://10.0.0.1/prod"}, False),
        ],
    )
    def test_it_is_known_by_context_cluster_or_server(self, names, is_production):
        """A context may be called anything: what the kubeconfig calls its cluster counts, and the server's host."""
        found = confirmation_of("kill a", production_pattern="*prod*", **names)
        assert found.name == (names["context_name"] if is_production else "")


async def test_while_experiments_are_halted_nothing_is_done(shell, control):
    """Who halted them and why is said, before anything is shown or asked, and how it goes on."""
    await control.create_pods("a")
    await set_mark(control.cluster, own_mark("incident 4711"), namespace="default")
    async with asyncio.timeout(30):
        await until_seen(shell.session.context, halted=True)
    assert await shell.do("kill a --yes") == 3
    assert "halted by" in shell.errors
    assert "incident 4711" in shell.errors
    assert "when the reason is gone: resume" in shell.errors
    assert (await control.pod_names(), shell.questions) == (["a"], [])


async def test_what_comes_of_it_is_written_before_the_command_ends(shell, control):
    """The account of what was done stands in its place: after the plan, before the next prompt."""
    await control.create_pods("a")
    await shell.do("kill a", "y")
    plan, killed = shell.shown.index("would hit"), shell.shown.index("killed")
    assert plan < killed


async def test_the_account_leaves_out_what_the_plan_has_said(shell, control):
    """No headings, steps or choices of a policy: what was killed, and the proof of it."""
    await control.create_pods("a")
    await shell.do("kill a", "y")
    labels = {line[1:13].strip() for line in shell.shown.splitlines() if line.startswith(" ")}
    assert labels - {""} == {"would", "would hit", "for good", "killed", "proven", "measured", "unmeasured"}


async def test_a_step_that_fails_fails_the_command(shell, unused_tcp_port):
    """A failed probe: code 1, with its reason."""
    assert await shell.do(f"probe tcp://127.0.0.1:{unused_tcp_port} --tries 2") == 1
    assert f"failed: TCP 127.0.0.1:{unused_tcp_port}: connection refused after 2 tries" in shell.words
