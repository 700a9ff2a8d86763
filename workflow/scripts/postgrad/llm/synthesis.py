"""Posts that language models write, after UTRad-NLP (SMM4H-2024 Tasks 5 and 6).

Each call shows posts of train, some of the label and some of other labels, and asks for a numbered
list of new posts. An answer that is no such list is left out as a whole. A post of a list is kept
unless it copies a post of the corpus or one that was written before. Every call draws other
examples, and its request has a seed of its own, because the kept answer to an equal request would
contribute nothing new.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from postgrad.corpus.cleaning_steps import clean_text
from postgrad.corpus.near_copy_index import NearCopyIndex
from postgrad.llm.answer_cache import Answer, Request
from postgrad.llm.templates import fill_messages, label_definitions

# What the posts of a platform are called in a prompt. Default: posts.
PLATFORM_POSTS = {"twitter": "tweets", "reddit": "Reddit posts"}
ITEM = re.compile(r"\s*(\d+)[.):](?:\s+(.*))?")
QUOTES = {'"': '"', "“": "”", "'": "'", "‘": "’"}
WRITTEN = "written"  # the split to which the posts of the node itself belong


@dataclass(frozen=True, kw_only=True)
class SynthesizeOptions:
    """Options of one node for which models write posts."""

    node: str
    asked: list[dict[str, Any]]  # the models that write: `base`, and what decides their answers
    prompt: dict[str, str]  # the text of each turn
    labels: list[dict[str, str]]  # name and about, in class order
    platform: str
    count: int  # posts of each label, which the models share evenly
    per_call: int
    calls: int  # most calls to each model for each label
    shots: dict[str, int]  # examples of a call: own, of the label, and other
    temperature: float
    seed: int
    classes: list[int] | None = None  # codes of the labels of which posts are written; default: all
    attributes: dict[str, list[str]] | None = None  # a call names one value of each
    max_tokens: int | None = None


def parse_numbered_posts(text: str, number: int) -> tuple[list[str] | None, str | None]:
    r"""Return the posts of a list numbered 1 to `number`, one post for each line.

    Lines above the list, such as a greeting, are left out. Posts are cleaned like those of a
    corpus, and quotation marks around them are removed, so that neither shows that a model wrote
    them.

    Returns
    -------
    posts : list of str or None
        The posts, or None if the text is no such list.
    reason : str or None
        Why it is none.

    Examples
    --------
    >>> parse_numbered_posts("1. a\n2. b", 3)
    (None, 'fewer than 3 posts')
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
    posts = [clean_text(without_quotes((line[2] or "").strip())) for line in lines]
    return (posts, None) if all(posts) else (None, "an empty post")


def without_quotes(text: str) -> str:
    """Return a text without one pair of quotation marks around all of it.

    Examples
    --------
    >>> without_quotes('"it rains"'), without_quotes('"no" said he, "no"')
    ('it rains', '"no" said he, "no"')
    """
    end = QUOTES.get(text[:1])
    inside = text[1:-1]
    return (
        inside if len(text) > 1 and text[-1] == end and not {text[0], end} & set(inside) else text
    )


def even_share(whole: int, parts: int, part: int) -> int:
    """Return the size of one of several even parts of a number; the first parts may be 1 larger.

    Examples
    --------
    >>> [even_share(7, 3, part) for part in range(3)]
    [3, 2, 2]
    """
    return whole // parts + (part < whole % parts)


class PostWriter:
    """The requests of one node that asks models for posts, and the posts that are kept.

    Parameters
    ----------
    train
        Labelled posts from which examples are drawn.
    corpus
        The texts of each split, which no written post may copy.
    options
        Options of the node.

    Raises
    ------
    ValueError
        If a post of `train` has no label.
    """

    def __init__(
        self, train: pd.DataFrame, corpus: Mapping[str, Iterable[str]], options: SynthesizeOptions
    ) -> None:
        if unlabelled := int(train["label"].isna().sum()):
            raise ValueError(
                f"{options.node}: {unlabelled} of {len(train)} posts have no label; "
                "name a labelled split."
            )
        train = train.sort_values("post_id")  # the draw must not depend on the order of the file
        self.train = list(zip(train["label"].astype(int), train["text"]))
        self.known, self.options = NearCopyIndex({**corpus, WRITTEN: ()}), options
        self.posts: list[tuple[int, str]] = []  # class code and text of the posts that are kept
        self.rows: list[dict[str, Any]] = []  # see `new_counts`

    def requests(self, model: str) -> Iterator[Request]:
        """Yield one model's requests, class by class, until its posts or its calls are used up.

        Call `add_answer` with the answer to a request before the next request is taken.
        """
        names = [base["base"] for base in self.options.asked]
        part, labels, chosen = names.index(model), self.options.labels, self.options.classes
        for code in range(len(labels)) if chosen is None else chosen:
            wanted = even_share(self.options.count, len(names), part)
            row = new_counts(writer=model, label=labels[code]["name"], code=code, wanted=wanted)
            self.rows.append(row)
            while row["kept"] < wanted and row["calls"] < self.options.calls:
                row["calls"] += 1
                yield self.new_request(code, (part, row["calls"]))

    def new_request(self, code: int, call: Sequence[int]) -> Request:
        """Return the request of one call for posts of a class.

        Parameters
        ----------
        code
            Code of the class.
        call
            Numbers that no other call for this class has.
        """
        options, label = self.options, self.options.labels[code]
        rng = random.Random(json.dumps([options.seed, code, *call]))
        own = draw_lines(
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
        fields = {
            "posts": PLATFORM_POSTS.get(options.platform, "posts"),
            "number": str(options.per_call),
            "label": label["name"],
            "about": label.get("about", label["name"]),
            "labels": label_definitions(options.labels),
            "own": "\n".join(own),
            "other": "\n".join(draw_lines(others, options.shots["other"], rng)),
            "attributes": "\n".join(f"{name}: {value}" for name, value in values.items()),
        }
        return Request(
            fill_messages(options.prompt, fields),
            seed=rng.randrange(2**31),
            temperature=options.temperature,
            max_tokens=options.max_tokens,
        )

    def add_answer(self, answer: Answer) -> None:
        """Count the answer to the last request, and keep its new posts while posts are wanted."""
        row = self.rows[-1]
        for key in ("tokens_in", "tokens_out", "stand_in"):
            row[key] += getattr(answer, key)
        texts, reason = None, answer.reason
        if answer.value is not None:
            texts, reason = parse_numbered_posts(answer.value, self.options.per_call)
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

    def written_posts(self) -> pd.DataFrame:
        """Return the posts that are kept so far; they have no parent and no author."""
        frame = pd.DataFrame(self.posts, columns=["label", "text"])
        ids = [f"{self.options.node}~{k}" for k in range(len(frame))]
        frame = frame.assign(post_id=ids, platform=self.options.platform, origin="synthesize")
        return frame.astype({"label": "Int64"})

    def flow(self) -> dict[str, Any]:
        """Return node, per_call, and rows: the counts of each writer and class, in their order."""
        rows = [
            {**row, "malformed": dict(row["malformed"]), "copies": dict(row["copies"])}
            for row in self.rows
        ]
        return {"node": self.options.node, "per_call": self.options.per_call, "rows": rows}


def new_counts(**stem: Any) -> dict[str, Any]:
    """Return the counts of one writer and class, which are all 0.

    Parameters
    ----------
    **stem
        Values that name the writer and the class.

    Returns
    -------
    dict
        calls: requests. answered: requests that got a list. malformed: the other requests, by
        reason. kept, copies (by split) and over (more than wanted): posts of the lists. tokens_in,
        tokens_out: tokens read and written. stand_in: answers of a stand-in.
    """
    numbers = dict.fromkeys(
        ("calls", "answered", "kept", "over", "tokens_in", "tokens_out", "stand_in"), 0
    )
    return {**stem, **numbers, "malformed": Counter(), "copies": Counter()}


def draw_lines(lines: Sequence[str], most: int, rng: random.Random) -> list[str]:
    """Return `most` lines in a random order, or all lines if there are fewer."""
    return rng.sample(lines, min(most, len(lines)))
