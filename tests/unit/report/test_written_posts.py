"""Counts of written posts that do not balance are refused."""

import pytest
from written_posts import numbered, posts, synthesize_options, text, written

from postgrad.llm.synthesis import PostWriter
from postgrad.report.written_posts import written_table


def test_counts_that_do_not_balance_are_refused():
    made = PostWriter(posts(), {}, synthesize_options(classes=[1]))
    written(
        made, ["no list", numbered(text(0), text(0), text(1)), numbered(text(2), text(3), text(4))]
    )
    table = written_table(made.flow(), "small")
    assert (
        table["rows"][0]["because"] == {"no list": 1, "similar to a written post": 1}
        and table["rows"][0]["left"] == 1
    )
    assert not table["stand_in"]
    for key, sentence in (
        ("calls", "calls is not the sum of answered"),
        ("kept", "posts in lists is not the sum of kept"),
    ):
        flow = made.flow()
        flow["rows"][0][key] += 1
        with pytest.raises(ValueError, match=sentence):
            written_table(flow, "small")
