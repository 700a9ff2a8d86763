"""Measures of diversity that can be checked by eye, and groups of one size."""

import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from postgrad.augmentation import diversity

WORDS = (
    "rust kettle sings quiet kitchen nobody listens radio window garden seven crows wait behind "
    "the old gate"
).split()


def posts(*sizes, name="p", repeated=False):
    """Return posts of classes of these sizes, with random texts or all with the same text."""
    rng, rows = np.random.default_rng(len(name)), []
    for label, size in enumerate(sizes):
        for i in range(size):
            text = "the same old words again" if repeated else " ".join(rng.choice(WORDS, 7))
            rows.append((f"{name}{label}-{i}", text, label))
    frame = pd.DataFrame(rows, columns=["post_id", "text", "label"]).astype({"label": "Int64"})
    return frame.assign(keyword=None, platform="x", author=None, origin="gold", parent=None)


def turned(frame):
    """Replace the embeddings of an encoder: each text has its own direction."""
    vectors = [np.random.default_rng([*text.encode()]).normal(size=8) for text in frame["text"]]
    return np.array(vectors) / np.linalg.norm(vectors, axis=1, keepdims=True)


# -- words
# -----------------------------------------------------------------------------------------------


def test_unique_ngrams():
    texts = ["A rose is a rose", "a  rose"]
    assert [diversity.unique_ngrams(texts, n) for n in (1, 2, 3)] == [
        3,
        3,
        3,
    ]  # a rose, rose is, is a
    assert diversity.unique_ngrams(["a b", "c d"], 2) == 2  # and no b c
    assert diversity.unique_ngrams([], 1) == diversity.unique_ngrams(["a"], 2) == 0


def test_self_bleu_by_hand():
    assert diversity.self_bleu(["a b c d e"] * 3) == pytest.approx(1)
    assert diversity.self_bleu(["a b c", "d e f"]) == 0
    # One word of two is matched, and no pair of words: 0.1 in the place of none.
    assert diversity.self_bleu(["a b", "a c"], order=2) == pytest.approx(math.sqrt(0.5 * 0.1))
    # `a` is matched twice, as often as the reference has it; the shorter text pays for its brevity.
    found = diversity.self_bleu(["a a a b", "a a c"], order=1)
    assert found == pytest.approx((2 / 4 + 2 / 3 * math.exp(1 - 4 / 3)) / 2)


def test_the_nearest_length_counts_and_of_equals_the_shorter():
    assert diversity.brevity_penalties([4, 3, 5]) == [1, pytest.approx(math.exp(1 - 4 / 3)), 1]
    assert diversity.brevity_penalties([2, 2, 9]) == [1, 1, 1]
    assert diversity.brevity_penalties([0, 3]) == [0, 1]


def bleu(text, others, order):
    """Compute BLEU as in its papers, and count the n-grams of each text again."""
    own, references = text.split(), [other.split() for other in others]
    logs = 0
    for n in range(1, order + 1):

        def grams(row):
            return Counter(tuple(row[i : i + n]) for i in range(len(row) - n + 1))  # noqa: B023

        matched = sum(
            min(c, max(grams(row)[gram] for row in references)) for gram, c in grams(own).items()
        )
        if n == 1 and not matched:
            return 0.0
        logs += math.log((matched or 0.1) / max(1, len(own) - n + 1)) / order
    r = min((abs(len(row) - len(own)), len(row)) for row in references)[1]
    return math.exp(logs) * min(1, math.exp(1 - r / len(own)))


@pytest.mark.parametrize("seed", range(10))
def test_self_bleu_is_that_of_the_papers(seed):
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(["a", "b", "c", "d"], rng.integers(1, 9))) for _ in range(12)]
    wanted = [bleu(text, texts[:i] + texts[i + 1 :], 4) for i, text in enumerate(texts)]
    assert diversity.self_bleu(texts) == pytest.approx(np.mean(wanted))


# -- embeddings
# ------------------------------------------------------------------------------------------


EAST, NORTH, WEST, SOUTH = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], dtype=float)


def test_mean_cosine_is_that_of_all_pairs():
    assert diversity.mean_cosine(np.array([EAST, NORTH, EAST])) == pytest.approx((0 + 1 + 0) / 3)
    assert diversity.mean_cosine(np.array([EAST, WEST])) == -1


def test_nearest_is_another_post():
    others, ids = np.array([EAST, EAST, NORTH]), ["a", "b", "c"]
    assert diversity.nearest_distances(others, ids, others, ids).tolist() == [
        0,
        0,
        1,
    ]  # c is nearest to itself, but that is no other
    assert diversity.nearest_distances(
        np.array([WEST, NORTH]), ["x", "y"], others, ids
    ).tolist() == [1, 0]


def test_coverage_and_its_entropy():
    centres = np.array([EAST, NORTH, WEST, SOUTH])
    assert diversity.cluster_coverage(np.array([EAST, EAST, NORTH, NORTH]), centres) == (
        0.5,
        pytest.approx(0.5),
    )
    assert diversity.cluster_coverage(centres, centres) == (1.0, pytest.approx(1))
    assert diversity.cluster_coverage(np.array([SOUTH]), centres) == (0.25, 0.0)
    assert diversity.cluster_coverage(np.array([SOUTH]), centres[:1]) == (1.0, 0.0)


def test_the_silhouette_finds_the_clusters():
    rng = np.random.default_rng(1)
    vectors = np.concatenate(
        [centre + rng.normal(scale=0.05, size=(10, 2)) for centre in (EAST, NORTH, WEST)]
    )
    tried = diversity.silhouette_scores(vectors, seed=1)
    assert list(tried) == list(range(2, 16)) and max(tried, key=tried.get) == 3 and tried[3] > 0.8
    assert list(diversity.silhouette_scores(vectors[:6], seed=1)) == [2, 3]


def test_the_map_is_a_unit_square_and_the_same_again():
    vectors = turned(posts(30, 30))
    one, again = (diversity.map_coordinates(vectors, 30, seed=1) for _ in range(2))
    assert (
        one.shape == (60, 2)
        and one.min() == 0
        and one.max() == 1
        and one.tolist() == again.tolist()
    )


# -- groups
# ----------------------------------------------------------------------------------------------


def test_groups_are_of_one_size_whatever_the_order_of_rows():
    datasets = {"t/train": posts(40, 20), "new": posts(0, 15, name="new")}
    n, groups = diversity.equal_groups(datasets, ["no", "yes"], sample=1000)
    assert [(g["dataset"], g["label"], g["rows"]) for g in groups] == [
        ("t/train", "no", 40), ("t/train", "yes", 20), ("new", "yes", 15)
    ]  # fmt: skip
    assert n == 15 and {len(group["posts"]) for group in groups} == {15}
    shuffled = {name: frame.sample(frac=1, random_state=1) for name, frame in datasets.items()}
    again = diversity.equal_groups(shuffled, ["no", "yes"], sample=1000)[1]
    assert [{*g["posts"]["post_id"]} for g in groups] == [{*g["posts"]["post_id"]} for g in again]
    assert diversity.equal_groups(datasets, ["no", "yes"], sample=12)[0] == 12


def task(clusters, perplexity):
    given = {
        "embed": "e",
        "model": "e",
        "sets": [],
        "labels": ["no", "yes"],
        "sample": 1000,
        "seed": 1,
    }
    return diversity.DiversityTask(**given, clusters=clusters, perplexity=perplexity)


def test_a_group_of_few_posts_does_not_shrink_the_others():
    n, groups = diversity.equal_groups({"t/train": posts(40, 9)}, ["no", "yes"], sample=1000)
    assert n == 40 and groups[1] == {
        "dataset": "t/train",
        "label": "yes",
        "rows": 9,
        "reason": "fewer than 10 posts",
    }
    found = diversity.measure_diversity({"t/train": posts(9, 9)}, task(10, 30), turned)
    assert found["n"] == 0 and all("reason" in group for group in found["groups"])


def test_copies_and_new_posts_are_told_apart():
    train = posts(30, 30)
    copies = train.head(30).assign(
        post_id=[f"{id}~c~0" for id in train["post_id"][:30]], parent=train["post_id"]
    )
    whole = pd.concat(
        [train, copies], ignore_index=True
    )  # what resample makes: the set itself, and copies
    datasets = {
        "t/train": train,
        "copies": copies,
        "alike": posts(30, name="alike", repeated=True),
        "whole": whole,
    }
    found = diversity.measure_diversity(datasets, task(4, 5), turned)
    of = {(group["dataset"], group["label"]): group for group in found["groups"]}
    assert found["n"] == 30 and found["reference"] == 60 and found["clusters"] == 4
    assert (
        of["copies", "no"]["nearest"] == pytest.approx(0) and of["t/train", "no"]["nearest"] > 0.1
    )
    assert (
        of["whole", "yes"]["nearest"] == of["t/train", "yes"]["nearest"]
    )  # no post is near to itself
    alike = of["alike", "no"]
    assert alike["unique"] == [5, 4, 3] and alike["self_bleu"] == pytest.approx(1)
    assert (
        alike["cosine"] == pytest.approx(1) and alike["coverage"] == 0.25 and alike["entropy"] == 0
    )
    assert all(
        len(group["points"]) == 30 and min(map(min, group["points"])) >= 0 for group in of.values()
    )
    assert of["t/train", "no"]["coverage"] == 1 and of["t/train", "no"]["entropy"] > 0.5


def test_the_map_holds_a_part_of_many_posts(monkeypatch):
    monkeypatch.setattr(diversity, "MAPPED", 12)
    found = diversity.measure_diversity({"t/train": posts(30, 30)}, task(4, 5), turned)
    assert [len(group["points"]) for group in found["groups"]] == [12, 12]
