"""Losses of one batch. w_i is the weight of post i's class; every loss is the mean over posts of
w_i * loss_i.

PyTorch's own mean of weighted losses divides by the sum of the batch's weights instead: there a
batch of rare posts alone would count as much as any other.

Label logits z are (n, K) float32 or float64: an encoder's head gives them, or the log-probabilities
of a causal model's K answers. Labels y are (n,) codes, weights (K,). A cosine head's logits are s
times cosines, a linear head has s = 1; margins are in cosines, so that they are subtracted s times.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from postgrad.models.tokenization import UNTAUGHT
from postgrad.training.options import FinetuneOptions

BETA = 0.9999  # of deferred re-weighting: Cui et al. 2019 and Cao et al. 2019 use no other


def class_weights(counts: Sequence[int], kind: str | Sequence[float]) -> Tensor:
    """(K,) float32 weights from K class counts: none gives ones, balanced n / (K * n_k), a list of
    K its ratios.

    All have mean 1 over the training posts. A class without posts gets 0, which no post uses.
    """
    posts = np.asarray(counts, dtype=np.float64)
    if kind not in ("none", "balanced") and not (
        isinstance(kind, list) and len(kind) == len(posts)
    ):
        raise ValueError(
            f"class_weights: {kind} is unknown; write none, balanced, or a weight for each class"
        )
    if isinstance(kind, list):
        weights = (
            np.asarray(kind, dtype=np.float64)
            * posts.sum()
            / (posts @ np.asarray(kind, dtype=np.float64))
        )
    else:
        weights = (
            np.ones_like(posts)
            if kind == "none"
            else posts.sum() / (len(posts) * np.maximum(posts, 1))
        )
    return torch.tensor(np.where(posts > 0, weights, 0.0), dtype=torch.float32)


def deferred_weights(counts: Sequence[int]) -> Tensor:
    """(K,) float32: (1 - beta) / (1 - beta^n_k), scaled to the mean 1 over classes; 0 for a class
    without posts.

    One over the effective number of a class's posts (Cui et al. 2019); with far fewer than 10,000
    of them nearly one over their number. Cao et al. 2019 (LDAM) begin with these weights late:
    deferred re-weighting (DRW).
    """
    posts = np.asarray(counts, dtype=np.float64)
    seen = posts > 0
    weights = np.where(seen, (1 - BETA) / (1 - BETA ** np.maximum(posts, 1)), 0.0)
    return torch.tensor(weights * seen.sum() / weights.sum(), dtype=torch.float32)


def mean_one(weights: Tensor, counts: Sequence[int]) -> Tensor:
    """(K,) weights scaled to the mean 1 over the training posts, so that re-weighting leaves the
    loss its size.

    PyTorch's division by the batch's sum of weights does the same, batch by batch.
    """
    posts = torch.tensor(counts, dtype=weights.dtype)
    return weights * posts.sum() / (posts * weights).sum()


def deferred_epoch(share: float | None, epochs: float) -> float:
    """The first epoch, counted from 0, that is re-weighted.

    Floor(share * epochs); endless where share is None.
    """
    return (
        math.inf if share is None else math.floor(share * epochs + 1e-9)
    )  # 0.29 * 100 is 28.999999999999996


def margins(counts: Sequence[int], max_m: float) -> Tensor:
    """(K,) float32: C / n_k^(1/4), C such that the rarest class gets max_m (LDAM, Cao et al. 2019).

    A class without posts gets 0, which no post uses.
    """
    posts = np.asarray(counts, dtype=np.float64)
    roots = np.where(posts > 0, np.maximum(posts, 1) ** -0.25, 0.0)
    return torch.tensor(max_m * roots / roots.max(), dtype=torch.float32)


def log_priors(counts: Sequence[int]) -> Tensor:
    """(K,) float32.

    Log(n_k / n). A class without posts counts as one post: its logit stays finite, and falls.
    """
    posts = np.maximum(np.asarray(counts, dtype=np.float64), 1)
    return torch.tensor(np.log(posts / posts.sum()), dtype=torch.float32)


def cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Mean of w_y * -log p_y, p the softmax of z."""
    return (weights[labels] * F.cross_entropy(logits, labels, reduction="none")).mean()


def focal(logits: Tensor, labels: Tensor, weights: Tensor, gamma: float) -> Tensor:
    """Mean of w_y * (1 - p_y)^gamma * -log p_y (Lin et al. 2017, equation 5). p_y is free of the
    weights.

    The code published with LDAM takes p_y from the weighted loss: two weights then change which
    post is hard.
    """
    losses = F.cross_entropy(logits, labels, reduction="none")
    missing = (
        torch.expm1(-losses).neg().clamp_min(1e-9)
    )  # 1 - p_y; at 0 a gamma below 1 would have no gradient
    return (weights[labels] * missing**gamma * losses).mean()


def lowered(logits: Tensor, labels: Tensor, margin: Tensor) -> Tensor:
    """The logits, each post's gold one lowered by its margin (n,)."""
    return logits.scatter_add(1, labels[:, None], -margin[:, None])


def ldam(
    logits: Tensor, labels: Tensor, weights: Tensor, margins: Tensor, s: float = 1.0
) -> Tensor:
    """Cross-entropy where z_y is lowered by s * margin_y (LDAM, Cao et al.

    2019): rare classes need more.
    """
    return cross_entropy(lowered(logits, labels, s * margins.to(logits)[labels]), labels, weights)


def mm_ldam(
    logits: Tensor,
    labels: Tensor,
    weights: Tensor,
    margins: Tensor,
    most: float,
    gamma: float,
    s: float = 1.0,
) -> Tensor:
    """Cross-entropy where z_y is lowered by s * m, m from `moving_margins` (Kang et al. 2021,
    maximum margin loss).

    margins: LDAM's, 0.5 at most in the published code, whatever `most` is there.
    """
    extra = moving_margins(logits / s, labels, most - margins.to(logits)[labels], gamma)
    return cross_entropy(lowered(logits, labels, s * extra), labels, weights)


def moving_margins(logits: Tensor, labels: Tensor, room: Tensor, gamma: float) -> Tensor:
    """(n,) margins m without gradient, from d = z_y - max over j != y of z_j and room M (n,).

    exp(-d - gamma * M) where a post is right (d > 0), exp(-|d| - M) where it is wrong (d < 0), 0
    where d is 0: the nearer to the boundary, and the rarer the class (M = most - its LDAM margin),
    the larger. So does class HMMLoss of the published code, but for two mistakes: it reads z_y of
    the whole batch at the first post's label, and takes the maximum with z_y set to 0, so that no
    competitor is below 0.
    """
    logits = logits.detach()
    gold = logits.gather(1, labels[:, None]).squeeze(1)
    d = gold - logits.scatter(1, labels[:, None], -math.inf).max(dim=1).values
    return torch.exp(-d.abs() - torch.where(d > 0, gamma, 1.0) * room) * (d != 0)


def logit_adjusted(
    logits: Tensor, labels: Tensor, weights: Tensor, log_priors: Tensor, tau: float
) -> Tensor:
    """Cross-entropy of z_k + tau * log prior_k (Menon et al. 2021). Predictions read z alone."""
    return cross_entropy(logits + tau * log_priors.to(logits), labels, weights)


def loss_of(
    options: FinetuneOptions, counts: Sequence[int]
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The loss that the options name: ((n, K) logits, (n,) labels, (K,) weights) -> scalar.

    counts: training posts of the K classes. Raises ValueError if the options lack a number that the
    loss reads.
    """
    number, s = partial(number_of_loss, options), 1.0 if options.s is None else options.s
    if options.loss == "focal":
        return partial(focal, gamma=number("gamma"))
    if options.loss == "logit-adjusted":
        return partial(logit_adjusted, log_priors=log_priors(counts), tau=number("tau"))
    if options.loss == "ldam":
        return partial(ldam, margins=margins(counts, number("max_m")), s=s)
    if options.loss == "mm-ldam":
        own = margins(counts, number("max_m"))
        return partial(mm_ldam, margins=own, most=number("mm_max_m"), gamma=number("mm_gamma"), s=s)
    return cross_entropy


def number_of_loss(options: FinetuneOptions, name: str) -> float:
    """An option that the loss reads. Raises ValueError if it is missing."""
    value = getattr(options, name)
    if value is None:
        raise ValueError(
            f"node {options.node}: loss {options.loss} reads {name}, which is missing; give it a number"
        )
    return value


def token_losses(logits: Tensor, targets: Tensor) -> Tensor:
    """(n, T) negative log-likelihoods of (n, T) targets under (n, T, V) logits.

    0 where UNTAUGHT.
    """
    return F.cross_entropy(
        logits.float().transpose(1, 2), targets, ignore_index=UNTAUGHT, reduction="none"
    )


def answer_loss(logits: Tensor, targets: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Mean of w_i * -log p(answer_i): an answer's tokens are summed, so long words count whole."""
    return (weights[labels] * token_losses(logits, targets).sum(dim=1)).mean()
