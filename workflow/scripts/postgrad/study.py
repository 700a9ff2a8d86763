"""A study read from its files: recipes, scale, bases and tasks, and the spec of every job.

A spec is all that decides a job's result beside its inputs and its code, as one sorted JSON string.
Nothing heavy is imported: Snakemake reads this at every start.
"""

import json
import os
from pathlib import Path

from postgrad import checks, machine
from postgrad.configuration import Fault, Faults, as_list, fitting, lookup, nearest, read_yaml, schema
from postgrad.options import options, options_schema
from postgrad.recipe import RESERVED, SECTIONS, Graph
from postgrad.vocabulary import FOLD, SPLITS

# What a task file says to people and to models; the other keys decide how its files are read.
_NOT_READING = ("prompt", "metric", "positive", "title", "source", "endpoints")
# In the place of a task that cannot be read, so that the rest can be checked: it has every split and allows all.
_ANY_TASK = {"splits": dict.fromkeys(SPLITS, {}), "labels": [], "endpoints": True}


class Study:
    """What a person runs: config/studies/<name>.yaml, with the recipes, scale, bases and tasks that it names.

    config: Snakemake's config; `study` names the file, and data, seeds, folds, shards, mode, endpoints and recipes
    overlay it.
    Raises Fault with a sentence for each mistake: file, key path, what was found, remedy. The raw posts must
    be there unless `check_data` is false.
    """

    def __init__(self, config, root="config"):
        self.root, self.faults, self._tasks = Path(root), Faults(), {}
        told = f"{self.root}/config.yaml or --config"
        truth = {"true": True, "false": False}  # Snakemake hands on --config check_data=false as text
        config = {key: truth.get(value, value) if isinstance(value, str) else value for key, value in config.items()}
        config = self._fits(config, schema("config"), told)
        if config is None or "study" not in config:
            self.faults.end()
        self.name, self.where = config["study"], f"{self.root}/studies/{config['study']}.yaml"
        raw = self._file("studies", self.name, "study", f"{told}: study")
        if raw is None or not {"recipes", "scale"} <= raw.keys():
            self.faults.end()
        self.check_data, self.cluster = config.get("check_data", True), config.get("cluster")
        if "made" in raw and "data" in {**raw, **config}:
            place = told if "data" in config else self.where
            self.faults.append(f"{place}: data: {self.name} makes up its own posts; leave data out, or choose a study.")
        raw.update({key: value for key, value in config.items() if key not in ("study", "check_data", "cluster")})
        self.title, self.scale_name, self.mode = raw["title"], raw["scale"], raw.get("mode", "recommended")
        self.seeds, self.bind, self.made = raw.get("seeds", 3), raw.get("bind", {}), raw.get("made")
        self.shards, self.folds = raw.get("shards", 1), raw.get("folds")
        self.endpoints = raw.get("endpoints")  # requests and tokens to spend; None where no post goes to an endpoint
        self.data = self._folder(raw)
        self._read_bases_and_scale()
        self.graphs = {}
        for recipe in raw["recipes"]:
            self._read_recipe(recipe, f"{told} or {self.where}: recipes")
        self._check_bindings()
        self._check_posts()
        self.faults.end()

    # -- files ------------------------------------------------------------------------------------

    def _fits(self, content, schema, where, path=()):
        return fitting(content, schema, where, self.faults, path)

    def _file(self, folder, name, kind, named):
        """The file config/<folder>/<name>.yaml less what does not fit its schema; None where too little is left.

        named: the place that names it.
        """
        path = self.root / folder / f"{name}.yaml"
        with self.faults.gathered():
            if not path.is_file():
                known = [file.stem for file in path.parent.glob("*.yaml")]
                raise Fault(f"{named}: there is no file {path}; {nearest(name, known)}")
            return self._fits(read_yaml(path), schema(kind), str(path))
        return None

    def _folder(self, raw):
        """The folder of the raw posts."""
        if self.made is not None:
            return f"work/{self.name}/posts"
        if "data" not in raw and self.check_data:
            self.faults.append(f"{self.where}: this study needs posts: add --config data=FOLDER, which holds them.")
            return None
        return str(Path(raw.get("data", "posts")).expanduser())

    def _read_bases_and_scale(self):
        """Bases and scale; what could not be read stands there empty, so that it is not called unknown as well."""
        path = self.root / "bases.yaml"
        self.bases, told = {}, {}
        with self.faults.gathered():
            told = read_yaml(path)
            self.bases = self._fits(told, schema("bases"), str(path)) or {}
        self.bases = {name: self.bases.get(name, {"kind": None}) for name in told}
        for name, body in self.bases.items():
            sizes = body.get("make")
            if sizes and sizes["hidden"] % (2 * sizes["heads"]):
                self.faults.append(f"{path}: {name}.make.hidden: {sizes['hidden']} is no multiple of twice the heads.")
        named = f"{self.where}: scale"
        self.scale = self._file("scales", self.scale_name, "scale", named)
        if self.scale is None or "bases" not in self.scale:
            self.scale = {"bases": {name: {} for name in self.bases}}
        for base, body in self.scale["bases"].items():
            where = f"{self.root}/scales/{self.scale_name}.yaml"
            with self.faults.gathered():
                lookup(self.bases, base, f"{where}: bases", "base")
            with self.faults.gathered():
                if body.get("model") is not None:
                    lookup(self.bases, body["model"], f"{where}: bases.{base}.model", "base")
            for verb in ("pretrain", "finetune", "predict"):
                if verb in body:
                    body[verb] = self._fits(body[verb], options_schema(verb), where, ("bases", base, verb)) or {}
        with self.faults.gathered():
            machine.check(self.scale, self.cluster or {}, f"{self.root}/scales/{self.scale_name}.yaml")

    def _read_recipe(self, recipe, named):
        if recipe in RESERVED:
            self.faults.append(f"{named}: {recipe!r} is a folder of results; rename the recipe.")
        path = self.root / "recipes" / f"{recipe}.yaml"
        raw = self._file("recipes", recipe, "recipe", named)
        if raw is not None:
            told = read_yaml(path)
            broken = {name for section in SECTIONS for name in {*(told.get(section) or {})} - {*raw.get(section, {})}}
            self.graphs[recipe] = Graph(self, recipe, raw, self.faults, broken)

    def task(self, name, named=""):
        """The task file of that name, read once, its parts held against each other where each fits.

        named: the place that names it.
        """
        if name not in self._tasks:
            before = len(self.faults)
            body = self._file("tasks", name, "task", named)
            with self.faults.gathered():
                if len(self.faults) == before:
                    checks.task(body, f"{self.root}/tasks/{name}.yaml")
            self._tasks[name] = body
        return self._tasks[name] or _ANY_TASK

    def _check_bindings(self):
        """What a study says about recipes and tasks that it does not run."""
        for recipe in self.bind:
            with self.faults.gathered():
                lookup(self.graphs, recipe, f"{self.where}: bind", "recipe in this study")
        if self.made is not None:
            posts = self.made.get("posts", {})
            for task in posts:
                with self.faults.gathered():
                    lookup(dict.fromkeys(self.tasks()), task, f"{self.where}: made.posts", "task in this study")
            for task in self.tasks():
                if task not in posts:
                    self.faults.append(f"{self.where}: made.posts: {task} is missing; say how many posts it gets.")

    def _check_posts(self):
        """The raw files of every task, unless they are made here or not wanted."""
        if (
            self.made is not None
            or not self.check_data
            or self.data is None
            or any(map(self._broken_task, self.tasks()))
        ):
            return
        lacking = Faults()
        for task in self.tasks():
            with lacking.gathered():
                checks.raw_files(self.task(task), self.raw_parts(task), f"{self.root}/tasks/{task}.yaml")
        if lacking:
            remedy = (
                "Give their folder with --config data=FOLDER; a dry run goes without posts: --config check_data=false."
            )
            self.faults += [*lacking, remedy]

    def _broken_task(self, name):
        return self._tasks.get(name) is None

    # -- look-ups ---------------------------------------------------------------------------------

    def tasks(self):
        """The tasks that the recipes of this study read, each once, by name."""
        return sorted({task for graph in self.graphs.values() for task in graph.tasks.values()})

    def model_of(self, base):
        """The model in a base's place at this scale: None where there is none, itself where the scale is silent."""
        return self.scale["bases"].get(base, {}).get("model", base)

    def raw_parts(self, task):
        """The raw files that a task needs: (key path in its file, part of the file, paths); patterns are filled in."""
        body, found = self.task(task), []
        parts = [(f"splits.{split}", body["splits"][split]) for split in SPLITS if split in body["splits"]]
        for place, part in [*parts, ("divide", body.get("divide", {}))]:
            for key in ("file", "files", "from"):
                for pattern in as_list(part.get(key, [])):
                    paths = sorted(Path(self.data).glob(pattern)) or [Path(self.data) / pattern]
                    found.append((f"{place}.{key}", part, paths))
        return found

    def raw_files(self, task):
        """The raw files of a task as paths; a gold file only where it is, and unchecked posts only where they are."""
        body, wanted = self.task(task), self.made is not None or self.check_data
        files = [path for _, _, paths in self.raw_parts(task) for path in paths if wanted or path.is_file()]
        gold = (Path(self.data) / part["gold"] for part in body["splits"].values() if "gold" in part)
        return sorted({str(path) for path in [*files, *(path for path in gold if self.made or path.is_file())]})

    def made_files(self):
        """The raw files that the verb demo makes; none where the posts are real."""
        return [file for task in self.tasks() for file in self.raw_files(task)] if self.made else []

    def resources(self, recipe, id, verb, attempt):
        """What a job of a model asks of the cluster; no spec holds any of it. Without a verb it runs no model."""
        graph = self.graphs[recipe]
        node = graph.nodes[id]
        body = self.scale["bases"].get(graph.root(node.name)[0], {})
        cpus = node.options.get("threads", 1) if verb else 1
        ask = {"cpus": cpus, **machine.LITTLE, **body.get("machine", {}).get(verb, {})}
        return machine.resources(ask, self.cluster or {}, attempt, stops=verb in ("pretrain", "finetune"))

    # -- specs ------------------------------------------------------------------------------------

    def demo_spec(self):
        return canonical(self.made)

    def clean_spec(self, task):
        body = {key: value for key, value in self.task(task).items() if key not in _NOT_READING}
        body["labels"] = [{key: label[key] for key in ("name", "value") if key in label} for label in body["labels"]]
        if self.made is None:
            # Snakemake looks at a file's content only where its time is new, which an archive may have set back.
            body["bytes"] = {file: os.path.getsize(file) for file in self.raw_files(task) if os.path.isfile(file)}
        return canonical({"task": task, "source": self.task(task).get("source"), **body})

    def audit_spec(self, task):
        return canonical({"task": task})

    def base_spec(self, model):
        return canonical({"model": model, **self.bases[model]})

    def node_spec(self, recipe, id):
        """The spec of a dataset, a model, or a predictor that is no model."""
        graph = self.graphs[recipe]
        node = graph.nodes[id]
        spec = {"node": node.id, **node.options}
        if node.kind:
            spec["kind"] = node.kind
        if node.verb == "finetune":
            spec.update(self._reading(graph, node))
        if node.options.get("epoch") == "best":
            spec.update({key: self._scoring(graph, node)[key] for key in ("metric", "positive")})
        if node.verb == "label":
            spec["teachers"] = node.members
        if node.verb == "fold":
            spec[FOLD] = node.axes[FOLD]
        if node.verb in ("label", "fold"):
            spec["classes"] = [label["name"] for label in self.task(graph.tasks[node.task])["labels"]]
        if node.verb in ("calibrate", "pick"):
            spec.update(of=node.members, fit=node.sources[0], **self._scoring(graph, node))
        if node.target is not None:
            spec["target"] = node.target
        return canonical(spec)

    def predict_spec(self, recipe, id, dataset):
        """The spec of a model's predictions of one dataset."""
        graph = self.graphs[recipe]
        node = graph.nodes[id]
        spec = self.predict_options(graph, node)
        pool = spec.pop("pool", None)
        if dataset.endswith("/unlabeled"):
            spec["pool"] = pool
        return canonical({"node": node.id, "kind": node.kind, "dataset": dataset, **spec, **self._reading(graph, node)})

    def predict_options(self, graph, node):
        """The options with which a model predicts: its own, and over them those of its scale."""
        root, _ = graph.root(node.name)
        scale = self.scale["bases"].get(root, {}).get("predict", {})
        values = {**graph.defaults.get("predict", {}), **node.options, **scale}
        return {key: values[key] for key in options("predict", node.kind) if key in values}

    def _reading(self, graph, node):
        """Labels in class order; for a causal model also the prompt."""
        task = self.task(graph.tasks[node.task])
        if node.kind != "causal":
            return {"labels": [{"name": label["name"]} for label in task["labels"]]}
        labels = [{key: str(label[key]) for key in ("name", "word", "digit")} for label in task["labels"]]
        return {"labels": labels, "prompt": task["prompt"]}

    def score_spec(self, recipe):
        """The pairs of predictor and dataset that are scored, in the order of the rule's inputs."""
        graph = self.graphs[recipe]
        pairs = []
        for node, dataset in graph.scored():
            named = {"predictor": node.id, "node": node.name, "dataset": dataset, "task": graph.tasks[node.task]}
            pairs.append({**named, **self._scoring(graph, node)})
        return canonical({"recipe": recipe, "pairs": pairs})

    def _scoring(self, graph, node):
        """How a node's task is scored: its labels in class order, the codes of the positive ones, the metric."""
        task = self.task(graph.tasks[node.task])
        labels = [label["name"] for label in task["labels"]]
        positive = [labels.index(label) for label in task.get("positive", [])]
        return {"labels": labels, "positive": positive, "metric": task["metric"]}

    def compare_spec(self, recipe):
        return canonical({"recipe": recipe, "chains": self.graphs[recipe].compare})

    def report_spec(self):
        """What the report says beside the figures: titles, floors, what was not run, deviations and readings."""
        recipes = {}
        for name, graph in self.graphs.items():
            marked = graph.deviations + _transductive(graph) + _fitted(graph)
            recipes[name] = {
                "title": graph.title,
                "tasks": graph.tasks,
                "floors": graph.floors(),
                "not_run": [{"node": node, "reason": reason} for node, reason in sorted(graph.not_run.items())],
                "deviations": self._stand_ins(graph) + sorted(marked, key=lambda row: (row["node"], row["key"])),
                "readings": graph.readings,
            }
        return canonical(
            {
                "study": self.name,
                "title": self.title,
                "scale": self.scale_name,
                "mode": self.mode,
                "posts": self.data,
                "made_up": bool(self.made),
                "recipes": recipes,
            }
        )

    def _stand_ins(self, graph):
        """Deviations that concern whole bases and tasks: another model at this scale, another corpus in this study."""
        found = []
        roots = {graph.root(name)[0] for name, (verb, _) in graph.raw.items() if verb in ("pretrain", "finetune")}
        for base in sorted(roots):
            if self.model_of(base) != base:
                found.append({"node": "", "key": base, "paper": base, "used": self.model_of(base)})
        why = f"scale {self.scale_name}"
        found = [{**row, "why": why} for row in found]
        for alias, task in sorted(self.bind.get(graph.recipe, {}).items()):
            found.append({"node": "", "key": alias, "paper": graph.paper_tasks[alias], "used": task, "why": "study"})
        return found


def _transductive(graph):
    """A row for each node whose result hangs on the texts of a test set."""
    why = "has read the texts of a test set, or stands on a node that has"
    names = {node.name for node in graph.nodes.values() if node.transductive}
    return [{"node": name, "key": "transductive", "paper": None, "used": True, "why": why} for name in names]


def _fitted(graph):
    """A row for each node and split whose gold labels it, or a node that it stands on, was fitted or chosen on.

    The report marks the node's scores on that split by these rows.
    """
    why = "was fitted or chosen on its gold labels, or stands on a node that was: its score there is no test"
    found = sorted({(node.name, split) for node in graph.nodes.values() for split in node.fitted})
    return [{"node": name, "key": "fitted on", "paper": None, "used": split, "why": why} for name, split in found]


def canonical(value):
    """One JSON string per value, whatever the order of its keys, and whether a whole number is written 8 or 8.0."""
    return json.dumps(_whole(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _whole(value):
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
