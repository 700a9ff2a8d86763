"""Write docs/catalogue.md: the tasks, bases and recipes that config/ contains.

make reference
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from write_reference import NOTHING, table

from postgrad.config.task_files import complete_task
from postgrad.config.yaml_files import as_list, read_yaml
from postgrad.records.names import HELD_OUT, SPLITS
from postgrad.study.study import Study

TARGET = Path(__file__).parent / "catalogue.md"
CONFIG = Path(__file__).parents[1] / "config"
HEAD = """\
# Catalogue

The tasks, bases and recipes in the folder `config`. `make reference` makes this page from the files
there, and a test fails if the page is not current.

- [Tasks](#tasks)
- [Bases](#bases)
- [Recipes](#recipes)
"""
TASKS = """\
## Tasks

Each task is a file `config/tasks/<task>.yaml`. Its splits are named there with the files of posts
that it reads. `unlabeled` is a pool without labels, and `cross` holds posts of another platform.
Positive classes, of which F1 and thresholds are, are in bold.
"""
BASES = """\
## Bases

`config/bases.yaml` names the bases, and each file of `config/scales` says which model stands for a
base at that scale. A dash means that no model stands for it: nodes that need the base are not run,
and neither is any node that needs one of these, such as a vote. A blank means that the scale does
not name the base: add it there before a recipe uses it. If one model stands for two bases, nodes
with the same seed and the same options are the same model.
"""
RECIPES = """\
## Recipes

Each recipe is a file `config/recipes/<recipe>.yaml`. The splits are those that its nodes learn from
or are fitted on; a task that a study puts in the place of another one must have them. The labels
are those that nodes name: with a task that has other labels, these nodes are not run.
"""
SOURCES = ("hub", "folder", "package", "url")


def page() -> str:
    """Return the text of docs/catalogue.md."""
    tasks = table(("task", "what is asked", "platform", "metric", "classes", "splits"), task_rows())
    scales = sorted(path.stem for path in (CONFIG / "scales").glob("*.yaml"))
    heads = ("base", "kind", "source", *(f"at `{scale}`" for scale in scales))
    bases = table(heads, base_rows(scales))
    recipes = table(("recipe", "title", "tasks and their splits", "labels"), recipe_rows())
    return "\n".join([HEAD, TASKS, tasks, BASES, bases, RECIPES, recipes])


def task_rows() -> Iterator[tuple[str, ...]]:
    """Yield the row of each task."""
    for path in sorted((CONFIG / "tasks").glob("*.yaml")):
        task = complete_task(read_yaml(path), path.stem)
        positive = task.get("positive", [])
        classes = ", ".join(
            f"**{label['name']}**" if label["name"] in positive else label["name"]
            for label in task["labels"]
        )
        splits = ", ".join(split for split in SPLITS if split in task["splits"])
        title = task["title"]
        yield f"`{path.stem}`", title, task["platform"], f"`{task['metric']}`", classes, splits


def base_rows(scales: list[str]) -> Iterator[tuple[str, ...]]:
    """Yield the row of each base, with the model that stands for it at each scale."""
    at = {scale: read_yaml(CONFIG / f"scales/{scale}.yaml")["bases"] for scale in scales}
    for base, body in read_yaml(CONFIG / "bases.yaml").items():
        source = next((f"{key}: {body[key]}" for key in SOURCES if key in body), "made here")
        own = source if body["kind"] in ("encoder", "causal", "endpoint") else NOTHING
        models = (stand_in(base, at[scale]) for scale in scales)
        yield f"`{base}`", body["kind"], own, *models


def stand_in(base: str, bases: dict[str, Any]) -> str:
    """Return the model that stands for a base, a dash if none does, or nothing if it is absent."""
    if base not in bases:
        return ""
    model = bases[base].get("model", base)
    return NOTHING if model is None else "itself" if model == base else f"`{model}`"


def recipe_rows() -> Iterator[tuple[str, ...]]:
    """Yield the row of each recipe, as it is at the paper's size."""
    for path in sorted((CONFIG / "recipes").glob("*.yaml")):
        recipe = path.stem
        study = Study({"study": "a800", "recipes": [recipe], "check_data": False}, CONFIG)
        graph = study.graphs[recipe]
        splits: dict[str, set[str]] = {alias: set() for alias in graph.tasks}
        labels = {
            label
            for verb, body in graph.raw.values()
            for part in (body, graph.defaults.get(verb, {}))
            for key in graph.verbs.nodes[verb].labels
            for label in as_list(part.get(key, []))
        }
        for node in graph.nodes.values():
            for source in [*node.sources, node.fit, node.target]:
                if isinstance(source, str) and "/" in source:
                    alias, _, split = source.partition("/")
                    splits[alias].add(split)
        names = {label for alias in graph.tasks for label in label_names(study, graph.tasks[alias])}
        order = [*SPLITS, HELD_OUT]
        tasks = "; ".join(
            f"`{alias}` (`{graph.tasks[alias]}`): {', '.join(sorted(found, key=order.index))}"
            for alias, found in splits.items()
        )
        named = ", ".join(f"`{label}`" for label in sorted(labels & names)) or NOTHING
        yield f"`{recipe}`", graph.title, tasks, named


def label_names(study: Study, task: str) -> list[str]:
    """Return the names of the labels of a task."""
    return [label["name"] for label in study.task(task)["labels"]]


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
