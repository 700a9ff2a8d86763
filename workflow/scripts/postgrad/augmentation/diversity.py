"""How varied the posts of a dataset are beside the train posts of its task: words, embeddings, clusters, and a map.

Counts of n-grams, self-BLEU and coverage grow with the number of posts, so groups that stand side by side hold equally
many. An embedding has length 1: products are cosines.
"""

import math
from collections import Counter

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score

from postgrad.records.posts import first_by_hash

FEWEST = 10  # posts of a group: of fewer nothing is told, and every other group would shrink to them
MAPPED = 150  # posts of a group on the map, which is unreadable with more, and the page large
COUNTS = range(2, 21)  # numbers of clusters that are tried
ORDER = 4  # the longest n-gram of self-BLEU


def groups_of(datasets, labels, sample):
    """(n, [{dataset, label, rows, posts}]): equally many posts of each dataset and class, drawn by their ids.

    datasets: {name: posts}. labels: the K class names. rows: how many there were. n: as many as the smallest group has,
    `sample` at most. A group of fewer than FEWEST posts has a `reason` in the place of its posts; an empty one is none.
    """
    found = []
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


def measured(datasets, labels, embedded, sample, clusters, perplexity, seed):
    """What stands under a task in diversity.json.

    datasets: {name: posts}, the train posts first: `sample` of each class at most are the reference that is clustered
    and that posts are near to. embedded: posts -> (n, d) unit rows.
    """
    n, groups = groups_of(datasets, labels, sample)
    kept = [group for group in groups if "posts" in group]
    if not kept:
        return {"n": 0, "groups": groups}
    train, *_ = datasets.values()
    reference = pd.concat([first_by_hash(part, sample) for _, part in train.groupby("label")])
    union = pd.concat([reference, *(group["posts"] for group in kept)]).drop_duplicates("post_id")
    row_of, vectors = dict(zip(union["post_id"], range(len(union)))), embedded(union)

    def rows(posts):
        return np.array([row_of[post_id] for post_id in posts["post_id"]])

    known = vectors[rows(reference)]
    centres = centres_of(known, min(clusters, len(known)), seed)
    shown = [rows(first_by_hash(group["posts"], MAPPED)) for group in kept]
    used = np.unique(np.concatenate(shown))
    points = dict(zip(used, plane(vectors[used], perplexity, seed).tolist()))
    for group, places in zip(kept, shown):
        posts = group.pop("posts")
        own, texts = vectors[rows(posts)], posts["text"].tolist()
        group |= {"unique": [unique_ngrams(texts, size) for size in (1, 2, 3)], "self_bleu": self_bleu(texts)}
        group["cosine"] = mean_cosine(own)
        group["nearest"] = float(nearest(own, posts["post_id"], known, reference["post_id"]).mean())
        group["coverage"], group["entropy"] = coverage(own, centres)
        group["points"] = [points[place] for place in places]
    tried = [[k, value] for k, value in silhouettes(known, seed).items()]
    return {"n": n, "reference": len(known), "clusters": len(centres), "silhouettes": tried, "groups": groups}


# -- words -----------------------------------------------------------------------------------------------


def ngrams(text, n):
    """The n-grams of a text's lower-case words, which white space parts."""
    words = text.lower().split()
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def unique_ngrams(texts, n):
    """How many different n-grams the texts hold; none crosses from one text to the next."""
    return len({gram for text in texts for gram in ngrams(text, n)})


def self_bleu(texts, order=ORDER):
    """The mean BLEU of each text with all others as its references (Zhu et al. 2018, Texygen); 1: all are alike.

    BLEU = BP exp(mean of log p_n, n = 1..order), as in Papineni et al. 2002: p_n is the share of a text's n-grams that
    are matched, each at most as often as the one reference that has it most often; BP = min(1, exp(1 - r/c)), c the
    text's length and r the nearest to it of the references', of equals the shorter. Where no n-gram is matched, 0.1 in
    the place of none (Chen & Cherry 2014, smoothing 1, as in Texygen's code); 0 for a text that shares no word.
    """
    bleu = [0.0] * len(texts)
    for n in range(1, order + 1):
        counts = [Counter(ngrams(text, n)) for text in texts]
        best = {}  # n-gram: (highest count, whose, the highest of all others)
        for i, own in enumerate(counts):
            for gram, count in own.items():
                high, whose, next_high = best.get(gram, (0, None, 0))
                best[gram] = (count, i, high) if count > high else (high, whose, max(next_high, count))
        for i, own in enumerate(counts):
            matched = sum(min(count, best[gram][2 if best[gram][1] == i else 0]) for gram, count in own.items())
            if n == 1 and not matched:
                bleu[i] = -math.inf
            bleu[i] += math.log((matched or 0.1) / max(1, own.total())) / order
    lengths = [len(text.split()) for text in texts]
    return sum(math.exp(value) * brief for value, brief in zip(bleu, penalties(lengths))) / len(texts)


def penalties(lengths):
    """BLEU's brevity penalty of each text, all others being its references."""
    known, found = Counter(lengths), []
    for own in lengths:
        others = known - Counter([own])
        nearest_length = min(others, key=lambda length: (abs(length - own), length), default=own)
        found.append(min(1.0, math.exp(1 - nearest_length / own)) if own else 0.0)
    return found


# -- embeddings ------------------------------------------------------------------------------------------


def mean_cosine(vectors):
    """The mean cosine of all pairs of different rows; vectors: (n, d) of length 1, n from 2 on."""
    n = len(vectors)
    return float((np.square(vectors.sum(axis=0)).sum() - n) / (n * (n - 1)))


def nearest(vectors, ids, others, other_ids):
    """(n,) distances 1 - cosine from each row to the nearest of `others`; a post with the same id is none of them."""
    distances = 1 - vectors @ others.T
    distances[np.asarray(ids)[:, None] == np.asarray(other_ids)[None, :]] = np.inf
    return np.maximum(distances.min(axis=1), 0)


def centres_of(vectors, k, seed):
    """(k, d) centres of k-means, the best of four starts."""
    return KMeans(k, n_init=4, random_state=seed).fit(vectors).cluster_centers_


def silhouettes(vectors, seed):
    """{k: mean silhouette} of k-means for each k of COUNTS that leaves two posts to a cluster on average."""
    tried = [k for k in COUNTS if 2 * k <= len(vectors)]
    members = {k: assigned(vectors, centres_of(vectors, k, seed)) for k in tried}
    return {k: float(silhouette_score(vectors, own)) for k, own in members.items() if len(set(own)) > 1}


def assigned(vectors, centres):
    """(n,) the nearest centre of each row, of equals the first."""
    return (np.square(centres).sum(axis=1) - 2 * vectors @ centres.T).argmin(axis=1)


def coverage(vectors, centres):
    """(share of the clusters that hold a row, entropy of their shares of the rows over that of equal shares)."""
    shares = np.bincount(assigned(vectors, centres), minlength=len(centres)) / len(vectors)
    held = shares[shares > 0]
    entropy = -float((held * np.log(held)).sum()) / math.log(len(centres)) if len(centres) > 1 else 0.0
    return len(held) / len(centres), entropy + 0.0


def plane(vectors, perplexity, seed):
    """(n, 2) t-SNE of the first 50 principal components, in the unit square, three digits after the point.

    perplexity: a third of the rows at most.
    """
    parts = min(50, *vectors.shape)
    reduced = PCA(parts, svd_solver="full").fit_transform(vectors)
    most = min(perplexity, (len(vectors) - 1) / 3)
    points = TSNE(perplexity=most, init="pca", random_state=seed, n_jobs=1).fit_transform(reduced).astype(np.float64)
    points -= points.min(axis=0)
    return np.round(points / (points.max() or 1.0), 3)
