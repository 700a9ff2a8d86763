"""Resources of jobs on a cluster: what the scale asks for, limited to what a node has.

None of this is part of a spec, so that another number of GPUs reruns nothing.
"""

from collections.abc import Mapping
from typing import Any

from postgrad.config.errors import ConfigErrors

# What a job asks for if its scale does not say. The default of CPUs is the threads of its spec.
DEFAULT_REQUEST = {"nodes": 1, "gpus": 0, "mem_mb": 4000, "minutes": 60, "zero": 0}
# What a submission to the cluster asks for; None is left out.
SUBMISSION_RESOURCES = tuple(
    "nodes gpu mem_mb runtime tasks tasks_per_gpu mpi cpus_per_task gpu_model slurm_partition "
    "slurm_extra".split()
)
# A training gets the signal to stop at most so many seconds before the end of its time, so that its
# step and its checkpoint fit. The checkpoint of a 72B model is 1 TB, which takes 500 s at 2 GB/s.
# SLURM may send the signal up to a minute earlier.
MAX_STOP_SIGNAL_SECONDS = 600
# What a training is launched with: processes per node, and the stage of DeepSpeed ZeRO.
LAUNCH_RESOURCES = ("ranks", "zero")


def job_resources(
    ask: Mapping[str, Any], cluster: Mapping[str, Any], attempt: int, stops: bool = False
) -> dict[str, Any]:
    """Return what a job asks of the cluster, by resource; None where it does not ask for it.

    Parameters
    ----------
    ask
        nodes, gpus, cpus, mem_mb, minutes, ranks and zero. gpus, cpus and mem_mb are per node;
        `gpu` of the result is the total of the job. Default of ranks: one process for each GPU, at
        least one.
    cluster
        The key `cluster` of the configuration: partitions, GPU model, and what a node has.
    attempt
        1 for the first submission. Each further one asks for that much more memory and time, up to
        what a node has, because the job was perhaps killed for want of memory or time.
    stops
        Whether the job writes a checkpoint when it gets the signal to stop. A short job gets the
        signal in the last tenth of its time.

    Returns
    -------
    dict
        The values of `SUBMISSION_RESOURCES` and `LAUNCH_RESOURCES`. The SLURM plugin of Snakemake
        needs mpi, tasks and tasks_per_gpu=0 for a job on several nodes only. With mpi, the job does
        not start an srun of its own.
    """
    nodes, gpus, most = ask["nodes"], ask["gpus"], cluster.get("node", {})
    resources = {
        "nodes": nodes,
        "cpus_per_task": ask["cpus"],
        "mem_mb": capped(ask["mem_mb"] * attempt, most.get("mem_mb")),
        "runtime": capped(ask["minutes"] * attempt, most.get("minutes")),
        "gpu": nodes * gpus,
        "ranks": ask.get("ranks") or max(gpus, 1),
        "zero": ask["zero"],
        # The plugin would take a model without a number of GPUs as one GPU.
        "gpu_model": cluster.get("gpu_model") if gpus else None,
        "slurm_partition": (cluster.get("gpu_partition") if gpus else None)
        or cluster.get("partition"),
    }
    if stops:
        resources["slurm_extra"] = (
            f"--signal=TERM@{min(MAX_STOP_SIGNAL_SECONDS, 6 * resources['runtime'])}"
        )
    if nodes > 1:
        resources |= {"tasks": nodes, "tasks_per_gpu": 0, "mpi": "srun"}
    return dict.fromkeys((*SUBMISSION_RESOURCES, *LAUNCH_RESOURCES)) | resources


def launch_arguments(asked: Mapping[str, Any]) -> list[str]:
    """Return the arguments of a training that say how many processes take part.

    Parameters
    ----------
    asked
        The result of `job_resources`.

    Examples
    --------
    >>> launch_arguments({"nodes": 2, "ranks": 8, "zero": 3, "cpus_per_task": 16})
    ['--nodes', '2', '--ranks', '8', '--zero', '3', '--cpus', '16']
    """
    options = {name: asked[name] for name in ("nodes", "ranks", "zero")} | {
        "cpus": asked["cpus_per_task"]
    }
    return [word for name, value in options.items() for word in (f"--{name}", str(value))]


def capped(value: int, most: int | None) -> int:
    """Return the value, at most `most`; None sets no limit."""
    return value if most is None else min(value, most)


def check_machine_requests(
    scale: Mapping[str, Any], cluster: Mapping[str, Any], where: str
) -> None:
    """Raise `ConfigError` if a scale asks for more than a node of the cluster has.

    Parameters
    ----------
    scale
        The content of the scale's file.
    cluster
        The key `cluster` of the configuration.
    where
        The scale's file, for the messages. There is one message for each key.
    """
    faults = ConfigErrors()
    for base, body in scale["bases"].items():
        for verb, ask in body.get("machine", {}).items():
            for key, most in cluster.get("node", {}).items():
                if ask.get(key, 0) > most:
                    place = f"{where}: bases.{base}.machine.{verb}.{key}"
                    faults.append(
                        f"{place}: {ask[key]} is more than the cluster's {most}; ask for less, or "
                        "for more nodes, or correct cluster.node in slurm/site.yaml."
                    )
    faults.raise_any()
