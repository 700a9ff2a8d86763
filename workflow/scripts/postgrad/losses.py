"""Losses of one batch. w_i is the weight of example i's class; every loss is the mean of w_i * loss_i."""

import numpy as np
import torch
import torch.nn.functional as F

from postgrad.examples import UNTAUGHT


def class_weights(counts, kind):
    """(K,) float32 weights from K class counts: none gives ones, balanced n / (K * n_k).

    Balanced weights have mean 1 over the training posts. A class without posts gets 0, which no post uses.
    """
    if kind not in ("none", "balanced"):
        raise ValueError(f"class_weights: {kind} is unknown; write none or balanced")
    counts = np.asarray(counts, dtype=np.float64)
    weights = np.ones_like(counts) if kind == "none" else counts.sum() / (len(counts) * np.maximum(counts, 1))
    return torch.tensor(np.where(counts > 0, weights, 0.0), dtype=torch.float32)


def cross_entropy(logits, labels, weights):
    """Mean of w_i * -log p(y_i) over (n, K) logits and (n,) labels."""
    return (weights[labels] * F.cross_entropy(logits.float(), labels, reduction="none")).mean()


def token_losses(logits, targets):
    """(n, T) negative log-likelihoods of (n, T) targets under (n, T, V) logits; 0 where UNTAUGHT."""
    return F.cross_entropy(logits.float().transpose(1, 2), targets, ignore_index=UNTAUGHT, reduction="none")


def answer_loss(logits, targets, labels, weights):
    """Mean of w_i * -log p(answer_i): an answer's tokens are summed, so long words count whole."""
    return (weights[labels] * token_losses(logits, targets).sum(dim=1)).mean()
