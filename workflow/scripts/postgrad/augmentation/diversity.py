"""Measure how varied the posts of a dataset are: words, embeddings, clusters and a map.

Counts of n-grams, self-BLEU and coverage grow with the number of posts, so that groups that are
compared have equally many. An embedding has length 1, so that products are cosines.
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

    `rows` is how many posts of the class the dataset has.
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
    """The entry of one task in diversity.json.

    `n` is the number of posts of each group, `reference` that of the train posts that are
    clustered, and `silhouettes` lists [number of clusters, silhouette] for each number that was
    tried. If no group has enough posts, `n` is 0 and only `groups` is present.
    """

    n: int
    groups: list[Group]
    reference: NotRequired[int]
    clusters: NotRequired[int]
    silhouettes: NotRequired[list[list[float]]]


def equal_groups(
    datasets: Mapping[str, pd.DataFrame], labels: Sequence[str], sample: int
) -> tuple[int, list[Group]]:
    """Return n and, of each dataset and class, n posts that are chosen by their ids.

    Parameters
    ----------
    datasets
        The posts of each dataset.
    labels
        The K labels in class order.
    sample
        The largest n.

    Returns
    -------
    n : int
        The size of the smallest group of at least FEWEST posts, and at most `sample`.
    groups : list of Group
        A group of fewer than FEWEST posts has a `reason` instead of posts, and an empty one is left
        out.
    """
    groups: list[Group] = []
    for name, frame in datasets.items():
        for code, label in enumerate(labels):
            posts = frame[frame["label"] == code]
            if len(posts):
                groups.append({"dataset": name, "label": label, "rows": len(posts), "posts": posts})
    n = min([sample, *(group["rows"] for group in groups if group["rows"] >= FEWEST)])
    for group in groups:
        if group["rows"] < FEWEST:
            del group["posts"]
            group["reason"] = f"fewer than {FEWEST} posts"
        else:
            group["posts"] = first_by_hash(group["posts"], n)
    return n, groups


def measure_diversity(
    datasets: Mapping[str, pd.DataFrame],
    task: DiversityTask,
    embedded: Callable[[pd.DataFrame], np.ndarray],
) -> Diversity:
    """Measure how varied the datasets of a task are.

    Parameters
    ----------
    datasets
        The posts of each dataset, the train posts first. At most `task.sample` train posts of each
        class are the reference, which is clustered and to which distances are measured.
    task
        Labels, sizes and seeds.
    embedded
        A function from posts to (n, d) embeddings of length 1.
    """
    n, groups = equal_groups(datasets, task.labels, task.sample)
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
    centres = cluster_centres(known, min(task.clusters, len(known)), task.seed)
    shown = [rows(first_by_hash(group["posts"], MAPPED)) for group in kept]
    used = np.unique(np.concatenate(shown))
    points = dict(zip(used, map_coordinates(vectors[used], task.perplexity, task.seed).tolist()))
    for group, places in zip(kept, shown):
        posts = group.pop("posts")
        own, texts = vectors[rows(posts)], posts["text"].tolist()
        group |= {
            "unique": [unique_ngrams(texts, size) for size in (1, 2, 3)],
            "self_bleu": self_bleu(texts),
        }
        group["cosine"] = mean_cosine(own)
        group["nearest"] = float(
            nearest_distances(own, posts["post_id"], known, reference["post_id"]).mean()
        )
        group["coverage"], group["entropy"] = cluster_coverage(own, centres)
        group["points"] = [points[place] for place in places]
    tried: list[list[float]] = [
        [k, value] for k, value in silhouette_scores(known, task.seed).items()
    ]
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
    """Return the n-grams of the lower-case words of a text, which white space separates.

    Examples
    --------
    >>> ngrams("Rain again today", 2)
    [('rain', 'again'), ('again', 'today')]
    """
    words = text.lower().split()
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def unique_ngrams(texts: Iterable[str], n: int) -> int:
    """Return how many different n-grams the texts have; none spans two texts.

    Examples
    --------
    >>> unique_ngrams(["rain again", "rain now"], 1)
    3
    """
    return len({gram for text in texts for gram in ngrams(text, n)})


def self_bleu(texts: Sequence[str], order: int = ORDER) -> float:
    """Return the mean BLEU of each text with all others as its references.

    It is 1 if all texts are alike (Texygen, Zhu et al. 2018). BLEU is BP exp(mean over n of log
    p_n), n = 1..order, as in Papineni et al. 2002. p_n is the share of a text's n-grams that are
    matched, each at most as often as in the reference that has it most often. BP is min(1, exp(1 -
    r/c)), where c is the length of the text and r the nearest length of a reference; the shorter of
    two equally near lengths counts. If no n-gram is matched, 0.1 replaces the count (Chen and
    Cherry 2014, smoothing 1, as in Texygen's code). A text that shares no word has 0.
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
    return sum(
        math.exp(value) * brief for value, brief in zip(bleu, brevity_penalties(lengths))
    ) / len(texts)


def brevity_penalties(lengths: Sequence[int]) -> list[float]:
    """Return the brevity penalty of BLEU of each text, with all others as references.

    Examples
    --------
    >>> [round(penalty, 3) for penalty in brevity_penalties([2, 4])]
    [0.368, 1.0]
    """
    known, penalties = Counter(lengths), []
    for own in lengths:
        others = known - Counter([own])
        nearest_length = min(others, key=lambda length: (abs(length - own), length), default=own)
        penalties.append(min(1.0, math.exp(1 - nearest_length / own)) if own else 0.0)
    return penalties


# -- embeddings
# ------------------------------------------------------------------------------------------


def mean_cosine(vectors: np.ndarray) -> float:
    """Return the mean cosine of all pairs of different rows.

    Parameters
    ----------
    vectors
        (n, d) rows of length 1, n > 1.
    """
    n = len(vectors)
    return float((np.square(vectors.sum(axis=0)).sum() - n) / (n * (n - 1)))


def nearest_distances(
    vectors: np.ndarray, ids: ArrayLike, others: np.ndarray, other_ids: ArrayLike
) -> np.ndarray:
    """Return the distance 1 - cosine from each row to the nearest of other rows.

    Parameters
    ----------
    vectors, others
        (n, d) and (m, d) rows of length 1.
    ids, other_ids
        Their posts. A post with the same id is not compared.

    Returns
    -------
    ndarray of shape (n,)
    """
    distances = 1 - vectors @ others.T
    distances[np.asarray(ids)[:, None] == np.asarray(other_ids)[None, :]] = np.inf
    return np.maximum(distances.min(axis=1), 0)


def cluster_centres(vectors: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Return the (k, d) centres of k-means, the best of four starts."""
    return KMeans(k, n_init=4, random_state=seed).fit(vectors).cluster_centers_


def silhouette_scores(vectors: np.ndarray, seed: int) -> dict[int, float]:
    """Return the mean silhouette of k-means, by k.

    The numbers k of COUNTS are tried that leave at least two posts for each cluster on average.
    """
    tried = [k for k in COUNTS if 2 * k <= len(vectors)]
    members = {k: nearest_centres(vectors, cluster_centres(vectors, k, seed)) for k in tried}
    return {
        k: float(silhouette_score(vectors, own)) for k, own in members.items() if len(set(own)) > 1
    }


def nearest_centres(vectors: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return the nearest centre of each row; the first of equally near ones wins."""
    return (np.square(centres).sum(axis=1) - 2 * vectors @ centres.T).argmin(axis=1)


def cluster_coverage(vectors: np.ndarray, centres: np.ndarray) -> tuple[float, float]:
    """Return the share of the clusters that have a row, and a normalised entropy.

    The entropy is that of the clusters' shares of the rows, divided by that of equal shares.
    """
    shares = np.bincount(nearest_centres(vectors, centres), minlength=len(centres)) / len(vectors)
    held = shares[shares > 0]
    entropy = (
        -float((held * np.log(held)).sum()) / math.log(len(centres)) if len(centres) > 1 else 0.0
    )
    return len(held) / len(centres), entropy + 0.0


def map_coordinates(vectors: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    """Return t-SNE coordinates of the first 50 principal components.

    Parameters
    ----------
    vectors
        (n, d) rows.
    perplexity
        Perplexity of t-SNE, which is lowered to a third of the rows if they are few.
    seed
        Seed of t-SNE.

    Returns
    -------
    ndarray of shape (n, 2)
        Coordinates in the unit square with three decimals.
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
