"""What PowerfulSeal's dashboards and alerts count on, seen from outside after each kind of scenario."""

import pytest
from msgspec.structs import replace

from seatrial.cli.session import SessionOptions
from seatrial.runtime.guardrails import Guardrails
from seatrial.steps.registry import policy_model
from tests.telemetry.scraping import run_and_scrape, value

NOTHING = policy_model().model_validate({"scenarios": []})


def kill(*filters, selector="app=web", **action):
    step = {
        "matches": [{"labels": {"selector": selector, "namespace": "default"}}],
        "filters": list(filters),
        "actions": [{"kill": {"force": True, **action}}],
    }
    return {"name": "kill-some", "steps": [{"podAction": step}]}


def nodes(*filters):
    matches = [{"property": {"name": "name", "value": "nobody"}}]
    step = {"matches": matches, "filters": list(filters), "actions": [{"cordon": {}}]}
    return {"name": "some-nodes", "steps": [{"nodeAction": step}]}


@pytest.fixture
def told(control, monkeypatch):
    """Runs scenarios on the API server of this process and answers what both collectors said."""
    options = SessionOptions(
        policy=NOTHING,
        policy_name="p.yml",
        kubeconfig=control.directory / "kubeconfig",
        state_directory=control.directory / "state",
        recovery_timeout_seconds=0,
    )

    async def of(*scenarios, **changed):
        made = await run_and_scrape(monkeypatch, replace(options, **changed), *scenarios)
        assert made.seal == made.seal_sent, "Prometheus and Datadog disagree"
        return made

    return of


async def test_kills_are_counted_by_pod(control, told):
    """Two pods killed: a success each, with namespace and name, and a scenario that succeeded."""
    await control.create_pods("a", "b", app="web")
    made = await told(kill())
    assert made.seal == {
        ("seal_pod_kills_total", "a", "default", "success"): 1,
        ("seal_pod_kills_total", "b", "default", "success"): 1,
        ("seal_scenario_runs_total", "kill-some", "success"): 1,
    }
    assert value(made.scraped, "seatrial_runs_total", verdict="passed") == 1
    assert value(made.scraped, "seatrial_steps_total", step="podAction", verdict="passed") == 1
    assert value(made.scraped, "seatrial_experiments_in_flight") == 0
    assert value(made.scraped, "seatrial_scenario_duration_seconds_count", name="kill-some") == 1


async def test_kills_that_are_refused_are_failures(control, told):
    """Who may list pods but not delete them: a failure for each pod; the scenario showed nothing."""
    await control.create_pods("a", app="web")
    api = control.server.api
    await api.create(
        "clusterroles.rbac.authorization.k8s.io",
        {"metadata": {"name": "looker"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]},
    )
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "looker"}
    await api.create(
        "clusterrolebindings.rbac.authorization.k8s.io",
        {"metadata": {"name": "looker"}, "roleRef": role, "subjects": [subject]},
    )
    await (await control.connect_as("jane")).close()
    made = await told(kill(), kubeconfig=control.directory / "jane.kubeconfig")
    assert made.seal == {
        ("seal_pod_kills_total", "a", "default", "failure"): 1,
        ("seal_scenario_runs_total", "kill-some", "inconclusive"): 1,
    }


async def test_what_matches_nothing_is_counted(control, told):
    """Pods and nodes apart; and each is a step that nothing was left for."""
    assert (await told(kill())).seal == {
        ("seal_empty_match_total", "pods"): 1,
        ("seal_empty_filter_total",): 1,
        ("seal_scenario_runs_total", "kill-some", "inconclusive"): 1,
    }
    assert (await told(nodes())).seal == {
        ("seal_empty_match_total", "nodes"): 1,
        ("seal_empty_filter_total",): 1,
        ("seal_scenario_runs_total", "some-nodes", "inconclusive"): 1,
    }


async def test_what_is_filtered_to_nothing_is_counted(control, told):
    """Matched, but filtered out: no empty match."""
    await control.create_pods("a", app="web")
    assert (await told(kill({"property": {"name": "name", "value": "b"}}))).seal == {
        ("seal_empty_filter_total",): 1,
        ("seal_scenario_runs_total", "kill-some", "inconclusive"): 1,
    }


async def test_a_probability_that_does_not_let_pass_is_counted(control, told):
    """And what it leaves, which is nothing, as well."""
    await control.create_pods("a", app="web")
    assert (await told(kill({"probability": 0}))).seal == {
        ("seal_probability_filter_not_passed_total",): 1,
        ("seal_empty_filter_total",): 1,
        ("seal_scenario_runs_total", "kill-some", "inconclusive"): 1,
    }


async def test_each_try_of_a_step_is_counted_once(control, told):
    """A check that fails at each of three tries, on pods that match: one scenario that failed, nothing else."""
    await control.create_pods("a", app="web")
    step = {
        "matches": [{"labels": {"selector": "app=web", "namespace": "default"}}],
        "actions": [{"checkPodCount": {"count": 2}}],
        "retries": {"retriesCount": {"count": 2, "sleep": 0.01}},
    }
    made = await told({"name": "count-them", "steps": [{"podAction": step}]})
    assert made.seal == {("seal_scenario_runs_total", "count-them", "fail"): 1}


async def test_probes_are_measured(told, unused_tcp_port):
    """A probe that nobody answers: failed requests by target, no latency, a scenario that failed."""
    url = f"http://127.0.0.1:{unused_tcp_port}/healthz"
    step = {"target": {"url": url}, "retries": 1, "delay": 1, "timeout": 1000}
    made = await told({"name": "ask", "steps": [{"probeHTTP": step}]})
    assert made.seal == {("seal_scenario_runs_total", "ask", "fail"): 1}
    assert value(made.scraped, "seatrial_probe_requests_total", target=url, result="failed") >= 1
    assert value(made.scraped, "seatrial_probe_latency_seconds_count", target=url) is None


async def test_what_guardrails_refuse_is_counted(control, told):
    """By guardrail; nothing is killed."""
    await control.create_pods("a", "b", app="web")
    made = await told(kill(), guardrails=Guardrails(most_pods=1))
    assert made.seal == {("seal_scenario_runs_total", "kill-some", "inconclusive"): 1}
    assert value(made.scraped, "seatrial_guardrail_refusals_total", guardrail="maxPods") == 1


async def test_what_is_undone_is_counted(control, told):
    """An object that was changed for the run and put back: one undo that worked, none that failed."""
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "2"}}
    await control.server.api.create("configmaps", {"metadata": {"name": "c"}, "data": {"a": "1"}}, "default")
    made = await told({"name": "waits", "steps": [{"wait": {"seconds": 0}}]}, manifests=(manifest,))
    assert value(made.scraped, "seatrial_undos_total", result="done") == 1
    assert value(made.scraped, "seatrial_undos_total", result="failed") == 0


async def test_label_mode_counts_in_the_same_way(control, told):
    """A pod that asked for it, and none that was spared."""
    always = {"seal/enabled": "true", "seal/days": "mon_tue_wed_thu_fri_sat_sun", "seal/start-time": "00-00-00"}
    await control.create_pods("a", **always, **{"seal/end-time": "23-59-59"})
    await control.create_pods("b", **always, **{"seal/kill-probability": "0"})
    made = await told({"name": "label-mode", "steps": [{"labelMode": {}}]})
    assert made.seal == {
        ("seal_pod_kills_total", "a", "default", "success"): 1,
        ("seal_scenario_runs_total", "label-mode", "success"): 1,
    }
