"""A study read from its files: recipes, scale, bases and tasks, and the spec of every job.

A spec is all that decides a job's result beside its inputs and its code, as one sorted JSON string.
Nothing heavy is imported: Snakemake reads this at every start.
"""

import glob
import json
import os
from pathlib import Path

from postgrad.configuration import Fault, as_list, lookup, read_yaml, validate
from postgrad.recipe import OPTIONS, Graph

# What a task file says to people and to models; the other keys decide how its files are read.
_NOT_READING = ("prompt", "metric", "positive", "title", "source")


class Study:
    """What a person runs: config/studies/<name>.yaml, with the recipes, scale, bases and tasks that it names.

    config: Snakemake's config; `study` names the file, and data, seeds, mode and recipes overlay it.
    Raises Fault with file, key and remedy.
    """

    def __init__(self, config, root="config"):
        validate(dict(config), "config", "config/config.yaml")
        self.root, self.name = Path(root), config["study"]
        self.where = f"config/studies/{self.name}.yaml"
        raw = self._file("studies", self.name, "study")
        raw.update({key: value for key, value in config.items() if key != "study"})
        self.title, self.scale_name, self.mode = raw["title"], raw["scale"], raw.get("mode", "recommended")
        self.seeds, self.bind, self.made = raw.get("seeds", 3), raw.get("bind", {}), raw.get("made")
        if self.made is None and "data" not in raw:
            raise Fault(
                f"{self.where}: this study needs posts: add `--config data=FOLDER`, the folder that holds them."
            )
        self.data = f"work/{self.name}/posts" if self.made else raw["data"].rstrip("/")
        self.bases = read_yaml(self.root / "bases.yaml")
        validate(self.bases, "bases", "config/bases.yaml")
        self.scale = self._file("scales", self.scale_name, "scale")
        for base, body in self.scale["bases"].items():
            where = f"config/scales/{self.scale_name}.yaml: bases"
            lookup(self.bases, base, where, "base")
            if body.get("model") is not None:
                lookup(self.bases, body["model"], f"{where}.{base}.model", "base")
        self._tasks = {}
        self.graphs = {}
        for recipe in raw["recipes"]:
            self.graphs[recipe] = Graph(self, recipe, self._file("recipes", recipe, "recipe"))

    def _file(self, folder, name, schema):
        content = read_yaml(self.root / folder / f"{name}.yaml")
        validate(content, schema, f"config/{folder}/{name}.yaml")
        return content

    def task(self, name):
        """The task file of that name, read once."""
        if name not in self._tasks:
            self._tasks[name] = self._file("tasks", name, "task")
        return self._tasks[name]

    def tasks(self):
        """The tasks that the recipes of this study read, each once."""
        return list(dict.fromkeys(task for graph in self.graphs.values() for task in graph.tasks.values()))

    def model_of(self, base):
        """The model in a base's place at this scale: None where there is none, itself where the scale is silent."""
        return self.scale["bases"].get(base, {}).get("model", base)

    def raw_files(self, task):
        """The raw files of a task, under the study's folder of posts; optional gold files only where they are."""
        files = []
        for body in [*self.task(task)["splits"].values(), self.task(task).get("divide", {})]:
            named = as_list(body.get("files", body.get("file", body.get("from", []))))
            for pattern in named:
                path = f"{self.data}/{pattern}"
                files += sorted(glob.glob(path)) or [path] if glob.has_magic(pattern) else [path]
            gold = body.get("gold")
            if gold and (self.made or os.path.exists(f"{self.data}/{gold}")):
                files.append(f"{self.data}/{gold}")
        return list(dict.fromkeys(files))

    def made_files(self):
        """The raw files that the verb demo makes; none where the posts are real."""
        return [file for task in self.tasks() for file in self.raw_files(task)] if self.made else []

    # -- specs ------------------------------------------------------------------------------------

    def demo_spec(self):
        return canonical(self.made)

    def clean_spec(self, task):
        body = {key: value for key, value in self.task(task).items() if key not in _NOT_READING}
        body["labels"] = [{key: label[key] for key in ("name", "value") if key in label} for label in body["labels"]]
        return canonical({"task": task, "source": self.task(task).get("source"), **body})

    def audit_spec(self, task):
        return canonical({"task": task})

    def base_spec(self, model):
        return canonical({"model": model, **self.bases[model]})

    def node_spec(self, recipe, id):
        """The spec of a dataset, a model or a vote."""
        graph = self.graphs[recipe]
        node = graph.nodes[id]
        spec = {"node": node.id, **node.options}
        if node.kind:
            spec["kind"] = node.kind
        if node.verb == "finetune":
            spec.update(self._reading(graph, node))
        if node.verb == "label":
            spec["teachers"] = node.members
            spec["classes"] = [label["name"] for label in self.task(graph.tasks[node.task])["labels"]]
        return canonical(spec)

    def predict_spec(self, recipe, id, dataset):
        """The spec of a model's predictions of one dataset."""
        graph = self.graphs[recipe]
        node = graph.nodes[id]
        root, _ = graph.root(node.name)
        scale = self.scale["bases"].get(root, {}).get("predict", {})
        options = {**graph.defaults.get("predict", {}), **node.options, **scale}
        spec = {key: options[key] for key in OPTIONS["predict", node.kind] if key in options}
        if dataset.endswith("/unlabeled"):
            spec["pool"] = options.get("pool")
        return canonical({"node": node.id, "kind": node.kind, "dataset": dataset, **spec, **self._reading(graph, node)})

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
            name = graph.tasks[node.task]
            task = self.task(name)
            labels = [label["name"] for label in task["labels"]]
            pairs.append(
                {
                    "predictor": node.id,
                    "node": node.name,
                    "dataset": dataset,
                    "task": name,
                    "labels": labels,
                    "positive": [labels.index(label) for label in task.get("positive", [])],
                    "metric": task["metric"],
                }
            )
        return canonical({"recipe": recipe, "pairs": pairs})

    def compare_spec(self, recipe):
        return canonical({"recipe": recipe, "chains": self.graphs[recipe].compare})

    def report_spec(self):
        """What the report says beside the figures: titles, floors, what was not run, deviations and readings."""
        recipes = {}
        for name, graph in self.graphs.items():
            recipes[name] = {
                "title": graph.title,
                "tasks": graph.tasks,
                "floors": graph.floors(),
                "not_run": [{"node": node, "reason": reason} for node, reason in graph.not_run.items()],
                "deviations": self._stand_ins(graph) + graph.deviations,
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
        for alias, task in self.bind.get(graph.recipe, {}).items():
            found.append({"node": "", "key": alias, "paper": graph.paper_tasks[alias], "used": task, "why": "study"})
        return found


def canonical(value):
    """One JSON string per value, whatever the order of its keys."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
