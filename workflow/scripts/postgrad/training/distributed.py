"""Training by several processes: their start, DeepSpeed, each rank's rows, the gathered model."""

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

from postgrad.models.heads import install_cosine_layer
from postgrad.models.tokenization import IGNORE_INDEX
from postgrad.runtime import signals

# Rank 0 writes the 290 GB of a 72B model while the others wait. The launcher notices ranks that
# end.
TIMEOUT = timedelta(hours=6)


@dataclass
class Ranks:
    """The processes of one training, as one of them sees them.

    Attributes
    ----------
    rank
        Number of this process, counted from 0.
    world
        Number of processes.
    zero
        Stage of DeepSpeed's ZeRO, or 0 without DeepSpeed.
    settings
        DeepSpeed's settings, if `zero` is not 0.
    """

    rank: int = 0
    world: int = 1
    zero: int = 0
    settings: Any = None  # transformers finds the settings only while an object refers to them

    @property
    def is_single_process(self) -> bool:
        """Whether this is the plain training of one process, without torch.distributed."""
        return self.world == 1 and not self.zero

    @property
    def is_first(self) -> bool:
        """Whether this process is rank 0, which writes the files."""
        return self.rank == 0

    def __str__(self) -> str:
        """Return the words that a checkpoint records; empty for a single process."""
        return "" if self.is_single_process else f"{self.world} ranks, ZeRO {self.zero}"

    def barrier(self) -> None:
        """Wait until every rank has come here."""
        if not self.is_single_process:
            distributed.barrier()

    def broadcast(self, value: Any) -> Any:
        """Return rank 0's value, on every rank."""
        if self.is_single_process:
            return value
        box = [value]
        distributed.broadcast_object_list(box)
        return box[0]

    def any_rank(self, flag: bool) -> bool:
        """Return whether the flag is true on any rank, so that all ranks stop at one step."""
        if self.is_single_process:
            return flag
        flags = torch.tensor(float(flag), device="cuda" if torch.cuda.is_available() else "cpu")
        return bool(self.mean_over_ranks(flags))

    def mean_over_ranks(self, value: Tensor) -> Tensor:
        """Return the mean of a scalar tensor over the ranks; the tensor is changed in place."""
        if not self.is_single_process:
            distributed.all_reduce(value)
            value /= self.world
        return value


def start_ranks(zero: int, precision: str) -> Ranks:
    """Start torch.distributed, and DeepSpeed if asked for, and return the ranks of this training.

    Call it before any model is loaded. The ranks are joined by NCCL if each has a GPU, and by gloo
    if there is no GPU. In bf16 a single process computes in bf16 on float32 weights. DeepSpeed also
    holds the weights in bf16, in addition to the optimizer's float32 copy; losses then differ by
    about one in a hundred, and frozen parameters are rounded.

    Parameters
    ----------
    zero
        Stage of DeepSpeed's ZeRO, or 0 for none.
    precision
        "fp32" or "bf16".

    Raises
    ------
    ValueError
        If a node has fewer GPUs than ranks.
    """
    if not torch.cuda.is_available():
        # accelerate imports DeepSpeed to see whether it is there, and DeepSpeed then warns.
        os.environ["DS_ACCELERATOR"] = "cpu"
    if not signals.is_rank():
        return Ranks()
    ranks = Ranks(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), zero)
    gpus = torch.cuda.device_count()
    if gpus:
        local_ranks = int(os.environ["LOCAL_WORLD_SIZE"])
        if local_ranks > gpus:
            raise ValueError(
                f"--ranks {local_ranks} and {gpus} GPUs on this node: each rank needs its own GPU; "
                f"write --ranks {gpus}"
            )
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    backend = "nccl" if gpus else "gloo"
    if zero:
        ranks.settings = start_deepspeed(zero, precision, backend)
    elif not distributed.is_initialized():
        distributed.init_process_group(backend, timeout=TIMEOUT)
    return ranks


def start_deepspeed(zero: int, precision: str, backend: str) -> Any:
    """Start DeepSpeed and give transformers its settings, which are returned.

    Numbers that depend on the model's width stay "auto".

    Parameters
    ----------
    zero
        Stage of ZeRO: 1, 2 or 3.
    precision
        "fp32" or "bf16".
    backend
        "nccl" or "gloo".
    """
    os.environ["DS_BUILD_OPS"] = "0"
    import deepspeed
    from transformers.integrations import HfDeepSpeedConfig

    # DeepSpeed calls functions by their old names.
    warnings.filterwarnings("ignore", category=FutureWarning, module="torch.distributed")
    deepspeed.logger.setLevel("ERROR")
    if backend == "gloo":
        avoid_compiled_communication()
    deepspeed.init_distributed(dist_backend=backend, timeout=TIMEOUT, verbose=False)
    zero_settings: dict[str, Any] = {
        "stage": zero,
        "overlap_comm": False,
        "contiguous_gradients": True,
        "reduce_bucket_size": "auto",
    }
    if zero == 3:
        zero_settings |= {
            "stage3_prefetch_bucket_size": "auto",
            "stage3_param_persistence_threshold": "auto",
            "stage3_gather_16bit_weights_on_model_save": True,
        }
    # No optimizer is named here, because PyTorch's own needs no compiler.
    return HfDeepSpeedConfig(
        {
            "train_micro_batch_size_per_gpu": 1,
            "gradient_accumulation_steps": 1,
            "gradient_clipping": "auto",
            "bf16": {"enabled": precision == "bf16"},
            "zero_optimization": zero_settings,
        }
    )


def avoid_compiled_communication() -> None:
    """Make DeepSpeed exchange all tensors by gloo.

    By default it first compiles a C++ extension, which takes a minute. `set_accelerator` is
    DeepSpeed's public way to set the description of the device; the one that is set here describes
    a CPU without that extension.
    """
    from deepspeed.accelerator import set_accelerator
    from deepspeed.accelerator.cpu_accelerator import CPU_Accelerator

    class PlainCPU(CPU_Accelerator):
        def create_op_builder(self, class_name: str) -> Any:
            if class_name == "ShareMemCommBuilder":
                return None
            return super().create_op_builder(class_name)

    set_accelerator(PlainCPU())


def rank_training_arguments(ranks: Ranks) -> dict[str, Any]:
    """Return the arguments of `TrainingArguments` that a single process does not need."""
    if ranks.is_single_process:
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


class RankCollator:
    """Collate one rank's rows of each batch: rows r, r + world, r + 2 world, ... for rank r.

    The ranks' gradients are averaged. So a rank's mean loss gets the weight world * (what it
    averages over) / (what the batch's loss would average over): the mean over ranks is then the
    loss of the whole batch. A loss averages over posts if the batch has labels, otherwise over
    target tokens. A rank without a row computes the first row with weight 0, because it must take
    part in every exchange; otherwise the others would wait for ever.

    Parameters
    ----------
    collate
        Function of a list of examples that returns the tensors of a batch.
    ranks
        The processes of the training.
    """

    def __init__(
        self, collate: Callable[[Sequence[dict[str, Any]]], dict[str, Tensor]], ranks: Ranks
    ) -> None:
        self.collate, self.ranks = collate, ranks

    def __call__(self, examples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return this rank's rows, with `weight` of their loss and `tokens` of the whole batch."""
        batch = self.collate(examples)
        counted = (
            torch.ones(len(examples))
            if "labels" in batch
            else (batch["targets"] != IGNORE_INDEX).sum(dim=1)
        )
        rows = list(range(self.ranks.rank, len(examples), self.ranks.world))
        weight = self.ranks.world * counted[rows].sum().item() / counted.sum().item()
        tokens = int(batch["attention_mask"].sum())
        return {name: part[rows or [0]] for name, part in batch.items()} | {
            "weight": weight,
            "tokens": tokens,
        }


def check_partitioning(model: Any, ranks: Ranks) -> None:
    """Raise `ValueError` if under ZeRO-3 a rank holds a whole parameter.

    That is so if the model was loaded before `start_ranks`; transformers reports no error.
    """
    if ranks.zero == 3:
        whole = [name for name, part in model.named_parameters() if not hasattr(part, "ds_id")]
        if whole:
            raise ValueError(
                f"ZeRO-3: {whole[0]} and {len(whole) - 1} more parameters were loaded whole on "
                "each rank; call start_ranks before load_model"
            )


def gathered_parameters(parameters: Iterable[Any], ranks: Ranks) -> AbstractContextManager[Any]:
    """Return a context in which these parameters are whole on every rank.

    What rank 0 writes to them is kept.
    """
    if ranks.zero < 3:
        return nullcontext()
    from deepspeed.runtime.zero import GatheredParameters

    return GatheredParameters(list(parameters), modifier_rank=0)


def gather_model(model: Any, ranks: Ranks) -> Any:
    """Return the trained model, whole and in float32, on rank 0, and None on the other ranks.

    Every rank must call it. Under ZeRO the parameters are gathered one after the other, from the
    optimizer's float32 copy if the training was in bf16. Rank 0 holds the whole model in host
    memory: 4 bytes a parameter.
    """
    if not ranks.zero:
        return model if ranks.is_first else None
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    state, parameters = {}, dict(model.named_parameters(remove_duplicate=False))
    for name, tensor in model.state_dict().items():
        if name in parameters:
            tensor = gather_float32(parameters[name])
        if ranks.is_first:
            state[name] = tensor.cpu().clone()
    unset_hf_deepspeed_config()  # what rank 0 loads from here on is whole
    if not ranks.is_first:
        return None
    config = copy.deepcopy(model.config)
    with torch.device("meta"):
        empty = install_cosine_layer(type(model)(config))
    empty.load_state_dict(state, assign=True)
    empty.tie_weights()
    return empty


def gather_float32(parameter: Any) -> Tensor:
    """Return, on every rank, the whole of a parameter of any ZeRO stage, in float32."""
    from deepspeed.runtime.zero import GatheredParameters
    from deepspeed.utils import safe_get_full_fp32_param

    if parameter.dtype != torch.float32 and parameter.requires_grad:
        return safe_get_full_fp32_param(parameter)
    if not hasattr(parameter, "ds_id"):
        return parameter.detach().float()
    with GatheredParameters([parameter]):
        return parameter.detach().float().clone()
