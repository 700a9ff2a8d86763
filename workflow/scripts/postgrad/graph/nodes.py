"""A node of a recipe's graph."""

from dataclasses import dataclass, field
from typing import Any

from postgrad.records.names import node_id

RESERVED = (
    "clean",
    "base",
    "audit",
    "demo",
    "report",
    "all_recipes",
)  # folders of results that no name may have


@dataclass(frozen=True)
class Node:
    """One node at one point of its axes, for example ages-expert at seed 1."""

    recipe: str
    name: str
    verb: str
    axes: dict[str, Any]  # axis -> value
    options: dict[str, Any]
    sources: list[str]  # names with a slash (splits) and ids of nodes: the posts that it reads
    base: str | None = None  # a model of the scale, or the id of a model node
    members: list[str] = field(
        default_factory=list
    )  # ids of the predictors whose predictions it reads
    budget: str | None = None  # the id of the dataset to whose class counts it keeps
    fit: str | None = (
        None  # the gold split on which it is fitted or chosen, or its teachers are audited
    )
    part: tuple[int, int] | None = (
        None  # (i, k): the part of the pool from which a random draw for one fold is taken
    )
    asked: dict[str, str] = field(
        default_factory=dict
    )  # models of the scale that it asks -> the bases that name them
    target: str | dict[str, Any] | None = (
        None  # the class shares that its predictions are turned to
    )
    kind: str | None = (
        None  # causal, encoder, linear; None for datasets and predictors that are no model
    )
    task: str | None = None  # the recipe's name for the task; None where the labels play no part
    transductive: bool = False  # it, or what it stands on, has read the texts of a test set
    stand_in: bool = (
        False  # a rule has answered in a language model's place, here or in what it stands on
    )
    fitted: tuple[
        str, ...
    ] = ()  # splits whose gold labels it, or what it stands on, was fitted or chosen on
    learnt: tuple[str, ...] = ()  # splits whose gold labels it, or what it stands on, learnt
    folds: tuple[
        str, ...
    ] = ()  # ids of the datasets in folds that it stands on: one where it has the axis, all where it reduces

    @property
    def id(self) -> str:
        return node_id(self.name, self.axes)
