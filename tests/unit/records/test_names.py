"""Names that all packages share."""

from postgrad.records.names import node_id


def test_an_id_is_the_name_and_the_axes_in_the_order_of_their_names():
    assert node_id("ages-expert", {"seed": 1, "fold": 2}) == "ages-expert@fold=2@seed=1"
    assert node_id("ages-floor", {}) == "ages-floor"
