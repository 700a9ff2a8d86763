"""Measure what a job costs: seconds, CPU and GPU hours, tokens, and energy if the machine tells.

A record is beside the finished result in work/, so that it stays when the result is restored. It is
no part of a key, of a result or of an output of Snakemake. A job that continues an interrupted one
adds to its record. What a job used that was killed without a chance to write is not in it.
"""

import ctypes
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from postgrad.records.files import write_text
from postgrad.records.json_files import json_text, read_json
from postgrad.runtime.result_cache import is_key_folder, node_results

COST = "cost.json"
POWERCAP = Path("/sys/class/powercap")  # counters of the energy of each processor, on Linux
NVML = "libnvidia-ml.so.1"
SAMPLE_SECONDS = 60.0  # a processor's counter starts again after 262 kJ, 20 minutes at 200 W
JOULES_PER_KWH = 3.6e6
Cost = dict[str, Any]


@contextmanager
def record_cost(file: Path | str | None, node: str) -> Iterator[Cost]:
    """Measure the body and add what it cost to a record.

    Of several ranks, the first writes the record, for all of them.

    Parameters
    ----------
    file
        The record. Nothing is written if it is None, or if its folder does not exist at the end.
    node
        The id of the node, which the record names.

    Yields
    ------
    dict
        The body may set `tokens` in it.
    """
    cost = Cost(tokens=None)
    start, cpu_start = time.monotonic(), sum(os.times()[:4])
    busy_start = machine_busy_seconds()
    counters = EnergyCounters()
    try:
        yield cost
    finally:
        processes = int(os.environ.get("WORLD_SIZE", "1"))
        is_first = os.environ.get("RANK", "0") == "0"
        if file is not None and is_first and Path(file).parent.is_dir():
            seconds, cpu = time.monotonic() - start, sum(os.times()[:4]) - cpu_start
            gpus = processes if uses_gpu() else 0
            busy = machine_busy_seconds() - busy_start
            share = min(1.0, cpu * processes / busy) if busy > 0 else None
            energy = counters.joules(share, gpus > 0, processes)
            cost |= {
                "seconds": seconds,
                "cpu_seconds": cpu * processes,
                "gpu_seconds": seconds * gpus,
                "kilowatt_hours": None if energy is None else energy / JOULES_PER_KWH,
            }
            earlier = read_record(Path(file))
            sums = {key: add_known(earlier.get(key), value) for key, value in cost.items()}
            write_text(json_text({"node": node, **sums}), file)


def read_record(file: Path) -> Cost:
    """Return a record; empty if there is none that can be read."""
    try:
        record = read_json(file)
    except (OSError, json.JSONDecodeError):
        return {}
    return record if isinstance(record, dict) else {}


def add_known(one: float | None, other: float | None) -> float | None:
    """Return a sum in which what is not known counts nothing; None if neither is known.

    Examples
    --------
    >>> add_known(1, 2), add_known(None, 2), add_known(None, None)
    (3, 2, None)
    """
    known = [value for value in (one, other) if value is not None]
    return sum(known) if known else None


def count_tokens(ask: Callable[..., Iterable[Any]], cost: Cost) -> Callable[..., Iterator[Any]]:
    """Return a function that asks a model, and counts the tokens of its new answers in `cost`."""

    def ask_and_count(requests: Iterable[Any]) -> Iterator[Any]:
        for answer in ask(requests):
            if not answer.kept:
                cost["tokens"] = (cost["tokens"] or 0) + answer.tokens_in + answer.tokens_out
            yield answer

    return ask_and_count


def cost_file(work: Path | str, out: Path | str) -> Path:
    """Return the record of a job whose result `out` is not kept in work/, and make its folder."""
    folder = Path(work) / "cost" / Path(out).stem
    folder.mkdir(parents=True, exist_ok=True)
    return folder / COST


def read_tokens(model: Path | str) -> int | None:
    """Return the tokens that the training of a model folder has read, as its timing.json says."""
    with suppress(OSError, json.JSONDecodeError, KeyError):
        return int(read_json(Path(model) / "timing.json")["tokens"])
    return None


def uses_gpu() -> bool:
    """Return whether this process has used a GPU. Torch is not imported for it."""
    torch = sys.modules.get("torch")
    return bool(torch and torch.cuda.is_available() and torch.cuda.is_initialized())


# -- energy ---------------------------------------------------------------------------------------


def machine_busy_seconds() -> float:
    """Return the CPU seconds that all processes of the machine have used; 0 if it does not tell."""
    try:
        words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    except OSError:
        return 0.0
    user, nice, system, _, _, irq, softirq = map(int, words[:7])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


class EnergyCounters:
    """The energy that the machine's counters add up from the making of this object on.

    A processor's counter is for all processes of the machine; a job is charged with its share of
    the CPU time. A GPU's counter is charged as a whole, since a training has its GPUs alone.

    Parameters
    ----------
    powercap
        The folder of the processors' counters.
    """

    def __init__(self, powercap: Path = POWERCAP):
        self.processors = {
            folder: read_counter(folder) for folder in powercap.glob("intel-rapl:[0-9]*")
        }
        # Parts of a processor, intel-rapl:0:1, are within its own counter.
        self.processors = {
            folder: value
            for folder, value in self.processors.items()
            if folder.name.count(":") == 1 and value is not None
        }
        self.joules_of_processors = 0.0
        self.gpus = gpu_joules()
        self._ended = threading.Event()
        if self.processors:
            threading.Thread(target=self._sample, daemon=True).start()

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self.read_processors()

    def read_processors(self) -> None:
        """Add what each processor has used since the last reading; its counter may begin anew."""
        for folder, before in list(self.processors.items()):
            now = read_counter(folder)
            if now is None or before is None:
                continue
            turn = read_counter(folder, "max_energy_range_uj") or 0
            self.joules_of_processors += (now - before + (turn if now < before else 0)) / 1e6
            self.processors[folder] = now

    def joules(self, share: float | None, uses_gpu: bool, processes: int) -> float | None:
        """Return the energy of this job; None unless each kind of chip that it used is measured.

        Parameters
        ----------
        share
            The job's share of the CPU time of the machine.
        uses_gpu
            Whether the job used GPUs.
        processes
            The processes of the job. Those on other machines are not measured.
        """
        self._ended.set()
        here = int(os.environ.get("LOCAL_WORLD_SIZE", str(processes)))
        if not self.processors or share is None or here != processes:
            return None
        self.read_processors()
        energy = self.joules_of_processors * share
        if uses_gpu:
            now = gpu_joules()
            if now is None or self.gpus is None:
                return None
            energy += now - self.gpus
        return energy


def read_counter(folder: Path, name: str = "energy_uj") -> int | None:
    """Return the number in a file of a processor's folder; None if it may not be read."""
    try:
        return int((folder / name).read_text())
    except (OSError, ValueError):
        return None


def gpu_joules(library: Any = None) -> float | None:
    """Return the energy that the visible GPUs have used since their driver was loaded.

    None if there is no GPU, or it does not tell.

    Parameters
    ----------
    library
        NVIDIA's management library. Default: that of the machine.
    """
    with suppress(OSError, AttributeError, ValueError):
        nvml = library or ctypes.CDLL(NVML)
        if nvml.nvmlInit_v2() != 0:
            return None
        count = ctypes.c_uint()
        nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        numbers = range(count.value) if visible is None else map(int, visible.split(","))
        joules = 0.0
        for number in numbers:
            handle, used = ctypes.c_void_p(), ctypes.c_ulonglong()
            if nvml.nvmlDeviceGetHandleByIndex_v2(number, ctypes.byref(handle)) != 0:
                return None
            if nvml.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(used)) != 0:
                return None
            joules += used.value / 1000
        return joules
    return None


# -- the records of a node ------------------------------------------------------------------------


def read_costs(node: Path | str) -> list[Cost]:
    """Return the records in a node's folder in work/ of the results that are in use.

    Of the results of several settings, the one that was used last is in use. The record of a job
    whose result has no folder in work/ is in use as well.
    """
    if not Path(node).is_dir():
        return []
    files = [results[-1][0] / COST for results in node_results(Path(node))]
    files += [file for file in sorted(Path(node).rglob(COST)) if not is_key_folder(file.parent)]
    return [record for file in files if (record := read_record(file))]
