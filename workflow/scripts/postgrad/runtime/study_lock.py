"""One run of a study at a time, and none beside jobs that a killed run left in SLURM's queue.

Snakemake's own lock on the folder outlives a killed run and then has to be removed by hand; ours
does not. It lies at `work/<study>/.run.lock`, and `work/<study>/run` holds the name of the last
run's SLURM jobs, written before the first of them is sent. No job, of whatever verb, is submitted
while one of that name is left: so never two on one output, also of verbs without a lock, and also
of what Snakemake itself removes around a job.
"""

import atexit
import subprocess
import time
from contextlib import ExitStack
from errno import ESTALE
from pathlib import Path

from postgrad.records.files import write_text
from postgrad.runtime.locks import LOOKS, held, tell

PAUSE = 5.0  # seconds between two looks at the queue


def begin(study: str, name: str | None = None, work: str | Path = "work") -> None:
    """Make this process the only run of `study` until it ends; wait for the jobs that an earlier
    one left.

    name: what SLURM calls the jobs of this run; None where it sends none. BlockingIOError with a
    sentence where another run works on the study.
    """
    place, stack = Path(work) / study / "run", ExitStack()
    stack.enter_context(held(place, wait=False))
    atexit.register(stack.close)
    if earlier := jobs_of(place):
        await_jobs(earlier, study)
    if name:
        write_text(name, place)


def jobs_of(place: Path) -> str:
    """The name of the jobs of an earlier run, as it noted it; empty where none did."""
    for _ in range(LOOKS):
        try:
            return place.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""
        except OSError as fault:
            if (
                fault.errno != ESTALE
            ):  # another machine replaced the file: the next look finds the new one
                raise
    raise OSError(
        ESTALE, "The name of the jobs of an earlier run cannot be read; try again later", str(place)
    )


def jobs_name(scheduler: object) -> str | None:
    """The name by which SLURM knows the jobs of this run, or None where it sends none.

    Snakemake has no public way to its executor. Where a later version calls it otherwise, this is
    None as well, and a run after a killed one does not wait for the jobs that were left.
    """
    return getattr(getattr(scheduler, "_executor", None), "run_uuid", None)


def await_jobs(name: str, study: str) -> None:
    """Return once no job of this name is left in SLURM's queue.

    Tell of those that are, each time there are fewer.
    """
    told = None
    while left := queued(name):
        if left != told:
            told = left
            shown = ", ".join(left[:5]) + (f" and {len(left) - 5} more" if left[5:] else "")
            tell(
                study,
                f"an earlier run left SLURM jobs {shown}; waiting for their end (sooner: scancel --name={name})",
            )
        time.sleep(PAUSE)


def queued(name: str) -> list[str]:
    """Ids of the jobs of this name that have not ended.

    None where there is no SLURM; unknown where it is silent.
    """
    try:
        done = subprocess.run(
            ["squeue", "-h", "-n", name, "-o", "%A"], capture_output=True, text=True, timeout=60
        )
    except FileNotFoundError:
        return []
    except subprocess.TimeoutExpired:
        return ["unknown (squeue does not answer)"]
    return (
        sorted(set(done.stdout.split()), key=int)
        if done.returncode == 0
        else [f"unknown ({done.stderr.strip()})"]
    )
