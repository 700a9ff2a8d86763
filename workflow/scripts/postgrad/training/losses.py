r"""Losses of one batch of posts, and the weights and margins of classes that they read.

Shapes and meanings are the same in the whole module:

- logits :math:`z`: (n, K) float32 or float64. An encoder's head computes them; for a causal model
  they are the log-probabilities of its K answers.
- labels :math:`y`: (n,) class codes.
- weights: (K,) weights of the classes. Every loss is the mean over posts of
  ``weights[y_i] * loss_i``. PyTorch's own mean of weighted losses divides by the sum of the batch's
  weights instead, so that there a batch of rare posts alone counts as much as any other batch.
- s: the scale of a cosine head, whose logits are s times cosines; 1 for a linear head. Margins are
  in units of cosines, so they are multiplied by s before they are subtracted from logits.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from postgrad.models.tokenization import IGNORE_INDEX
from postgrad.training.options import FinetuneOptions

BETA = 0.9999  # of effective numbers: Cui et al. 2019 and Cao et al. 2019 use no other value


def class_weights(counts: Sequence[int], kind: str | Sequence[float]) -> Tensor:
    """Return class weights whose mean over the training posts is 1.

    Parameters
    ----------
    counts
        Training posts of each of K classes.
    kind
        "none" for equal weights, "balanced" for n / (K * n_k), or a list of K weights, of which
        only the ratios matter.

    Returns
    -------
    Tensor
        (K,) float32. The weight of a class without posts is 0; no post uses it.

    Raises
    ------
    ValueError
        If `kind` is another word or a list of another length.

    Examples
    --------
    >>> class_weights([6, 2], [1, 2]).tolist()
    [0.800000011920929, 1.600000023841858]
    >>> class_weights([6, 2, 0], "none").tolist()
    [1.0, 1.0, 0.0]
    """
    posts = np.asarray(counts, dtype=np.float64)
    if kind not in ("none", "balanced") and not (
        isinstance(kind, list) and len(kind) == len(posts)
    ):
        raise ValueError(
            f"class_weights: {kind} is unknown; write none, balanced, or a weight for each class"
        )
    if isinstance(kind, list):
        ratios = np.asarray(kind, dtype=np.float64)
        weights = ratios * posts.sum() / (posts @ ratios)
    elif kind == "none":
        weights = np.ones_like(posts)
    else:
        weights = posts.sum() / (len(posts) * np.maximum(posts, 1))
    return torch.tensor(np.where(posts > 0, weights, 0.0), dtype=torch.float32)


def effective_number_weights(counts: Sequence[int]) -> Tensor:
    """Return (1 - beta) / (1 - beta^n_k) for each class, scaled to a mean of 1 over classes.

    This is one over the effective number of a class's posts (Cui et al. 2019); for classes of far
    fewer than 10,000 posts it is nearly one over their number. Cao et al. 2019 (LDAM) use these
    weights from a late epoch on: deferred re-weighting (DRW).

    Parameters
    ----------
    counts
        Training posts of each of K classes.

    Returns
    -------
    Tensor
        (K,) float32. The weight of a class without posts is 0; no post uses it.

    Examples
    --------
    >>> effective_number_weights([1, 1, 0]).tolist()
    [1.0, 1.0, 0.0]
    """
    posts = np.asarray(counts, dtype=np.float64)
    seen = posts > 0
    weights = np.where(seen, (1 - BETA) / (1 - BETA ** np.maximum(posts, 1)), 0.0)
    return torch.tensor(weights * seen.sum() / weights.sum(), dtype=torch.float32)


def scaled_class_weights(weights: Tensor, counts: Sequence[int]) -> Tensor:
    """Return class weights scaled to a mean of 1 over the training posts.

    Re-weighting then leaves the loss its size. PyTorch's division by the sum of the batch's weights
    does the same, batch by batch.

    Parameters
    ----------
    weights
        (K,) class weights.
    counts
        Training posts of the K classes.

    Examples
    --------
    >>> scaled_class_weights(torch.tensor([1.0, 5.0]), [6, 2]).tolist()
    [0.5, 2.5]
    """
    posts = torch.tensor(counts, dtype=weights.dtype)
    return weights * posts.sum() / (posts * weights).sum()


def first_reweighted_epoch(share: float | None, epochs: float) -> float:
    """Return the first epoch, counted from 0, that deferred re-weighting weights.

    Parameters
    ----------
    share
        The share of the epochs after which re-weighting begins; None if it never does.
    epochs
        Epochs of the training.

    Returns
    -------
    float
        floor(share * epochs), or infinity if `share` is None.

    Examples
    --------
    >>> first_reweighted_epoch(0.8, 200), first_reweighted_epoch(None, 3)
    (160, inf)
    """
    # 1e-9, because 0.29 * 100 is 28.999999999999996.
    return math.inf if share is None else math.floor(share * epochs + 1e-9)


def ldam_margins(counts: Sequence[int], max_m: float) -> Tensor:
    """Return the margin C / n_k^(1/4) of each class (LDAM, Cao et al. 2019).

    Parameters
    ----------
    counts
        Training posts of each of K classes.
    max_m
        The margin of the rarest class, from which C follows.

    Returns
    -------
    Tensor
        (K,) float32, in units of cosines. The margin of a class without posts is 0; no post uses
        it.

    Examples
    --------
    >>> ldam_margins([16, 1, 0], 0.5).tolist()
    [0.25, 0.5, 0.0]
    """
    posts = np.asarray(counts, dtype=np.float64)
    roots = np.where(posts > 0, np.maximum(posts, 1) ** -0.25, 0.0)
    return torch.tensor(max_m * roots / roots.max(), dtype=torch.float32)


def class_log_priors(counts: Sequence[int]) -> Tensor:
    """Return log(n_k / n) of each class, (K,) float32.

    A class without posts counts as one post, so that its logit stays finite, and falls.

    Examples
    --------
    >>> class_log_priors([1, 1]).exp().tolist()
    [0.5, 0.5]
    """
    posts = np.maximum(np.asarray(counts, dtype=np.float64), 1)
    return torch.tensor(np.log(posts / posts.sum()), dtype=torch.float32)


def cross_entropy_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Return the mean of w_y * -log p_y, where p is the softmax of the logits."""
    return (weights[labels] * F.cross_entropy(logits, labels, reduction="none")).mean()


def focal_loss(logits: Tensor, labels: Tensor, weights: Tensor, gamma: float) -> Tensor:
    """Return the mean of w_y * (1 - p_y)^gamma * -log p_y (Lin et al. 2017, equation 5).

    p_y is computed without the class weights. The code published with LDAM takes p_y from the
    weighted loss, so that there the weights also change which posts count as hard.
    """
    losses = F.cross_entropy(logits, labels, reduction="none")
    # 1 - p_y. At 0 a gamma below 1 would have no gradient.
    missing = torch.expm1(-losses).neg().clamp_min(1e-9)
    return (weights[labels] * missing**gamma * losses).mean()


def subtract_margins(logits: Tensor, labels: Tensor, margin: Tensor) -> Tensor:
    """Return the logits with each post's margin subtracted from the logit of its label.

    Parameters
    ----------
    logits
        (n, K).
    labels
        (n,) class codes.
    margin
        (n,) margins, in units of logits.

    Examples
    --------
    >>> logits, labels = torch.tensor([[2.0, 1.0]]), torch.tensor([0])
    >>> subtract_margins(logits, labels, torch.tensor([0.5])).tolist()
    [[1.5, 1.0]]
    """
    return logits.scatter_add(1, labels[:, None], -margin[:, None])


def ldam_loss(
    logits: Tensor, labels: Tensor, weights: Tensor, margins: Tensor, s: float = 1.0
) -> Tensor:
    """Return the cross-entropy with s * margins_y subtracted from z_y (LDAM, Cao et al. 2019).

    Parameters
    ----------
    logits, labels, weights, s
        See the module.
    margins
        (K,) margins of the classes, larger for rare classes; see `ldam_margins`.
    """
    lowered = subtract_margins(logits, labels, s * margins.to(logits)[labels])
    return cross_entropy_loss(lowered, labels, weights)


def mm_ldam_loss(
    logits: Tensor,
    labels: Tensor,
    weights: Tensor,
    margins: Tensor,
    max_margin: float,
    gamma: float,
    s: float = 1.0,
) -> Tensor:
    """Return the cross-entropy with s * m subtracted from z_y, where m is of `moving_margins`.

    This is the maximum margin loss of Kang et al. 2021.

    Parameters
    ----------
    logits, labels, weights, s
        See the module.
    margins
        (K,) margins of `ldam_margins`. The published code takes at most 0.5 for them, whatever
        `max_margin` is there.
    max_margin
        From which the class's margin is subtracted to give the room M of `moving_margins`.
    gamma
        The factor of M for posts that are predicted correctly.
    """
    room = max_margin - margins.to(logits)[labels]
    shift = moving_margins(logits / s, labels, room, gamma)
    return cross_entropy_loss(subtract_margins(logits, labels, s * shift), labels, weights)


def moving_margins(logits: Tensor, labels: Tensor, room: Tensor, gamma: float) -> Tensor:
    """Return a margin for each post that grows towards the decision boundary (Kang et al. 2021).

    With d = z_y - max over j != y of z_j and the post's room M, the margin is exp(-d - gamma * M)
    for a correct post (d > 0), exp(-|d| - M) for a wrong one (d < 0), and 0 if d is 0. It is the
    larger the nearer the post is to the boundary, and the rarer its class (M is the maximum less
    the class's LDAM margin). No gradient flows through it.

    Class HMMLoss of the published code computes the same but for two mistakes, which are not
    repeated here: it reads z_y of the whole batch at the first post's label, and it takes the
    maximum with z_y set to 0, so that no competitor is below 0.

    Parameters
    ----------
    logits
        (n, K), in units of cosines.
    labels
        (n,) class codes.
    room
        (n,) M of each post.
    gamma
        The factor of M for posts that are predicted correctly.

    Returns
    -------
    Tensor
        (n,) margins, in units of cosines.

    Examples
    --------
    >>> logits, room = torch.tensor([[0.3, 0.3], [1.0, 0.0]]), torch.zeros(2)
    >>> moving_margins(logits, torch.tensor([1, 0]), room, 1.1)
    tensor([0.0000, 0.3679])
    """
    logits = logits.detach()
    gold = logits.gather(1, labels[:, None]).squeeze(1)
    d = gold - logits.scatter(1, labels[:, None], -math.inf).max(dim=1).values
    return torch.exp(-d.abs() - torch.where(d > 0, gamma, 1.0) * room) * (d != 0)


def logit_adjusted_loss(
    logits: Tensor, labels: Tensor, weights: Tensor, log_priors: Tensor, tau: float
) -> Tensor:
    """Return the cross-entropy of z_k + tau * log_priors_k (Menon et al. 2021).

    Predictions read z alone. `log_priors` (K,) comes from `class_log_priors`.
    """
    return cross_entropy_loss(logits + tau * log_priors.to(logits), labels, weights)


def loss_function(
    options: FinetuneOptions, counts: Sequence[int]
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """Return the loss that the options name, as a function of logits, labels and class weights.

    Parameters
    ----------
    options
        Options of a fine-tuning.
    counts
        Training posts of each of K classes.

    Returns
    -------
    callable
        ((n, K) logits, (n,) labels, (K,) weights) -> scalar.

    Raises
    ------
    ValueError
        If the options lack a number that the loss reads.
    """
    number, s = partial(required_loss_option, options), 1.0 if options.s is None else options.s
    if options.loss == "focal":
        return partial(focal_loss, gamma=number("gamma"))
    if options.loss == "logit-adjusted":
        return partial(logit_adjusted_loss, log_priors=class_log_priors(counts), tau=number("tau"))
    if options.loss == "ldam":
        return partial(ldam_loss, margins=ldam_margins(counts, number("max_m")), s=s)
    if options.loss == "mm-ldam":
        return partial(
            mm_ldam_loss,
            margins=ldam_margins(counts, number("max_m")),
            max_margin=number("mm_max_m"),
            gamma=number("mm_gamma"),
            s=s,
        )
    return cross_entropy_loss


def required_loss_option(options: FinetuneOptions, name: str) -> float:
    """Return the value of an option that the loss reads; raise `ValueError` if it is None."""
    value = getattr(options, name)
    if value is None:
        raise ValueError(
            f"node {options.node}: loss {options.loss} reads {name}, which is missing; "
            "give it a number"
        )
    return value


def token_losses(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the negative log-likelihood of each target token.

    Parameters
    ----------
    logits
        (n, T, V) logits of the vocabulary.
    targets
        (n, T) token ids, or `IGNORE_INDEX`.

    Returns
    -------
    Tensor
        (n, T) float32; 0 where the target is `IGNORE_INDEX`.
    """
    return F.cross_entropy(
        logits.float().transpose(1, 2), targets, ignore_index=IGNORE_INDEX, reduction="none"
    )


def answer_loss(logits: Tensor, targets: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Return the mean over posts of w_y * -log p(answer).

    The losses of an answer's tokens are summed, so that long words count whole.

    Parameters
    ----------
    logits
        (n, T, V) logits of the vocabulary.
    targets
        (n, T) token ids of the gold answers; `IGNORE_INDEX` elsewhere.
    labels
        (n,) class codes.
    weights
        (K,) class weights.
    """
    return (weights[labels] * token_losses(logits, targets).sum(dim=1)).mean()
