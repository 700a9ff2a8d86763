"""A report of what there is of a study that has not finished, without running anything for it.

`snakemake report_so_far` scores the predictions that exist and belong to today's settings, and says
of everything else why it is missing. Its files are in `results/<study>/so_far`.
"""

import os
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from postgrad.graph.protocol import Files
from postgrad.study import specs
from postgrad.study.job_list import (
    BEGUN,
    EARLIER,
    FAILED,
    MADE,
    MISSING,
    JobStates,
    StudyJob,
    all_jobs,
)
from postgrad.study.paths import Paths, path_list

SO_FAR = "so_far/"  # the scope of such a report
SHOWN = 8  # nodes that a row names; the others are counted
# Options of report.py whose files belong together: a task is shown if it has all three.
OF_TASK = ("ledger", "audit", "near")


class SoFar:
    """The report of what there is of a study.

    Parameters
    ----------
    paths
        The paths of the study.
    """

    def __init__(self, paths: Paths):
        self.paths, self.study = paths, paths.study
        self.folder = f"{paths.folder}/{SO_FAR}"

    @cached_property
    def states(self) -> JobStates:
        """What has become of each job of the study's recipes."""
        return JobStates(all_jobs(self.paths, self.study.recipes))

    # -- the scores of a recipe -------------------------------------------------------------------

    def pairs(self, recipe: str) -> list[tuple[str, str]]:
        """Return each predictor and dataset of which predictions, posts and audit are there."""
        predictions = self.paths.scored_predictions(recipe)
        return [
            (predictor, dataset)
            for (predictor, dataset), posts in self.paths.scored_posts(recipe).items()
            if self.states.has(predictions[predictor])
            and self.states.has(posts)
            and self.states.has(self.paths.duplicate_groups(recipe, predictor))
        ]

    def predictions(self, recipe: str) -> dict[str, str]:
        """Return the file of each predictor that can be scored, by its id."""
        known = self.paths.scored_predictions(recipe)
        return {predictor: known[predictor] for predictor, _ in self.pairs(recipe)}

    def posts(self, recipe: str) -> dict[tuple[str, str], str]:
        """Return the gold posts of each pair that can be scored."""
        known = self.paths.scored_posts(recipe)
        return {pair: known[pair] for pair in self.pairs(recipe)}

    def groups(self, recipe: str) -> dict[str, str]:
        """Return the audit's groups of duplicates of each task of which something is scored."""
        return {
            self.paths.node_task(recipe, predictor): self.paths.duplicate_groups(recipe, predictor)
            for predictor, _ in self.pairs(recipe)
        }

    def score_spec(self, recipe: str) -> str:
        """Return the spec of the scores of what is there."""
        return specs.score_spec(self.study, recipe, self.pairs(recipe))

    def times(self, recipe: str) -> str:
        """Return when each file was written that is scored, since no rule declares it as input."""
        scored: list[dict[Any, str]] = [
            self.predictions(recipe),
            self.posts(recipe),
            self.groups(recipe),
        ]
        files = [path for named in scored for path in named.values()]
        return _times(files)

    # -- the report -------------------------------------------------------------------------------

    @property
    def scored_recipes(self) -> list[str]:
        """The recipes of which something can be scored."""
        return [recipe for recipe in self.study.recipes if self.pairs(recipe)]

    def report_inputs(self) -> dict[str, str | list[str]]:
        """Return the files that are made for the report itself, by option of report.py."""
        return {option: path_list(files) for option, files in self._made_files().items()}

    def _made_files(self) -> dict[str, Files]:
        """Return the files of `report_inputs`, with a name where report.py needs one."""
        of: dict[str, dict[str, str]] = {
            option: {recipe: f"{self.folder}{recipe}/{name}" for recipe in self.scored_recipes}
            for option, name in (
                ("scores", "score.json"),
                ("outcomes", "outcomes.parquet"),
                ("compare", "compare.json"),
            )
        }
        return {
            "scores": list(of["scores"].values()),
            "outcomes": of["outcomes"],
            "compare": list(of["compare"].values()),
        }

    def report_files(self) -> dict[str, Files]:
        """Return all files that the report reads, by option of report.py."""
        found: dict[str, Any] = {}
        for option, files in self.paths.report_files("").items():
            if isinstance(files, dict):
                found[option] = {
                    name: path for name, path in files.items() if self.states.has(path)
                }
            else:
                found[option] = [path for path in files if self.states.has(path)]
        whole = set(found["ledger"]).intersection(*(found[option] for option in OF_TASK))
        for option in OF_TASK:
            found[option] = {task: path for task, path in found[option].items() if task in whole}
        return found | self._made_files()

    def report_times(self) -> str:
        """Return when each file of the report was written that no rule declares as its input."""
        files: list[str] = []
        for option, named in self.report_files().items():
            if option not in self.report_inputs():
                files += named.values() if isinstance(named, dict) else named
        return _times(files)

    def report_spec(self, page: str) -> str:
        """Return the spec of the report, with what is missing and why."""
        return specs.report_spec(self.study, page=page, so_far=self.summary())

    def summary(self) -> dict[str, Any]:
        """Return how many jobs there are, how many have a result, and rows on the others.

        A row has recipe, verb, `jobs` (their number), `nodes` (the names of the first of them),
        `reason`, and `log`, which is empty unless the job of the row has begun.
        """
        wanted = [path for recipe in self.study.recipes for path in self._wanted(recipe)]
        for files in self.paths.report_files("").values():
            wanted += files.values() if isinstance(files, dict) else files
        jobs = self.states.needed(wanted)
        rows: dict[tuple[str, str, str, str], list[str]] = {}
        for job in jobs:
            if self.states.state(job) != MADE:
                reason, log = self.reason(job)
                rows.setdefault((job.recipe, job.verb, reason, log), []).append(_name(job))
        return {
            "jobs": len(jobs),
            "made": sum(self.states.state(job) == MADE for job in jobs),
            "failed": sum(self.states.state(job) == FAILED for job in jobs),
            "missing": [
                {
                    "recipe": recipe,
                    "verb": verb,
                    "jobs": len(names),
                    "nodes": names[:SHOWN],
                    "reason": reason,
                    "log": log,
                }
                for (recipe, verb, reason, log), names in rows.items()
            ],
        }

    def _wanted(self, recipe: str) -> Iterable[str]:
        """Return the files that the scores of a recipe read."""
        predictions, posts = self.paths.scored_predictions, self.paths.scored_posts
        return [*predictions(recipe).values(), *posts(recipe).values()]

    def reason(self, job: StudyJob) -> tuple[str, str]:
        """Return why a job has no result, and its log if that tells more."""
        state = self.states.state(job)
        if state == FAILED:
            return "failed", job.log
        if state == BEGUN:
            return "begun and not finished", job.log
        if state == EARLIER:
            return "made with an earlier setting", ""
        assert state == MISSING
        if failed := self.states.failed_before(job):
            return f"waits for {failed.verb} {_name(failed)}, which failed", ""
        return "not made yet", ""


def _name(job: StudyJob) -> str:
    """Return the name of a job in its row."""
    return f"{job.node} ({job.file})" if job.file else job.node or job.verb


def _times(files: Iterable[str]) -> str:
    """Return the times at which files were written, as text."""
    return specs.canonical_json({path: os.stat(path).st_mtime_ns for path in sorted(set(files))})
