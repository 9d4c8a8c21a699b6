import re
from pathlib import Path

from seatrial.kube.objects import Container, ObjectMeta, Pod, PodSpec
from seatrial.runtime.verdict import Verdict

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "extend.md"


async def test_the_action_of_the_page_works():
    """The code in the how-to is an action that passes and fails as the page says."""
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    module = {"__name__": "check_container_count"}
    exec(compile(code, "check_container_count.py", "exec"), module)  # noqa: S102 -- the page's own code
    action = module["ACTION"]
    pod = Pod(metadata=ObjectMeta(name="p"), spec=PodSpec(containers=(Container(name="a"), Container(name="b"))))
    assert (await action.run(action.model(count=2), (pod,), None)).verdict is Verdict.PASSED
    assert (await action.run(action.model(count=6), (pod,), None)).reasons == ("expected 6 containers, found 2",)
