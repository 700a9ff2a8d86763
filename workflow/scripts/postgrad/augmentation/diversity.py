"""How varied the posts of a dataset are beside the train posts of its task: words, embeddings,
clusters, and a map.

Counts of n-grams, self-BLEU and coverage grow with the number of posts, so groups that stand side
by side hold equally many. An embedding has length 1: products are cosines.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NotRequired, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score

from postgrad.records.posts import first_by_hash

FEWEST = (
    10  # posts of a group: of fewer nothing is told, and every other group would shrink to them
)
MAPPED = 150  # posts of a group on the map, which is unreadable with more, and the page large
COUNTS = range(2, 21)  # numbers of clusters that are tried
ORDER = 4  # the longest n-gram of self-BLEU


@dataclass(frozen=True)
class MeasuredSet:
    """A dataset that is measured, or the reason why it is not."""

    dataset: str
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class DiversityTask:
    """What is measured of the posts of one task, or the reason why nothing is."""

    embed: str  # the base that gives the embeddings
    model: str  # the encoder in its place
    labels: list[str]  # in class order
    sets: list[MeasuredSet]
    sample: int
    clusters: int
    perplexity: float
    seed: int
    reason: str | None = None


@dataclass(frozen=True)
class DiversityOptions:
    """The options of the measurements of one recipe."""

    recipe: str
    tasks: dict[str, DiversityTask]


class Group(TypedDict):
    """Posts of one dataset and class, and what is measured of them.

    `rows`: how many the dataset has of the class.
    """

    dataset: str
    label: str
    rows: int
    posts: NotRequired[pd.DataFrame]  # those that are measured
    reason: NotRequired[str]  # why none are
    unique: NotRequired[list[int]]  # different n-grams of one, two and three words
    self_bleu: NotRequired[float]
    cosine: NotRequired[float]
    nearest: NotRequired[float]
    coverage: NotRequired[float]
    entropy: NotRequired[float]
    points: NotRequired[list[list[float]]]  # on the map, in the unit square


class Diversity(TypedDict):
    """What stands under a task in diversity.json.

    n: posts of each group. reference: train posts that are clustered. silhouettes: [number of
    clusters, silhouette] of each number that was tried. Without a group of enough posts n is 0, and
    only the groups stand there.
    """

    n: int
    groups: list[Group]
    reference: NotRequired[int]
    clusters: NotRequired[int]
    silhouettes: NotRequired[list[list[float]]]


def groups_of(
    datasets: Mapping[str, pd.DataFrame], labels: Sequence[str], sample: int
) -> tuple[int, list[Group]]:
    """n, and equally many posts of each dataset and class, drawn by their ids.

    datasets: {name: posts}. labels: the K class names. n: as many as the smallest group has,
    `sample` at most. A group of fewer than FEWEST posts has a `reason` in the place of its posts;
    an empty one is none.
    """
    found: list[Group] = []
    for name, frame in datasets.items():
        for code, label in enumerate(labels):
            posts = frame[frame["label"] == code]
            if len(posts):
                found.append({"dataset": name, "label": label, "rows": len(posts), "posts": posts})
    n = min([sample, *(group["rows"] for group in found if group["rows"] >= FEWEST)])
    for group in found:
        if group["rows"] < FEWEST:
            del group["posts"]
            group["reason"] = f"fewer than {FEWEST} posts"
        else:
            group["posts"] = first_by_hash(group["posts"], n)
    return n, found


def measured(
    datasets: Mapping[str, pd.DataFrame],
    task: DiversityTask,
    embedded: Callable[[pd.DataFrame], np.ndarray],
) -> Diversity:
    """How varied the datasets of a task are.

    datasets: {name: posts}, the train posts first: `sample` of each class at most are the reference
    that is clustered and that posts are near to. embedded: posts -> (n, d) unit rows.
    """
    n, groups = groups_of(datasets, task.labels, task.sample)
    kept = [group for group in groups if "posts" in group]
    if not kept:
        return {"n": 0, "groups": groups}
    train, *_ = datasets.values()
    reference = pd.concat([first_by_hash(part, task.sample) for _, part in train.groupby("label")])
    union = pd.concat([reference, *(group["posts"] for group in kept)]).drop_duplicates("post_id")
    row_of, vectors = dict(zip(union["post_id"], range(len(union)))), embedded(union)

    def rows(posts: pd.DataFrame) -> np.ndarray:
        return np.array([row_of[post_id] for post_id in posts["post_id"]])

    known = vectors[rows(reference)]
    centres = centres_of(known, min(task.clusters, len(known)), task.seed)
    shown = [rows(first_by_hash(group["posts"], MAPPED)) for group in kept]
    used = np.unique(np.concatenate(shown))
    points = dict(zip(used, plane(vectors[used], task.perplexity, task.seed).tolist()))
    for group, places in zip(kept, shown):
        posts = group.pop("posts")
        own, texts = vectors[rows(posts)], posts["text"].tolist()
        group |= {
            "unique": [unique_ngrams(texts, size) for size in (1, 2, 3)],
            "self_bleu": self_bleu(texts),
        }
        group["cosine"] = mean_cosine(own)
        group["nearest"] = float(nearest(own, posts["post_id"], known, reference["post_id"]).mean())
        group["coverage"], group["entropy"] = coverage(own, centres)
        group["points"] = [points[place] for place in places]
    tried: list[list[float]] = [[k, value] for k, value in silhouettes(known, task.seed).items()]
    return {
        "n": n,
        "reference": len(known),
        "clusters": len(centres),
        "silhouettes": tried,
        "groups": groups,
    }


# -- words
# -----------------------------------------------------------------------------------------------


def ngrams(text: str, n: int) -> list[tuple[str, ...]]:
    """The n-grams of a text's lower-case words, which white space parts."""
    words = text.lower().split()
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def unique_ngrams(texts: Iterable[str], n: int) -> int:
    """How many different n-grams the texts hold; none crosses from one text to the next."""
    return len({gram for text in texts for gram in ngrams(text, n)})


def self_bleu(texts: Sequence[str], order: int = ORDER) -> float:
    """The mean BLEU of each text with all others as its references (Zhu et al. 2018, Texygen); 1:
    all are alike.

    BLEU = BP exp(mean of log p_n, n = 1..order), as in Papineni et al. 2002: p_n is the share of a
    text's n-grams that are matched, each at most as often as the one reference that has it most
    often; BP = min(1, exp(1 - r/c)), c the text's length and r the nearest to it of the
    references', of equals the shorter. Where no n-gram is matched, 0.1 in the place of none (Chen &
    Cherry 2014, smoothing 1, as in Texygen's code); 0 for a text that shares no word.
    """
    bleu = [0.0] * len(texts)
    for n in range(1, order + 1):
        counts = [Counter(ngrams(text, n)) for text in texts]
        # n-gram: (highest count, whose, the highest of all others)
        best: dict[tuple[str, ...], tuple[int, int, int]] = {}
        for i, own in enumerate(counts):
            for gram, count in own.items():
                high, whose, next_high = best.get(gram, (0, -1, 0))
                best[gram] = (
                    (count, i, high) if count > high else (high, whose, max(next_high, count))
                )
        for i, own in enumerate(counts):
            matched = sum(
                min(count, best[gram][2 if best[gram][1] == i else 0])
                for gram, count in own.items()
            )
            if n == 1 and not matched:
                bleu[i] = -math.inf
            bleu[i] += math.log((matched or 0.1) / max(1, own.total())) / order
    lengths = [len(text.split()) for text in texts]
    return sum(math.exp(value) * brief for value, brief in zip(bleu, penalties(lengths))) / len(
        texts
    )


def penalties(lengths: Sequence[int]) -> list[float]:
    """BLEU's brevity penalty of each text, all others being its references."""
    known, found = Counter(lengths), []
    for own in lengths:
        others = known - Counter([own])
        nearest_length = min(others, key=lambda length: (abs(length - own), length), default=own)
        found.append(min(1.0, math.exp(1 - nearest_length / own)) if own else 0.0)
    return found


# -- embeddings
# ------------------------------------------------------------------------------------------


def mean_cosine(vectors: np.ndarray) -> float:
    """The mean cosine of all pairs of different rows; vectors: (n, d) of length 1, n from 2 on."""
    n = len(vectors)
    return float((np.square(vectors.sum(axis=0)).sum() - n) / (n * (n - 1)))


def nearest(
    vectors: np.ndarray, ids: ArrayLike, others: np.ndarray, other_ids: ArrayLike
) -> np.ndarray:
    """(n,) distances 1 - cosine from each row to the nearest of `others`.

    A post with the same id is none of them.
    """
    distances = 1 - vectors @ others.T
    distances[np.asarray(ids)[:, None] == np.asarray(other_ids)[None, :]] = np.inf
    return np.maximum(distances.min(axis=1), 0)


def centres_of(vectors: np.ndarray, k: int, seed: int) -> np.ndarray:
    """(k, d) centres of k-means, the best of four starts."""
    return KMeans(k, n_init=4, random_state=seed).fit(vectors).cluster_centers_


def silhouettes(vectors: np.ndarray, seed: int) -> dict[int, float]:
    """{k.

    Mean silhouette} of k-means for each k of COUNTS that leaves two posts to a cluster on average.
    """
    tried = [k for k in COUNTS if 2 * k <= len(vectors)]
    members = {k: assigned(vectors, centres_of(vectors, k, seed)) for k in tried}
    return {
        k: float(silhouette_score(vectors, own)) for k, own in members.items() if len(set(own)) > 1
    }


def assigned(vectors: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(n,) the nearest centre of each row, the first of equally near ones."""
    return (np.square(centres).sum(axis=1) - 2 * vectors @ centres.T).argmin(axis=1)


def coverage(vectors: np.ndarray, centres: np.ndarray) -> tuple[float, float]:
    """(share of the clusters that hold a row, entropy of their shares of the rows over that of
    equal shares).
    """
    shares = np.bincount(assigned(vectors, centres), minlength=len(centres)) / len(vectors)
    held = shares[shares > 0]
    entropy = (
        -float((held * np.log(held)).sum()) / math.log(len(centres)) if len(centres) > 1 else 0.0
    )
    return len(held) / len(centres), entropy + 0.0


def plane(vectors: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    """(n, 2) t-SNE of the first 50 principal components, in the unit square, three digits after the
    point.

    perplexity: a third of the rows at most.
    """
    parts = min(50, *vectors.shape)
    reduced = PCA(parts, svd_solver="full").fit_transform(vectors)
    most = min(perplexity, (len(vectors) - 1) / 3)
    points = (
        TSNE(perplexity=most, init="pca", random_state=seed, n_jobs=1)
        .fit_transform(reduced)
        .astype(np.float64)
    )
    points -= points.min(axis=0)
    return np.round(points / (points.max() or 1.0), 3)
