"""All jobs of a report: what each writes and reads, where its log is, and what has become of it.

Snakemake makes this plan itself, but also runs what is missing in it. A report of a study that is
not finished must run nothing, so it takes the plan from here and looks at the files.
"""

import json
import os
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from postgrad.graph.queries import predicted_datasets
from postgrad.runtime.cli import spec_path
from postgrad.study import specs
from postgrad.study.paths import Paths, path_list
from postgrad.verbs.registry import VERBS

MADE, EARLIER, FAILED, BEGUN, MISSING = "made", "earlier", "failed", "begun", "missing"
LAST_LINES = 200  # of a log, in which an error is looked for
# What may follow the id of a node, or the file of a predictor, in the path of a result.
ENDINGS = ("/model.json", ".drop.parquet", ".fit.json", ".parquet", ".json")
# A line of a log with which a program that failed ends: Python's, that of `runtime.cli.run`, the
# shell's, and those of systems that end a process.
ERROR_LINE = re.compile(
    r"^(Traceback \(most recent call last\)|[A-Za-z_.]*(Error|Exception|Interrupt)\b.*|"
    r"(sh|bash|/bin/bash): .*|Killed\b.*|slurmstepd: error: .*)"
)


@dataclass(frozen=True)
class StudyJob:
    """One job of a study.

    Attributes
    ----------
    verb, recipe, node : str
        What the job does. `recipe` is empty for a job of the whole study, and `node` is the id of
        its node, its task or its base.
    file : str
        What a predictor predicts, with its shard: scored, teaching or teaching/3-of-4.
    stem : str
        The path of its results without their endings.
    result : str
        The result that is written last.
    spec_file : str
        The file that holds the spec with which the result was made.
    spec : str
        The spec with which it would be made now.
    log : str
        The path of its log.
    reads : tuple of str
        The paths of its inputs.
    """

    verb: str
    recipe: str
    node: str
    file: str
    stem: str
    result: str
    spec_file: str
    spec: str
    log: str
    reads: tuple[str, ...] = field(default=(), repr=False)


def path_stem(path: str) -> str:
    """Return the path of a result without its ending.

    Examples
    --------
    >>> path_stem("results/demo/ctyun/finetune/plain@c=0.1/model.json")
    'results/demo/ctyun/finetune/plain@c=0.1'
    >>> path_stem("results/demo/ctyun/fold/pooled@fold=1.drop.parquet")
    'results/demo/ctyun/fold/pooled@fold=1'
    """
    for ending in ENDINGS:
        if path.endswith(ending):
            return path.removesuffix(ending)
    return path


def all_jobs(paths: Paths, recipes: Iterable[str]) -> dict[str, StudyJob]:
    """Return every job up to the predictions of some recipes, by the stem of its results.

    The jobs are in the order in which people read them: tasks, bases, then recipe by recipe.
    """
    study, recipes = paths.study, list(recipes)
    of_recipes = [job for recipe in recipes for job in _recipe_jobs(paths, recipe)]
    beside = {
        name.partition("/")[0] for task in study.tasks(recipes) for name in paths.beside(task)
    }
    jobs = []
    for task in sorted({*study.tasks(recipes), *beside}):
        clean = [paths.clean(task, "train"), *paths.beside(task).values()]
        folders = [f"{paths.folder}/{verb}/{task}" for verb in ("clean", "audit")]
        tables = [f"{folders[0]}/ledger.parquet", f"{folders[1]}/near.parquet"]
        texts = specs.clean_spec(study, task), specs.audit_spec(study, task)
        for verb, folder, table, spec in zip(("clean", "audit"), folders, tables, texts):
            log = f"work/{study.name}/log/{verb}/{task}.log"
            reads = tuple(clean) if verb == "audit" else ()
            spec_file = str(spec_path(folder))
            jobs.append(StudyJob(verb, "", task, "", folder, table, spec_file, spec, log, reads))
    bases = {path for job in of_recipes for path in job.reads if path.startswith("results/base/")}
    for path in sorted(bases):
        stem, model = path_stem(path), os.path.basename(os.path.dirname(path))
        spec, log = specs.base_spec(study, model), f"work/base/log/{model}.log"
        jobs.append(StudyJob("base", "", model, "", stem, path, str(spec_path(stem)), spec, log))
    return {job.stem: job for job in [*jobs, *of_recipes]}


def _recipe_jobs(paths: Paths, recipe: str) -> Iterator[StudyJob]:
    """Yield every job of one recipe up to its predictions."""
    study, graph = paths.study, paths.study.graph(recipe)

    def job(verb: str, node: str, file: str, shard: str, stem: str, spec: str) -> StudyJob:
        inputs = paths.inputs(verb, recipe, node, file, shard).values()
        reads = [path for files in inputs for path in _as_paths(files)]
        if verb in VERBS.sections["models"]:
            result, spec_file = f"{stem}/model.json", str(spec_path(stem))
        else:
            result = f"{stem}.json" if verb in VERBS.of_recipe else f"{stem}.parquet"
            spec_file = str(spec_path(result))
        words = ["work", study.name, "log", recipe, verb, node, file + shard]
        log = f"{'/'.join(filter(None, words))}.log"
        place = (stem, result, spec_file, spec, log, tuple(reads))
        return StudyJob(verb, recipe, node, file + shard, *place)

    for node in graph.nodes.values():
        if node.verb not in VERBS.sections["predictors"]:
            stem = path_stem(paths.result(recipe, node.id, ".parquet"))
            yield job(node.verb, node.id, "", "", stem, specs.node_spec(study, recipe, node.id))
    for id, file in predicted_datasets(graph):
        is_model = graph.nodes[id].verb == "finetune"
        verb = "predict" if is_model else graph.nodes[id].verb
        spec = (specs.predict_spec if is_model else specs.node_spec)(study, recipe, id, file)
        whole = path_stem(paths.predictions(recipe, id, file))
        shards = paths.shards(recipe, id, file, "") if is_model else []
        for stem in [*map(path_stem, shards), whole]:
            yield job(verb, id, file, stem.removeprefix(whole), stem, spec)
    for verb in VERBS.of_recipe:
        if graph.of_recipe[verb]:
            stem = f"{paths.folder}/{recipe}/{verb}/{verb}"
            yield job(verb, "", "", "", stem, specs.recipe_spec(study, recipe, verb=verb))


def _as_paths(files: Any) -> list[str]:
    """Return the paths of a look-up as a list."""
    listed = path_list(files)
    return [listed] if isinstance(listed, str) else listed


def job_of_path(jobs: Mapping[str, StudyJob], path: str) -> StudyJob | None:
    """Return the job that makes a file, or None if no job of the list does."""
    return jobs.get(path_stem(path)) or jobs.get(os.path.dirname(path))


class JobStates:
    """What has become of each job, as the files show it.

    Parameters
    ----------
    jobs
        The jobs by the stems of their results, as `all_jobs` returns them.
    """

    def __init__(self, jobs: Mapping[str, StudyJob]):
        self.jobs = jobs
        self._known: dict[str, str] = {}

    def state(self, job: StudyJob) -> str:
        """Return what has become of a job: one of MADE, EARLIER, FAILED, BEGUN and MISSING.

        A result counts as made with an earlier setting if its own spec, or that of a result on
        which it depends, is not that of today.
        """
        if job.stem not in self._known:
            self._known[job.stem] = self._find_state(job)
        return self._known[job.stem]

    def _find_state(self, job: StudyJob) -> str:
        if not os.path.exists(job.result):
            return log_state(job.verb, job.log)
        if not has_spec(job) or EARLIER in map(self.state, self.before(job)):
            return EARLIER
        return MADE

    def before(self, job: StudyJob) -> list[StudyJob]:
        """Return the jobs whose results a job reads, each once."""
        found = (job_of_path(self.jobs, path) for path in job.reads)
        return list({one.stem: one for one in found if one}.values())

    def has(self, path: str) -> bool:
        """Return whether a file is there and belongs to a result of today's settings."""
        job = job_of_path(self.jobs, path)
        return os.path.exists(path) and (job is None or self.state(job) == MADE)

    def failed_before(self, job: StudyJob) -> StudyJob | None:
        """Return the nearest failed job for which a job waits, or None."""
        seen, todo = {job.stem}, [job]
        while todo:
            for one in self.before(todo.pop(0)):
                if one.stem not in seen and self.state(one) != MADE:
                    if self.state(one) == FAILED:
                        return one
                    seen.add(one.stem)
                    todo.append(one)
        return None

    def needed(self, paths: Iterable[str]) -> list[StudyJob]:
        """Return the jobs that make some files, and all before them, in the order of the list."""
        todo = [job for path in paths if (job := job_of_path(self.jobs, path))]
        stems: set[str] = set()
        while todo:
            job = todo.pop()
            if job.stem not in stems:
                stems.add(job.stem)
                todo += self.before(job)
        return [job for stem, job in self.jobs.items() if stem in stems]


def has_spec(job: StudyJob) -> bool:
    """Return whether the spec beside a result is that of today; without a file it counts as such.

    Results of versions before 0.2 have no such file.
    """
    if not os.path.isfile(job.spec_file):
        return True
    with open(job.spec_file, encoding="utf-8") as file:
        return bool(json.load(file) == json.loads(job.spec))


def log_state(verb: str, log: str) -> str:
    """Return what the log of a job without a result says: FAILED, BEGUN or MISSING.

    Only the beginnings of lines are looked at, and nothing of the log is passed on.
    """
    if not os.path.isfile(log):
        return MISSING
    with open(log, encoding="utf-8", errors="replace") as file:
        lines = deque(file, maxlen=LAST_LINES)
    own = f"{verb}: "
    return (
        FAILED if any(ERROR_LINE.match(line) or line.startswith(own) for line in lines) else BEGUN
    )
