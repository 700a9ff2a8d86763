"""The jobs of a study: which Snakemake plans, and which by the recipe must follow from which."""

import csv
import re
from typing import NamedTuple

from tree import snakemake

from postgrad.graph import queries
from postgrad.records.names import HELD_OUT, SCORED, TEACHING
from postgrad.verbs.registry import VERBS


class Job(NamedTuple):
    """One job.

    A part that a rule does not have is "": score has no node, and clean has a task as its node.
    """

    rule: str
    recipe: str = ""
    node: str = ""
    file: str = ""  # of a predictor: scored or teaching


def planned(tree, *arguments):
    """The jobs that `snakemake` would run now, in a copy of the tree.

    Read from `--summary`, a table of tabs with a line for each output of the whole graph, which
    Snakemake fills from the same plan as its dry run, whatever it prints and however it logs.
    """
    done = snakemake(tree, "--summary", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = list(csv.DictReader(done.stdout.splitlines(), delimiter="\t"))
    assert {row["plan"] for row in rows} <= {"update pending", "no update"} and rows
    return {
        job_of(row["rule"], row["output_file"]) for row in rows if row["plan"] == "update pending"
    }


def job_of(rule, output):
    """The job of an output of the study demo, results/demo/<recipe>/<rule>/<node>/<file>.

    Some rules lack a part of this path.
    """
    if rule in ("demo", "report"):
        return Job(rule)
    folder, rest = re.fullmatch(rf"results/(.+/)??{rule}/(.+)", output).groups()
    rest = re.sub(r"(\.fit|\.drop)?\.(parquet|json)$", "", rest)
    if rule in ("score", "compare", *VERBS.of_recipe):
        rest = ""
    recipe = (folder or "").removeprefix("demo/").rstrip("/")
    if rule in ("predict", *VERBS.sections["predictors"]):
        node, _, file = rest.partition("/")
        return Job(rule, recipe, node, file)
    return Job(rule, recipe, rest.partition("/")[0])


def job_graph(study):
    """{job: the jobs whose outputs it reads} of a study that makes its own posts.

    They are derived from the nodes alone.
    """
    reads = {Job("demo"): set()}
    for task in study.tasks():
        reads[Job("clean", node=task)] = {Job("demo")}
        tasks = {task, *(name.partition("/")[0] for name in study.scored_beside(task))}
        reads[Job("audit", node=task)] = {Job("clean", node=one) for one in tasks}
    report = {*reads} - {Job("demo")}
    for recipe, graph in study.graphs.items():
        scored = {
            predicted(graph, recipe, *pair, SCORED, reads) for pair in queries.scored_nodes(graph)
        }
        for node in graph.nodes.values():
            if node.verb in VERBS.sections["predictors"]:
                continue
            job = Job(node.verb, recipe, node.id)
            reads[job] = set()
            for source in node.sources:
                reads[job] |= posts(graph, recipe, source)
            if node.base in graph.nodes:
                reads[job].add(Job(graph.nodes[node.base].verb, recipe, node.base))
            elif node.base:
                reads[job].add(Job("base", node=node.base))
                reads.setdefault(Job("base", node=node.base), set())
            if node.verb == "label":
                report.add(job)
                reads[job] |= posts(graph, recipe, node.budget) if node.budget else set()
                reads[job] |= {Job("fold", recipe, id) for id in node.folds}
                for dataset in filter(None, (node.sources[0], node.fit)):
                    for teacher in node.members:
                        reads[job].add(
                            predicted(graph, recipe, graph.nodes[teacher], dataset, TEACHING, reads)
                        )
        reads[Job("score", recipe)] = scored
        reads[Job("compare", recipe)] = {Job("score", recipe)}
        report |= {Job("score", recipe), Job("compare", recipe)}
        for alias, body in graph.of_recipe.get("diversity", {}).items():
            job, base = Job("diversity", recipe), Job("base", node=body["model"])
            reads.setdefault(job, set())
            report.add(job)
            if "reason" not in body:
                reads.setdefault(base, set())
                sets = [part["dataset"] for part in body["sets"] if "reason" not in part]
                reads[job] |= {base}.union(
                    *(posts(graph, recipe, source) for source in (f"{alias}/train", *sets))
                )
    reads[Job("report")] = report
    asked = closure({Job("report")}, reads)
    return {job: before for job, before in reads.items() if job in asked}


def posts(graph, recipe, source):
    """The jobs behind a split (its drop list included) or a dataset node."""
    alias, _, split = source.partition("/")
    if split:
        return {Job(rule, node=graph.tasks[alias]) for rule in ("clean", "audit")}
    return {Job(graph.nodes[source].verb, recipe, source)}


def predicted(graph, recipe, node, dataset, file, reads):
    """The job of the file of a predictor that holds a dataset, put into `reads` with those before
    it.
    """
    job = Job("predict" if node.verb == "finetune" else node.verb, recipe, node.id, file)
    before = reads.setdefault(job, set())
    if node.verb == "finetune":
        alias, _, split = dataset.partition("/")
        held_out = split == HELD_OUT
        read = (
            Job("fold", recipe, node.folds[0])
            if held_out
            else Job("clean", node=graph.tasks[alias])
        )
        before |= {Job("finetune", recipe, node.id), read}
    for member in map(graph.nodes.get, node.members):
        before |= {
            predicted(graph, recipe, member, read, file, reads)
            for read in (dataset, node.fit)
            if read
        }
        if isinstance(node.target, str) and "/" in node.target:
            before.add(predicted(graph, recipe, member, node.target, TEACHING, reads))
    return job


def closure(jobs, edges):
    """The jobs and all that can be reached from them along {job: jobs}."""
    found, todo = set(), set(jobs)
    while todo:
        job = todo.pop()
        found.add(job)
        todo |= edges.get(job, set()) - found
    return found


def downstream(study, origins):
    """The jobs and all that follow from them.

    A job that the study does not have is a mistake of the test.
    """
    reads = job_graph(study)
    assert origins <= reads.keys(), origins - reads.keys()
    follow = {}
    for job, before in reads.items():
        for earlier in before:
            follow.setdefault(earlier, set()).add(job)
    return closure(origins, follow)
