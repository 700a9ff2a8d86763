"""Allow one run of a study at a time, and none while SLURM still has jobs of a run that was killed.

Snakemake's own lock on the folder stays after a killed run and must then be removed by hand; this
one does not. The lock is `work/<study>/.run.lock`, and the file `work/<study>/run` holds the name
of the SLURM jobs of the last run. It is written before the first of them is submitted. No job is
submitted while a job of that name is left. So two jobs never write the same output, even for verbs
without a lock, and nothing disturbs the files that Snakemake itself removes before and after a job.
"""

import atexit
import subprocess
import time
from contextlib import ExitStack
from errno import ESTALE
from pathlib import Path

from postgrad.records.files import write_text
from postgrad.runtime.locks import LOOKS, hold_lock, print_message

PAUSE = 5.0  # seconds between two queries of the queue


def begin_run(study: str, name: str | None = None, work: str | Path = "work") -> None:
    """Make this process the only run of a study, and wait for the jobs that an earlier run left.

    The lock is released when the process ends.

    Parameters
    ----------
    study
        The name of the study.
    name
        The name that the jobs of this run have in SLURM. None if it submits none.
    work
        The folder of all work.

    Raises
    ------
    BlockingIOError
        If another run works on the study.
    """
    place, stack = Path(work) / study / "run", ExitStack()
    stack.enter_context(hold_lock(place, wait=False))
    atexit.register(stack.close)
    if earlier := read_jobs_name(place):
        await_jobs(earlier, study)
    if name:
        write_text(name, place)


def read_jobs_name(place: Path) -> str:
    """Return the name of the jobs of an earlier run; empty if no run has recorded one."""
    for _ in range(LOOKS):
        try:
            return place.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""
        except OSError as fault:
            # A stale handle means that another machine replaced the file: read the new one.
            if fault.errno != ESTALE:
                raise
    raise OSError(
        ESTALE, "The name of the jobs of an earlier run cannot be read; try again later", str(place)
    )


def jobs_name(scheduler: object) -> str | None:
    """Return the name that the jobs of this run have in SLURM, or None if it submits none.

    Snakemake has no public access to its executor. If a later version gives it another name, the
    result is None as well, and a run after a killed one does not wait for the jobs that are left.
    """
    return getattr(getattr(scheduler, "_executor", None), "run_uuid", None)


def await_jobs(name: str, study: str) -> None:
    """Wait until no job of this name is left in the queue of SLURM.

    The jobs that are left are printed whenever they change.
    """
    printed = None
    while left := queued_jobs(name):
        if left != printed:
            printed = left
            shown = ", ".join(left[:5]) + (f" and {len(left) - 5} more" if left[5:] else "")
            print_message(
                study,
                f"an earlier run left SLURM jobs {shown}; waiting for their end (to end them now: "
                f"scancel --name={name})",
            )
        time.sleep(PAUSE)


def queued_jobs(name: str) -> list[str]:
    """Return the ids of the jobs of this name that have not ended.

    Without SLURM there are none. If SLURM does not answer, the only element says that the jobs are
    unknown.
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
