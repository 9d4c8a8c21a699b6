from seatrial.actions.field_owners import CREATOR, MANAGER, as_applied


def entry(manager, operation, *fields, **others):
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": "v1",
        "fieldsV1": {"f:data": {f"f:{each}": {} for each in fields}},
        **others,
    }


def test_what_a_run_created_becomes_what_it_applied():
    """The same fields, by the one who applies; what others manage stays as it is."""
    other = entry("other", "Update", "shape")
    assert as_applied([entry(CREATOR, "Update", "colour"), other]) == [other, entry(MANAGER, "Apply", "colour")]


def test_what_was_applied_before_is_held_as_well():
    """There is one entry for each manager and way of writing."""
    entries = [entry(MANAGER, "Apply", "size"), entry(CREATOR, "Update", "colour")]
    assert as_applied(entries) == [entry(MANAGER, "Apply", "size", "colour")]


def test_what_was_not_created_by_a_run_is_left_alone():
    """Changes of single fields, and a status, are no creation."""
    entries = [entry(MANAGER, "Update", "size"), entry(CREATOR, "Update", "x", subresource="status")]
    assert as_applied(entries) == entries
