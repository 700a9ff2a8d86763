"""Paths of the files that a rule reads: look-ups on a study that return paths and change nothing.

The parameters of a look-up have the names of the rules' wildcards: `recipe`, `node` (the id of a
node, such as `ages-expert@seed=1`), `file` (`scored` or `teaching`), `shard` and `scope`.
workflow/rules/common.smk fills them in by these names. A look-up returns one path, a list of paths,
or {name: path} if the files must be distinguished. The record of a verb in postgrad/verbs says
which look-ups its job needs, and under which role.
"""

import os
from typing import Any

from postgrad.graph import queries
from postgrad.graph.nodes import Node
from postgrad.graph.protocol import Files
from postgrad.records.names import EVALUATED, HELD_OUT, SCORED, SPLITS, TEACHING
from postgrad.verbs.registry import VERBS

# What the report of a study writes beside report.html.
REPORT_FILES = (
    "verdict.txt",
    "scores.csv",
    "scores.txt",
    "comparisons.csv",
    "ranking.csv",
    "cost.csv",
    "ranking_pairs.csv",
    "curves.csv",
    "probabilities.csv",
    "thresholds.csv",
    "subgroups.csv",
    "teachers.csv",
    "figures/curves.pdf",
    "methods.md",
    "figures/comparisons.pdf",
    "figures/ranking.pdf",
)


class UnknownNode(Exception):
    """Raised if a path names a node that its recipe does not have in this study."""


class Paths:
    """The paths of a study's results, `results/<study>/...`, and of the bases, which studies share.

    Parameters
    ----------
    study : Study
    """

    def __init__(self, study: Any):
        self.study, self.folder = study, f"results/{study.name}"
        self._inputs: dict[tuple[Any, ...], dict[str, Files]] = {}

    def node(self, recipe: str, node: str) -> Node:
        """Return the node with this id. Raise `UnknownNode` if the recipe does not have it."""
        graph = self.study.graph(recipe)
        if node not in graph.nodes:
            raise UnknownNode(f"{graph.where}: there is no node {node!r} in this study.")
        return graph.nodes[node]

    def inputs(
        self, verb: str | None, recipe: str, node: str, file: str, shard: str
    ) -> dict[str, Files]:
        """Return the files that a job reads, by role, as the record of its verb lists them.

        Parameters
        ----------
        verb
            The verb of the job. None for the verb of the node.
        recipe, node, file, shard
            The wildcards of the job.
        """
        job = (verb, recipe, node, file, shard)
        if job not in self._inputs:
            if file:
                self.datasets(recipe, node, file)
            record = VERBS[verb or self.node(recipe, node).verb]
            self._inputs[job] = record.inputs(self, recipe, node, file, shard)
        return self._inputs[job]

    # -- posts ------------------------------------------------------------------------------------

    def posts(self, recipe: str, node: str, dataset: str) -> str:
        """Return the posts of a dataset that a node reads.

        Parameters
        ----------
        recipe, node
            The reading node.
        dataset
            A split, such as `ages/train`, or the id of a dataset node. `ages/held-out` is a part of
            the folded dataset under the node, in which a column marks the posts that are held out.
        """
        alias, split = os.path.split(dataset)
        if alias and split != HELD_OUT:
            return self.clean(self.task(recipe, alias), split)
        id = self.node(recipe, node).folds[0] if alias else dataset
        return self.result(recipe, id, ".parquet")

    def source_posts(self, recipe: str, node: str) -> list[str]:
        """Return the posts that a node reads.

        Those that it names under `data` or after its verb.
        """
        return [self.posts(recipe, node, source) for source in self.node(recipe, node).sources]

    def audit_drops(self, recipe: str, node: str) -> list[str]:
        """Return the lists of posts that audit leaves out, for each task that the node reads."""
        aliases = filter(None, map(os.path.dirname, self.node(recipe, node).sources))
        return [
            self.drop(task) for task in dict.fromkeys(self.task(recipe, alias) for alias in aliases)
        ]

    def held_out_drops(self, recipe: str, node: str) -> list[str]:
        """Return the lists of posts that the folds under a node hold out.

        The lists include all posts that belong to a post that is held out.
        """
        return [self.result(recipe, id, ".drop.parquet") for id in self.node(recipe, node).folds]

    def drops(self, recipe: str, node: str) -> list[str]:
        """Return the lists of all posts that a node may not read.

        Those of audit, then of its folds.
        """
        return self.audit_drops(recipe, node) + self.held_out_drops(recipe, node)

    def posts_by_task(self, recipe: str, node: str) -> dict[tuple[str, str], str]:
        """Return the posts that a node reads, by the recipe's name of their task and their own."""
        return {
            (self._alias(recipe, source), source): self.posts(recipe, node, source)
            for source in self.node(recipe, node).sources
        }

    def drops_by_task(self, recipe: str, node: str) -> dict[tuple[str, str], str]:
        """Return the lists of posts that a node may not read, by task and by what made them.

        An id is unique only within its task, so a list holds for the posts of its task alone.
        """
        tasks = dict.fromkeys(alias for alias, _ in self.posts_by_task(recipe, node))
        audits = {(alias, "audit"): self.drop(self.task(recipe, alias)) for alias in tasks}
        folds = {
            (self._alias(recipe, id), id): self.result(recipe, id, ".drop.parquet")
            for id in self.node(recipe, node).folds
        }
        return audits | folds

    def _alias(self, recipe: str, dataset: str) -> str:
        """Return what a recipe calls the task of a split or of a dataset node."""
        return os.path.dirname(dataset) or str(self.node(recipe, dataset).task)

    def beside(self, task: str) -> dict[str, str]:
        """Return the splits of other tasks with which the posts of a task are compared, by name."""
        return {name: self.clean(*name.split("/")) for name in self.study.scored_beside(task)}

    def corpus(self, recipe: str, node: str) -> dict[str, str]:
        """Return the path of the clean posts of each of the five splits of the node's task.

        A split that the task does not have has a file without posts.
        """
        task = self.node_task(recipe, node)
        return {split: self.clean(task, split) for split in SPLITS}

    def scored_splits(self, recipe: str, node: str) -> dict[str, str]:
        """Return the posts on which models are scored that stand on a node, by split.

        These are the splits test, dev and cross of the node's task, and those of other tasks.
        """
        task = self.node_task(recipe, node)
        return {split: self.clean(task, split) for split in EVALUATED} | self.beside(task)

    def duplicate_groups(self, recipe: str, node: str) -> str:
        """Return audit's groups of duplicates in the node's task."""
        return self.groups(self.node_task(recipe, node))

    def train_posts(self, recipe: str, node: str) -> str:
        """Return the train split of the node's task."""
        return self.corpus(recipe, node)["train"]

    def epoch_posts(self, recipe: str, node: str) -> list[str]:
        """Return the dev split of the node's task if the training chooses its epoch on it."""
        chooses = self.node(recipe, node).options.get("epoch") == "best"
        return [self.corpus(recipe, node)["dev"]] if chooses else []

    def budget_posts(self, recipe: str, node: str) -> list[str]:
        """Return the dataset whose class counts are the budget of a node, if it names one."""
        budget = self.node(recipe, node).budget
        return [self.result(recipe, budget, ".parquet")] if budget else []

    def fit_posts(self, recipe: str, node: str) -> list[str]:
        """Return the gold posts for fitting or choosing a node, or for auditing its teachers."""
        resolved = self.node(recipe, node)
        return [self.posts(recipe, resolved.members[0], resolved.fit)] if resolved.fit else []

    # -- models -----------------------------------------------------------------------------------

    def base_model(self, recipe: str, node: str) -> str:
        """Return the model.json from which a training starts: that of a model node or of a base."""
        base = self.node(recipe, node).base or ""
        if base in self.study.graph(recipe).nodes:
            return self.result(recipe, base, "/model.json")
        return self.base(base)

    def asked_models(self, recipe: str, node: str) -> list[str]:
        """Return the model.json of each causal base that a node asks.

        An endpoint and a stand-in do not have one.
        """
        return [
            self.base(model)
            for model in self.node(recipe, node).asked
            if self.study.bases[model]["kind"] == "causal"
        ]

    # -- predictions ------------------------------------------------------------------------------

    def datasets(self, recipe: str, node: str, file: str) -> list[str]:
        """Return the datasets in a predictor's file; raise `UnknownNode` if it is not used."""
        graph, resolved = self.study.graph(recipe), self.node(recipe, node)
        datasets = queries.predicted_datasets(graph).get((resolved.id, file))
        if datasets is None:
            why = "it is not scored" if file == SCORED else "nothing learns from its predictions"
            raise UnknownNode(
                f"{graph.where}: {resolved.id} has no file {file!r} in this study, since {why}."
            )
        return datasets

    def predicted_posts(self, recipe: str, node: str, file: str) -> dict[str, str]:
        """Return the posts of each dataset in a predictor's file, by dataset."""
        return {
            dataset: self.posts(recipe, node, dataset)
            for dataset in self.datasets(recipe, node, file)
        }

    def predictions(self, recipe: str, node: str, file: str) -> str:
        """Return one of the two files of a predictor."""
        resolved = self.node(recipe, node)
        verb = "predict" if resolved.verb == "finetune" else resolved.verb
        return f"{self.folder}/{recipe}/{verb}/{resolved.id}/{file}.parquet"

    def shards(self, recipe: str, node: str, file: str, shard: str) -> list[str]:
        """Return the shards from which the file `teaching` is joined, in a study with shards.

        The list is empty if the job runs a model.
        """
        if self.study.shards == 1 or shard or file != TEACHING:
            return []
        whole, _ = os.path.splitext(self.predictions(recipe, node, file))
        return [
            f"{whole}.shards/{number}-of-{self.study.shards}.parquet"
            for number in range(1, self.study.shards + 1)
        ]

    def member_predictions(self, recipe: str, node: str, file: str) -> dict[str, str]:
        """Return the file of each teacher, member or candidate that a node reads, by id."""
        return {id: self.predictions(recipe, id, file) for id in self.node(recipe, node).members}

    # -- a whole recipe ---------------------------------------------------------------------------

    def scored_predictions(self, recipe: str) -> dict[str, str]:
        """Return the file of each predictor that is scored, by id, in reading order."""
        pairs = queries.scored_nodes(self.study.graph(recipe))
        return {node.id: self.predictions(recipe, node.id, SCORED) for node, _ in pairs}

    def scored_posts(self, recipe: str) -> dict[tuple[str, str], str]:
        """Return the scored gold posts, by (predictor, dataset), in reading order."""
        pairs = queries.scored_nodes(self.study.graph(recipe))
        return {(node.id, dataset): self.posts(recipe, node.id, dataset) for node, dataset in pairs}

    def scored_groups(self, recipe: str) -> dict[str, str]:
        """Return the audit's groups of duplicates of each task with scored posts, by task."""
        pairs = queries.scored_nodes(self.study.graph(recipe))
        tasks = dict.fromkeys(self.task(recipe, node.task) for node, _ in pairs)
        return {task: self.groups(task) for task in tasks}

    # -- a report ---------------------------------------------------------------------------------

    def reported(self, scope: str) -> list[str]:
        """Return the recipes of a report.

        These are all recipes for scope `all_recipes/`, else those that the study asks for. Raise
        `ConfigError` if a recipe cannot be read.
        """
        if not scope:
            return self.study.recipes
        self.study.read(self.study.all_recipes())
        return self.study.all_recipes()

    def page(self, scope: str) -> str:
        """Return the report of one scope."""
        return f"{self.folder}/{scope}report.html"

    def report_files(self, scope: str) -> dict[str, Files]:
        """Return the files that a report reads, by option of report.py.

        A file that does not say itself what it is has a name: its task, or its recipe and node and
        whatever the record of its verb adds.
        """
        recipes = self.reported(scope)
        tasks = self.study.tasks(recipes)
        found: dict[str, Any] = {
            "scores": [f"{self.folder}/{recipe}/score/score.json" for recipe in recipes],
            "outcomes": {
                recipe: f"{self.folder}/{recipe}/score/outcomes.parquet" for recipe in recipes
            },
            "compare": [f"{self.folder}/{recipe}/compare/compare.json" for recipe in recipes],
            "ledger": {task: f"{self.folder}/clean/{task}/ledger.parquet" for task in tasks},
            "audit": {task: self.drop(task) for task in tasks},
            "near": {task: f"{self.folder}/audit/{task}/near.parquet" for task in tasks},
            "model": {},
        }
        for graph in map(self.study.graph, recipes):
            restarting = queries.restarting_models(graph)
            found["model"] |= {
                (graph.recipe, id): self.result(graph.recipe, id, "/model.json")
                for id in restarting
            }
            for record in VERBS.values():
                for option, files in record.report_files(self, graph).items():
                    known = found.setdefault(option, type(files)())
                    known.update(files) if isinstance(files, dict) else known.extend(files)
        return found

    def report_inputs(self, scope: str) -> dict[str, str | list[str]]:
        """Return the paths of the files that a report reads, by option of report.py."""
        return {option: path_list(paths) for option, paths in self.report_files(scope).items()}

    # -- parts of the above -----------------------------------------------------------------------

    def task(self, recipe: str, alias: str | None) -> str:
        """Return the task that a recipe calls `alias`, as the study binds it."""
        return self.study.graph(recipe).tasks[alias]

    def node_task(self, recipe: str, node: str) -> str:
        """Return the task to which a node belongs, as the study binds it."""
        return self.task(recipe, self.node(recipe, node).task)

    def clean(self, task: str, split: str) -> str:
        """Return the posts of one split of a task."""
        return f"{self.folder}/clean/{task}/{split}.parquet"

    def groups(self, task: str) -> str:
        """Return the audit's groups of duplicates in a task."""
        return f"{self.folder}/audit/{task}/groups.parquet"

    def drop(self, task: str) -> str:
        """Return the list of the posts that audit leaves out of a task."""
        return f"{self.folder}/audit/{task}/drop.parquet"

    def base(self, model: str) -> str:
        """Return the model.json of a base."""
        return f"results/base/{model}/model.json"

    def result(self, recipe: str, id: str, rest: str) -> str:
        """Return a file of a node's result. `rest` is the part of the path after the node's id."""
        return f"{self.folder}/{recipe}/{self.node(recipe, id).verb}/{id}{rest}"


def path_list(files: Files) -> str | list[str]:
    """Return the files of a look-up without their names, as rules need them."""
    return list(files.values()) if isinstance(files, dict) else files


def option_words(files: dict[str, Files]) -> list[str]:
    """Return the arguments of a command line for files by option.

    Parameters
    ----------
    files
        Option -> what a look-up of `Paths` returns.

    Examples
    --------
    >>> option_words({"data": ["a.parquet", "b.parquet"]})
    ['--data', 'a.parquet', 'b.parquet']
    >>> option_words({"gold": {("plain@seed=1", "ages/dev"): "a.parquet"}})
    ['--gold', 'plain@seed=1', 'ages/dev', 'a.parquet']
    >>> option_words({"train": {"ages": "a.parquet", "sex": "b.parquet"}})
    ['--train', 'ages', 'a.parquet', '--train', 'sex', 'b.parquet']
    """
    words = []
    for option, paths in files.items():
        if isinstance(paths, dict):
            for name, path in paths.items():
                words += [f"--{option}", *([name] if isinstance(name, str) else name), path]
        else:
            words += [f"--{option}", *paths]
    return words
