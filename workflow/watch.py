"""Show a run of a study in the terminal until it ends: see `make watch`."""

import argparse
import time
from collections.abc import Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from postgrad.config.yaml_files import read_yaml
from postgrad.runtime.cli import run
from postgrad.study import run_progress
from postgrad.study.run_progress import FAILED, Run
from postgrad.verbs.registry import VERBS

PAUSE = 2.0  # seconds between two frames
BAR = 24  # columns


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the run that began last, again and again until it ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", default="", help="Default: the study of config/config.yaml")
    parser.add_argument("--once", action="store_true", help="draw one frame")
    args = parser.parse_args(argv)
    study = args.study or read_yaml("config/config.yaml")["study"]

    console = Console()
    if args.once:
        console.print(frame(run_progress.read_plan(study), run_progress.is_alive(study)))
        return
    with Live(console=console, auto_refresh=False) as live:
        while True:
            alive = run_progress.is_alive(study)
            live.update(frame(run_progress.read_plan(study), alive), refresh=True)
            if not alive:
                break
            time.sleep(PAUSE)


def frame(plan: Run, alive: bool) -> Group:
    """Return one picture of a run: its stages, its trainings, and the logs of jobs that failed."""
    states = run_progress.states_of_jobs(plan)
    rows = run_progress.stages(states)
    done, jobs = sum(row.done for row in rows), len(states)
    ran = run_progress.duration_text(time.time() - plan.begun)
    end = f"running for {ran}" if alive else "no longer running"
    parts = [Text(f"Study {plan.study}: {done} of {jobs} jobs done, {end}", "bold"), Text()]

    stages = Table("stage", "", "done", "running", "failed", box=None, pad_edge=False)
    for row in rows:
        bar = ProgressBar(row.jobs, row.done, width=BAR)
        failed = Text(str(row.failed or ""), "bold red")
        stages.add_row(row.verb, bar, f"{row.done}/{row.jobs}", str(row.running or ""), failed)
    parts.append(stages)

    trains = VERBS.sections["models"]
    if under_way := run_progress.trainings(plan, states, trains) if alive else []:
        table = Table("training", "step", "loss", "tokens/s", "left", box=None, pad_edge=False)
        for one in under_way:
            known = one.step is not None
            table.add_row(
                f"{one.recipe}/{one.node}",
                f"{one.step}/{one.of}" if known else "begins",
                f"{one.loss:.4f}" if one.loss is not None else "",
                f"{one.tokens_per_second:,.0f}" if one.tokens_per_second is not None else "",
                run_progress.duration_text(one.left),
            )
        parts += [Text(), table]

    if failed_logs := [job.log for job, state in states if state == FAILED]:
        parts += [Text(), Text("Failed, see:", "bold red"), *map(Text, failed_logs[:5])]
        if more := len(failed_logs) - 5:
            parts += [Text(f"and {more} more")] if more > 0 else []
    return Group(*parts)


if __name__ == "__main__":
    run(main)
