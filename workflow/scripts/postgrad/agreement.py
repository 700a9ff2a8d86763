"""Labels for unlabelled posts from two teachers: where they agree, and controls at an equal budget.

CTYUN-AI (SMM4H-2024 Task 6) keeps the posts on which two separately tuned models agree. The controls
take as many posts by calibrated confidence, or at random.
"""

import random

import numpy as np
import pandas as pd

from postgrad.predictions import ABSTAIN, matrix, softmax

KEEP = ("agreement", "confidence", "random")
LOG_BOUNDS = (np.log(0.05), np.log(20.0))  # temperatures; a teacher without an error on dev ends at 0.05


def nll(logits, gold, temperature):
    """Mean negative log-likelihood of gold labels (n,) under softmax(logits (n, K) / temperature)."""
    scaled = logits / temperature
    peak = scaled.max(axis=1)
    log_sum = peak + np.log(np.exp(scaled - peak[:, None]).sum(axis=1))
    return float(np.mean(log_sum - scaled[np.arange(len(gold)), gold]))


def temperature(logits, gold):
    """The temperature that minimises the NLL (Guo et al. 2017), by golden section over its logarithm.

    logits: (n, K), n > 0; gold: (n,). The NLL is convex in 1/T and so has one minimum in log T.
    """
    low, high = LOG_BOUNDS
    golden = (np.sqrt(5) - 1) / 2
    while high - low > 1e-6:
        a, b = high - golden * (high - low), low + golden * (high - low)
        if nll(logits, gold, np.exp(a)) < nll(logits, gold, np.exp(b)):
            high = b
        else:
            low = a
    return float(np.exp((low + high) / 2))


def calibration(frame, gold):
    """The temperature of one teacher on gold posts, fitted where it answers; None where it answers nowhere."""
    rows = (frame["label"] != ABSTAIN).to_numpy()
    return temperature(matrix(frame, "logits")[rows], gold[rows]) if rows.any() else None


def joined(first, second, names, classes):
    """Two teachers' predictions of the posts that both scored, sorted by post_id.

    names: the teachers', for the errors. Raises ValueError where they share no post or do not predict
    `classes` classes.
    """
    shared = sorted(set(first["post_id"]) & set(second["post_id"]))
    if not shared:
        raise ValueError(f"teachers {names[0]} and {names[1]} share no scored post; predict one pool with both.")
    pair = [frame.set_index("post_id").loc[shared].reset_index() for frame in (first, second)]
    for frame, name in zip(pair, names, strict=True):
        if matrix(frame, "logits").shape != (len(shared), classes):
            raise ValueError(f"teacher {name} does not give one logit for each of {classes} classes.")
    return pair


def check_distinct(pair, names):
    """Raise ValueError, naming the teachers, where both give the same logits for every post."""
    if np.array_equal(matrix(pair[0], "logits"), matrix(pair[1], "logits")):
        raise ValueError(
            f"teachers {names[0]} and {names[1]} give identical logits, so their agreement says nothing; "
            "give one of them a different base or seed."
        )


def decided(frame):
    """(n,) whether a teacher has an answer: no abstention, and no tie at the highest logit."""
    logits = matrix(frame, "logits")
    highest = (logits == logits.max(axis=1, keepdims=True)).sum(axis=1)
    return (frame["label"].to_numpy() != ABSTAIN) & (highest == 1)


def agreed(pair):
    """(n,) whether two teachers answer with the same label."""
    return decided(pair[0]) & decided(pair[1]) & (pair[0]["label"] == pair[1]["label"]).to_numpy()


def cohens_kappa(first, second):
    """Agreement of two label vectors beyond chance; None where chance alone would be perfect or n is 0."""
    if len(first) == 0:
        return None
    observed = np.mean(first == second)
    expected = sum(np.mean(first == code) * np.mean(second == code) for code in np.union1d(first, second))
    return None if expected == 1 else float((observed - expected) / (1 - expected))


def prior_matched(labels, prior, seed):
    """Rows (sorted) of the largest random subset of `labels` (n,) in the proportions of `prior` (K,) counts.

    Each class keeps floor(s * prior), s being the least ratio of labels to prior over the classes that
    the prior holds. Without labels of such a class nothing is left. Raises ValueError for an empty prior.
    """
    if not sum(prior):
        raise ValueError("no gold posts to take the class prior from; set `balance: none`.")
    counts = np.bincount(labels, minlength=len(prior))
    scarce = min(np.flatnonzero(prior), key=lambda code: counts[code] / prior[code])
    rng, rows = random.Random(seed), []
    for code in range(len(prior)):
        share = int(counts[scarce]) * int(prior[code]) // int(prior[scarce])
        rows += rng.sample(np.flatnonzero(labels == code).tolist(), share)
    return np.sort(np.array(rows, dtype=np.int64))


def most_confident(probs, budget):
    """Rows (sorted) of the most confident posts per class, and the shortfall per class.

    probs: (n, K); a post's class is its argmax, and of equally confident posts the earlier one counts.
    budget: (K,) posts per class. What a class cannot supply is filled from the most confident posts left.
    """
    labels, confidence = probs.argmax(axis=1), probs.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    chosen = np.zeros(len(probs), dtype=bool)
    shortfall = []
    for code, wanted in enumerate(budget):
        best = order[labels[order] == code][:wanted]
        chosen[best] = True
        shortfall.append(int(wanted) - len(best))
    chosen[order[~chosen[order]][: sum(shortfall)]] = True
    return np.flatnonzero(chosen), np.array(shortfall)


def kept(pair, temperatures, keep, prior=None, budget=None, seed=1):
    """Which posts are kept, and their labels: (rows sorted, labels of these rows, shortfall per class).

    pair: two teachers' predictions of the same n posts, sorted by post_id; temperatures: one a teacher,
    None where dev had no gold post to fit it on.
    agreement: all posts agreed on; with a `prior` (K,), the largest random subset in its proportions.
    confidence: the posts highest in the mean of the calibrated probabilities, as many per class as in
    `budget` (K,). random: as many posts as the budget in all, from all on which no teacher abstains. The
    label of a control's post is the argmax of the mean; the prior plays no part, as the budget has it.
    Raises ValueError for an unknown way to keep and for a control without budget or temperatures.
    """
    if keep not in KEEP:
        raise ValueError(f"keep {keep!r} does not exist; known: {', '.join(KEEP)}.")
    classes = matrix(pair[0], "logits").shape[1]
    if keep == "agreement":
        rows = np.flatnonzero(agreed(pair))
        labels = pair[0]["label"].to_numpy()[rows]
        if prior is not None:
            chosen = prior_matched(labels, prior, seed)
            rows, labels = rows[chosen], labels[chosen]
        return rows, labels, np.zeros(classes, dtype=np.int64)
    if budget is None:
        raise ValueError(f"keep {keep} needs a budget; name the node of agreed posts under `budget`.")
    if None in temperatures:
        raise ValueError(f"keep {keep} needs gold posts in dev, to calibrate the teachers on.")
    answered = np.flatnonzero(np.all([frame["label"] != ABSTAIN for frame in pair], axis=0))
    calibrated = [softmax(matrix(frame, "logits") / t) for frame, t in zip(pair, temperatures, strict=True)]
    mean = np.mean(calibrated, axis=0)[answered]
    if keep == "confidence":
        chosen, shortfall = most_confident(mean, budget)
    else:
        wanted = min(int(sum(budget)), len(answered))
        chosen = np.array(sorted(random.Random(seed).sample(range(len(answered)), wanted)), dtype=np.int64)
        shortfall = np.zeros(classes, dtype=np.int64)
    return answered[chosen], mean[chosen].argmax(axis=1), shortfall


def audit(pair, gold, classes):
    """How agreement does on gold posts.

    pair: two teachers' predictions of n posts; gold: (n,) labels.
    Returns n; agreed (share of posts); classes: per class how many agreed labels, the share of them that
    is right (accuracy) and the share of the class's posts that were agreed on (coverage); kappa between
    the teachers where both answer; accuracy: one a teacher, an abstention being wrong.
    """
    both, labels = agreed(pair), pair[0]["label"].to_numpy()
    per_class = {}
    for code in range(classes):
        named, held = both & (labels == code), gold == code
        per_class[str(code)] = {
            "agreed": int(named.sum()),
            "accuracy": float(held[named].mean()) if named.any() else None,
            "coverage": float(both[held].mean()) if held.any() else None,
        }
    answers = decided(pair[0]) & decided(pair[1])
    return {
        "n": len(gold),
        "agreed": float(both.mean()),
        "classes": per_class,
        "kappa": cohens_kappa(*(frame["label"].to_numpy()[answers] for frame in pair)),
        "accuracy": [float((frame["label"].to_numpy() == gold).mean()) for frame in pair],
    }


def class_counts(labels, classes):
    """(K,) the number of posts per class; those without a label do not count."""
    return np.bincount(pd.Series(labels).dropna().astype(int), minlength=classes)


def flow(pair, labels, budget, shortfall, temperatures, dev, gold):
    """How many posts went where, for the report; classes are keyed by their code as a string.

    pair: the teachers' predictions of the pool; labels: of the posts kept; budget (K,) or None; shortfall
    (K,); dev, gold: the teachers' predictions of gold posts and their labels, for `audit`.
    """
    classes = matrix(pair[0], "logits").shape[1]

    def by_class(counts):
        return {str(code): int(count) for code, count in enumerate(counts)}

    return {
        "scored": len(pair[0]),
        "agreed": by_class(class_counts(pair[0]["label"][agreed(pair)], classes)),
        "budget": None if budget is None else by_class(budget),
        "kept": by_class(class_counts(labels, classes)),
        "shortfall": by_class(shortfall),
        "temperatures": temperatures,
        "dev": audit(dev, gold, classes) if len(gold) else None,
    }
