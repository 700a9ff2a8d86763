"""Options of a training, which `records.options.read_options` reads from a spec.

Their limits and meanings are in workflow/schemas/verbs.yaml.
"""

from dataclasses import dataclass

Label = dict[str, str]  # name, and for a causal model word and digit


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Options that every training of a neural network reads."""

    node: str
    kind: str  # encoder or causal
    seed: int
    lr: float
    batch: int
    schedule: str
    warmup: float
    weight_decay: float
    epochs: float
    max_length: int
    precision: str
    attention: str
    threads: int
    frozen: list[str]
    dropout: float | None
    checkpoint_steps: int


@dataclass(frozen=True, kw_only=True)
class PretrainOptions(TrainingOptions):
    """Options of `pretrain`."""

    tokens: int | None
    rows: int | None
    mask: float | None = None  # share of tokens to mask; of an encoder


@dataclass(frozen=True, kw_only=True)
class FinetuneOptions(TrainingOptions):
    """Options of `finetune` for a neural network.

    An option that the kind of model or the loss does not read has its default.
    """

    labels: list[Label]  # in class order
    epoch: str
    loss: str
    class_weights: str | list[float]
    gamma: float | None = None
    max_m: float | None = None
    mm_max_m: float | None = None
    mm_gamma: float | None = None
    tau: float | None = None
    head: str = "linear"
    s: float | None = None
    pooling: str = "pooler"
    optimizer: str = "adamw"
    drw: float | None = None
    restarts: int | None = None  # None: a training that ended in one class is not looked for
    input: str = "raw"
    answers: str | None = None  # of a causal model
    prompt: str | None = None  # of a causal model
    metric: str | None = None  # with epoch best
    positive: list[int] | None = None  # with epoch best: codes of the positive classes

    @property
    def names(self) -> list[str]:
        """The names of the labels, in class order."""
        return [label["name"] for label in self.labels]

    @property
    def words(self) -> list[str]:
        """The answer of a causal model for each label, in class order.

        Raise `ValueError` if `answers` is missing.
        """
        if self.answers is None:
            raise ValueError(f"node {self.node}: answers is missing; write words or digits")
        return [label[self.answers.removesuffix("s")] for label in self.labels]
