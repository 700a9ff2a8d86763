"""How far a run is: its stages, and the trainings that are under way.

At its start, a run writes the list of its jobs to `work/<study>/plan.json`. All else is seen from
the files that jobs write anyway, on this machine or through a shared file system: results, logs,
and the lines of progress of each training.
"""

import json
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from postgrad.records.files import write_text
from postgrad.runtime.locks import STALE, lock_folder
from postgrad.study.job_list import FAILED, log_state

PLAN = "plan.json"
PROGRESS = "progress.jsonl"  # of a training, in the folder of its key
TAIL = 4096  # bytes of a file in which its last whole line is looked for
DONE, RUNNING, WAITING = "done", "running", "waiting"


@dataclass(frozen=True)
class RunJob:
    """One job of a run: its verb, its recipe and node if it has some, its result and its log."""

    verb: str
    recipe: str
    node: str
    result: str
    log: str


@dataclass(frozen=True)
class Run:
    """The jobs of a run that began at a time in seconds, in the order in which data flows."""

    study: str
    begun: float
    jobs: list[RunJob]


@dataclass(frozen=True)
class Stage:
    """The number of jobs of one verb by their states."""

    verb: str
    jobs: int
    done: int
    running: int
    failed: int


@dataclass(frozen=True)
class Training:
    """A training that is under way. `left` is in seconds, and None before the first step."""

    recipe: str
    verb: str
    node: str
    step: int | None = None
    of: int | None = None
    loss: float | None = None
    tokens_per_second: float | None = None
    left: float | None = None


def write_plan(study: str, jobs: Iterable[RunJob], work: str | Path = "work") -> None:
    """Write the list of the jobs that a run begins with."""
    plan = {"study": study, "begun": time.time(), "jobs": [asdict(job) for job in jobs]}
    write_text(json.dumps(plan) + "\n", Path(work) / study / PLAN)


def read_plan(study: str, work: str | Path = "work") -> Run:
    """Return the run of a study that began last.

    Raise `FileNotFoundError` if none has begun.
    """
    file = Path(work) / study / PLAN
    if not file.is_file():
        raise FileNotFoundError(
            f"{file} does not exist, so no run of study {study} has begun here; "
            "start one, or name another study: make watch STUDY=..."
        )
    plan = json.loads(file.read_text(encoding="utf-8"))
    return Run(plan["study"], plan["begun"], [RunJob(**job) for job in plan["jobs"]])


def is_alive(study: str, work: str | Path = "work") -> bool:
    """Return whether a run of the study is going on: its lock was touched lately."""
    times = []
    with suppress(OSError):
        times = [file.stat().st_mtime for file in lock_folder(Path(work) / study / "run").iterdir()]
    return bool(times) and time.time() - max(times) < STALE


def state_of_job(run: Run, job: RunJob) -> str:
    """Return what has become of a job of a run: DONE, RUNNING, FAILED or WAITING.

    A job that failed and is tried again counts as failed until its log is begun anew.
    """
    if _changed(job.result) >= run.begun:
        return DONE
    if _changed(job.log) < run.begun:
        return WAITING
    return FAILED if log_state(job.verb, job.log) == FAILED else RUNNING


def _changed(path: str | Path) -> float:
    """Return when a file was changed; 0 if there is none."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def states_of_jobs(run: Run) -> list[tuple[RunJob, str]]:
    """Return each job of a run with its state."""
    return [(job, state_of_job(run, job)) for job in run.jobs]


def stages(states: Iterable[tuple[RunJob, str]]) -> list[Stage]:
    """Return the number of jobs of each verb by their states, in the order of the run."""
    counts: dict[str, dict[str, int]] = {}
    for job, state in states:
        own = counts.setdefault(job.verb, {"jobs": 0, DONE: 0, RUNNING: 0, FAILED: 0, WAITING: 0})
        own["jobs"] += 1
        own[state] += 1
    return [
        Stage(verb, own["jobs"], own[DONE], own[RUNNING], own[FAILED])
        for verb, own in counts.items()
    ]


def trainings(
    run: Run, states: Iterable[tuple[RunJob, str]], verbs: Iterable[str], work: str | Path = "work"
) -> list[Training]:
    """Return the trainings that are under way, with the last line of progress of each.

    Parameters
    ----------
    run
        The run.
    states
        Its jobs with their states.
    verbs
        The verbs that train.
    work
        The folder of all work.
    """
    found, verbs = [], set(verbs)
    for job, state in states:
        if state == RUNNING and job.verb in verbs:
            folder = Path(work) / run.study / job.recipe / job.verb / job.node
            found.append(Training(job.recipe, job.verb, job.node, **last_progress(folder, run)))
    return found


def last_progress(folder: Path, run: Run) -> dict[str, Any]:
    """Return the fields of `Training` that the newest line of progress of a node has."""
    files = {file: _changed(file) for file in folder.glob(f"*/{PROGRESS}")}
    newest = max(files, key=lambda file: files[file], default=None)
    if newest is None or files[newest] < run.begun:
        return {}
    line = last_line(newest)
    if line is None:
        return {}
    since = max(0.0, time.time() - files[newest])
    return {
        "step": line["step"],
        "of": line["of"],
        "loss": line["loss"],
        "tokens_per_second": line["tokens_per_s"],
        "left": max(0.0, line["eta_s"] - since),
    }


def last_line(file: Path) -> dict[str, Any] | None:
    """Return the last whole line of a file of JSON lines; None if there is none."""
    with file.open("rb") as lines:
        lines.seek(0, os.SEEK_END)
        lines.seek(max(0, lines.tell() - TAIL))
        whole = lines.read().rpartition(b"\n")[0]
    with suppress(json.JSONDecodeError):
        content = json.loads(whole.rpartition(b"\n")[2] or b"null")
        return content if isinstance(content, dict) else None
    return None


def duration_text(seconds: float | None) -> str:
    """Return a duration for people.

    Examples
    --------
    >>> duration_text(42), duration_text(600), duration_text(7500), duration_text(None)
    ('42 s', '10 min', '2 h 05 min', '')
    """
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
