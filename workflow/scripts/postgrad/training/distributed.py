"""What the ranks of one training share.

Their beginning, DeepSpeed's settings, each batch, and the whole model.
"""

import copy
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as distributed
from torch import Tensor

from postgrad.models.heads import with_head
from postgrad.models.tokenization import UNTAUGHT
from postgrad.runtime import signals

PATIENCE = timedelta(
    hours=6
)  # rank 0 writes 290 GB of a 72B model while the others wait; the launcher sees the dead


@dataclass
class Ranks:
    """This process among `world`, and DeepSpeed's settings where it takes part (`zero`.

    Its stage, or 0).
    """

    rank: int = 0
    world: int = 1
    zero: int = 0
    settings: Any = None  # transformers finds them only while something holds them

    @property
    def alone(self) -> bool:
        """Whether this is the plain training of one process, without torch.distributed."""
        return self.world == 1 and not self.zero

    @property
    def first(self) -> bool:
        return self.rank == 0

    def __str__(self) -> str:
        return "" if self.alone else f"{self.world} ranks, ZeRO {self.zero}"

    def barrier(self) -> None:
        if not self.alone:
            distributed.barrier()

    def from_first(self, value: Any) -> Any:
        """Rank 0's value, on every rank."""
        if self.alone:
            return value
        box = [value]
        distributed.broadcast_object_list(box)
        return box[0]

    def any(self, flag: bool) -> bool:
        """Whether any rank says so: all stop at one step, or none does."""
        if self.alone:
            return flag
        wanted = torch.tensor(float(flag), device="cuda" if torch.cuda.is_available() else "cpu")
        return bool(self.mean(wanted))

    def mean(self, value: Tensor) -> Tensor:
        """The mean over the ranks of a scalar tensor."""
        if not self.alone:
            distributed.all_reduce(value)
            value /= self.world
        return value


def begin(zero: int, precision: str) -> Ranks:
    """The Ranks of this process. torch.distributed and DeepSpeed begin here, so before any model is
    loaded.

    gloo joins the ranks where there is no GPU, NCCL where there is one for each rank. In bf16 a
    single process computes in bf16 on float32 weights; DeepSpeed also holds the weights in bf16,
    beside the optimizer's float32 copy: losses then differ by about one in a hundred, and frozen
    parts come out rounded.
    """
    if not torch.cuda.is_available():
        os.environ["DS_ACCELERATOR"] = (
            "cpu"  # accelerate imports DeepSpeed, if only to ask; else that warns
        )
    if not signals.is_rank():
        return Ranks()
    ranks = Ranks(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), zero)
    gpus = torch.cuda.device_count()
    if gpus:
        here = int(os.environ["LOCAL_WORLD_SIZE"])
        if here > gpus:
            raise ValueError(
                f"--ranks {here} and {gpus} GPUs on this node: each rank needs its own, ask for {gpus}"
            )
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    backend = "nccl" if gpus else "gloo"
    if zero:
        ranks.settings = begin_deepspeed(zero, precision, backend)
    elif not distributed.is_initialized():
        distributed.init_process_group(backend, timeout=PATIENCE)
    return ranks


def begin_deepspeed(zero: int, precision: str, backend: str) -> Any:
    """Begin DeepSpeed and give transformers its settings.

    Numbers that hang on the model's width stay "auto".
    """
    os.environ["DS_BUILD_OPS"] = "0"
    import deepspeed
    from transformers.integrations import HfDeepSpeedConfig

    warnings.filterwarnings(
        "ignore", category=FutureWarning, module="torch.distributed"
    )  # old names of calls
    deepspeed.logger.setLevel("ERROR")
    if backend == "gloo":
        use_no_compiler()
    deepspeed.init_distributed(dist_backend=backend, timeout=PATIENCE, verbose=False)
    zero_settings: dict[str, Any] = {
        "stage": zero,
        "overlap_comm": False,
        "contiguous_gradients": True,
        "reduce_bucket_size": "auto",
    }
    if zero == 3:
        zero_settings |= {"stage3_prefetch_bucket_size": "auto", "stage3_param_persistence_threshold": "auto",
                          "stage3_gather_16bit_weights_on_model_save": True}  # fmt: skip
    # No optimizer here: torch's own needs no compiler.
    return HfDeepSpeedConfig({
        "train_micro_batch_size_per_gpu": 1, "gradient_accumulation_steps": 1, "gradient_clipping": "auto",
        "bf16": {"enabled": precision == "bf16"}, "zero_optimization": zero_settings,
    })  # fmt: skip


def use_no_compiler() -> None:
    """Have DeepSpeed exchange all tensors by gloo; by default it first compiles a C++ extension,
    which takes a minute.

    `set_accelerator` is DeepSpeed's way to hand it a description of the device. This one is the
    description of a CPU without that extension.
    """
    from deepspeed.accelerator import set_accelerator
    from deepspeed.accelerator.cpu_accelerator import CPU_Accelerator

    class PlainCPU(CPU_Accelerator):
        def create_op_builder(self, class_name: str) -> Any:
            return (
                None
                if class_name == "ShareMemCommBuilder"
                else super().create_op_builder(class_name)
            )

    set_accelerator(PlainCPU())


def arguments(ranks: Ranks) -> dict[str, Any]:
    """What TrainingArguments get beside a single process's."""
    if ranks.alone:
        return {}
    more: dict[str, Any] = {
        "ddp_backend": None if torch.cuda.is_available() else "gloo",
        "average_tokens_across_devices": False,
    }
    if ranks.zero:
        more |= {
            "deepspeed": copy.deepcopy(ranks.settings.config),
            "per_device_train_batch_size": 1,
        }
    return more


class Share:
    """One rank's rows of each batch: r, r + world, r + 2 world, …

    The ranks' gradients are averaged, so a share's mean loss weighs world * (what it averages over)
    / (what the batch's would): then the mean over ranks is the loss of the whole batch. A loss
    averages over posts where there are labels, else over taught tokens. A rank without a row
    computes the first one with weight 0: it has to take part in every exchange, or the others would
    wait for ever.
    """

    def __init__(
        self, collate: Callable[[Sequence[dict[str, Any]]], dict[str, Tensor]], ranks: Ranks
    ) -> None:
        self.collate, self.ranks = collate, ranks

    def __call__(self, examples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        batch = self.collate(examples)
        counted = (
            torch.ones(len(examples))
            if "labels" in batch
            else (batch["targets"] != UNTAUGHT).sum(dim=1)
        )
        rows = list(range(self.ranks.rank, len(examples), self.ranks.world))
        weight = self.ranks.world * counted[rows].sum().item() / counted.sum().item()
        tokens = int(batch["attention_mask"].sum())
        return {name: part[rows or [0]] for name, part in batch.items()} | {
            "weight": weight,
            "tokens": tokens,
        }


def check_parts(model: Any, ranks: Ranks) -> None:
    """Raise ValueError where ZeRO-3 holds a parameter whole.

    Transformers then loads without an error.
    """
    if ranks.zero == 3:
        whole = [name for name, part in model.named_parameters() if not hasattr(part, "ds_id")]
        if whole:
            raise ValueError(f"ZeRO-3: {whole[0]} and {len(whole) - 1} more parameters were loaded whole on each rank; "
                             "ranks.begin must come before load_model")  # fmt: skip


def gathered(parts: Iterable[Any], ranks: Ranks) -> AbstractContextManager[Any]:
    """A context in which these parameters stand whole on every rank.

    What rank 0 writes there is kept.
    """
    if ranks.zero < 3:
        return nullcontext()
    from deepspeed.runtime.zero import GatheredParameters

    return GatheredParameters(list(parts), modifier_rank=0)


def whole(model: Any, ranks: Ranks) -> Any:
    """On rank 0 the trained model, in float32 and in one piece; None elsewhere. Every rank calls
    it.

    Under ZeRO each parameter is gathered in turn, from the optimizer's float32 copy where training
    was in bf16. Rank 0 holds all of it in host memory: 4 bytes a parameter.
    """
    if not ranks.zero:
        return model if ranks.first else None
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    state, parts = {}, dict(model.named_parameters(remove_duplicate=False))
    for name, part in model.state_dict().items():
        if name in parts:
            part = float32(parts[name])
        if ranks.first:
            state[name] = part.cpu().clone()
    unset_hf_deepspeed_config()  # what rank 0 loads from here on is whole
    if not ranks.first:
        return None
    config = copy.deepcopy(model.config)
    with torch.device("meta"):
        empty = with_head(type(model)(config))
    empty.load_state_dict(state, assign=True)
    empty.tie_weights()
    return empty


def float32(part: Any) -> Tensor:
    """A parameter, whole and in float32."""
    from deepspeed.runtime.zero import GatheredParameters
    from deepspeed.utils import safe_get_full_fp32_param

    if part.dtype != torch.float32 and part.requires_grad:
        return safe_get_full_fp32_param(part)
    if not hasattr(part, "ds_id"):
        return part.detach().float()
    with GatheredParameters([part]):
        return part.detach().float().clone()
