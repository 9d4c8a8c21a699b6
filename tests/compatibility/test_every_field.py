"""Every key of the policy language, alone and beside every other key of its map."""

import pytest

from seatrial.policy.schema import make_schema
from seatrial.steps.registry import policy_model
from tests.compatibility.documents import Language
from tests.policy.test_schema import RULES_BEYOND_A_SCHEMA, VALIDATOR, judge

LANGUAGE = Language(make_schema(policy_model()))
MAPS = [name for name in LANGUAGE.maps if LANGUAGE.keys(name)]


@pytest.mark.parametrize("name", MAPS)
def test_every_key_works_alone_and_beside_every_other(name):
    """What the schema allows, the models take, but for keys that exclude each other; each key is taken somewhere."""
    taken = set()
    for keys, document in LANGUAGE.documents(name):
        refusals = judge(document)
        if refusals is None:
            assert VALIDATOR.is_valid(document), (keys, document)
            taken.update(keys)
            continue
        excluded = [each for each in refusals if RULES_BEYOND_A_SCHEMA.search(each)]
        assert excluded or not VALIDATOR.is_valid(document), (keys, refusals, document)
    assert taken == set(LANGUAGE.keys(name))
