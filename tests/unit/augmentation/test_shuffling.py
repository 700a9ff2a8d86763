"""Segments, orders and counts of augmented posts."""

import random
from collections import Counter

import pytest
from gold_posts import LONG, augmented_posts, posts

from postgrad.augmentation.shuffling import shuffle_segments, source_counts, split_segments


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a b, c d. e", ["a b,", "c d.", "e"]),
        ("a b.", ["a b."]),
        ("a 3.5 b, c 1,000 d", ["a 3.5 b,", "c 1,000 d"]),
        (
            "see http://x.org/a,b.c, then www.y.org. end",
            ["see http://x.org/a,b.c,", "then www.y.org.", "end"],
        ),
        ("wait... what. . . no", ["wait...", "what. . .", "no"]),
        ("...well, yes", ["...well,", "yes"]),
        (". well, yes", [". well,", "yes"]),
        ("  a,\n\n b  ", ["a,", "b"]),
        ("no delimiter", ["no delimiter"]),
        ("", [""]),
    ],
)
def test_protected_segments(text, expected):
    assert split_segments(text) == expected


def test_naive_segments_split_at_every_delimiter():
    assert split_segments("a 3.5 b,c d... e", split="naive") == ["a 3.", "5 b,", "c d...", "e"]


@pytest.mark.parametrize("keyword", ["st. john's hill", "river, St. John's Hill"])
def test_a_keyword_stays_whole_in_any_case(keyword):
    text = "up St. John's hill, down again. home"
    assert split_segments(text) == ["up St.", "John's hill,", "down again.", "home"]
    assert split_segments(text, keyword) == ["up St. John's hill,", "down again.", "home"]
    assert split_segments(text, keyword, "naive") == split_segments(text)


def test_shuffling_keeps_words_and_length():
    made, _ = augmented_posts(posts([("p", LONG, 0)]), copies=20)
    for text in made["text"]:
        assert text != LONG
        assert sorted(text.split()) == sorted(LONG.split()) and len(text) == len(LONG)
    assert made["text"].is_unique


def test_every_order_is_about_equally_likely():
    rng = random.Random(0)
    counts = Counter(shuffle_segments(["a", "b", "c"], set(), rng) for _ in range(6000))
    assert len(counts) == 6 and min(counts.values()) > 850


def test_refused_texts_run_out_and_are_counted():
    made, counts = augmented_posts(posts([("p", "a, b", 0), ("q", "one", 0)]), copies=3)
    assert made["text"].tolist() == ["b a,", "a, b", "a, b", "one", "one", "one"]
    assert counts == {"made": {0: 6}, "one segment": {0: 3}, "no new order": {0: 2}, "no edit": {}}


def test_white_space_alone_makes_no_new_order():
    made, counts = augmented_posts(posts([("p", "a,  b", 0)]), copies=2)
    assert made["text"].tolist() == ["b a,", "a,  b"] and counts["no new order"] == {0: 1}


def test_fill_goes_round_evenly_up_to_the_largest_measured_class():
    labels = [0] * 7 + [1] * 3 + [2] * 2
    times = source_counts(labels, 0, "largest", random.Random(1))
    assert sum(times[row] for row in range(7)) == 0
    assert sorted(times[row] for row in (7, 8, 9)) == [1, 1, 2]
    assert sorted(times[row] for row in (10, 11)) == [2, 3]


def test_the_seed_says_which_posts_fill_a_class():
    labels = [0] * 20 + [1] * 15
    used = [
        tuple(source_counts(labels, 0, "largest", random.Random(seed))[row] for row in range(35))
        for seed in (1, 1, 2)
    ]
    assert used[0] == used[1] != used[2] and sum(used[0]) == 5


def test_copies_and_fill_together_level_gold_with_copies():
    labels = [0] * 5 + [1] * 2
    times = source_counts(labels, 2, "largest", random.Random(1))
    assert [times[row] for row in range(5)] == [2] * 5
    assert 2 + times[5] + times[6] == 5 * 3


def test_the_control_has_the_same_counts_sources_and_ids_with_unchanged_text():
    frame = posts([(f"p{i}", LONG, int(i > 6)) for i in range(10)])
    new, counts = augmented_posts(frame, copies=1, fill="largest", seed=3)
    control, control_counts = augmented_posts(
        frame, method="duplicate", copies=1, fill="largest", seed=3
    )
    assert new["parent"].tolist() == control["parent"].tolist()
    assert new["post_id"].tolist() == control["post_id"].tolist() and new["post_id"].is_unique
    assert counts["made"] == control_counts["made"] == {0: 7, 1: 11}
    assert set(control["text"]) == {LONG} and LONG not in set(new["text"])
    assert control_counts["one segment"] == {} and control_counts["no new order"] == {}


def test_the_draw_hangs_on_the_seed_and_not_on_the_order_of_the_file():
    frame = posts([(f"p{i}", LONG, i % 2) for i in range(9)])
    texts = augmented_posts(frame, copies=1, seed=1)[0]["text"].tolist()
    assert augmented_posts(frame[::-1], copies=1, seed=1)[0]["text"].tolist() == texts
    assert augmented_posts(frame, copies=1, seed=2)[0]["text"].tolist() != texts


def test_new_posts_carry_keyword_label_and_their_root():
    frame = posts([("p", LONG, 1), ("p~m~0", LONG, 1)]).assign(keyword="hill")
    frame["parent"] = [None, "p"]
    made, _ = augmented_posts(frame, copies=2)
    assert made["post_id"].tolist() == ["p~n~0", "p~n~1", "p~n~2", "p~n~3"]
    assert set(made["parent"]) == {"p"} and set(made["keyword"]) == {"hill"}
    assert set(made["label"]) == {1} and set(made["origin"]) == {"augment"}


def test_edited_copies_differ_and_have_their_parents_label():
    frame = posts(
        [
            ("p", LONG, 0),
            ("q", "A rusty kettle sings.", 1),
            ("r", "it is @me", 1),
            ("s", "kettle", 1),
        ]
    )
    made, counts = augmented_posts(frame, method="edit", edits=["keyboard"], copies=9)
    assert counts == {
        "made": {0: 9, 1: 18},
        "one segment": {},
        "no new order": {},
        "no edit": {1: 9},
    }
    assert made["text"].is_unique and not set(made["text"]) & set(frame["text"])
    assert Counter(zip(made["parent"], made["label"])) == {("p", 0): 9, ("q", 1): 9, ("s", 1): 9}
    assert made["post_id"].tolist()[:2] == ["p~n~0", "p~n~1"] and made["post_id"].is_unique


def test_copies_of_one_post_are_edited_in_different_ways():
    frame = posts([("p~m~0", "kettle", 0), ("p~m~1", "kettle", 0)]).assign(parent="p")
    made, counts = augmented_posts(frame, method="edit", edits=["keyboard"], copies=8)
    assert made["text"].is_unique and made["post_id"].is_unique and len(made) == counts["made"][0]


def test_some_classes_get_copies_and_are_filled():
    frame = posts([(f"p{i}", LONG, label) for i, label in enumerate([0] * 2 + [1] * 9 + [2] * 4)])
    assert augmented_posts(frame, copies=2, classes=[0, 2])[1]["made"] == {0: 4, 2: 8}
    assert augmented_posts(frame, fill="largest", classes=[2])[1]["made"] == {2: 5}
    assert augmented_posts(frame, copies=2, fill="largest", classes=[0, 2])[1]["made"] == {
        0: 10,
        2: 8,
    }
    assert augmented_posts(frame, copies=1, classes=[7])[0].empty


def test_a_budget_says_how_many_of_each_class_are_made():
    """A control makes as many duplicates as another node made posts.

    The uses of two posts differ by at most one.
    """
    frame = posts([(f"p{i}", LONG, label) for i, label in enumerate([0] * 2 + [1] * 3)])
    made, counts = augmented_posts(frame, method="duplicate", budget={1: 7})
    assert counts["made"] == {1: 7} and sorted(made["parent"].value_counts()) == [2, 2, 3]
    assert set(made["text"]) == {LONG} and made["post_id"].is_unique


@pytest.mark.parametrize(
    "options, fault",
    [
        ({"copies": 1, "method": "edit", "edits": ["vowels"]}, "do not all exist"),
        ({}, "nothing to make"),
        ({"fill": "biggest"}, "do not all exist"),
        ({"copies": 1, "method": "mix"}, "do not all exist"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, fault):
    with pytest.raises(ValueError, match=fault):
        augmented_posts(posts([("p", LONG, 0)]), **options)


def test_unlabelled_posts_are_refused():
    with pytest.raises(ValueError, match="n: 1 of 2 posts have no label"):
        augmented_posts(posts([("p", LONG, 0), ("q", LONG, None)]), copies=1)
