"""Make new posts from labelled ones by a new order of segments, or by edited words.

`shuffle` (CTYUN-AI, SMM4H-2024 Task 3) cuts a post into segments after commas and full stops and
puts them together in another order; the words and their number stay. `edit` (ALEX, SMM4H-2023)
changes a few words, see word_edits.py. Label and keyword stay. The control `duplicate` makes the
same number of posts from the same sources with the text unchanged.
"""

import random
import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import pandas as pd

from postgrad.augmentation.word_edits import KINDS, edit_text, expansion_share

TRIES = 10  # draws for one new post before its text is repeated, or it is left out
# Where a text is cut: behind a comma or full stop, in `protected` only at white space, which leaves
# URLs, decimals and ellipses whole. Before a further delimiter there is no cut, so a run (". . .")
# stays together.
CUTS = {
    "protected": re.compile(r"(?<=[,.])\s+(?=[^\s,.])"),
    "naive": re.compile(r"(?<=[,.])\s*(?=[^\s,.])"),
}
HIDE, SHOW = str.maketrans(",.", "\x00\x01"), str.maketrans("\x00\x01", ",.")
METHODS = ("shuffle", "duplicate", "edit")


def split_segments(text: str, keyword: str | None = None, split: str = "protected") -> list[str]:
    """Return the segments of a text in order, each with its delimiter and stripped.

    Parameters
    ----------
    text
        A text.
    keyword
        One or several terms, separated by commas, that `protected` does not cut. Case is ignored.
    split
        protected or naive, see CUTS.

    Examples
    --------
    >>> split_segments("It rains, again. See a.b now.")
    ['It rains,', 'again.', 'See a.b now.']
    """
    hidden = text.strip()
    if keyword is not None and split == "protected":
        for term in (keyword, *keyword.split(",")):
            if "," in (term := term.strip()) or "." in term:
                hidden = re.sub(
                    re.escape(term), lambda m: m[0].translate(HIDE), hidden, flags=re.IGNORECASE
                )
    parts = CUTS[split].split(hidden)
    if len(parts) > 1 and not parts[0].strip(",. "):  # a post that begins with delimiters
        parts[:2] = [f"{parts[0]} {parts[1]}"]
    return parts if hidden == text else [part.translate(SHOW) for part in parts]


def shuffle_segments(
    parts: Sequence[str], refused: Container[str], rng: random.Random
) -> str | None:
    """Return the segments in a random order, joined by spaces.

    None if ten orders gave only texts that are refused.
    """
    for _ in range(TRIES):
        text = " ".join(
            sorted(parts, key=lambda _: rng.random())
        )  # three times as fast as rng.sample
        if text not in refused:
            return text
    return None


def source_counts(
    labels: Sequence[int],
    copies: int,
    fill: str | None,
    rng: random.Random,
    classes: Iterable[int] | None = None,
    budget: Mapping[int, int] | None = None,
) -> Counter[int]:
    """Return how many new posts are made from each post, by its row.

    Every row of the chosen classes counts `copies` times. With `fill` largest, rows are then added
    to each of these classes until it is as large, with its copies, as the largest class with its
    own; with a budget, as many are added to each class as it says. They follow a random order of
    the class, so that the uses of two of its posts differ by at most one.

    Parameters
    ----------
    labels
        (n,) class codes.
    copies
        New posts of each post.
    fill
        largest or None.
    rng
        The source of the random order.
    classes
        Codes of the chosen classes. Default: all.
    budget
        How many new posts of each class are made.
    """
    chosen = set(labels) if classes is None else set(classes) & set(labels)
    times = Counter({row: copies for row, label in enumerate(labels) if label in chosen})
    sizes = {label: n * (1 + copies * (label in chosen)) for label, n in Counter(labels).items()}
    size = (
        {label: max(sizes.values()) - sizes[label] for label in chosen}
        if fill == "largest"
        else budget or {}
    )
    for label in sorted(size.keys() & chosen):
        own = [row for row, other in enumerate(labels) if other == label]
        rng.shuffle(own)
        times.update(islice(cycle(own), size[label]))
    return times


@dataclass(frozen=True, kw_only=True)
class AugmentOptions:
    """The options of one dataset of new posts."""

    node: str
    method: str  # shuffle, duplicate or edit
    copies: int  # new posts of each post
    seed: int
    fill: str | None = None  # largest: each class is filled up to the largest one
    classes: list[int] | None = None  # codes of those to make posts of; default: all
    split: str | None = None  # of method shuffle: where a post is cut
    edits: list[str] | None = None  # of method edit: see word_edits.edit_text
    rate: float | None = None  # of method edit: the share of a post's words that are edited
    near_duplicates: str = "drop"  # or report or stop: posts that nearly copy a scored one


def augment_posts(
    posts: pd.DataFrame,
    options: AugmentOptions,
    synonyms: Mapping[str, list[str]] | None = None,
    budget: Mapping[int, int] | None = None,
) -> tuple[pd.DataFrame, dict[str, dict[int, int]]]:
    """Return the new posts of a node, and how many were made or not made, for which reason.

    Rows that share a parent continue one series of ids `<parent>~<node>~<k>`; the parent of a
    derived post is its own parent. If `shuffle` finds fewer than two segments, or no new order, the
    text is repeated and counted. If `edit` finds no word to edit, or nothing new, there is no post,
    and it is counted.

    Parameters
    ----------
    posts
        Labelled posts with the columns of `POSTS`.
    options
        The options of the node.
    synonyms
        As in `edit_text`.
    budget
        How many new posts of each class are made. Default: as many as `copies` and `fill` say.

    Returns
    -------
    posts : DataFrame
    counts : dict
        For each of "made", "one segment", "no new order" and "no edit": how many posts of each
        class.

    Raises
    ------
    ValueError
        If a post has no label, or the options make nothing.
    """
    node, method, split, fill = options.node, options.method, options.split, options.fill
    copies, edits = options.copies, options.edits or []
    reads = {
        "shuffle": split in CUTS,
        "edit": bool(edits) and options.rate is not None and set(edits) <= set(KINDS),
    }
    if method not in METHODS or not reads.get(method, True) or fill not in (None, "largest"):
        raise ValueError(
            f"{node}: method {method!r}, split {split!r}, fill {fill!r} and edits do not all exist."
        )
    if not copies and fill is None and budget is None:
        raise ValueError(
            f"{node}: nothing to make; set `copies` to a number from 1, `fill: largest`, "
            "or a budget."
        )
    if unlabelled := int(posts["label"].isna().sum()):
        raise ValueError(
            f"{node}: {unlabelled} of {len(posts)} posts have no label; name a labelled split."
        )
    rng = random.Random(options.seed)
    # The draw must not depend on the order of the file.
    posts = posts.sort_values("post_id", kind="stable")
    texts, labels = posts["text"].tolist(), posts["label"].astype(int).tolist()
    keywords = [None if pd.isna(word) else word for word in posts["keyword"]]
    roots = posts["parent"].fillna(posts["post_id"]).tolist()
    times = source_counts(labels, copies, fill, rng, options.classes, budget)
    expand = (
        expansion_share(texts[row] for row in times)
        if method == "edit" and "contraction" in edits
        else 0
    )

    rows, new_texts, ids = [], [], []
    series: Counter[str] = Counter()
    counts: dict[str, Counter[int]] = {
        reason: Counter() for reason in ("made", "one segment", "no new order", "no edit")
    }
    # The texts that are not new: those of each source, or for edits of all posts with one parent.
    seen: dict[str | int, set[str]] = {}
    for row, n in times.items():
        text, label, root = texts[row], labels[row], roots[row]
        parts = split_segments(text, keywords[row], split or "") if method == "shuffle" else []
        refused = seen.setdefault(root if method == "edit" else row, set())
        refused |= {text, " ".join(parts)}
        for _ in range(n):
            if method == "edit":
                draws = (
                    edit_text(
                        text, edits, options.rate or 0.0, synonyms or {}, expand, rng, keywords[row]
                    )
                    for _ in range(TRIES)
                )
                new = next((draw for draw in draws if draw not in refused | {None}), None)
                if new is None:
                    counts["no edit"][label] += 1
                    continue
            else:
                new = shuffle_segments(parts, refused, rng) if len(parts) > 1 else None
                if new is None and method == "shuffle":
                    counts["no new order" if len(parts) > 1 else "one segment"][label] += 1
                new = text if new is None else new
            refused.add(new)
            rows.append(row)
            new_texts.append(new)
            ids.append(f"{root}~{node}~{series[root]}")
            series[root] += 1
            counts["made"][label] += 1
    frame = posts.iloc[rows].assign(
        post_id=ids, text=new_texts, origin="augment", parent=[roots[row] for row in rows]
    )
    return frame.reset_index(drop=True), {
        name: dict(sorted(count.items())) for name, count in counts.items()
    }
