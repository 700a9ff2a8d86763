"""Where the files that a rule reads lie: look-ups on a study that return paths and change nothing.

The parameters of a look-up bear the names of the rules' wildcards: `recipe`, `node` (the id of a
node, such as `ages-expert@seed=1`), `file` (`scored` or `teaching`), `shard` and `scope`.
workflow/rules/common.smk fills them in by these names. A look-up returns one path, a list of paths,
or, where a file has to be told from others, {name: path}. Which look-ups the job of a verb needs,
and under which role, stands in its record in postgrad/verbs.
"""

import os
from typing import Any

from postgrad.graph import queries
from postgrad.graph.nodes import Node
from postgrad.graph.protocol import Files
from postgrad.records.names import HELD_OUT, SCORED, SPLITS, TEACHING
from postgrad.verbs.registry import VERBS


class UnknownNode(Exception):
    """A path names a node that its recipe does not have in this study."""


class Paths:
    """The paths of a study's results, `results/<study>/...`, and of the bases that all studies
    share.
    """

    def __init__(self, study: Any):
        self.study, self.folder = study, f"results/{study.name}"
        self._inputs: dict[tuple[Any, ...], dict[str, Files]] = {}

    def node(self, recipe: str, node: str) -> Node:
        """The node with this id. Raises UnknownNode where the recipe has none."""
        graph = self.study.graph(recipe)
        if node not in graph.nodes:
            raise UnknownNode(f"{graph.where}: there is no node {node!r} in this study.")
        return graph.nodes[node]

    def inputs(
        self, verb: str | None, recipe: str, node: str, file: str, shard: str
    ) -> dict[str, Files]:
        """What a job reads, by role, as the record of its verb says.

        verb: None for that of the node.
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
        """The posts of a dataset that a node reads: of a split (`ages/train`) or of the dataset
        node of that id.

        `ages/held-out` lies in the folded dataset under the node, where a column marks the posts
        held out.
        """
        alias, split = os.path.split(dataset)
        if alias and split != HELD_OUT:
            return self.clean(self.task(recipe, alias), split)
        id = self.node(recipe, node).folds[0] if alias else dataset
        return self.result(recipe, id, ".parquet")

    def source_posts(self, recipe: str, node: str) -> list[str]:
        """The posts that a node reads: what it names under `data`, or beside its verb."""
        return [self.posts(recipe, node, source) for source in self.node(recipe, node).sources]

    def audit_drops(self, recipe: str, node: str) -> list[str]:
        """The lists of posts that audit leaves out, one for each task of whose splits the node
        reads one.
        """
        aliases = filter(None, map(os.path.dirname, self.node(recipe, node).sources))
        return [
            self.drop(task) for task in dict.fromkeys(self.task(recipe, alias) for alias in aliases)
        ]

    def held_out_drops(self, recipe: str, node: str) -> list[str]:
        """The lists of posts that the folds under a node hold out, with all that belong to these
        posts.
        """
        return [self.result(recipe, id, ".drop.parquet") for id in self.node(recipe, node).folds]

    def drops(self, recipe: str, node: str) -> list[str]:
        """The lists of all posts that a node may not read.

        Those of audit, then those of its folds.
        """
        return self.audit_drops(recipe, node) + self.held_out_drops(recipe, node)

    def corpus(self, recipe: str, node: str) -> dict[str, str]:
        """{split: its posts} of every split of the node's task."""
        task = self.task(recipe, self.node(recipe, node).task)
        return {split: self.clean(task, split) for split in SPLITS}

    def duplicate_groups(self, recipe: str, node: str) -> str:
        """Audit's groups of duplicates in the node's task."""
        return (
            f"{self.folder}/audit/{self.task(recipe, self.node(recipe, node).task)}/groups.parquet"
        )

    def train_posts(self, recipe: str, node: str) -> str:
        """The train split of the node's task."""
        return self.corpus(recipe, node)["train"]

    def epoch_posts(self, recipe: str, node: str) -> list[str]:
        """The dev split of the node's task where the training chooses its epoch on it, else
        nothing.
        """
        chooses = self.node(recipe, node).options.get("epoch") == "best"
        return [self.corpus(recipe, node)["dev"]] if chooses else []

    def budget_posts(self, recipe: str, node: str) -> list[str]:
        """The dataset to whose class counts a node keeps, if it names one."""
        budget = self.node(recipe, node).budget
        return [self.result(recipe, budget, ".parquet")] if budget else []

    def fit_posts(self, recipe: str, node: str) -> list[str]:
        """The gold posts on which a node is fitted or chosen, or its teachers are audited, if it
        names any.
        """
        made = self.node(recipe, node)
        return [self.posts(recipe, made.members[0], made.fit)] if made.fit else []

    # -- models -----------------------------------------------------------------------------------

    def base_model(self, recipe: str, node: str) -> str:
        """The model.json from which a training starts: of a model node or of a base."""
        base = self.node(recipe, node).base or ""
        if base in self.study.graph(recipe).nodes:
            return self.result(recipe, base, "/model.json")
        return self.base(base)

    def asked_models(self, recipe: str, node: str) -> list[str]:
        """The model.json of each causal base that a node asks.

        An endpoint and a stand-in have none.
        """
        return [
            self.base(model)
            for model in self.node(recipe, node).asked
            if self.study.bases[model]["kind"] == "causal"
        ]

    # -- predictions ------------------------------------------------------------------------------

    def datasets(self, recipe: str, node: str, file: str) -> list[str]:
        """The datasets that a predictor's file holds.

        Raises UnknownNode where the recipe has no use for the file.
        """
        graph, made = self.study.graph(recipe), self.node(recipe, node)
        found = queries.predicted_datasets(graph).get((made.id, file))
        if found is None:
            why = "it is not scored" if file == SCORED else "nothing learns from its predictions"
            raise UnknownNode(
                f"{graph.where}: {made.id} has no file {file!r} in this study, since {why}."
            )
        return found

    def predicted_posts(self, recipe: str, node: str, file: str) -> dict[str, str]:
        """{dataset: its posts} of the datasets that a predictor's file holds."""
        return {
            dataset: self.posts(recipe, node, dataset)
            for dataset in self.datasets(recipe, node, file)
        }

    def predictions(self, recipe: str, node: str, file: str) -> str:
        """One of the two files of a predictor."""
        made = self.node(recipe, node)
        verb = "predict" if made.verb == "finetune" else made.verb
        return f"{self.folder}/{recipe}/{verb}/{made.id}/{file}.parquet"

    def shards(self, recipe: str, node: str, file: str, shard: str) -> list[str]:
        """What the file `teaching` is gathered from in a study with shards.

        Nothing where a model predicts.
        """
        if self.study.shards == 1 or shard or file != TEACHING:
            return []
        whole, _ = os.path.splitext(self.predictions(recipe, node, file))
        return [
            f"{whole}.shards/{number}-of-{self.study.shards}.parquet"
            for number in range(1, self.study.shards + 1)
        ]

    def member_predictions(self, recipe: str, node: str, file: str) -> dict[str, str]:
        """{id: its file} of all predictors that a node reads: teachers, members, candidates."""
        return {id: self.predictions(recipe, id, file) for id in self.node(recipe, node).members}

    # -- a whole recipe ---------------------------------------------------------------------------

    def scored_predictions(self, recipe: str) -> dict[str, str]:
        """{predictor: its file} of all that are scored, in reading order."""
        pairs = queries.scored(self.study.graph(recipe))
        return {node.id: self.predictions(recipe, node.id, SCORED) for node, _ in pairs}

    def scored_posts(self, recipe: str) -> dict[tuple[str, str], str]:
        """{(predictor, dataset): the gold posts} of all that is scored, in reading order."""
        pairs = queries.scored(self.study.graph(recipe))
        return {(node.id, dataset): self.posts(recipe, node.id, dataset) for node, dataset in pairs}

    # -- a report ---------------------------------------------------------------------------------

    def reported(self, scope: str) -> list[str]:
        """The recipes of a report.

        Of scope `all_recipes/` all, else those that the study asks for. Raises ConfigError.
        """
        if not scope:
            return self.study.recipes
        self.study.read(self.study.all_recipes())
        return self.study.all_recipes()

    def page(self, scope: str) -> str:
        """The report of one scope."""
        return f"{self.folder}/{scope}report.html"

    def report_files(self, scope: str) -> dict[str, Files]:
        """{option of report.py: its files}. A file that does not say itself what it is stands under
        its name: the task, or the recipe and the node, and what more the record of its verb says.
        """
        recipes = self.reported(scope)
        tasks = self.study.tasks(recipes)
        found: dict[str, Any] = {
            "scores": [f"{self.folder}/{recipe}/score/score.json" for recipe in recipes],
            "compare": [f"{self.folder}/{recipe}/compare/compare.json" for recipe in recipes],
            "ledger": {task: f"{self.folder}/clean/{task}/ledger.parquet" for task in tasks},
            "audit": {task: self.drop(task) for task in tasks},
            "model": {},
        }
        for graph in map(self.study.graph, recipes):
            restarting = queries.restarting(graph)
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
        """{option of report.py: the paths of its files}."""
        return {option: path_list(found) for option, found in self.report_files(scope).items()}

    # -- parts of the above -----------------------------------------------------------------------

    def task(self, recipe: str, alias: str | None) -> str:
        """The task that a recipe calls `alias`, as the study binds it."""
        return self.study.graph(recipe).tasks[alias]

    def clean(self, task: str, split: str) -> str:
        """The posts of one split of a task."""
        return f"{self.folder}/clean/{task}/{split}.parquet"

    def drop(self, task: str) -> str:
        """The list of the posts that audit leaves out of a task."""
        return f"{self.folder}/audit/{task}/drop.parquet"

    def base(self, model: str) -> str:
        """The model.json of a base."""
        return f"results/base/{model}/model.json"

    def result(self, recipe: str, id: str, rest: str) -> str:
        """A file of a node's result. rest: what follows the node's id."""
        return f"{self.folder}/{recipe}/{self.node(recipe, id).verb}/{id}{rest}"


def path_list(found: Files) -> str | list[str]:
    """What a look-up found as one path or a list of paths, the names left out.

    What a rule reads.
    """
    return list(found.values()) if isinstance(found, dict) else found


def option_words(files: dict[str, Files]) -> list[str]:
    """The words of a command line that hand over {option: what a look-up found}.

    >>> option_words({"data": ["a.parquet", "b.parquet"]})
    ['--data', 'a.parquet', 'b.parquet']
    >>> option_words({"gold": {("plain@seed=1", "ages/dev"): "a.parquet"}})
    ['--gold', 'plain@seed=1', 'ages/dev', 'a.parquet']
    >>> option_words({"train": {"ages": "a.parquet", "sex": "b.parquet"}})
    ['--train', 'ages', 'a.parquet', '--train', 'sex', 'b.parquet']
    """
    words = []
    for option, found in files.items():
        if isinstance(found, dict):
            for name, path in found.items():
                words += [f"--{option}", *([name] if isinstance(name, str) else name), path]
        else:
            words += [f"--{option}", *found]
    return words
