import asyncio

from seatrial.errors import ClusterError
from seatrial.runtime.scope import ScenarioScope
from seatrial.runtime.verdict import PASSED, Verdict, failed, nothing_to_do


async def for_ever():
    await asyncio.Event().wait()
    return PASSED


async def test_a_verdict_waits_for_what_was_promised():
    """The outcome of a promised measurement is part of the verdict."""
    scope = ScenarioScope()

    async def measure():
        await asyncio.sleep(0)
        return failed("too slow")

    scope.promise(measure(), name="m", give_up=lambda: PASSED)
    assert (await scope.settle(timeout_seconds=5)).verdict is Verdict.FAILED
    await scope.close()


async def test_a_promise_that_does_not_come_is_given_up():
    """After the time limit the promise says itself what that means."""
    scope = ScenarioScope()
    scope.promise(for_ever(), name="m", give_up=lambda: nothing_to_do("not seen"))
    outcome = await scope.settle(timeout_seconds=0.01)
    assert outcome.reasons == ("not seen",)
    await scope.close()


async def test_nothing_outlives_the_scenario():
    """Closing ends observers and promises and waits until they have ended."""
    scope, ended = ScenarioScope(), []

    async def observer(observation):
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("observer")
        return PASSED

    scope.observe(observer, name="o")
    scope.promise(for_ever(), name="m", give_up=lambda: PASSED)
    await asyncio.sleep(0)
    await scope.close()
    assert ended == ["observer"]
    assert len(asyncio.all_tasks()) == 1


async def test_steps_wait_for_the_first_look():
    """An observer's first look comes before the first step."""
    scope, looks = ScenarioScope(), []

    async def observer(observation):
        await asyncio.sleep(0)
        looks.append("first")
        observation.begun.set()
        await observation.ending.wait()
        return PASSED

    scope.observe(observer, name="o")
    await scope.first_look()
    assert looks == ["first"]
    await scope.close()


async def test_an_observer_takes_a_last_look_and_tells_what_it_saw():
    """After the last step the observer ends by itself, and its outcome is part of the verdict."""
    scope = ScenarioScope()

    async def observer(observation):
        observation.begun.set()
        await observation.ending.wait()
        return nothing_to_do("never answered")

    scope.observe(observer, name="o")
    await scope.first_look()
    assert (await scope.last_look()).reasons == ("never answered",)
    await scope.close()


async def test_an_observer_that_is_refused_holds_nothing_up():
    """An observer that ends with an error before its first look makes the scenario inconclusive."""
    scope = ScenarioScope()

    async def observer(observation):
        raise ClusterError("forbidden: get services")

    scope.observe(observer, name="o")
    await scope.first_look()
    assert (await scope.last_look()).reasons == ("forbidden: get services",)
    await scope.close()


async def test_a_cluster_error_in_a_measurement_makes_it_inconclusive():
    """What the API server refuses is said, and is no pass."""
    scope = ScenarioScope()

    async def refused():
        raise ClusterError("forbidden: watch pods")

    scope.promise(refused(), name="m", give_up=lambda: PASSED)
    outcome = await scope.settle(timeout_seconds=5)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "forbidden" in outcome.reasons[0]
    await scope.close()


async def test_a_defect_in_a_measurement_is_said_and_is_no_pass(caplog):
    """An exception that isn't Seatrial's own is logged with its traceback and makes the scenario inconclusive."""
    scope = ScenarioScope()

    async def broken():
        raise ZeroDivisionError("by nothing")

    scope.promise(broken(), name="recovery", give_up=lambda: PASSED)
    outcome = await scope.settle(timeout_seconds=5)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.reasons == ("recovery broke: ZeroDivisionError: by nothing",)
    assert "Traceback" in caplog.text
    await scope.close()


async def test_without_a_first_look_there_is_no_first_step():
    """An observer that ends before its first look ends the scenario, with its reason."""
    scope = ScenarioScope()

    async def observer(observation):
        raise ClusterError("there is no Service default/goldpinger")

    scope.observe(observer, name="observer goldpinger")
    outcome = await scope.first_look()
    assert outcome.ends_scenario
    assert outcome.reasons == ("observer goldpinger: there is no Service default/goldpinger",)
    await scope.close()


async def test_what_can_not_come_any_more_is_not_waited_for():
    """A withdrawn promise has no outcome, and its task ends with the scenario; others are waited for."""
    scope = ScenarioScope()
    scope.promise(for_ever(), name="stale", give_up=lambda: failed("waited"))
    scope.promise(for_ever(), name="fresh", give_up=lambda: nothing_to_do("not seen"))
    assert scope.withdraw("stale")
    assert not scope.withdraw("stale")
    outcome = await scope.settle(timeout_seconds=0.01)
    assert outcome.reasons == ("not seen",)
    await scope.close()
    assert len(asyncio.all_tasks()) == 1


def test_what_was_done_is_remembered_until_its_opposite_is():
    """A step that is tried again asks for it."""
    scope = ScenarioScope()
    assert not scope.has_done("stop of machine a")
    scope.did("stop of machine a")
    assert scope.has_done("stop of machine a")
    scope.did("start of machine a", instead_of="stop of machine a")
    assert not scope.has_done("stop of machine a")


def test_what_was_done_before_counts_until_the_opposite_is_done():
    """The scopes of a session by hand go on from each other; one that is taken back is left out."""
    stopped = ScenarioScope()
    stopped.did("stop of a", instead_of="start of a")
    started = ScenarioScope(done=stopped.all_done(()))
    assert started.has_done("stop of a")
    started.did("start of a", instead_of="stop of a")
    assert not started.has_done("stop of a")
    assert started.all_done(stopped.all_done(())) == {"start of a"}
    assert started.all_done(()) == {"start of a"}


def test_the_last_change_is_that_of_the_last_action():
    """Its first request counts; of one whose moment is known exactly, what was only near it doesn't."""
    scope = ScenarioScope()
    assert scope.last_change is None
    scope.changes("step 0", at=1.0, is_exact=False)
    scope.changes("step 0", at=2.0, is_exact=False)
    assert scope.last_change == 1.0
    scope.changes("step 0", at=1.5, is_exact=True)
    scope.changes("step 0", at=1.2, is_exact=False)
    scope.changes("step 0", at=1.7, is_exact=True)
    assert scope.last_change == 1.5
    scope.changes("step 1", at=1.1, is_exact=True)
    assert scope.last_change == 1.1
