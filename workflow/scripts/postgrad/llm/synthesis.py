"""Posts that a language model writes, after UTRad-NLP (SMM4H-2024 Tasks 5 and 6).

Each call shows posts of train, some of the label and some of others, and asks for a numbered list of new ones. What is
no such list is left out as a whole. Of the others each post stays that copies neither a post of the corpus nor one that
was written before. Every call shows another draw, and its request has a seed of its own: an answer that is kept for an
equal request would bring nothing new.
"""

import json
import random
import re
from collections import Counter

import pandas as pd

from postgrad.corpus.cleaning import cleaned_text
from postgrad.corpus.duplicates import Known
from postgrad.llm.answer_cache import Request
from postgrad.llm.templates import defined, messages

POSTS = {"twitter": "tweets", "reddit": "Reddit posts"}  # what a platform's posts are called; others are posts
ITEM = re.compile(r"\s*(\d+)[.):](?:\s+(.*))?")
QUOTES = {'"': '"', "“": "”", "'": "'", "‘": "’"}
WRITTEN = "written"  # the place of the node's own posts


def listed(text, number):
    """(posts, None) of a list numbered 1 to `number`, one line a post; (None, why it is none) otherwise.

    A line above the list, such as a greeting, is left out. Posts are cleaned as those of a corpus are, and taken out of
    quotation marks: neither may tell who wrote them.
    """
    lines = [ITEM.fullmatch(line) for line in text.splitlines() if line.strip()]
    while lines and lines[0] is None:
        del lines[0]
    if not lines:
        return None, "no list"
    if None in lines:
        return None, "text beside the list"
    if [int(line[1]) for line in lines] != list(range(1, len(lines) + 1)):
        return None, "wrong numbers"
    if len(lines) != number:
        return None, f"{'more' if len(lines) > number else 'fewer'} than {number} posts"
    posts = [cleaned_text(unquoted((line[2] or "").strip())) for line in lines]
    return (posts, None) if all(posts) else (None, "an empty post")


def unquoted(text):
    """The text without one pair of quotation marks around all of it."""
    end = QUOTES.get(text[:1])
    inside = text[1:-1]
    return inside if len(text) > 1 and text[-1] == end and not {text[0], end} & set(inside) else text


def share(whole, parts, part):
    """The size of one of so many even parts of a number, the first ones larger by one where it does not divide."""
    return whole // parts + (part < whole % parts)


class Writing:
    """The posts of one node while its writers write them.

    train: labelled posts from which examples are drawn (posts.POSTS). corpus: {split: texts} that no written post may
    copy. spec: the node's: `count` posts of each of `classes` (codes; all where silent), shared evenly by the models
    under `asked`; `per_call` posts a call, and `calls` calls at most to each model for each class; shots {own, other};
    attributes {name: values}, of each of which a call names one; temperature, max_tokens and seed; labels, platform and
    prompt. Raises ValueError for examples without labels.
    """

    def __init__(self, train, corpus, spec):
        if unlabelled := int(train["label"].isna().sum()):
            raise ValueError(
                f"{spec['node']}: {unlabelled} of {len(train)} posts have no label; name a labelled split."
            )
        train = train.sort_values("post_id")  # the draw must not hang on the order of the file
        self.train = list(zip(train["label"].astype(int), train["text"]))
        self.known, self.spec = Known({**corpus, WRITTEN: ()}), spec
        self.posts, self.rows = [], []  # (class code, text) of what stays; counts, see `counted`

    def requests(self, model):
        """One model's requests, class after class, until each has its share of posts or of calls.

        Each comes when it is asked for: the answer to the one before must have been taken.
        """
        names = [base["base"] for base in self.spec["asked"]]
        part, labels = names.index(model), self.spec["labels"]
        for code in self.spec.get("classes", range(len(labels))):
            wanted = share(self.spec["count"], len(names), part)
            row = counted(writer=model, label=labels[code]["name"], code=code, wanted=wanted)
            self.rows.append(row)
            while row["kept"] < wanted and row["calls"] < self.spec["calls"]:
                row["calls"] += 1
                yield self.request(code, (part, row["calls"]))

    def request(self, code, call):
        """The request of one call for posts of a class. call: what tells it from all others."""
        spec, label = self.spec, self.spec["labels"][code]
        rng = random.Random(json.dumps([spec["seed"], code, *call]))
        own = drawn([f"- {text}" for other, text in self.train if other == code], spec["shots"]["own"], rng)
        others = [f"- {spec['labels'][other]['name']}: {text}" for other, text in self.train if other != code]
        values = {name: rng.choice(values) for name, values in sorted(spec.get("attributes", {}).items())}
        filled = {
            "posts": POSTS.get(spec["platform"], "posts"),
            "number": str(spec["per_call"]),
            "label": label["name"],
            "about": label.get("about", label["name"]),
            "labels": defined(spec["labels"]),
            "own": "\n".join(own),
            "other": "\n".join(drawn(others, spec["shots"]["other"], rng)),
            "attributes": "\n".join(f"{name}: {value}" for name, value in values.items()),
        }
        sampling = {"temperature": spec["temperature"], "max_tokens": spec.get("max_tokens")}
        return Request(messages(spec["prompt"], filled), seed=rng.randrange(2**31), **sampling)

    def take(self, answer):
        """Count the answer to the last request, and keep of its posts what is new and still wanted."""
        row = self.rows[-1]
        for key in ("tokens_in", "tokens_out", "stand_in"):
            row[key] += getattr(answer, key)
        texts, reason = (None, answer.reason) if answer.value is None else listed(answer.value, self.spec["per_call"])
        if reason:
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

    def frame(self):
        """The posts written so far: no parent, no author, and the platform of the task."""
        frame = pd.DataFrame(self.posts, columns=["label", "text"])
        ids = [f"{self.spec['node']}~{k}" for k in range(len(frame))]
        return frame.assign(post_id=ids, platform=self.spec["platform"], origin="synthesize").astype({"label": "Int64"})

    def flow(self):
        """{node, per_call, rows: the counts of each writer and class}, in the order in which they wrote."""
        rows = [{**row, "malformed": dict(row["malformed"]), "copies": dict(row["copies"])} for row in self.rows]
        return {"node": self.spec["node"], "per_call": self.spec["per_call"], "rows": rows}


def counted(**stem):
    """Counts of one writer and class, still 0.

    calls: requests; answered of them with a list, the others malformed, by reason. Of the posts in lists: kept; copies,
    by place; over, more than wanted. stand_in: answers that a stand-in gave.
    """
    numbers = dict.fromkeys(("calls", "answered", "kept", "over", "tokens_in", "tokens_out", "stand_in"), 0)
    return {**stem, **numbers, "malformed": Counter(), "copies": Counter()}


def drawn(lines, most, rng):
    """So many lines in a random order, of fewer all."""
    return rng.sample(lines, min(most, len(lines)))
