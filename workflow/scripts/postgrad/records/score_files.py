"""Scores and comparisons as records: what score.json and compare.json hold."""

from typing import NotRequired, TypedDict


class F1(TypedDict):
    precision: float
    recall: float
    f1: float


class ClassScores(F1):
    """Scores of one class; `support`: how many gold posts it has."""

    label: str
    support: int


class Scores(TypedDict):
    """Scores of one predictor on one dataset of n posts.

    values: precision, recall and f1 of the positive classes, accuracy, macro_f1, auc, and
    `official`, which is the one that `metric` names. confusion: as `confusion` counts it.
    abstained: how many posts got no answer.
    """

    n: int
    metric: str
    values: dict[str, float | None]
    per_class: list[ClassScores]
    confusion: list[list[int]]
    abstained: int


class ScoreEntry(Scores, total=False):
    """An entry of score.json.

    Without gold labels n is 0, `reason` says so, and there are no scores.
    """

    predictor: str  # the id of the node at one point of its axes
    node: str
    axes: dict[str, str]
    dataset: str
    task: str
    reason: str


class ScoreFile(TypedDict):
    """What score.json holds."""

    recipe: str
    entries: list[ScoreEntry]


class Spread(TypedDict):
    """Mean and sample's sd of values of which each has a seed of its own.

    None where they do not exist.
    """

    mean: float | None
    sd: float | None
    seeds: int


class Summary(Spread):
    """The spread of the official metric, the AUC beside it, and why there is none."""

    auc: float | None
    auc_sd: float | None
    reason: NotRequired[str]


class NodeSummary(Summary):
    """How a node of a chain does."""

    node: str


class Control(Summary):
    """The gain of a control over `against`, the node before the one in whose place it stands."""

    node: str
    beside: str
    against: str
    own: Summary


# The gain of the node `to` over the node `from`, with the keys of a Summary.
Step = TypedDict("Step", {"from": str, "to": str, "mean": float | None, "sd": float | None, "seeds": int,
                          "auc": float | None, "auc_sd": float | None, "reason": NotRequired[str]})  # fmt: skip


class Comparison(TypedDict):
    """One chain on one dataset: what stands under `sets` in compare.json."""

    metric: str | None
    nodes: list[NodeSummary]
    steps: list[Step]
    controls: list[Control]


class ChainSets(TypedDict):
    """A chain in compare.json: {dataset: what each of its steps adds there}."""

    sets: dict[str, Comparison]


class CompareFile(TypedDict):
    """What compare.json holds."""

    recipe: str
    chains: dict[str, ChainSets]
