"""Where the files that a rule reads lie: look-ups on a study that return paths and change nothing.

The parameters of a look-up bear the names of the rules' wildcards: `recipe`, `node` (the id of a node, such as
`ages-expert@seed=1`), `dataset` (`ages/dev`), `shard` and `scope`. workflow/rules/common.smk fills them in by these
names. A look-up returns one path, a list of paths, or, where a file has to be told from others, {name: path}.
"""

import os

from postgrad.graph import queries
from postgrad.records.names import FOLD, HELD_OUT, SPLITS


class UnknownNode(Exception):
    """A path names a node that its recipe does not have in this study."""


class Paths:
    """The paths of a study's results, `results/<study>/...`, and of the bases that all studies share."""

    def __init__(self, study):
        self.study, self.folder = study, f"results/{study.name}"

    def node(self, recipe, node):
        """The node with this id. Raises UnknownNode where the recipe has none."""
        graph = self.study.graph(recipe)
        if node not in graph.nodes:
            raise UnknownNode(f"{graph.where}: there is no node {node!r} in this study.")
        return graph.nodes[node]

    # -- posts ------------------------------------------------------------------------------------

    def posts(self, recipe, node, dataset):
        """The posts of a dataset that a node reads: of a split (`ages/train`) or of the dataset node of that id.

        `ages/held-out` lies in the folded dataset under the node, where a column marks the posts held out.
        """
        alias, split = os.path.split(dataset)
        if alias and split != HELD_OUT:
            return self._clean(self._task(recipe, alias), split)
        id = self.node(recipe, node).folds[0] if alias else dataset
        return self._result(recipe, id, ".parquet")

    def source_posts(self, recipe, node):
        """The posts that a node reads: what it names under `data`, or beside its verb."""
        return [self.posts(recipe, node, source) for source in self.node(recipe, node).sources]

    def audit_drops(self, recipe, node):
        """The lists of posts that audit leaves out, one for each task of whose splits the node reads one."""
        aliases = filter(None, map(os.path.dirname, self.node(recipe, node).sources))
        return [self._drop(task) for task in dict.fromkeys(self._task(recipe, alias) for alias in aliases)]

    def held_out_drops(self, recipe, node):
        """The lists of posts that the folds under a node hold out, with all that belong to these posts."""
        return [self._result(recipe, id, ".drop.parquet") for id in self.node(recipe, node).folds]

    def drops(self, recipe, node):
        """The lists of all posts that a node may not read: those of audit, then those of its folds."""
        return self.audit_drops(recipe, node) + self.held_out_drops(recipe, node)

    def corpus(self, recipe, node):
        """{split: its posts} of every split of the node's task."""
        task = self._task(recipe, self.node(recipe, node).task)
        return {split: self._clean(task, split) for split in SPLITS}

    def labelled_corpus(self, recipe, node):
        """{split: its posts} of the node's task without the pool, of which no label is learnt."""
        return {split: path for split, path in self.corpus(recipe, node).items() if split != "unlabeled"}

    def duplicate_groups(self, recipe, node):
        """Audit's groups of duplicates in the node's task."""
        return f"{self.folder}/audit/{self._task(recipe, self.node(recipe, node).task)}/groups.parquet"

    def train_posts(self, recipe, node):
        """The train split of the node's task."""
        return self.corpus(recipe, node)["train"]

    def epoch_posts(self, recipe, node):
        """The dev split of the node's task where the training chooses its epoch on it, else nothing."""
        chooses = self.node(recipe, node).options.get("epoch") == "best"
        return [self.corpus(recipe, node)["dev"]] if chooses else []

    def budget_posts(self, recipe, node):
        """The dataset to whose class counts a node keeps, if it names one."""
        budget = self.node(recipe, node).budget
        return [self._result(recipe, budget, ".parquet")] if budget else []

    def fit_posts(self, recipe, node):
        """The gold posts on which a node is fitted or chosen, or its teachers are audited, if it names any."""
        made = self.node(recipe, node)
        return [self.posts(recipe, made.members[0], made.fit)] if made.fit else []

    def example_files(self, recipe, node):
        """{train, drop}: the posts of which a review shows examples, and the lists of those that audit leaves out."""
        return {"train": self.source_posts(recipe, node), "drop": self.audit_drops(recipe, node)}

    def fit_files(self, recipe, node):
        """{gold, on_gold}: the node's `fit_posts`, and the paths of its `fit_predictions`."""
        predictions = path_list(self.fit_predictions(recipe, node))
        return {"gold": self.fit_posts(recipe, node), "on_gold": predictions}

    def shared_posts(self, recipe, node, dataset):
        """The held-out posts that a vote's members share among them; nothing where every member predicts all posts."""
        shared = os.path.basename(dataset) == HELD_OUT and FOLD not in self.node(recipe, node).axes
        return [self.posts(recipe, node, dataset)] if shared else []

    # -- models -----------------------------------------------------------------------------------

    def base_model(self, recipe, node):
        """The model.json from which a training starts: of a model node or of a base."""
        base = self.node(recipe, node).base
        if base in self.study.graph(recipe).nodes:
            return self._result(recipe, base, "/model.json")
        return self._base(base)

    def asked_models(self, recipe, node):
        """The model.json of each causal base that a node asks. An endpoint and a stand-in have none."""
        return [
            self._base(model) for model in self.node(recipe, node).asked if self.study.bases[model]["kind"] == "causal"
        ]

    def prior_model(self, recipe, node):
        """The model whose class prior a calibration takes out, if it does: all under it learnt from the same posts."""
        if self.node(recipe, node).options["method"] != "prior":
            return []
        first, *_ = queries.models_under(self.study.graph(recipe), node)
        return [self._result(recipe, first, "/model.json")]

    # -- predictions ------------------------------------------------------------------------------

    def predictions(self, recipe, node, dataset):
        """A predictor's predictions of a dataset."""
        made = self.node(recipe, node)
        verb = "predict" if made.verb == "finetune" else made.verb
        return f"{self.folder}/{recipe}/{verb}/{made.id}/{dataset}.parquet"

    def shards(self, recipe, node, dataset, shard):
        """What the predictions of a pool are gathered from in a study with shards; nothing where a model predicts."""
        if self.study.shards == 1 or shard or os.path.basename(dataset) != "unlabeled":
            return []
        whole, _ = os.path.splitext(self.predictions(recipe, node, dataset))
        return [f"{whole}.shards/{number}-of-{self.study.shards}.parquet" for number in range(1, self.study.shards + 1)]

    def member_predictions(self, recipe, node, dataset):
        """{id: its predictions of the dataset} of all predictors that a node reads: teachers, members, candidates."""
        return {id: self.predictions(recipe, id, dataset) for id in self.node(recipe, node).members}

    def pool_predictions(self, recipe, node):
        """{teacher: its predictions of the pool} that a label node labels."""
        return self.member_predictions(recipe, node, self.node(recipe, node).sources[0])

    def fit_predictions(self, recipe, node):
        """{id: its predictions of the node's `fit_posts`} of all predictors that the node reads."""
        fit = self.node(recipe, node).fit
        return self.member_predictions(recipe, node, fit) if fit else {}

    def share_predictions(self, recipe, node):
        """The predictions of the posts whose class shares a calibration estimates, if it does."""
        pools = self.node(recipe, node).sources[1:]
        return [path for pool in pools for path in self.member_predictions(recipe, node, pool).values()]

    # -- a whole recipe ---------------------------------------------------------------------------

    def scored_predictions(self, recipe):
        """{(predictor, dataset): its predictions} of all that is scored, in reading order."""
        pairs = queries.scored(self.study.graph(recipe))
        return {(node.id, dataset): self.predictions(recipe, node.id, dataset) for node, dataset in pairs}

    def scored_posts(self, recipe):
        """{(predictor, dataset): the gold posts} of all that is scored, in reading order."""
        pairs = queries.scored(self.study.graph(recipe))
        return {(node.id, dataset): self.posts(recipe, node.id, dataset) for node, dataset in pairs}

    def measured_train_posts(self, recipe):
        """{task's name in the recipe: its train posts} of the tasks whose diversity is measured."""
        return {alias: self._clean(self._task(recipe, alias), "train") for alias in self._measured(recipe)}

    def measured_drops(self, recipe):
        """{task's name in the recipe: the posts that audit leaves out} of the tasks whose diversity is measured."""
        return {alias: self._drop(self._task(recipe, alias)) for alias in self._measured(recipe)}

    def measuring_encoders(self, recipe):
        """{task's name in the recipe: model.json of the encoder that embeds its posts} where diversity is measured."""
        bodies = self.study.graph(recipe).diversity
        return {alias: self._base(bodies[alias]["model"]) for alias in self._measured(recipe)}

    def measured_posts(self, recipe):
        """{id of a dataset: its posts} of the datasets whose diversity is measured."""
        return {id: self._result(recipe, id, ".parquet") for ids in self._measured(recipe).values() for id in ids}

    # -- a report ---------------------------------------------------------------------------------

    def reported(self, scope):
        """The recipes of a report: of scope `all_recipes/` all, else those that the study asks for. Raises Fault."""
        if not scope:
            return self.study.recipes
        self.study.read(self.study.all_recipes())
        return self.study.all_recipes()

    def page(self, scope):
        """The report of one scope."""
        return f"{self.folder}/{scope}report.html"

    def report_files(self, scope):
        """{option of report.py: its files}. A file that does not say itself what it is stands under its name:
        the task, or the recipe and the node, and for a review the dataset."""
        recipes = self.reported(scope)
        graphs = [self.study.graph(recipe) for recipe in recipes]
        tasks = self.study.tasks(recipes)
        return {
            "scores": [f"{self.folder}/{recipe}/score/score.json" for recipe in recipes],
            "compare": [f"{self.folder}/{recipe}/compare/compare.json" for recipe in recipes],
            "diversity": [f"{self.folder}/{g.recipe}/diversity/diversity.json" for g in graphs if g.diversity],
            "ledger": {task: f"{self.folder}/clean/{task}/ledger.parquet" for task in tasks},
            "audit": {task: self._drop(task) for task in tasks},
            "flow": self._of_nodes(graphs, queries.labelled, ".json"),
            "written": self._of_nodes(graphs, queries.written, ".json"),
            "model": self._of_nodes(graphs, queries.restarting, "/model.json"),
            "review": {
                (graph.recipe, id, dataset): self._result(graph.recipe, id, f"/{dataset}.fit.json")
                for graph in graphs
                for id, dataset in queries.reviewed(graph)
            },
        }

    def report_inputs(self, scope):
        """{option of report.py: the paths of its files}."""
        return {option: path_list(found) for option, found in self.report_files(scope).items()}

    # -- parts of the above -----------------------------------------------------------------------

    def _task(self, recipe, alias):
        return self.study.graph(recipe).tasks[alias]

    def _clean(self, task, split):
        return f"{self.folder}/clean/{task}/{split}.parquet"

    def _drop(self, task):
        return f"{self.folder}/audit/{task}/drop.parquet"

    def _base(self, model):
        return f"results/base/{model}/model.json"

    def _result(self, recipe, id, rest):
        return f"{self.folder}/{recipe}/{self.node(recipe, id).verb}/{id}{rest}"

    def _measured(self, recipe):
        """{task's name in the recipe: ids of its datasets} of the tasks whose diversity is measured."""
        return dict(queries.measured(self.study.graph(recipe)))

    def _of_nodes(self, graphs, query, rest):
        """{(recipe, node): its file} of the nodes that a query finds on each graph."""
        return {(graph.recipe, id): self._result(graph.recipe, id, rest) for graph in graphs for id in query(graph)}


def path_list(found):
    """What a look-up found as one path or a list of paths, the names left out: what a rule reads."""
    return list(found.values()) if isinstance(found, dict) else found


def option_words(files):
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
