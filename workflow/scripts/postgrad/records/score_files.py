"""The contents of score.json and compare.json as types."""

from typing import NotRequired, TypedDict


class F1(TypedDict):
    """Precision, recall and their harmonic mean."""

    precision: float
    recall: float
    f1: float


class ClassScores(F1):
    """Scores of one class. `support` is the number of its gold posts."""

    label: str
    support: int


class Scores(TypedDict):
    """Scores of one predictor on one dataset of n posts.

    `positive` has the codes of the positive classes. `values` has precision, recall and f1 of these
    classes, accuracy, macro_f1, auc, and `official`, which is the score that `metric` names.
    `confusion` is the confusion matrix. `abstained` is the number of posts without an answer.
    """

    n: int
    metric: str
    positive: list[int]
    values: dict[str, float | None]
    per_class: list[ClassScores]
    confusion: list[list[int]]
    abstained: int


class ScoreEntry(Scores, total=False):
    """An entry of score.json.

    If a dataset has no gold labels, n is 0, `reason` says so, and there are no scores.
    """

    predictor: str  # the id of the node at one point of its axes
    node: str
    axes: dict[str, str]
    dataset: str
    task: str
    reason: str


class NodeEstimate(TypedDict):
    """The official metric of a node on one dataset, over its seeds, with an interval.

    A number that does not exist is None.
    """

    node: str  # with all axes but the seed
    dataset: str
    mean: float | None
    low: float | None  # the interval at 95 %, of posts and seeds together
    high: float | None
    standard_error: float | None
    degrees_of_freedom: float | None
    posts_sd: float | None
    seeds_sd: float | None
    seeds: int
    posts: int


class ScoreFile(TypedDict):
    """The content of score.json."""

    recipe: str
    entries: list[ScoreEntry]
    estimates: list[NodeEstimate]


class Spread(TypedDict):
    """Mean and sample standard deviation of the values of several seeds.

    They are None if they do not exist.
    """

    mean: float | None
    sd: float | None
    seeds: int


class Summary(Spread):
    """The spread of the official metric and of the AUC, and the reason if there is none."""

    auc: float | None
    auc_sd: float | None
    reason: NotRequired[str]


class NodeSummary(Summary):
    """The scores of one node of a chain."""

    node: str


class Control(Summary):
    """The gain of a control over `against`.

    The control replaces the node `beside` in the chain, and `against` is the node before that one.
    """

    node: str
    beside: str
    against: str
    own: Summary


# The gain of the node `to` over the node `from`, with the keys of a `Summary`. `from` is a reserved
# word of Python, so that a class cannot have it as a field.
Step = TypedDict(
    "Step",
    {
        "from": str,
        "to": str,
        "mean": float | None,
        "sd": float | None,
        "seeds": int,
        "auc": float | None,
        "auc_sd": float | None,
        "reason": NotRequired[str],
    },
)


class Difference(TypedDict):
    """The difference between two nodes on one dataset, with its uncertainty.

    A number that does not exist is None, and `reason` says why there is no difference.
    """

    kind: str  # step, control, or step over control
    before: str
    after: str
    step: str  # the node of the chain whose step it is
    posts: int
    seeds: int  # the number of pairs
    before_mean: float | None
    after_mean: float | None
    difference: float | None
    low: float | None  # the interval at 95 %, of posts and seeds together
    high: float | None
    standard_error: float | None
    degrees_of_freedom: float | None
    posts_sd: float | None
    seeds_sd: float | None
    p: float | None
    gain_probability: float | None
    near_zero_probability: float | None
    margin: float
    mcnemar_p: float | None
    reason: NotRequired[str]


class ChainSummary(TypedDict):
    """The scores of the nodes of one chain on one dataset, and the gains of steps and controls."""

    metric: str | None
    nodes: list[NodeSummary]
    steps: list[Step]
    controls: list[Control]


class Comparison(ChainSummary):
    """The comparison of one chain on one dataset, a value of `sets` in compare.json."""

    differences: list[Difference]


class ChainSets(TypedDict):
    """One chain in compare.json: its comparison on each dataset."""

    sets: dict[str, Comparison]


class CompareFile(TypedDict):
    """The content of compare.json."""

    recipe: str
    chains: dict[str, ChainSets]
