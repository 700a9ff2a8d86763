"""Make up posts from a small grammar, in the style of eleven SMM4H tasks of 2020 to 2024.

This module contains no post of any person. Each label has its own cue phrases. But the classes
share most of their words, the order of words matters (less calm, more calm), some cues are rare
words, and a share `AMBIGUOUS` of the posts has the cue of another class. Scores therefore rise with
more data and stay below 1. They have no other meaning.
"""

import random
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from postgrad.demo.phrases import GRAMMAR

# id, text, label (class code), source, and a keyword or a title if the task has one.
Post = dict[str, Any]

# Share of posts whose cue belongs to another class. No accuracy can be much above 1 - AMBIGUOUS.
AMBIGUOUS = 0.04
REPEATED = 0.02  # share of train posts that copy an earlier train post, so that audit finds some
LEAKED = 0.01  # share of dev and test posts that copy a train post
RELABELED = 0.2  # share of the copies within train that have another label than their source

# Shares of the classes 0, 1, ... They are the counts of the official train files; for 2022 Task 1a
# those of dev, for 2022 Task 7 11 % positives, and for 2023 those of the part on which ALEX was
# trained. 2020 Task 1 has 0.26 % positives. A demo of some hundred posts would have none, and
# therefore has 5 %.
SHARES = {
    "smm4h20-task1": [95, 5],
    "smm4h20-task2en": [18641, 1903],
    "smm4h20-task5": [773, 834, 13110],
    "smm4h22-task1a": [843, 65],
    "smm4h22-task7": [89, 11],
    "smm4h23-task1": [4648, 951],
    "smm4h23-task2": [312, 2099, 566],
    "smm4h23-task4": [1944, 1205],
    "smm4h24-task3": [1131, 160, 395, 114],
    "smm4h24-task5": [5118, 2280],
    "smm4h24-task6": [5966, 2834],
}
# The symbol of the second phrase of a tweet, which is about something else than its cue.
SECOND_PHRASES = {"smm4h24-task5": "tail", "smm4h24-task6": "life"}
SECOND_PHRASES |= dict.fromkeys(sorted(SHARES.keys() - SECOND_PHRASES.keys()), "daily")
UNTITLED_REDDIT_TASKS = ("smm4h23-task4",)
# The share of Reddit posts in 2024 Task 6, about that of the official files.
REDDIT_SHARES = {"train": 0, "dev": 1 / 3, "test": 2 / 3, "decoys": 2 / 3}


@dataclass(frozen=True)
class DemoOptions:
    """The options of made-up corpora."""

    seed: int
    posts: dict[str, dict[str, int]]  # task -> split -> number of posts


def _parse_grammar(grammar: str) -> dict[str, list[list[str]]]:
    """Return the alternatives of each symbol, where every second part of one is a symbol."""
    rules = {}
    for line in re.sub(r"\|\n  ", "|", grammar).split("\n"):
        symbol, colon, alternatives = line.partition(": ")
        if colon:
            rules[symbol] = [
                re.split(r"<(\w+)>", alternative) for alternative in alternatives.split("|")
            ]
    return rules


_RULES = _parse_grammar(GRAMMAR)
_BASE36 = string.digits + string.ascii_lowercase


def _phrase(rng: Random, symbol: str) -> str:
    """Draw a string for `symbol`.

    With u uniform in 0 to 1, the index of the alternative is int(n * u^1.5). The first of 20
    alternatives is drawn in 14 % of the cases, and the last one in 3 %.
    """
    alternatives = _RULES[symbol]
    parts = alternatives[int(len(alternatives) * rng.random() ** 1.5)]
    return "".join(_phrase(rng, part) if i % 2 else part for i, part in enumerate(parts))


def _fill_characters(rng: Random, text: str) -> str:
    """Replace each lone `#` by a digit from 1 to 9, and each `*` by a letter or digit.

    Hashtags are left as they are.
    """
    text = re.sub(r"#(?![A-Za-z]{2})", lambda _: _BASE36[1 + int(9 * rng.random())], text)
    return re.sub(r"\*", lambda _: _BASE36[int(36 * rng.random())], text)


def _cue(rng: Random, task: str, label: int) -> str:
    """Draw a cue of `label`, or, in a share `AMBIGUOUS` of the cases, of another class."""
    classes = len(SHARES[task])
    if rng.random() < AMBIGUOUS:
        label = (label + 1 + int((classes - 1) * rng.random())) % classes
    return _phrase(rng, f"{task}_{label}")


def _join_segments(rng: Random, segments: list[str], commas: float) -> str:
    """Join segments in random order, each followed by a comma (share `commas`) or a full stop."""
    rng.shuffle(segments)
    text = ""
    for segment in segments:
        text += segment + (", " if rng.random() < commas else ". ")
    return text[:-2] + ("." if rng.random() < 0.8 else "")


def _outdoors_post(rng: Random, label: int) -> Post:
    """Make a Reddit post about social anxiety with a keyword (2024 Task 3).

    It has 1 to 8 segments. One in eight posts has one segment.
    """
    if rng.random() < 0.5:
        keyword = _phrase(rng, "place")
        thing = f"the {keyword}"
    else:
        keyword = thing = _phrase(rng, "activity")
    segments = [_cue(rng, "smm4h24-task3", label).replace("THING", thing)]
    if rng.random() > 0.125:
        segments += [_phrase(rng, "chat") for _ in range(1 + int(5 * rng.random()))]
        if rng.random() < 0.3:
            segments.append(_phrase(rng, "open"))
        if rng.random() < 0.15:
            extra = _phrase(rng, "activity")
            segments.append(f"my {_phrase(rng, 'kin')} likes {extra}")
            keyword = keyword if extra == keyword else f"{keyword}, {extra}"
    return {
        "keyword": keyword,
        "text": _fill_characters(rng, _join_segments(rng, segments, 0.5)),
        "source": "reddit",
    }


def _tweet(rng: Random, task: str, label: int) -> Post:
    """Make a tweet with a cue, and sometimes a mention or a phrase about something else."""
    segments = [_cue(rng, task, label)]
    if rng.random() < 0.5:
        segments.append(_phrase(rng, SECOND_PHRASES[task]))
    text = _join_segments(rng, segments, 0.3)
    if rng.random() < 0.35:
        text = f"{_phrase(rng, 'handle')} {text}"
    if rng.random() < 0.6:
        text = f"{text} {_phrase(rng, 'tail')}"
    return {"text": _fill_characters(rng, text), "source": "twitter"}


def _therapy_tweet(rng: Random, label: int) -> Post:
    """Make a tweet whose keyword is a therapy (2023 Task 2)."""
    therapy = _phrase(rng, "therapy")
    post = _tweet(rng, "smm4h23-task2", label)
    return {**post, "text": post["text"].replace("THING", therapy), "keyword": therapy}


def _untitled_post(rng: Random, task: str, label: int) -> Post:
    """Make a Reddit post without a title, of 2 to 6 sentences, one of which is the cue."""
    segments = [
        _cue(rng, task, label),
        *(_phrase(rng, "chat") for _ in range(1 + int(5 * rng.random()))),
    ]
    return {"text": _fill_characters(rng, _join_segments(rng, segments, 0.3)), "source": "reddit"}


def _age_post(rng: Random, label: int) -> Post:
    """Make a Reddit post with a title, of 3 to 8 sentences, one a cue (2024 Task 6)."""
    segments = [_phrase(rng, "life") for _ in range(2 + int(6 * rng.random()))]
    segments.append(_cue(rng, "smm4h24-task6", label))
    title = _phrase(rng, "open") + ", " + _phrase(rng, "life")
    body = _join_segments(rng, segments, 0.3)
    return {
        "title": _fill_characters(rng, title),
        "text": _fill_characters(rng, body),
        "source": "reddit",
    }


def _ageless(rng: Random) -> Post:
    """Make a Reddit post without a cue and without a number of two digits.

    The selection of the pool leaves such posts out.
    """
    sentences = [
        f"my {_phrase(rng, 'mate')} {_phrase(rng, 'did')}" for _ in range(1 + int(4 * rng.random()))
    ]
    return {"title": _phrase(rng, "open"), "text": ". ".join(sentences), "source": "reddit"}


def _labels(rng: Random, task: str, n: int) -> list[int]:
    """Return n labels in random order, with counts as close to the class shares as possible."""
    shares = SHARES[task]
    exact = [n * share / sum(shares) for share in shares]
    counts = [int(count) for count in exact]
    short = sorted(range(len(shares)), key=lambda k: counts[k] - exact[k])[: n - sum(counts)]
    labels = [k for k, count in enumerate(counts) for _ in range(count + (k in short))]
    rng.shuffle(labels)
    return labels


def _post_id(rng: Random, source: str) -> str:
    """Draw an id: 19 digits for a tweet, nine letters and digits for a Reddit post."""
    if source == "twitter":
        return str(10**18 + rng.getrandbits(59))
    return "".join(_BASE36[int(36 * rng.random())] for _ in range(9))


def make_posts(task: str, n: int, seed: int | str, source: str | None = None) -> list[Post]:
    """Make up the posts of one split.

    Parameters
    ----------
    task
        A key of `SHARES`.
    n
        The number of posts.
    seed
        Equal seeds give equal posts.
    source
        twitter or reddit, for 2024 Task 6, which has posts of both. The other tasks have one source
        each.
    """
    rng = random.Random(f"{seed} {task} {source}")
    posts, seen = [], set()
    for label in _labels(rng, task, n):
        if task == "smm4h24-task3":
            post = _outdoors_post(rng, label)
        elif task == "smm4h23-task2":
            post = _therapy_tweet(rng, label)
        elif task in UNTITLED_REDDIT_TASKS:
            post = _untitled_post(rng, task, label)
        elif source == "reddit":
            post = _age_post(rng, label)
        else:
            post = _tweet(rng, task, label)
        post_id = _post_id(rng, post["source"])
        while post_id in seen:
            post_id = _post_id(rng, post["source"])
        seen.add(post_id)
        posts.append({"id": post_id, "label": label, **post})
    return posts


def make_pool(n: int, seed: int) -> list[Post]:
    """Make up n unlabelled Reddit posts (2024 Task 6).

    One in five has no age and no other number of two digits.
    """
    posts = make_posts("smm4h24-task6", n, f"{seed} pool", "reddit")
    rng = random.Random(f"{seed} ageless")
    return [
        {**post, **(_ageless(rng) if rng.random() < 0.2 else {}), "label": None} for post in posts
    ]


def add_copies(
    train: Sequence[Post], evaluations: Iterable[Sequence[Post]], seed: int
) -> tuple[list[Post], list[list[Post]]]:
    """Replace some posts by copies of a train post, which keep the id of the replaced post.

    A share `REPEATED` of the train posts copies an earlier train post, and a share `RELABELED` of
    these copies has another label than its source. A share `LEAKED` of the posts of each evaluation
    split copies a train post and its label. A split of ten or more posts has at least one copy.

    Parameters
    ----------
    train
        The train posts.
    evaluations
        The posts of each evaluation split.
    seed
        The seed of the choice of posts.

    Returns
    -------
    train, evaluations
        New lists. The arguments are not changed.
    """
    rng = random.Random(f"{seed} copies")
    train = list(train)
    classes = 1 + max((post["label"] for post in train), default=0)
    for k in range(max(len(train) >= 10, round(REPEATED * len(train)))):
        target = 1 + int((len(train) - 1) * rng.random())
        copy = {**train[int(target * rng.random())], "id": train[target]["id"]}
        if (k + 1) % round(1 / RELABELED) == 0:
            copy["label"] = (copy["label"] + 1) % classes
        train[target] = copy
    copied = []
    for split in evaluations:
        split = list(split)
        for _ in range(max(len(split) >= 10, round(LEAKED * len(split))) if train else 0):
            target = int(len(split) * rng.random())
            split[target] = {**train[int(len(train) * rng.random())], "id": split[target]["id"]}
        copied.append(split)
    return train, copied


def make_corpus(task: str, sizes: Mapping[str, int], seed: int) -> dict[str, list[Post]]:
    """Make up the posts of train, dev, test and decoys.

    Train contains copies of its own posts, and dev and test contain copies of train posts.

    Parameters
    ----------
    task
        A key of `SHARES`.
    sizes
        {split: number of posts}. Default of each split: 0.
    seed
        Equal seeds give equal corpora.
    """
    splits = {}
    for split in ("train", "dev", "test", "decoys"):
        n, key = sizes.get(split, 0), f"{seed} {split}"
        if task == "smm4h24-task6":
            reddit = round(REDDIT_SHARES[split] * n)
            posts = make_posts(task, n - reddit, key, "twitter")
            posts += make_posts(task, reddit, key, "reddit")
            random.Random(key).shuffle(posts)
            # The official file has one text column. The title stands above the body in one quoted
            # cell.
            splits[split] = [
                {**p, "text": f"{p['title']}\n{p['text']}"} if "title" in p else p for p in posts
            ]
        else:
            splits[split] = make_posts(task, n, key)
    train, (dev, test) = add_copies(splits["train"], [splits["dev"], splits["test"]], seed)
    return {"train": train, "dev": dev, "test": test, "decoys": splits["decoys"]}


def make_sample_texts(n: int, seed: int) -> list[str]:
    """Make up n texts on which a tokenizer can be trained.

    A quarter each comes from the three tasks of 2024 and from the pool.
    """
    quarter = -(-n // 4)
    kinds = [
        make_posts("smm4h24-task3", quarter, seed),
        make_posts("smm4h24-task5", quarter, seed),
        make_posts("smm4h24-task6", quarter, seed, "twitter"),
        make_pool(quarter, seed),
    ]
    texts = []
    for group in zip(*kinds, strict=True):
        texts += [
            f"{post['title']} {post['text']}" if "title" in post else post["text"] for post in group
        ]
    return texts[:n]
