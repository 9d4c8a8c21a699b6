"""`run`: a whole policy from within the shell, beside what was done by hand."""

import asyncio

import pytest

from seatrial.by_hand.halts import until_seen
from seatrial.engine.halt_mark import own_mark, set_mark
from seatrial.kube.resources import DEPLOYMENTS
from seatrial.runtime.guardrails import Guardrails
from tests.shell.conftest import driven_shell
from tests.shell.policies import KILL_ONE

SCALES_AND_WAITS = """
config: {runStrategy: {runs: 1}}
scenarios:
- name: waits
  steps:
  - scale: {target: {deployment: {name: goldpinger, namespace: default}}, replicas: 4}
  - wait: {seconds: 600}
"""


@pytest.fixture
def policy(tmp_path):
    """Writes a policy, and answers its path."""

    def write(text):
        path = tmp_path / "policy.yml"
        path.write_text(text)
        return path

    return write


async def replicas(shell):
    found = await shell.session.context.cluster.get(DEPLOYMENTS, "goldpinger", namespace="default")
    return found["spec"]["replicas"]


async def until_scaled(shell):
    """Return when the policy's first step has done its work."""
    cluster = shell.session.context.cluster
    async with asyncio.timeout(60), cluster.watch(DEPLOYMENTS, namespace="default") as watch:
        [now] = watch.snapshot
        while now["spec"]["replicas"] != 4:
            now = (await anext(watch)).object


async def test_the_plan_is_shown_and_asked_for(shell, control, policy):
    """Without a yes nothing is run."""
    await control.create_pods("a", "b", app="web")
    path = policy(KILL_ONE)
    assert await shell.do(f"run {path}", "n") == 3
    assert "matched 2 pods, 1 chosen" in shell.words
    assert shell.questions == [f"run {path}? [y/N] "]
    assert await control.pod_names() == ["a", "b"]


async def test_a_policy_without_an_end_is_said_to_be_one(shell, control, policy):
    """Who is asked knows that it goes on until somebody stops it."""
    path = policy(KILL_ONE.replace(", runStrategy: {runs: 1}", ""))
    assert await shell.do(f"run {path}", "n") == 3
    assert shell.questions == [f"run {path}, round after round until it is stopped? [y/N] "]


async def test_it_is_run_with_the_account_and_the_verdict_of_autonomous(shell, control, policy):
    """What happens is told as it does, the summary at the end, the verdict is the exit code."""
    await control.create_pods("a", "b", app="web")
    assert await shell.do(f"run {policy(KILL_ONE)}", "y") == 0
    assert len(await control.pod_names()) == 1
    for words in ("1/1 podAction", "killed default/", "verdict PASSED", "1 round in", "seed 7"):
        assert words in shell.words
    assert shell.session.deeds == []


async def test_what_it_hits_is_what_the_plan_showed(shell, control, policy):
    """The same seed, the same victims; another seed may be given."""
    await control.create_pods(*(f"pod-{number}" for number in range(8)), app="web")
    path = policy(KILL_ONE)
    await shell.do(f"plan --seed 11 {path}")
    hit = shell.words.split("would hit default/")[1].split()[0]
    assert await shell.do(f"run {path} --seed 11 --yes") == 0
    assert hit not in await control.pod_names()


async def test_a_failed_policy_fails_the_command(shell, policy, unused_tcp_port):
    """Code 1; the shell goes on."""
    probe = f"probeTCP: {{target: {{address: {{host: 127.0.0.1, port: {unused_tcp_port}}}}}, retries: 1}}"
    text = f"config: {{runStrategy: {{runs: 1}}}}\nscenarios:\n- name: fails\n  steps:\n  - {probe}\n"
    assert await shell.do(f"run {policy(text)} --yes") == 1
    assert "verdict FAILED" in shell.words
    assert await shell.do("pods") == 0


async def test_an_invalid_policy_is_wrong_usage(shell, policy):
    """Nothing is run of it."""
    assert await shell.do(f"run {policy('scenarios: [{name: x}]')} --yes") == 2
    assert "is not valid" in shell.errors or "problem" in shell.errors


async def test_the_shells_guardrails_hold_for_policies(control, tmp_path, policy):
    """The stricter of both: what the shell was started with refuses a step of the policy, and the verdict says so."""
    await control.create_pods("a", "b", app="web")
    kubeconfig = control.directory / "kubeconfig"
    async with driven_shell(kubeconfig, tmp_path / "state", guardrails=Guardrails(most_pods=0)) as shell:
        assert await shell.do(f"run {policy(KILL_ONE)} --yes") == 3
        assert "what is marked above would be refused" in shell.words
        assert "maxPods" in shell.words
    assert await control.pod_names() == ["a", "b"]


async def test_a_cancelled_run_is_cleaned_up_and_the_shell_goes_on(sandbox_shell, policy):
    """Ctrl-C: what it changed is as before when the command ends, its verdict is shown, and the shell goes on."""
    shell = sandbox_shell
    running = asyncio.create_task(shell.do(f"run {policy(SCALES_AND_WAITS)} --yes"))
    await until_scaled(shell)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await replicas(shell) == 3
    assert "SIGINT: stopping and cleaning up" in shell.words
    assert "verdict INCONCLUSIVE stopped by SIGINT in round 1" in shell.words
    assert await shell.do("pods") == 0


async def test_a_halt_ends_it(sandbox_shell, policy):
    """Whoever halts experiments ends this one, too, with its clean-up."""
    shell = sandbox_shell
    running = asyncio.create_task(shell.do(f"run {policy(SCALES_AND_WAITS)} --yes"))
    await until_scaled(shell)
    await set_mark(shell.session.context.cluster, own_mark("incident 4711"), namespace="default")
    assert await running == 3
    assert await replicas(shell) == 3
    assert shell.words.count("incident 4711: cleaning up") == 1
    assert "verdict INCONCLUSIVE halted by" in shell.words
    assert await shell.do("resume --yes") == 0


async def test_a_halt_before_the_answer_is_obeyed(shell, control, policy):
    """Whoever says yes to what may not be done any more is refused, and nothing is begun."""
    await control.create_pods("a", app="web")
    ask = shell.front.ask

    async def ask_while_halting(question):
        await set_mark(control.cluster, own_mark("incident 4711"), namespace="default")
        async with asyncio.timeout(30):
            await until_seen(shell.session.context, halted=True)
        return await ask(question)

    shell.front.ask = ask_while_halting
    assert await shell.do(f"run {policy(KILL_ONE)}", "y") == 3
    assert "halted by" in shell.errors
    assert "verdict" not in shell.words
    assert await control.pod_names() == ["a"]


async def test_while_halted_it_is_refused(shell, control, policy):
    """Before the plan is worked out."""
    assert await shell.do("halt --yes") == 0
    assert await shell.do(f"run {policy(KILL_ONE)} --yes") == 3
    assert "halted by" in shell.errors


async def test_where_the_cluster_changed_before_the_answer_it_is_asked_again(shell, control, policy):
    """What was confirmed is what is run."""
    await control.create_pods("a", app="web")
    ask, replaced = shell.front.ask, []

    async def ask_slowly(question):
        if not replaced:
            await control.server.api.delete("pods", "a", "default")
            replaced.extend(await control.create_pods("a", app="web"))
        return await ask(question)

    shell.front.ask = ask_slowly
    assert await shell.do(f"run {policy(KILL_ONE)}", "y", "n") == 3
    assert "the cluster has changed meanwhile" in shell.words
    assert await control.pod_names() == ["a"]


async def test_what_was_done_by_hand_stands_meanwhile(sandbox_shell, policy):
    """A policy's clean-up takes back its own changes, not the shell's."""
    shell = sandbox_shell
    assert await shell.do("scale deployment/goldpinger 4 --yes") == 0
    assert await shell.do(f"run {policy(KILL_ONE.replace('app=web', 'app=goldpinger'))} --yes") == 0
    assert await replicas(shell) == 4
    assert "verdict" in shell.words
    assert await shell.do("undo") == 0
