from msgspec.structs import replace

from seatrial.runtime.events import TargetsChosen, TargetsFiltered, Where
from seatrial.targets.filters import PodFilter
from seatrial.targets.pods import PodMatcher
from seatrial.targets.selection import select_pods

WEB = [PodMatcher.model_validate({"labels": {"selector": "app=web", "namespace": "default"}})]


def filters(*specs):
    return [PodFilter.model_validate(spec) for spec in specs]


def names(selection):
    return [pod.metadata.name for pod in selection.pods]


async def test_filters_apply_in_order_each_to_what_the_one_before_left(control, on_cluster):
    """Two of the three web pods: the sample is drawn from what the property left."""
    await control.create_pods("web-1", "web-2", "web-3", "db-1", app="web")
    wanted = filters({"property": {"name": "name", "value": "web"}}, {"randomSample": {"size": 2}})
    selection = await select_pods(WEB, wanted, on_cluster.context)
    assert (selection.matched, len(selection.pods), selection.empty_reason) == (4, 2, "")
    assert "db-1" not in names(selection)
    sizes = [(e.before, e.after) for e in await on_cluster.events() if isinstance(e, TargetsFiltered)]
    assert sizes == [(4, 3), (3, 2)]


async def test_the_same_place_and_seed_select_the_same_pods(control, on_cluster):
    """Asked twice at the same place of a policy the choice is the same; places have choices of their own."""
    await control.create_pods(*(f"p{number:02}" for number in range(20)), app="web")
    wanted = filters({"randomSample": {"size": 5}})

    async def at(step):
        context = replace(on_cluster.context, where=Where(round=1, scenario="s", step=step))
        return names(await select_pods(WEB, wanted, context))

    assert await at(0) == await at(0)
    assert len({tuple(await at(step)) for step in range(5)}) > 1


async def test_filters_of_one_step_draw_numbers_of_their_own(control, on_cluster):
    """A sample of a sample is drawn anew: the second filter does not repeat the first one's choice."""
    await control.create_pods(*(f"p{number:02}" for number in range(20)), app="web")
    half = {"randomSample": {"ratio": 0.5}}
    selection = await select_pods(WEB, filters(half, half), on_cluster.context)
    assert (len(selection.pods), selection.notes) == (
        5,
        ("randomSample: 0.5 of 20 is 10", "randomSample: 0.5 of 10 is 5"),
    )


async def test_the_filter_that_left_nothing_is_named_and_the_later_ones_rest(control, on_cluster):
    """Why no pod is left; what would come after it is not asked."""
    await control.create_pods("a", "b", app="web")
    wanted = filters({"property": {"name": "name", "value": "c"}}, {"randomSample": {"size": 1}})
    selection = await select_pods(WEB, wanted, on_cluster.context)
    assert selection.empty_reason == "the filter property left none of 2 pods"
    events = list(await on_cluster.events())
    assert [event.filter for event in events if isinstance(event, TargetsFiltered)] == ["property"]
    assert events[-1] == TargetsChosen(pods=(), matched=2)


async def test_where_nothing_matched_every_matcher_is_named(on_cluster):
    """All matchers, and what is known of each."""
    nowhere = PodMatcher.model_validate({"namespace": "nowhere"})
    selection = await select_pods([*WEB, nowhere], filters({"randomSample": {"size": 1}}), on_cluster.context)
    assert selection.empty_reason == (
        "no pod matched (labels app=web in namespace default; namespace nowhere): there is no namespace 'nowhere'"
    )
