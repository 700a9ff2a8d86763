"""Edits of a copy of the tree, each a function of its folder, for the tests of what reruns."""

import ast
import csv
import json
import os
import random
import re
import shutil
from pathlib import Path

import pyarrow as pa
import yaml
from jobs import Job, job_graph
from tree import copy_of_tree

from postgrad.study.study import Study

RECIPE = "recipes/ctyun.yaml"
POSTS = Path("work/demo/posts")


def yaml_edit(name, change):
    """An edit of a file of config/, `change` a function of its content."""

    def edit(tree):
        file = tree / "config" / name
        content = yaml.safe_load(file.read_text())
        change(content)
        file.write_text(yaml.safe_dump(content, sort_keys=False))

    return edit


def node_edit(section, node, **options):
    return yaml_edit(RECIPE, lambda recipe: recipe[section][node].update(options))


def text_edit(name, old, new):
    """An edit of one place of a file of workflow/scripts."""

    def edit(tree):
        file = tree / "workflow/scripts" / name
        text = file.read_text()
        assert text.count(old) == 1, f"{name} changed: choose another place to edit"
        file.write_text(text.replace(old, new))

    return edit


def both(*edits):
    return lambda tree: [edit(tree) for edit in edits]


def raised_version(tree):
    file = tree / "workflow/scripts/finetune.py"
    text, count = re.subn(
        r"^VERSION = (\d+)", lambda m: f"VERSION = {int(m[1]) + 1}", file.read_text(), flags=re.M
    )
    assert count == 1
    file.write_text(text)


def code_reworded(tree):
    """Another layout, other comments and other docstrings in every Python file, and a comment in
    every rule file.
    """
    for file in (tree / "workflow").rglob("*.smk"):
        file.write_text(file.read_text() + "\n\n# A new comment.\n")
    for file in (tree / "workflow").rglob("*.py"):
        code = ast.parse(file.read_text())
        for node in ast.walk(code):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
                node
            ):
                node.body[0].value.value = "Other words."
        file.write_text("# A new comment.\n\n\n" + ast.unparse(code) + "\n")


def reordered(value):
    """The same value with the keys of every mapping in the opposite order."""
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return [reordered(item) for item in value] if isinstance(value, list) else value


def keys_reordered(pattern, tree):
    files = list(tree.glob(pattern))
    assert files
    for file in files:
        file.write_text(
            yaml.safe_dump(reordered(yaml.safe_load(file.read_text())), sort_keys=False)
        )


def every_file(tree):
    return [path for path in tree.rglob("*") if path.is_file() and ".snakemake" not in path.parts]


def touched(tree):
    for path in every_file(tree):
        os.utime(path)


def times_shuffled(tree):
    """Every file gets another file's time, as a careless copy leaves them."""
    files = every_file(tree)
    times = [path.stat().st_mtime_ns for path in files]
    random.Random(1).shuffle(times)
    for path, time in zip(files, times, strict=True):
        os.utime(path, ns=(time, time))


def cloned_again(tree):
    """A new checkout of the sources under the results that are there."""
    for path in tree.iterdir():
        if path.name not in ("results", "work", ".snakemake"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    copy_of_tree(tree)


def unedited(tree):
    pass


def one_text_of_task_5(tree):
    file = tree / POSTS / "smm4h24-task5/train.tsv"
    with file.open(newline="") as lines:
        rows = list(csv.reader(lines, delimiter="\t"))
    rows[1][rows[0].index("text")] += " indeed"
    with file.open("w", newline="") as lines:
        csv.writer(lines, delimiter="\t").writerows(rows)


def one_post_in_the_pool(tree):
    file = tree / POSTS / "smm4h24-task6/unlabeled.jsonl.zst"
    with pa.input_stream(str(file), compression="zstd") as stream:
        text = stream.read()
    post = {
        "id": "added",
        "title": "Hello",
        "selftext": "I turned 41 in May and still sing in the rain.",
    }
    text += (json.dumps(post) + "\n").encode()
    file.write_bytes(pa.Codec("zstd").compress(text, asbytes=True))


def window_of_task_6(splits):
    splits["train"]["window"] = 10_000  # words; no post has as many


idle_cleaning_step = yaml_edit(
    "tasks/smm4h24-task6.yaml", lambda task: window_of_task_6(task["splits"])
)


def second_seed_of_ages_expert(recipe):
    recipe["defaults"]["finetune"]["each"]["seed"] = [1]
    recipe["models"]["ages-expert"]["each"] = {"seed": [1, 2]}


def disorders_on_dev_alone(recipe):
    recipe["score"]["disorders-floor"] = recipe["compare"]["disorders"]["sets"] = ["disorders/dev"]


def second_recipe(tree):
    finetune = yaml.safe_load((tree / "config" / RECIPE).read_text())["defaults"]["finetune"]
    small = {
        "title": "A second system",
        "tasks": {"ages": "smm4h24-task6"},
        "defaults": {"finetune": finetune},
        "models": {"plain": {"finetune": "qwen-72b-chat", "data": ["ages/train"]}},
        "score": {"plain": ["ages/dev"]},
    }
    (tree / "config/recipes/small.yaml").write_text(yaml.safe_dump(small))
    yaml_edit("studies/demo.yaml", lambda study: study["recipes"].append("small"))(tree)


voting = text_edit(
    "postgrad/predictors/voting.py",
    'RULES = ("majority", "soft")',
    'RULES = ("majority", "soft", "veto")',
)
metrics = text_edit(
    "postgrad/evaluation/metrics.py",
    "float(whole) if whole else 0.0",
    "float(whole) if whole else 0.5",
)
augmentation = text_edit("postgrad/augmentation/shuffling.py", "TRIES = 10", "TRIES = 11")
shuffling = text_edit(
    "postgrad/augmentation/shuffling.py",
    "key=lambda _: rng.random()",
    "key=lambda _: -rng.random()",
)
losses = text_edit(
    "postgrad/training/losses.py",
    "logits.float().transpose(1, 2)",
    "logits.double().transpose(1, 2)",
)
template = text_edit(
    "postgrad/report/report.not_run.j2", "Every node was run.", "All nodes were run."
)


def jobs_in(text, study):
    """The jobs of a text with one job a line, as `[recipe:] rule [node [file]]`.

    A node * stands for all jobs of the rule.
    """
    found = set()
    for line in filter(None, map(str.strip, text.splitlines())):
        recipe, _, rest = line.rpartition(":")
        rule, node, file, *_ = [*rest.split(), "", ""]
        if node == "*":
            found |= {job for job in job_graph(study) if job.rule == rule}
        else:
            alone = rule in ("clean", "audit", "report")
            found.add(Job(rule, "" if alone else recipe or "ctyun", node, file))
    return found


def study_in(tree):
    return Study({"study": "demo"}, root=tree / "config")
