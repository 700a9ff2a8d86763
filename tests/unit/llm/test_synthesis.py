"""Tests of requests for new posts, of the lists that count as answers, and of the posts kept."""

from collections import Counter

import pandas as pd
import pytest
from written_posts import numbered, posts, synthesize_options, text, written

from postgrad.llm.synthesis import PostWriter, parse_numbered_posts

# Lists.


@pytest.mark.parametrize(
    "answer, reason",
    [
        ("1. a\n2. b\n3. c", None),
        ("Sure, here they are:\n\n1) a\n\n2) b\n\n3) c\n", None),
        ("1: a\n2: b\n3: c", None),
        ("1. a\n2. b", "fewer than 3 posts"),
        ("1. a\n2. b\n3. c\n4. d", "more than 3 posts"),
        ("1. a\n3. b\n2. c", "wrong numbers"),
        ("0. a\n1. b\n2. c", "wrong numbers"),
        ("1. a\n1. b\n1. c", "wrong numbers"),
        ("1. a\n2.\n3. c", "an empty post"),
        ('1. a\n2. ""\n3. c', "an empty post"),
        ("1. a\n2. b\n3. c\nI hope they help!", "text beside the list"),
        ("1. a\nwhich goes on\n2. b\n3. c", "text beside the list"),
        ("a\nb\nc", "no list"),
        ("", "no list"),
        ("1.5 a\n2.5 b", "no list"),
    ],
)
def test_only_a_list_of_the_right_length_is_one(answer, reason):
    assert parse_numbered_posts(answer, 3) == (
        (["a", "b", "c"], None) if reason is None else (None, reason)
    )


def test_posts_of_a_list_are_cleaned_as_those_of_a_corpus():
    found, _ = parse_numbered_posts(
        '1. "it  rains &amp; rains"\n2. “I\'m 25”\n3. "no" said he, "no"\n4. \'I\'m in\'', 4
    )
    assert found == ["it rains & rains", "I'm 25", '"no" said he, "no"', "'I'm in'"]


# Requests.


def test_a_call_shows_examples_of_both_sides_and_names_what_it_wants():
    made = PostWriter(
        posts(),
        {},
        synthesize_options(
            attributes={"mood": ["glad", "cross"], "length": ["short"]}, classes=[1]
        ),
    )
    (request,) = written(made, [numbered(*map(text, range(3)))])
    (_, system), (_, user) = request.messages
    assert (
        'Write 3 fictional tweets of label "yes" (the author tells of rain), numbered 1 to 3'
        in user
    )
    assert "- no: nothing of rain\n- yes: the author tells of rain" in user
    assert "length: short\nmood: glad" in user or "length: short\nmood: cross" in user
    lines = user.splitlines()
    own, other = (
        [line for line in lines if line.startswith(start)]
        for start in ("- train1x", "- no: train0x")
    )
    assert (len(own), len(other)) == (2, 3) and len(set(own + other)) == 5
    assert "{" not in system + user and request.schema is None


def test_a_post_is_called_as_its_platform_calls_it():
    for platform, word in (("twitter", "tweets"), ("reddit", "Reddit posts"), ("forum", "posts")):
        request = next(
            PostWriter(posts(), {}, synthesize_options(platform=platform)).requests("stand-in")
        )
        assert f"Write 3 fictional {word} of label" in request.messages[1][1]


def test_every_request_differs_from_every_other():
    """Each call draws other examples; if only one draw is possible, the seeds still differ."""
    two = [{"base": "one", "kind": "stand-in"}, {"base": "two", "kind": "stand-in"}]
    made = PostWriter(posts(), {}, synthesize_options(asked=two, calls=20))
    asked = [
        request for model in ("one", "two") for request in written(made, ["no list"] * 40, model)
    ]
    assert len(asked) == 80 == len({request.messages for request in asked})
    made = PostWriter(posts(2), {}, synthesize_options(calls=20))
    assert len(set(written(made, ["no list"] * 40))) == 40


def test_draws_depend_on_the_seed_and_not_on_the_order_of_the_file():
    def first(frame, **options):
        return next(PostWriter(frame, {}, synthesize_options(**options)).requests("stand-in"))

    assert first(posts()) == first(posts()[::-1].reset_index(drop=True)) != first(posts(), seed=2)


def test_examples_are_as_many_as_there_are_and_braces_in_them_stay():
    frame = posts(3).assign(text=["{label} {0}", "b", "c"])
    user = next(
        PostWriter(frame, {}, synthesize_options(classes=[0])).requests("stand-in")
    ).messages[1][1]
    assert "- {label} {0}" in user and "- c" in user and "- yes: b" in user


def test_posts_without_labels_are_no_examples():
    with pytest.raises(
        ValueError, match="made: 24 of 24 posts have no label; name a labelled split"
    ):
        PostWriter(
            posts().assign(label=pd.array([pd.NA] * 24, dtype="Int64")), {}, synthesize_options()
        )


# What stays.


def test_the_count_is_exact_where_there_is_enough():
    made = PostWriter(posts(), {}, synthesize_options(count=4))
    asked = written(made, [numbered(*map(text, range(k, k + 3))) for k in range(0, 99, 3)])
    assert len(asked) == 4, "two calls of three posts for each of two classes"
    frame = made.written_posts()
    assert Counter(frame["label"]) == {0: 4, 1: 4} and frame["post_id"].tolist() == [
        f"made~{k}" for k in range(8)
    ]
    assert set(frame["origin"]) == {"synthesize"} and set(frame["platform"]) == {"twitter"}
    assert [row["over"] for row in made.flow()["rows"]] == [2, 2]


def test_counts_show_what_became_of_every_answer_and_every_post():
    """Train, dev and an earlier post are copied; two answers are no list, one call gets none."""
    corpus = {split: posts(24, split)["text"] for split in ("train", "dev")}
    replies = [
        numbered(text(0), corpus["train"][3], corpus["dev"][5] + "!"),
        "I cannot do this.",
        None,
        numbered(text(1), text(0).upper(), text(2)),
        numbered(text(3), text(4)),
    ]
    made = PostWriter(posts(), corpus, synthesize_options(classes=[1], calls=5))
    assert len(written(made, replies * 2)) == 5, "the limit of calls"
    (row,) = made.flow()["rows"]
    assert row == {
        "writer": "stand-in",
        "label": "yes",
        "code": 1,
        "wanted": 6,
        "calls": 5,
        "answered": 2,
        "kept": 3,
        "over": 0,
        "malformed": {"no list": 1, "no answer: status 500": 1, "fewer than 3 posts": 1},
        "copies": {"train": 1, "dev": 1, "written": 1},
        "tokens_in": 50,
        "tokens_out": 25,
        "stand_in": 0,
    }
    assert row["calls"] == row["answered"] + sum(row["malformed"].values())
    assert 3 * row["answered"] == row["kept"] + row["over"] + sum(row["copies"].values())
    assert made.written_posts()["text"].tolist() == [text(0), text(1), text(2)]


def test_a_post_is_no_copy_of_one_that_was_written_for_another_class_or_by_another_model():
    two = [{"base": "one", "kind": "stand-in"}, {"base": "two", "kind": "stand-in"}]
    made = PostWriter(posts(), {}, synthesize_options(asked=two, calls=1))
    same = numbered(text(0), text(1), text(2))
    for model in ("one", "two"):
        written(made, [same] * 9, model)
    assert [(row["kept"], row["copies"]) for row in made.flow()["rows"]] == [(3, {})] + [
        (0, {"written": 3})
    ] * 3


def test_several_writers_share_the_count():
    three = [{"base": name, "kind": "stand-in"} for name in "abc"]
    made, fresh = (
        PostWriter(posts(), {}, synthesize_options(asked=three, count=7)),
        iter(range(1000)),
    )
    for model in "abc":
        written(made, (numbered(*(text(next(fresh)) for _ in range(3))) for _ in range(99)), model)
    rows = made.flow()["rows"]
    assert [(row["writer"], row["label"], row["kept"]) for row in rows] == [
        ("a", "no", 3),
        ("a", "yes", 3),
        ("b", "no", 2),
        ("b", "yes", 2),
        ("c", "no", 2),
        ("c", "yes", 2),
    ]
