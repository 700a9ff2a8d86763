"""Posts that a language model writes, after UTRad-NLP (SMM4H-2024 Tasks 5 and 6).

Each call shows posts of train, some of the label and some of others, and asks for a numbered list
of new ones. What is no such list is left out as a whole. Of the others each post stays that copies
neither a post of the corpus nor one that was written before. Every call shows another draw, and its
request has a seed of its own: an answer that is kept for an equal request would bring nothing new.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from postgrad.corpus.cleaning import cleaned_text
from postgrad.corpus.duplicates import Known
from postgrad.llm.answer_cache import Answer, Request
from postgrad.llm.templates import defined, messages

POSTS = {
    "twitter": "tweets",
    "reddit": "Reddit posts",
}  # what a platform's posts are called; others are posts
ITEM = re.compile(r"\s*(\d+)[.):](?:\s+(.*))?")
QUOTES = {'"': '"', "“": "”", "'": "'", "‘": "’"}
WRITTEN = "written"  # the place of the node's own posts


@dataclass(frozen=True, kw_only=True)
class SynthesizeOptions:
    """The options of one node that lets models write posts."""

    node: str
    asked: list[
        dict[str, Any]
    ]  # the models that write, under `base`, and what decides their answers
    prompt: dict[str, str]  # the text of each turn
    labels: list[dict[str, str]]  # name and about, in class order
    platform: str
    count: int  # posts of each label, which the models share evenly
    per_call: int
    calls: int  # the most to each model for each label
    shots: dict[str, int]  # examples that a call shows: of the label (own), and of others (other)
    temperature: float
    seed: int
    classes: list[int] | None = None  # codes of the labels of which posts are written; default: all
    attributes: dict[str, list[str]] | None = None  # a call names one value of each
    max_tokens: int | None = None


def listed(text: str, number: int) -> tuple[list[str] | None, str | None]:
    """(posts, None) of a list numbered 1 to `number`, one line a post; (None, why it is none)
    otherwise.

    A line above the list, such as a greeting, is left out. Posts are cleaned as those of a corpus
    are, and taken out of quotation marks: neither may tell who wrote them.
    """
    items = [ITEM.fullmatch(line) for line in text.splitlines() if line.strip()]
    while items and items[0] is None:
        del items[0]
    lines = [item for item in items if item is not None]
    if not lines:
        return None, "no list"
    if len(lines) < len(items):
        return None, "text beside the list"
    if [int(line[1]) for line in lines] != list(range(1, len(lines) + 1)):
        return None, "wrong numbers"
    if len(lines) != number:
        return None, f"{'more' if len(lines) > number else 'fewer'} than {number} posts"
    posts = [cleaned_text(unquoted((line[2] or "").strip())) for line in lines]
    return (posts, None) if all(posts) else (None, "an empty post")


def unquoted(text: str) -> str:
    """The text without one pair of quotation marks around all of it."""
    end = QUOTES.get(text[:1])
    inside = text[1:-1]
    return (
        inside if len(text) > 1 and text[-1] == end and not {text[0], end} & set(inside) else text
    )


def share(whole: int, parts: int, part: int) -> int:
    """The size of one of so many even parts of a number, the first ones larger by one where it does
    not divide.
    """
    return whole // parts + (part < whole % parts)


class Writing:
    """The posts of one node while its writers write them.

    train: labelled posts from which examples are drawn (posts.POSTS). corpus: {split: texts} that
    no written post may copy. Raises ValueError for examples without labels.
    """

    def __init__(
        self, train: pd.DataFrame, corpus: Mapping[str, Iterable[str]], options: SynthesizeOptions
    ) -> None:
        if unlabelled := int(train["label"].isna().sum()):
            raise ValueError(
                f"{options.node}: {unlabelled} of {len(train)} posts have no label; name a labelled split."
            )
        train = train.sort_values("post_id")  # the draw must not hang on the order of the file
        self.train = list(zip(train["label"].astype(int), train["text"]))
        self.known, self.options = Known({**corpus, WRITTEN: ()}), options
        self.posts: list[tuple[int, str]] = []  # class code and text of what stays
        self.rows: list[dict[str, Any]] = []  # see `counted`

    def requests(self, model: str) -> Iterator[Request]:
        """One model's requests, class after class, until each has its share of posts or of calls.

        Each comes when it is asked for: the answer to the one before must have been taken.
        """
        names = [base["base"] for base in self.options.asked]
        part, labels, chosen = names.index(model), self.options.labels, self.options.classes
        for code in range(len(labels)) if chosen is None else chosen:
            wanted = share(self.options.count, len(names), part)
            row = counted(writer=model, label=labels[code]["name"], code=code, wanted=wanted)
            self.rows.append(row)
            while row["kept"] < wanted and row["calls"] < self.options.calls:
                row["calls"] += 1
                yield self.request(code, (part, row["calls"]))

    def request(self, code: int, call: Sequence[int]) -> Request:
        """The request of one call for posts of a class. call: what tells it from all others."""
        options, label = self.options, self.options.labels[code]
        rng = random.Random(json.dumps([options.seed, code, *call]))
        own = drawn(
            [f"- {text}" for other, text in self.train if other == code], options.shots["own"], rng
        )
        others = [
            f"- {options.labels[other]['name']}: {text}"
            for other, text in self.train
            if other != code
        ]
        values = {
            name: rng.choice(values) for name, values in sorted((options.attributes or {}).items())
        }
        filled = {
            "posts": POSTS.get(options.platform, "posts"),
            "number": str(options.per_call),
            "label": label["name"],
            "about": label.get("about", label["name"]),
            "labels": defined(options.labels),
            "own": "\n".join(own),
            "other": "\n".join(drawn(others, options.shots["other"], rng)),
            "attributes": "\n".join(f"{name}: {value}" for name, value in values.items()),
        }
        return Request(
            messages(options.prompt, filled),
            seed=rng.randrange(2**31),
            temperature=options.temperature,
            max_tokens=options.max_tokens,
        )

    def take(self, answer: Answer) -> None:
        """Count the answer to the last request, and keep of its posts what is new and still wanted."""
        row = self.rows[-1]
        for key in ("tokens_in", "tokens_out", "stand_in"):
            row[key] += getattr(answer, key)
        texts, reason = None, answer.reason
        if answer.value is not None:
            texts, reason = listed(answer.value, self.options.per_call)
        if texts is None:
            row["malformed"][reason] += 1
            return
        row["answered"] += 1
        for text in texts:
            place = self.known.place(text)
            if place:
                row["copies"][place] += 1
            elif row["kept"] == row["wanted"]:
                row["over"] += 1
            else:
                row["kept"] += 1
                self.known.add(text, WRITTEN)
                self.posts.append((row["code"], text))

    def frame(self) -> pd.DataFrame:
        """The posts written so far: no parent, no author, and the platform of the task."""
        frame = pd.DataFrame(self.posts, columns=["label", "text"])
        ids = [f"{self.options.node}~{k}" for k in range(len(frame))]
        frame = frame.assign(post_id=ids, platform=self.options.platform, origin="synthesize")
        return frame.astype({"label": "Int64"})

    def flow(self) -> dict[str, Any]:
        """{node, per_call, rows.

        The counts of each writer and class}, in the order in which they wrote.
        """
        rows = [
            {**row, "malformed": dict(row["malformed"]), "copies": dict(row["copies"])}
            for row in self.rows
        ]
        return {"node": self.options.node, "per_call": self.options.per_call, "rows": rows}


def counted(**stem: Any) -> dict[str, Any]:
    """Counts of one writer and class, still 0.

    calls: requests; answered of them with a list, the others malformed, by reason. Of the posts in
    lists: kept; copies, by place; over, more than wanted. stand_in: answers that a stand-in gave.
    """
    numbers = dict.fromkeys(
        ("calls", "answered", "kept", "over", "tokens_in", "tokens_out", "stand_in"), 0
    )
    return {**stem, **numbers, "malformed": Counter(), "copies": Counter()}


def drawn(lines: Sequence[str], most: int, rng: random.Random) -> list[str]:
    """So many lines in a random order, of fewer all."""
    return rng.sample(lines, min(most, len(lines)))
