from seatrial.steps.wait import Wait, plan, run


async def test_it_waits_so_long(recorder):
    """A wait passes after its seconds."""
    assert (await run(Wait(seconds=2.5), recorder.context)).passed
    assert recorder.clock.slept == [2.5]


async def test_a_plan_tells_how_long(recorder):
    """A plan says how long, without waiting."""
    assert (await plan(Wait(seconds=2.5), recorder.context)).summary == "pause for 2.5 s"
    assert recorder.clock.slept == []
