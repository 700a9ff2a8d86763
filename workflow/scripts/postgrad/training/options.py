"""The options of a training, read from a spec by `records.options.read_options`.

See workflow/schemas/verbs.yaml.
"""

from dataclasses import dataclass

Label = dict[str, str]  # name, and for a causal model word and digit


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """What every training of a network reads."""

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
    """The options of `pretrain`. mask: of an encoder."""

    tokens: int | None
    rows: int | None
    mask: float | None = None


@dataclass(frozen=True, kw_only=True)
class FinetuneOptions(TrainingOptions):
    """The options of `finetune` for a network.

    One that a kind or a loss does not read is at its default.
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
    restarts: int | None = None  # None: nobody looks whether a training ended in one class
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
        """What a causal model answers for each label."""
        if self.answers is None:
            raise ValueError(f"node {self.node}: answers is missing; write words or digits")
        return [label[self.answers.removesuffix("s")] for label in self.labels]
