"""Each class gets exactly its size, and posts are used evenly."""

import random
from collections import Counter

import pandas as pd
import pytest
from gold_posts import TEXT, class_sizes, posts_of_classes

from postgrad.augmentation.resampling import ResampleOptions, resample_posts


@pytest.mark.parametrize("seed", range(20))
def test_every_class_gets_exactly_its_size_and_posts_are_used_evenly(seed):
    rng = random.Random(seed)
    before = [rng.randint(1, 30) for _ in range(rng.randint(2, 5))]
    for to, size in (
        ("largest", max(before)),
        ("smallest", min(before)),
        (n := rng.randint(1, 70), n),
    ):
        made = resample_posts(posts_of_classes(*before), ResampleOptions("n", seed, to))
        assert class_sizes(made) == [size] * len(before) and made["post_id"].is_unique
        assert len(made) == len(made.drop_duplicates(["post_id"]))
        for label, count in enumerate(before):
            used = Counter(made["parent"].fillna(made["post_id"])[made["label"] == label])
            assert len(used) == min(count, size) and max(used.values()) - min(used.values()) <= (
                size > count
            )


def test_a_budget_gives_each_class_its_own_size():
    made = resample_posts(posts_of_classes(4, 2, 5), ResampleOptions("n", 1), budget={0: 3, 1: 5})
    assert (
        class_sizes(made) == [3, 5] and made["post_id"].is_unique
    )  # none of class 2, of which the budget has none
    with pytest.raises(ValueError, match="n: no post to copy for class 1 of its budget"):
        resample_posts(posts_of_classes(4), ResampleOptions("n", 1), budget={0: 3, 1: 5})


def test_those_that_stay_keep_all_and_copies_name_their_root():
    gold = posts_of_classes(4, 1)
    made_before = gold.tail(1).assign(
        post_id="p1-0~m~0", parent="p1-0", origin="augment", text="other"
    )
    made = resample_posts(
        pd.concat([gold, made_before], ignore_index=True), ResampleOptions("n", 1, "largest")
    )
    assert made.head(6).equals(pd.concat([gold, made_before], ignore_index=True))
    copies = made.tail(2)
    assert copies["post_id"].tolist() == ["p1-0~n~0", "p1-0~n~1"] and set(copies["parent"]) == {
        "p1-0"
    }
    assert set(copies["text"]) == {"other", f"{TEXT} 0"} and set(copies["origin"]) == {
        "gold",
        "augment",
    }


def test_the_draw_hangs_on_the_seed_and_not_on_the_order_of_the_files():
    frame = posts_of_classes(30, 10)
    one, again, other = (
        set(resample_posts(frame, ResampleOptions("n", seed, "smallest"))["post_id"])
        for seed in (1, 1, 2)
    )
    assert one == again != other
    assert (
        set(
            resample_posts(frame[::-1].reset_index(drop=True), ResampleOptions("n", 1, "smallest"))[
                "post_id"
            ]
        )
        == one
    )


@pytest.mark.parametrize("frame, fault", [
    (posts_of_classes(2, 2).assign(label=pd.NA), "n: 4 of 4 posts have no label"),
    (pd.concat([posts_of_classes(2, 2), posts_of_classes(1)], ignore_index=True),
     "n: 1 posts stand in its datasets twice"),
    (posts_of_classes(), "n: its datasets hold no posts"),
])  # fmt: skip
def test_what_cannot_be_balanced_is_refused(frame, fault):
    with pytest.raises(ValueError, match=fault):
        resample_posts(frame, ResampleOptions("n", 1, "largest"))
