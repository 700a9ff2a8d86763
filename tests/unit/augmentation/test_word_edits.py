"""What each kind of word edit changes, what it leaves as it is, and how many edits there are.

No surface mark shows whether a text was edited.
"""

import random
import re

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from postgrad.augmentation.synonyms import read_synonyms, wordnet_path
from postgrad.augmentation.word_edits import (
    KINDS,
    NEIGHBOURS,
    STOP_WORDS,
    edit_text,
    expansion_share,
    match_case,
    word_spans,
)

SYNONYMS = read_synonyms(wordnet_path())


def drawn(text, kinds, n=200, rate=0.1, keyword=None, synonyms=SYNONYMS):
    """Return the different results of n draws."""
    return {
        edit_text(text, kinds, rate, synonyms, 1, random.Random(seed), keyword) for seed in range(n)
    }


def changed(old, new):
    """Return the pairs of old and new words of two texts with equally many words."""
    return [(a, b) for a, b in zip(old.split(" "), new.split(" "), strict=True) if a != b]


def random_posts(n, seed=0):
    """Yield n posts of 10 to 60 random words.

    A third of them are stop words, and some words are in capitals or followed by a comma.
    """
    rng = random.Random(seed)
    content, stop = sorted(word for word in SYNONYMS if len(word) > 2), sorted(STOP_WORDS)
    for _ in range(n):
        drawn = [
            rng.choice(stop if rng.random() < 1 / 3 else content)
            for _ in range(rng.randint(10, 60))
        ]
        yield " ".join(
            rng.choice([str, str, str.upper, str.title])(word) + rng.choice(["", "", ","])
            for word in drawn
        )


def test_a_tenth_of_the_words_is_edited():
    """The edits are counted word by word, because these words are never contracted."""
    edits = total = 0
    rng = random.Random(1)
    for text in random_posts(10_000):
        new = edit_text(text, KINDS[:3], 0.1, SYNONYMS, 1, rng)
        edits, total = edits + len(changed(text, new)), total + len(text.split())
    assert 0.09 < edits / total < 0.11


def test_a_short_post_has_one_edit_and_a_rate_is_kept_to():
    assert {len(changed("rusty kettle", new)) for new in drawn("rusty kettle", KINDS[:3])} == {1}
    text = " ".join(["kettle"] * 15)
    assert {len(changed(text, new)) for new in drawn(text, ["character"])} == {1, 2}
    assert {len(changed(text, new)) for new in drawn(text, ["character"], rate=1.0)} == {15}


def test_a_seed_gives_the_same_texts():
    one, two, other = (
        [edit_text(text, KINDS, 0.1, SYNONYMS, 0.5, rng) for text in random_posts(200)]
        for rng in map(random.Random, (1, 1, 2))
    )
    assert one == two != other


@pytest.mark.parametrize("kind", ["character", "keyboard"])
def test_one_letter_is_exchanged(kind):
    for new in drawn("kettle", [kind]):
        ((old, letter),) = [pair for pair in zip("kettle", new, strict=True) if len(set(pair)) == 2]
        assert letter in NEIGHBOURS[old] or kind == "character"
    assert len(drawn("kettle", ["character"])) > len(drawn("kettle", ["keyboard"]))


def test_neighbours_on_the_keyboard():
    assert sorted(NEIGHBOURS["s"]) == list("adewxz")
    assert sorted(NEIGHBOURS["p"]) == ["l", "o"] and sorted(NEIGHBOURS["m"]) == ["j", "k", "n"]
    assert all(a in NEIGHBOURS[b] for a in NEIGHBOURS for b in NEIGHBOURS[a])


def test_synonyms_are_those_of_a_known_sense_and_of_the_words_length():
    assert SYNONYMS["sick"] == ["ill"] and "physician" in SYNONYMS["doctor"]
    synonyms = {"sick": ["poor", "ill", "unwholesome"]}
    assert drawn("A sick child, SICK", ["synonym"], synonyms=synonyms) == {
        "A poor child, SICK",
        "A ill child, SICK",
        "A sick child, POOR",
        "A sick child, ILL",
    }


@pytest.mark.parametrize(
    "text, results",
    [
        ("don't say can't", {"do not say can't", "don't say cannot"}),
        ("it's 'Don’t'", {"it's 'Do not'"}),
        ("we are in ‘here’", {"we’re in ‘here’"}),
        ("yes' we are. I'm", {"yes' we are. I am"}),
        ("I WILL NOT 'go'", {"I WON'T 'go'", "I'LL NOT 'go'"}),
        ("do NOT 'go'", {None}),
        ("I don't go", {None}),  # its last apostrophe
        ("I do not go", {None}),  # no apostrophe yet
    ],
)
def test_contractions(text, results):
    assert drawn(text, ["contraction"], rate=0.01) == results


def test_short_forms_are_written_out_as_often_as_long_ones_are_shortened():
    many = ["I'm sure he didn't, she didn't and they won't"] * 50 + [
        "it's what we do not, isn't it"
    ] * 50
    assert expansion_share(many) == 50 / (50 * 4 + 50)
    assert expansion_share(["we do not 'go'"]) == 1 and expansion_share(["so 'it' isn't"]) == 0
    assert edit_text("I'm sure he didn't", ["contraction"], 0.1, {}, 0, random.Random(1)) is None


def test_handles_hashtags_links_and_numbers_stay_whole():
    whole = (
        "@mama_12 #sick #2fast x@y.org https://t.co/kettles www.kettle.org kettles.org 3.5mg 2nd "
        "@USER____ kettle_s"
    )
    assert word_spans(whole) == [] and drawn(whole, KINDS) == {None}
    for new in drawn(f"{whole} (rusty) kettle! 😂", KINDS, rate=1.0):
        assert new.startswith(f"{whole} (") and new.endswith("! 😂") and len(word_spans(new)) == 2


def test_stop_words_and_the_keyword_stay():
    assert drawn("she is not with us or with a", KINDS) == {None}
    kept = drawn("The Dog Park, rusty kettle", KINDS[:3], keyword="dog park", rate=1.0)
    assert len(kept) > 10 and all(new.startswith("The Dog Park, ") for new in kept)


@pytest.mark.parametrize(
    "old, new", [("kettle", "pot"), ("KETTLE", "POT"), ("Kettle", "Pot"), ("keTtle", None)]
)
def test_the_case_of_a_word_stays(old, new):
    assert match_case("pot", old) == new


def test_misspelt_words_keep_case_and_apostrophes():
    for new in drawn("KETTLE's Lids", ["character", "keyboard"], rate=1.0):
        assert re.fullmatch("[A-Z]{6}'[a-z] [A-Z][a-z]{3}", new)


# -- no trace
# ------------------------------------------------------------------------------------------

PIECES = (
    "I'm so @drug_info tired today|don't know why, my doctor's note says 3.5 mg"
    "|we are NOT happy with it|LOL #sleepy"
    "|she can't cook and I do not either|they will see https://t.co/x1"
    "|It's the kids' first cough|worried sick..."
    "|you are right, it isn't a cure|Great news for the whole family!|my head hurts (again)"
    "|he won't ask the nurse"
    "|I will wait|nobody said that we were sick|trouble with breathing, a quiet night"
    "|What a beautiful big garden"
    "|they didn't feel any pain|My mother's physician is away till May 2|IT HELPS ME A LOT"
    "|ask your therapist first"
).split("|")


def posts_with_marks(n):
    """Yield n posts of these pieces with random words between them, so that lengths differ."""
    rng, content = random.Random(5), sorted(word for word in SYNONYMS if len(word) > 2)
    for _ in range(n):
        parts = [
            " ".join([piece, *rng.sample(content, rng.randint(0, 6))])
            for piece in rng.sample(PIECES, 3)
        ]
        yield rng.choice([" ", ". ", ", "]).join(parts)


def marks(text):
    """Return what can be counted in a text without reading it."""
    sizes = [len(word) for word in text.split()]
    counts = [
        sum(map(kind, text))
        for kind in (str.isupper, str.islower, str.isdigit, str.isspace, str.isalnum)
    ]
    shares = [
        np.mean(sizes),
        np.std(sizes),
        np.mean(np.array(sizes) > 7),
        np.mean(np.array(sizes) < 4),
    ]
    cased = [sum(map(kind, text.split())) for kind in (str.isupper, str.istitle, str.islower)]
    characters = [text.count(c) for c in "'’@#_.,!?:()/&"]
    others = [len(text.split("'")[0]), text.count("  "), sum(ord(c) > 127 for c in text)]
    return [len(text), len(sizes), max(sizes), *counts, *shares, *cased, *characters, *others]


def told_apart(originals, copies):
    """Return the AUC of a classifier that is trained on the marks of other originals and copies."""
    features = np.array([marks(text) for pair in zip(originals, copies) for text in pair])
    gold, groups = np.tile([0, 1], len(originals)), np.repeat(np.arange(len(originals)), 2)
    model = HistGradientBoostingClassifier(max_iter=60, random_state=0)
    probs = cross_val_predict(
        model, features, gold, groups=groups, cv=GroupKFold(5), method="predict_proba"
    )
    return roc_auc_score(gold, probs[:, 1])


def test_no_surface_mark_tells_a_copy_from_its_original():
    """The AUC of chance is .5, with a standard error of .009 for 2 times 2,000 posts.

    Copies that are made as in ALEX are recognised easily.
    """
    originals, rng = list(posts_with_marks(2000)), random.Random(1)
    share = expansion_share(originals)
    copies = [edit_text(text, KINDS, 0.1, SYNONYMS, share, rng) for text in originals]
    assert None not in copies and not set(copies) & set(originals)
    assert abs(told_apart(originals, copies) - 0.5) < 0.03
    in_the_papers_manner = [
        re.sub("@[a-z_]+", "@USER____", text.replace("'", "")) for text in copies
    ]
    assert told_apart(originals, in_the_papers_manner) > 0.7
