"""What a job asks of a cluster: machine facts from the scale, within the bounds of the cluster's
nodes.

None of it is part of a spec: another number of GPUs reruns nothing.
"""

from collections.abc import Mapping
from typing import Any

from postgrad.config.errors import Faults

# Where a scale is silent. CPUs are the threads of the job's spec then.
LITTLE = {"nodes": 1, "gpus": 0, "mem_mb": 4000, "minutes": 60, "zero": 0}
# What a submission asks for; None is left off it.
NAMES = ("nodes", "gpu", "mem_mb", "runtime", "tasks", "tasks_per_gpu", "mpi", "cpus_per_task", "gpu_model",
         "slurm_partition", "slurm_extra")  # fmt: skip
# Seconds before the end of its time at which a training is told to stop, at most: its step and its
# checkpoint must fit. At 72B a checkpoint is 1 TB, which takes 500 s at 2 GB/s. SLURM may tell up
# to a minute sooner.
EARLY = 600
LAUNCH = (
    "ranks",
    "zero",
)  # what a training is launched with: processes a node, and DeepSpeed's stage


def resources(
    ask: Mapping[str, Any], cluster: Mapping[str, Any], attempt: int, stops: bool = False
) -> dict[str, Any]:
    """{name of NAMES: value} and LAUNCH: value} of a job that asks for {nodes, gpus, cpus, mem_mb,
    minutes, ranks, zero}.

    gpus, cpus and mem_mb are per node, `gpu` is the job's total. Each further attempt has that much
    more memory and time, for an out-of-memory kill or a timeout, up to what a node has. The plugin
    wants mpi, tasks and tasks_per_gpu=0 of a job on several nodes, and of no other: with mpi the
    job starts no srun of its own. stops: whether the job writes a checkpoint when it is told to
    stop; a short one is told in its last tenth.
    """
    nodes, gpus, most = ask["nodes"], ask["gpus"], cluster.get("node", {})
    found = {
        "nodes": nodes,
        "cpus_per_task": ask["cpus"],
        "mem_mb": within(ask["mem_mb"] * attempt, most.get("mem_mb")),
        "runtime": within(ask["minutes"] * attempt, most.get("minutes")),
        "gpu": nodes * gpus,
        "ranks": ask.get("ranks") or max(gpus, 1),
        "zero": ask["zero"],
        "gpu_model": cluster.get("gpu_model")
        if gpus
        else None,  # the plugin takes a model alone for one GPU
        "slurm_partition": (cluster.get("gpu_partition") if gpus else None)
        or cluster.get("partition"),
    }
    if stops:
        found["slurm_extra"] = f"--signal=TERM@{min(EARLY, 6 * found['runtime'])}"
    if nodes > 1:
        found |= {"tasks": nodes, "tasks_per_gpu": 0, "mpi": "srun"}
    return dict.fromkeys((*NAMES, *LAUNCH)) | found


def launch_words(asked: Mapping[str, Any]) -> list[str]:
    """The options of a training that say how many processes take part.

    asked: what `resources` returns.
    """
    options = {name: asked[name] for name in ("nodes", "ranks", "zero")} | {
        "cpus": asked["cpus_per_task"]
    }
    return [word for name, value in options.items() for word in (f"--{name}", str(value))]


def within(value: int, most: int | None) -> int:
    return value if most is None else min(value, most)


def check(scale: Mapping[str, Any], cluster: Mapping[str, Any], where: str) -> None:
    """Nothing.

    Fault with a sentence for each thing that a scale asks of a node and the cluster's nodes lack.
    """
    faults = Faults()
    for base, body in scale["bases"].items():
        for verb, ask in body.get("machine", {}).items():
            for key, most in cluster.get("node", {}).items():
                if ask.get(key, 0) > most:
                    place = f"{where}: bases.{base}.machine.{verb}.{key}"
                    faults.append(f"{place}: {ask[key]} is more than the cluster's {most}; ask for less, or for more "
                                  "nodes, or mend cluster.node in slurm/site.yaml.")  # fmt: skip
    faults.end()
