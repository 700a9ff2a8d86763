"""Made-up posts from a small grammar, in the manner of eleven SMM4H tasks of 2020, 2022, 2023 and
2024.

No post of any person stands here. Each label has its own cues, but classes share most of their
words, the order of words matters (less calm, more calm), rare words carry cues too, and in
AMBIGUOUS of the posts the cue speaks for another class. So scores rise with more data and stay
below 1. They mean nothing else.
"""

import random
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from postgrad.demo.phrases import GRAMMAR

Post = dict[
    str, Any
]  # id, text, label (class code), source, and a keyword or a title where the task has one

AMBIGUOUS = (
    0.04  # share of posts whose cue belongs to another class: no classifier can pass about 1 - this
)
REPEATED = 0.02  # share of train posts that copy an earlier train post, for audit to find
LEAKED = 0.01  # share of dev and test posts that copy a train post
RELABELED = 0.2  # share of the copies within train that carry another label

# Shares of the classes 0, 1, ...: counts of the official train files, of dev for 2022 Task 1a, 11 %
# for 2022 Task 7, and of the part that ALEX trained on for 2023. 2020 Task 1 has 0.26 % positives:
# a demo of some hundred posts would have none, so here are 5 %.
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
# What a tweet talks of beside its cue.
BESIDE = {"smm4h24-task5": "tail", "smm4h24-task6": "life"}
BESIDE |= dict.fromkeys(sorted(SHARES.keys() - BESIDE.keys()), "daily")
ENTRIES = ("smm4h23-task4",)  # Reddit posts of a body alone
REDDIT = {
    "train": 0,
    "dev": 1 / 3,
    "test": 2 / 3,
    "decoys": 2 / 3,
}  # 2024 Task 6: Reddit's share, about the official


@dataclass(frozen=True)
class DemoOptions:
    """The options of made-up corpora."""

    seed: int
    posts: dict[str, dict[str, int]]  # task -> split -> how many posts


def _rules(grammar: str) -> dict[str, list[list[str]]]:
    """symbol -> alternatives, each a list of literals and, at odd places, the symbols between them."""
    rules = {}
    for line in re.sub(r"\|\n  ", "|", grammar).split("\n"):
        symbol, colon, alternatives = line.partition(": ")
        if colon:
            rules[symbol] = [
                re.split(r"<(\w+)>", alternative) for alternative in alternatives.split("|")
            ]
    return rules


_RULES = _rules(GRAMMAR)
_BASE36 = string.digits + string.ascii_lowercase


def _phrase(rng: Random, symbol: str) -> str:
    """One string of `symbol`.

    Index int(n * u^1.5): the first of 20 alternatives comes 14 %, the last 3 %.
    """
    alternatives = _RULES[symbol]
    parts = alternatives[int(len(alternatives) * rng.random() ** 1.5)]
    return "".join(_phrase(rng, part) if i % 2 else part for i, part in enumerate(parts))


def _characters(rng: Random, text: str) -> str:
    """`text` with a digit 1..9 for each lone `#` and a letter or digit for each `*`.

    Hashtags stay.
    """
    text = re.sub(r"#(?![A-Za-z]{2})", lambda _: _BASE36[1 + int(9 * rng.random())], text)
    return re.sub(r"\*", lambda _: _BASE36[int(36 * rng.random())], text)


def _cue(rng: Random, task: str, label: int) -> str:
    """A phrase that speaks for `label`, or in AMBIGUOUS of the cases for another class of the task."""
    classes = len(SHARES[task])
    if rng.random() < AMBIGUOUS:
        label = (label + 1 + int((classes - 1) * rng.random())) % classes
    return _phrase(rng, f"{task}_{label}")


def _joined(rng: Random, segments: list[str], commas: float) -> str:
    """Segments in random order, each closed by a comma (share `commas`) or a full stop."""
    rng.shuffle(segments)
    text = ""
    for segment in segments:
        text += segment + (", " if rng.random() < commas else ". ")
    return text[:-2] + ("." if rng.random() < 0.8 else "")


def _outdoors(rng: Random, label: int) -> Post:
    """2024 Task 3.

    A Reddit post on social anxiety with a keyword; 1 to 8 segments, one in eight posts has one.
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
        "text": _characters(rng, _joined(rng, segments, 0.5)),
        "source": "reddit",
    }


def _tweet(rng: Random, task: str, label: int) -> Post:
    """A tweet: the label's cue, perhaps a mention, perhaps a phrase on something else."""
    segments = [_cue(rng, task, label)]
    if rng.random() < 0.5:
        segments.append(_phrase(rng, BESIDE[task]))
    text = _joined(rng, segments, 0.3)
    if rng.random() < 0.35:
        text = f"{_phrase(rng, 'handle')} {text}"
    if rng.random() < 0.6:
        text = f"{text} {_phrase(rng, 'tail')}"
    return {"text": _characters(rng, text), "source": "twitter"}


def _on_therapy(rng: Random, label: int) -> Post:
    """2023 Task 2: a tweet with a therapy as its keyword."""
    therapy = _phrase(rng, "therapy")
    post = _tweet(rng, "smm4h23-task2", label)
    return {**post, "text": post["text"].replace("THING", therapy), "keyword": therapy}


def _entry(rng: Random, task: str, label: int) -> Post:
    """A Reddit post of 2 to 6 sentences without a title, one of which holds the cue."""
    segments = [
        _cue(rng, task, label),
        *(_phrase(rng, "chat") for _ in range(1 + int(5 * rng.random()))),
    ]
    return {"text": _characters(rng, _joined(rng, segments, 0.3)), "source": "reddit"}


def _reddit(rng: Random, label: int) -> Post:
    """2024 Task 6 on Reddit: a title and a body of 3 to 8 sentences, one of which holds the cue."""
    segments = [_phrase(rng, "life") for _ in range(2 + int(6 * rng.random()))]
    segments.append(_cue(rng, "smm4h24-task6", label))
    title = _phrase(rng, "open") + ", " + _phrase(rng, "life")
    body = _joined(rng, segments, 0.3)
    return {"title": _characters(rng, title), "text": _characters(rng, body), "source": "reddit"}


def _ageless(rng: Random) -> Post:
    """A Reddit post without a cue and without a number of two digits.

    The pool's selection leaves it out.
    """
    sentences = [
        f"my {_phrase(rng, 'mate')} {_phrase(rng, 'did')}" for _ in range(1 + int(4 * rng.random()))
    ]
    return {"title": _phrase(rng, "open"), "text": ". ".join(sentences), "source": "reddit"}


def _labels(rng: Random, task: str, n: int) -> list[int]:
    """n labels in random order, their counts as near to SHARES[task] as whole numbers allow."""
    shares = SHARES[task]
    exact = [n * share / sum(shares) for share in shares]
    counts = [int(count) for count in exact]
    short = sorted(range(len(shares)), key=lambda k: counts[k] - exact[k])[: n - sum(counts)]
    labels = [k for k, count in enumerate(counts) for _ in range(count + (k in short))]
    rng.shuffle(labels)
    return labels


def _post_id(rng: Random, source: str) -> str:
    """19 digits for a tweet, nine letters and digits for a Reddit post.

    No two alike in a million.
    """
    if source == "twitter":
        return str(10**18 + rng.getrandbits(59))
    return "".join(_BASE36[int(36 * rng.random())] for _ in range(9))


def posts(task: str, n: int, seed: int | str, source: str | None = None) -> list[Post]:
    """n made-up posts.

    task: one of SHARES. source: twitter or reddit, for 2024 Task 6, which has both; the others have
    one each.
    """
    rng = random.Random(f"{seed} {task} {source}")
    made, seen = [], set()
    for label in _labels(rng, task, n):
        if task == "smm4h24-task3":
            post = _outdoors(rng, label)
        elif task == "smm4h23-task2":
            post = _on_therapy(rng, label)
        elif task in ENTRIES:
            post = _entry(rng, task, label)
        elif source == "reddit":
            post = _reddit(rng, label)
        else:
            post = _tweet(rng, task, label)
        post_id = _post_id(rng, post["source"])
        while post_id in seen:
            post_id = _post_id(rng, post["source"])
        seen.add(post_id)
        made.append({"id": post_id, "label": label, **post})
    return made


def pool(n: int, seed: int) -> list[Post]:
    """n unlabelled Reddit posts (2024 Task 6), one in five without any age or other number of two
    digits.
    """
    made = posts("smm4h24-task6", n, f"{seed} pool", "reddit")
    rng = random.Random(f"{seed} ageless")
    return [
        {**post, **(_ageless(rng) if rng.random() < 0.2 else {}), "label": None} for post in made
    ]


def with_copies(
    train: Sequence[Post], evaluations: Iterable[Sequence[Post]], seed: int
) -> tuple[list[Post], list[list[Post]]]:
    """The splits again, some posts replaced by copies of other posts' text under their own id.

    REPEATED of train copies an earlier post of train, RELABELED of these with another label than
    the source; LEAKED of each list in `evaluations` copies a post of train, label included. At
    least one copy of each sort where there are ten posts or more. Returns (train, evaluations).
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


def corpus(task: str, sizes: Mapping[str, int], seed: int) -> dict[str, list[Post]]:
    """Return the posts of train, dev, test and decoys.

    They contain copies of posts within train, and copies of train posts in the other splits.
    """
    made = {}
    for split in ("train", "dev", "test", "decoys"):
        n, key = sizes.get(split, 0), f"{seed} {split}"
        if task == "smm4h24-task6":
            reddit = round(REDDIT[split] * n)
            found = posts(task, n - reddit, key, "twitter") + posts(task, reddit, key, "reddit")
            random.Random(key).shuffle(found)
            # The official file has one text column: a title stands above its body, in one quoted
            # cell.
            made[split] = [
                {**p, "text": f"{p['title']}\n{p['text']}"} if "title" in p else p for p in found
            ]
        else:
            made[split] = posts(task, n, key)
    train, (dev, test) = with_copies(made["train"], [made["dev"], made["test"]], seed)
    return {"train": train, "dev": dev, "test": test, "decoys": made["decoys"]}


def sample_texts(n: int, seed: int) -> list[str]:
    """n texts, a mixture of the corpora of 2024 and the pool in equal parts.

    Food for a tokenizer.
    """
    quarter = -(-n // 4)
    kinds = [
        posts("smm4h24-task3", quarter, seed),
        posts("smm4h24-task5", quarter, seed),
        posts("smm4h24-task6", quarter, seed, "twitter"),
        pool(quarter, seed),
    ]
    texts = []
    for group in zip(*kinds, strict=True):
        texts += [
            f"{post['title']} {post['text']}" if "title" in post else post["text"] for post in group
        ]
    return texts[:n]
