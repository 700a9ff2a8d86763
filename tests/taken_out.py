"""Take a verb out of a copy of the tree."""

import re
import subprocess
import sys

import yaml
from tree import snakemake

from postgrad.config.yaml_files import as_list

# Files of a verb beside those that bear its name.
OWN = {
    "review": (
        "config/prompts/review-*.yaml",
        "workflow/scripts/postgrad/llm/reviewing.py",
        "workflow/scripts/postgrad/report/reviews.py",
    ),
    "diversity": (
        "workflow/scripts/postgrad/augmentation/diversity.py",
        "workflow/scripts/postgrad/report/diversity_map.py",
        "tests/unit/augmentation/test_diversity.py",
    ),
}
NAMED = ("workflow/scripts/{}.py", "workflow/scripts/postgrad/verbs/{}.py",
         "workflow/scripts/postgrad/report/report.{}.j2", "tests/cli/test_{}.py")  # fmt: skip
# What packages import for the verb alone, by their rows in the README's table.
IMPORTED = {
    "review": ("llm", ", `evaluation`, `predictors`", ""),
    "diversity": ("augmentation", "`records`", "nothing"),
}
SECTIONS = ("datasets", "models", "predictors")


def take_out(tree, verb):
    """Delete the record, schema, rule, script, modules and tests of a verb, and its uses in
    recipes.
    """
    for pattern in (*OWN[verb], *(name.format(verb) for name in NAMED)):
        files = list(tree.glob(pattern))
        assert files, pattern
        for file in files:
            file.unlink()
    schemas = tree / "workflow/schemas"
    cut = [
        *(
            cut_out(file, rf"^rule {verb}:\n(?:[ \n].*\n|\n)+")
            for file in (tree / "workflow/rules").glob("*.smk")
        ),
        cut_out(schemas / "verbs.yaml", rf"^{verb}:\n(?: .*\n?)+"),
        cut_out(schemas / "recipe.yaml", rf"^  {verb}:\n(?:    .*\n)+"),
    ]
    assert sum(cut) == 2, "one rule and one schema"
    for file in (tree / "config/recipes").glob("*.yaml"):
        cut_out(file, rf"^{verb}:.*\n(?: .*\n)*")
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        if without_verb(content, verb):
            text = yaml.safe_dump(content, sort_keys=False, width=80)
            file.write_text(text, encoding="utf-8")
    package, told, now = IMPORTED[verb]
    readme = tree / "README.md"
    rows = readme.read_text(encoding="utf-8").splitlines()
    rows = [row.replace(told, now) if row.startswith(f"| `{package}` |") else row for row in rows]
    readme.write_text("\n".join(rows) + "\n", encoding="utf-8")
    cut_out(tree / "tests/golden/sbatch-a800.txt", rf"^{verb}: .*\n")
    for place, *words in (
        ("workflow/scripts", "-m", "postgrad.study.fingerprints"),
        (".", "docs/draw_recipe.py"),
        (".", "docs/write_reference.py"),
        (".", "docs/write_catalogue.py"),
    ):
        environment = {"PYTHONPATH": str(tree / "workflow/scripts"), "PATH": ""}
        done = subprocess.run(
            [sys.executable, *words],
            cwd=tree / place,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    show_dry_run(tree)


def show_dry_run(tree):
    """Write the table of a dry run into docs/reruns.md."""
    done = snakemake(tree, "-n")
    assert done.returncode == 0, done.stdout + done.stderr
    table = done.stdout[done.stdout.index("verb ") :]
    page = tree / "docs/reruns.md"
    text, count = re.subn(
        r"(?<=^```text\n).*?(?=^```)", lambda _: table, page.read_text(encoding="utf-8"),
        flags=re.S | re.M,
    )  # fmt: skip
    assert count == 1
    page.write_text(text, encoding="utf-8")


def cut_out(file, pattern):
    """Cut a pattern out of a file, and return how often it occurred."""
    text, count = re.subn(pattern, "", file.read_text(encoding="utf-8"), flags=re.M)
    file.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    return count


def without_verb(recipe, verb):
    """Take a verb's nodes, and what names them, out of a recipe.

    Return whether there was anything to take out."""
    has_defaults = recipe.get("defaults", {}).pop(verb, None) is not None
    gone = {
        name
        for section in SECTIONS
        for name, body in recipe.get(section, {}).items()
        if verb in body
    }
    while more := {
        name
        for section in SECTIONS
        for name, body in recipe.get(section, {}).items()
        if name not in gone and any(gone & {*map(str, as_list(value))} for value in body.values())
    }:
        gone |= more
    for section in (*SECTIONS, "score"):
        for name in gone & recipe.get(section, {}).keys():
            del recipe[section][name]
    for name, body in list(recipe.get("compare", {}).items()):
        body["chain"] = [node for node in body["chain"] if node not in gone]
        controls = body.get("controls", {})
        if isinstance(controls, dict):
            kept = {node: step for node, step in controls.items() if not gone & {node, step}}
        else:
            kept = [node for node in controls if node not in gone]
        body["controls"] = kept
        if len(body["chain"]) < 2:
            del recipe["compare"][name]
    return bool(gone) or has_defaults
