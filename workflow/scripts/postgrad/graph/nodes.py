"""A node of a recipe's graph."""

from dataclasses import dataclass, field
from typing import Any

from postgrad.records.names import node_id

# Folders of results, which no node may be called.
RESERVED = ("clean", "base", "audit", "demo", "report", "all_recipes", "so_far")


@dataclass(frozen=True)
class Node:
    """A node of a recipe at one point of its axes, for example ages-expert at seed 1.

    Attributes
    ----------
    recipe, name, verb : str
        The recipe, the name of the node in it, and its verb.
    axes : dict
        The value of each axis.
    options : dict
        The value of each option.
    sources : list of str
        The posts that it reads: names of splits, which have a slash, and ids of nodes.
    base : str or None
        A model of the scale, or the id of a model node.
    members : list of str
        The ids of the predictors whose predictions it reads.
    budget : str or None
        The id of the dataset whose class counts it keeps to.
    fit : str or None
        The gold split on which it is fitted or chosen, or on which its teachers are audited.
    pool_part : tuple of int or None
        (i, k) if a random draw for one fold is taken from the i-th of k parts of the pool.
    asked : dict
        For each model of the scale that it asks, the base that names it.
    target : str, dict or None
        The class shares to which its predictions are adjusted.
    kind : str or None
        causal, encoder or linear; None for datasets and for predictors that are no model.
    task : str or None
        The recipe's name for the task; None if the labels play no part.
    transductive : bool
        Whether it, or a node on which it stands, has read the texts of a test set.
    stand_in : bool
        Whether a rule answered in the place of a language model, here or in a node below.
    fitted : tuple of str
        The splits on whose gold labels it, or a node below, was fitted or chosen.
    learnt : tuple of str
        The splits whose gold labels it, or a node below, learnt.
    folds : tuple of str
        The ids of the datasets in folds on which it stands: one if it has the axis, all if it
        reduces it.
    """

    recipe: str
    name: str
    verb: str
    axes: dict[str, Any]
    options: dict[str, Any]
    sources: list[str]
    base: str | None = None
    members: list[str] = field(default_factory=list)
    budget: str | None = None
    fit: str | None = None
    pool_part: tuple[int, int] | None = None
    asked: dict[str, str] = field(default_factory=dict)
    target: str | dict[str, Any] | None = None
    kind: str | None = None
    task: str | None = None
    transductive: bool = False
    stand_in: bool = False
    fitted: tuple[str, ...] = ()
    learnt: tuple[str, ...] = ()
    folds: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The name of the node with its axes, for example ages-expert@seed=1."""
        return node_id(self.name, self.axes)
