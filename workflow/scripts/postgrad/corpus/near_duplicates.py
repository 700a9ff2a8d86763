"""Find near-duplicates of posts among many texts, by MinHash and locality-sensitive hashing.

Two texts are near-copies of each other

- if they share at least `SHARE` of all their words, or
- if one of them is cut off, which it shows by "…" or "..." at its end, and the other begins with
  its words.

Case, punctuation, links, mentions and the beginning of a retweet ("RT @user:") are set aside. A
text with fewer than `MIN_WORDS` different words has no near-copies, because one word more or less
makes it another text.

The hash tables only propose pairs. Each pair is then compared word by word, so that chance decides
nothing except whether a pair is missed: at a similarity of `SHARE`, 7 of 10,000 pairs are.
"""

from array import array
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from rensa import RMinHash, RMinHashDigestMatrix, RMinHashLSH

from postgrad.corpus.duplicates import ALSO, evaluation_splits
from postgrad.corpus.text_forms import normalize_text
from postgrad.corpus.word_hashes import hash_texts, plain_words, sort_words
from postgrad.records.names import TRAINED

NEAR = pa.schema(
    [
        ("post_id", pa.string()),
        ("split", pa.string()),
        ("reason", pa.string()),
        ("partner", pa.string()),  # the post_id of the post that is kept
        ("similarity", pa.float64()),  # 1 for a version that is cut off
    ]
)
NEAR_COPY = "near-copy of a post in"  # and the split
SHARE = 0.8  # of the words of two texts; one of ten words exchanged leaves 9 of 11
MIN_WORDS = 5  # different words
# A pair is proposed if all values of one band are equal: at a similarity of .8 with a probability
# of 1 - (1 - .8 ** 6) ** 24 = .9993, at .1 with one of .00002.
BANDS, VALUES = 24, 6
SEED = 1
# The share of equal MinHash values estimates the similarity with a standard error of at most .042.
# That of a pair with a similarity of .8 is below .6 once in a hundred million.
ALIKE = 0.6
# Of more texts that share a band, each is compared with so many before it and with the first ones.
# It bounds the time for thousands of posts from one template.
NEIGHBOURS = 32
_HALF = np.uint64(32)  # two numbers of a form in one
_CHUNK = 5_000  # texts or pairs that are handled at once, which bounds the memory
_ROWS = 500  # that rensa turns into lists at once, because few are faster


class NearCopies:
    """The pairs of near-copies among texts.

    Texts with the same words in the same order are one form. Pairs are pairs of forms. Of the
    words, only hashes are kept.

    Parameters
    ----------
    texts
        The texts, in an order that decides only how the forms are numbered.

    Attributes
    ----------
    forms : ndarray of shape (n,)
        The number of the form of each text, or -1 for a text that has no near-copies.
    pairs : ndarray of shape (k, 2)
        The forms of each pair, sorted, the smaller number first.
    similarities : ndarray of shape (k,)
        The share of all words of a pair that both have, or 1 if one is a version that is cut off.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        """Find all pairs of near-copies."""
        known: dict[int, int] = {}  # hash of the words in their order -> form
        forms, cut_forms = [], []  # of each text
        hashes, sizes, heads, places = [], [], [], []  # of each form
        for begin in range(0, max(1, len(texts)), _CHUNK):
            chunk = hash_texts(texts[begin : begin + _CHUNK])
            count = len(known)
            numbers = np.array(
                [
                    known.setdefault(order, len(known)) if different >= MIN_WORDS else -1
                    for order, different in zip(chunk.orders.tolist(), chunk.different.tolist())
                ],
                np.int64,
            )
            forms.append(numbers)
            cut_forms.append(numbers[chunk.cut])
            numbers, first = np.unique(numbers, return_index=True)
            new = first[numbers >= count]
            hashes.append(_gather(chunk.words, chunk.starts, new))
            sizes.append(np.diff(chunk.starts)[new])
            heads.append(chunk.heads[new])
            places.append(begin + new)
        self.forms = np.concatenate(forms)
        self._hashes = np.concatenate(hashes)
        self._starts = np.cumsum(np.concatenate([[0], *sizes]))
        del known, forms, hashes, sizes
        cut_pairs = _cut_pairs(
            np.concatenate(heads), np.concatenate(cut_forms), texts, np.concatenate(places)
        )
        pairs, similarities = self._similar_pairs()
        pairs = np.concatenate([cut_pairs, pairs])
        similarities = np.concatenate([np.ones(len(cut_pairs)), similarities])
        self.pairs, first = np.unique(pairs, axis=0, return_index=True)
        self.similarities = similarities[first]

    @classmethod
    def among(cls, splits: Mapping[str, pd.DataFrame]) -> "NearCopies":
        """Return the near-copies among the posts of all splits, one split after the other.

        The forms of train and unlabeled are numbered last. So every post of one template is
        compared with those in an evaluation split.
        """
        ordered = sorted(splits, key=lambda split: split in TRAINED)
        copies = cls([text for split in ordered for text in splits[split]["text"]])
        ends = np.cumsum([len(splits[split]) for split in ordered])
        parts = dict(zip(ordered, np.split(copies.forms, ends[:-1])))
        copies.forms = np.concatenate([parts[split] for split in splits])
        return copies

    def similar_forms(self) -> Callable[[int], list[tuple[float, int]]]:
        """Return a function that gives the similarity and the number of each form near a form.

        The form itself comes first, with similarity 1.
        """
        both = np.concatenate([self.pairs, self.pairs[:, ::-1]])
        order = np.argsort(both[:, 0], kind="stable")
        neighbours, shares = both[order, 1], np.tile(self.similarities, 2)[order]
        begins = np.searchsorted(both[order, 0], np.arange(self.forms.max(initial=-1) + 2))

        def similar(form: int) -> list[tuple[float, int]]:
            near = slice(begins[form], begins[form + 1])
            return [(1.0, form), *zip(shares[near].tolist(), neighbours[near].tolist())]

        return similar

    def _similar_pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the pairs of forms that share enough words, and their similarities."""
        candidates = _candidate_pairs(self._hashes, self._starts)
        kept, similarities = [np.empty((0, 2), np.int64)], [np.empty(0)]
        for begin in range(0, len(candidates), _CHUNK):
            chunk = candidates[begin : begin + _CHUNK]
            shares = _shared_words(self._hashes, self._starts, chunk)
            kept.append(chunk[shares >= SHARE])
            similarities.append(shares[shares >= SHARE])
        return np.concatenate(kept), np.concatenate(similarities)


def _cut_pairs(
    heads: np.ndarray, cut_forms: np.ndarray, texts: Sequence[str], places: np.ndarray
) -> np.ndarray:
    """Return the pairs of a form that is cut off and a longer one that begins with its words.

    The last word of a form may be cut itself.

    Parameters
    ----------
    heads
        A hash of the first words of each form. A form that is cut off has at least one word more.
    cut_forms
        The forms that are cut off, or -1.
    texts
        The texts.
    places
        The place of a text of each form.
    """
    cut = set(cut_forms.tolist()) - {-1}
    forms = np.flatnonzero(np.isin(heads, heads[list(cut)]))
    forms = forms[np.argsort(heads[forms], kind="stable")]
    pairs = set()
    for group in np.split(forms, np.flatnonzero(np.diff(heads[forms])) + 1):
        if len(group) < 2:
            continue
        words = {form: plain_words(texts[places[form]])[0] for form in group.tolist()}
        begun: dict[tuple[str, ...], list[int]] = defaultdict(list)  # whole words -> cut forms
        for form in cut & words.keys():
            begun[tuple(words[form][:-1])].append(form)
        lengths = {len(whole) for whole in begun}
        for form, own in words.items():
            for length in lengths:
                if length < len(own):
                    for other in begun.get(tuple(own[:length]), ()):
                        if other != form and own[length].startswith(words[other][-1]):
                            pairs.add((min(form, other), max(form, other)))
    return np.array(sorted(pairs), np.int64).reshape(-1, 2)


def _candidate_pairs(hashes: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return pairs of forms with an equal band of MinHash values, sorted, each once.

    Pairs are left out if their numbers of words differ too much for `SHARE`, or if they share too
    few MinHash values.

    Parameters
    ----------
    hashes
        The hashes of the words of all forms, one form after the other.
    starts
        (n + 1,) positions in `hashes` at which the forms begin, and its length.
    """
    sizes = np.diff(starts)
    tables = RMinHashLSH(SHARE, BANDS * VALUES, BANDS)
    # The matrix of a million forms takes 576 MB and is freed at once.
    flags = tables.query_duplicate_flags_matrix_one_shot(_min_hashes(hashes, starts))
    flagged = np.flatnonzero(flags)
    keys, parts = [np.empty((0, BANDS), np.uint64)], [np.empty((0, BANDS * VALUES), np.uint8)]
    for begin in range(0, len(flagged), _ROWS):
        forms = flagged[begin : begin + _ROWS]
        ends = np.cumsum(np.concatenate([[0], sizes[forms]]))
        numbers = array("I")
        for row in _min_hashes(_gather(hashes, starts, forms), ends).to_rows():
            numbers.fromlist(row)
        rows = np.frombuffer(numbers, np.uintc).reshape(-1, BANDS * VALUES)
        keys.append(_band_keys(rows.reshape(-1, BANDS, VALUES)))
        parts.append(rows.astype(np.uint8))  # the last byte of each
    table, values = np.concatenate(keys), np.concatenate(parts)
    found = np.empty(0, np.uint64)
    for band in range(BANDS):
        pairs = _alike(values, *_equal_pairs(table[:, band]))
        first, second = flagged[pairs[0]], flagged[pairs[1]]
        smaller = np.minimum(sizes[first], sizes[second])
        near = smaller >= SHARE * np.maximum(sizes[first], sizes[second]) - 1e-9
        packed = first[near].astype(np.uint64) << _HALF | second[near].astype(np.uint64)
        found = np.union1d(found, packed)
    return np.stack([found >> _HALF, found & np.uint64(0xFFFFFFFF)], axis=1).astype(np.int64)


def _alike(
    values: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of rows with at least `ALIKE` equal MinHash values.

    Long posts share so many common words that millions of pairs have an equal band by chance. To
    count the words of all of them would take longer than everything else.
    """
    alike = [
        (values[first[begin : begin + _CHUNK]] == values[second[begin : begin + _CHUNK]]).mean(1)
        >= ALIKE
        for begin in range(0, len(first), _CHUNK)
    ]
    kept = np.concatenate([np.empty(0, bool), *alike])
    return first[kept], second[kept]


def _min_hashes(hashes: np.ndarray, starts: np.ndarray) -> RMinHashDigestMatrix:
    """Return the MinHash values of forms, whose words are given as in `_candidate_pairs`."""
    return RMinHash.digest_matrix_from_flat_token_hashes(
        hashes, starts.astype(np.uint64), BANDS * VALUES, SEED
    )


def _band_keys(values: np.ndarray) -> np.ndarray:
    """Return one number for each band of (n, bands, values) MinHash values."""
    keys = np.zeros(values.shape[:2], np.uint64)
    for i in range(values.shape[2]):  # FNV-1a on words of 32 bits, with a final shift
        keys = (keys ^ values[:, :, i]) * np.uint64(0x100000001B3)
        keys ^= keys >> np.uint64(29)
        keys *= np.uint64(0xBF58476D1CE4E5B9)
    return keys


def _equal_pairs(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of positions with equal keys, the smaller position first.

    Of more than `NEIGHBOURS` equal keys, each is paired with the `NEIGHBOURS` before it and with
    the first `NEIGHBOURS`.

    Examples
    --------
    >>> first, second = _equal_pairs(np.array([7, 5, 7, 7], np.uint64) << np.uint64(60))
    >>> sorted(zip(first.tolist(), second.tolist()))
    [(0, 2), (0, 3), (2, 3)]
    """
    # The position stands in the last bits of each key, because numbers are sorted faster than
    # positions are. The first bits of a key are enough to propose pairs.
    bits = np.uint64(len(keys).bit_length())
    ordered = (keys >> bits << bits) | np.arange(len(keys), dtype=np.uint64)
    ordered.sort()
    order = (ordered & (np.uint64(1) << bits) - np.uint64(1)).astype(np.int64)
    ordered >>= bits
    begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(keys)])
    head = np.repeat(begins, np.diff(np.append(begins, len(keys))))  # first place of equal keys
    place = np.arange(len(keys))
    firsts, seconds = [place[:0]], [place[:0]]
    for distance in range(1, NEIGHBOURS + 1):
        place = place[place - head[place] >= distance]
        firsts.append(order[place - distance])
        seconds.append(order[place])
    for distance in range(NEIGHBOURS):
        place = place[place - head[place] > NEIGHBOURS + distance]
        firsts.append(order[head[place] + distance])
        seconds.append(order[place])
    return np.concatenate(firsts), np.concatenate(seconds)


def _gather(hashes: np.ndarray, starts: np.ndarray, forms: np.ndarray) -> np.ndarray:
    """Return the words of some forms, one form after the other."""
    sizes = starts[forms + 1] - starts[forms]
    shifts = starts[forms] - (np.cumsum(sizes) - sizes)
    return hashes[np.arange(sizes.sum()) + np.repeat(shifts, sizes)]


def _shared_words(hashes: np.ndarray, starts: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Return the share of all words of each pair of forms that both have."""
    sizes = np.diff(starts)[pairs].sum(axis=1)
    ends = np.cumsum(np.concatenate([[0], sizes]))
    _, repeated = sort_words(_gather(hashes, starts, pairs.ravel()), ends)
    shared = np.diff(np.searchsorted(repeated, ends))
    return shared / (sizes - shared)


def joined_groups(groups: pd.DataFrame, copies: NearCopies) -> pd.DataFrame:
    """Return the groups of duplicates, joined where a post of one nearly copies one of another.

    Parameters
    ----------
    groups
        The groups of exact duplicates, one row a post.
    copies
        The near-copies among the same posts, in the order of `groups`.

    Returns
    -------
    DataFrame
        The same rows. A joined group has the smallest name of its parts, so that the names do not
        depend on the order of the posts.
    """
    names = groups["group"].unique().tolist()
    parents = {name: name for name in names}

    def root(name: str) -> str:
        while parents[name] != name:
            parents[name] = name = parents[parents[name]]
        return name

    def join(one: str, other: str) -> None:
        one, other = root(one), root(other)
        parents[max(one, other)] = min(one, other)

    of_form: dict[int, str] = {}
    for form, name in zip(copies.forms.tolist(), groups["group"], strict=True):
        if form >= 0:
            join(of_form.setdefault(form, name), name)
    for first, second in copies.pairs.tolist():
        join(of_form[first], of_form[second])
    return groups.assign(group=groups["group"].map({name: root(name) for name in names}))


def near_copies_to_drop(
    splits: Mapping[str, pd.DataFrame], dropped: pd.DataFrame, copies: NearCopies
) -> pd.DataFrame:
    """Return the posts of train and unlabeled that nearly copy another one, with the reason.

    A post leaves if test, dev, cross or a split of another task has a near-copy of it, or if its
    own split has an earlier one that stays. No other post leaves.

    Parameters
    ----------
    splits
        The posts of each split. Those of other tasks have names such as caves/test.
    dropped
        The posts that leave as exact duplicates, from `posts_to_drop`. They are no longer looked
        at.
    copies
        The near-copies among the posts of all splits, from `NearCopies.among`.

    Returns
    -------
    DataFrame
        One row a post, with the columns of `NEAR`. The partner is a post of the evaluation split
        that the reason names, or the post that stays, and the most similar of several.
    """
    sizes = [len(frame) for frame in splits.values()]
    forms = dict(zip(splits, np.split(copies.forms, np.cumsum(sizes)[:-1])))
    similar = copies.similar_forms()
    scored = evaluation_splits(splits)
    evaluated = _first_posts([forms[split].tolist() for split in scored])
    gone = set(dropped["post_id"])
    rows = []
    for split in TRAINED:
        ids, labels = splits[split]["post_id"].tolist(), splits[split]["label"].tolist()
        kept: dict[int, int] = {}  # form -> place
        for place, form in enumerate(forms[split].tolist()):
            if form < 0 or ids[place] in gone:
                continue
            near_forms = similar(form)
            tested = _nearest_post(near_forms, evaluated)
            stays = [(kept[other], share) for share, other in near_forms if other in kept]
            if tested:
                number, there, share = tested
                partner = splits[scored[number]]["post_id"].iat[there]
                reason = f"{NEAR_COPY} {scored[number]}"
            elif stays:
                there, share = min(stays, key=lambda one: (-one[1], one[0]))
                partner = ids[there]
                other_label = pd.notna(labels[place]) and labels[place] != labels[there]
                reason = "near-duplicate, other label" if other_label else "near-duplicate"
            else:
                kept[form] = place
                continue
            rows.append((ids[place], split, reason, partner, share))
    return pd.DataFrame(rows, columns=NEAR.names)


def _first_posts(keys: Sequence[Sequence[Hashable]]) -> dict[Hashable, tuple[int, int]]:
    """Return the first post with each key: the number of its split, and its place in the split."""
    found: dict[Hashable, tuple[int, int]] = {}
    for number, split in enumerate(keys):
        for place, key in enumerate(split):
            found.setdefault(key, (number, place))
    return found


def _nearest_post(
    near_forms: Iterable[tuple[float, int]], posts: Mapping[Hashable, tuple[int, int]]
) -> tuple[int, int, float] | None:
    """Return the number of a split, the place in it and the similarity of a near-copy, or None.

    The first split wins, then the most similar post, then the first one.
    """
    found = [(*posts[form], share) for share, form in near_forms if form in posts]
    return min(found, key=lambda one: (one[0], -one[2], one[1]), default=None)


def copied_posts(posts: pd.DataFrame, splits: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return which posts copy or nearly copy one of a split, and which.

    Parameters
    ----------
    posts
        Posts that were made, with the columns post_id and text.
    splits
        The posts of each split, in the order in which a reason names them.

    Returns
    -------
    DataFrame
        One row a post, with the columns post_id, reason, partner (the post_id of the copied post)
        and similarity, as the audit writes them.
    """
    parts = [*splits.values(), posts]
    copies = NearCopies([text for part in parts for text in part["text"]])
    *forms, own = np.split(copies.forms, np.cumsum([len(part) for part in parts])[:-1])
    similar = copies.similar_forms()
    near = _first_posts([part.tolist() for part in forms])
    equal = _first_posts([[normalize_text(text) for text in part["text"]] for part in parts[:-1]])
    names, rows = list(splits), []
    for post_id, text, form in zip(posts["post_id"], posts["text"], own.tolist(), strict=True):
        reason, found = ALSO, equal.get(normalize_text(text))
        share = 1.0
        if found is None and form >= 0 and (nearest := _nearest_post(similar(form), near)):
            reason, found, share = NEAR_COPY, nearest[:2], nearest[2]
        if found:
            partner = splits[names[found[0]]]["post_id"].iat[found[1]]
            rows.append((post_id, f"{reason} {names[found[0]]}", partner, share))
    return pd.DataFrame(rows, columns=["post_id", "reason", "partner", "similarity"])


def leave_out_copies(
    posts: pd.DataFrame, copies: pd.DataFrame, policy: str, node: str
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the posts of a node without those that copy a scored post, and their counts.

    An exact copy always leaves.

    Parameters
    ----------
    posts
        Posts that were made.
    copies
        Those of them that copy a scored post, from `copied_posts`.
    policy
        What happens to near-copies: drop, report or stop.
    node
        The name of the node, for messages.

    Returns
    -------
    posts : DataFrame
    flow : dict
        The number of posts that were `made`, of those that were `left_out`, of the copies that
        `stay`, and of the `copies` by reason. `least` has the ids and the similarity of the least
        similar pair, the first post_id among equal ones, or is None without copies.

    Raises
    ------
    ValueError
        If there are near-copies and the policy is stop.
    """
    is_near = copies["reason"].str.startswith(NEAR_COPY)
    if policy == "stop" and is_near.any():
        raise ValueError(
            f"node {node}: {int(is_near.sum())} of {len(posts)} new posts nearly copy a post on "
            "which models are scored. Set near_duplicates in the task file to drop, which leaves "
            "them out, or to report, which counts them."
        )
    gone = copies if policy == "drop" else copies[~is_near]
    pairs = copies.sort_values(["similarity", "post_id"])[["post_id", "partner", "similarity"]]
    flow = {
        "made": len(posts),
        "left_out": len(gone),
        "stay": len(copies) - len(gone),
        "copies": copies["reason"].value_counts().sort_index().to_dict(),
        "least": None if pairs.empty else pairs.iloc[0].to_dict(),
    }
    return posts[~posts["post_id"].isin(gone["post_id"])].reset_index(drop=True), flow
