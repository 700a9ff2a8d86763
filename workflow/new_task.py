"""Look at a file of posts, and write a task file and a study that run: see `make task`."""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from shutil import copytree

import pyarrow.parquet as pq

from postgrad.config.errors import ConfigError
from postgrad.runtime.cli import run
from postgrad.study import new_tasks
from postgrad.study.specs import clean_spec
from postgrad.study.study import Study

SCRIPTS = Path(__file__).parent / "scripts"
CONFIG = Path("config")
TRIED = ("train", "dev", "test")


def main(argv: Sequence[str] | None = None) -> None:
    """Write config/tasks/<name>.yaml and config/studies/<name>.yaml."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="given", required=True, help="a file, or a folder")
    parser.add_argument("--name", required=True, help="the name of the task and of the study")
    parser.add_argument("--data", help="the folder of the raw posts")
    parser.add_argument("--text", help="the column of the texts")
    parser.add_argument("--label", help="the column of the labels")
    parser.add_argument("--recipe", required=True, help="the recipe that the study runs")
    parser.add_argument("--scale", required=True, help="the scale of the study")
    args = parser.parse_args(argv)
    if not args.given or not args.name:
        raise ValueError("say make task FROM=posts.csv NAME=stance, with a file and a name.")

    new_tasks.check_names(args.name, CONFIG)
    corpus = new_tasks.find_corpus(args.given, args.data or None)
    draft = new_tasks.draft_task(corpus, args.name, args.text or None, args.label or None)
    aliases = new_tasks.recipe_tasks(args.recipe, CONFIG)
    study = new_tasks.study_text(args.name, corpus, args.recipe, aliases, args.scale)
    fates, posts = clean_on_trial(args.name, new_tasks.task_text(draft), study)
    new_tasks.check_posts(posts, args.given)
    loss, reason = new_tasks.loss_to_allow(fates)
    task = new_tasks.task_text(draft, loss, reason)

    print("\n".join(new_tasks.summary_lines(draft, posts)))
    if reason:
        print(f"  {reason}")
    for path, text in zip(new_tasks.target_files(args.name, CONFIG), (task, study), strict=True):
        path.write_text(text, encoding="utf-8")
        print(f"written: {path}")
    print("next:")
    for command in new_tasks.next_commands(args.name):
        print(f"  {command}")


def clean_on_trial(
    name: str, task: str, study: str
) -> tuple[list[tuple[str, str, str | None]], dict[str, dict[str, int]]]:
    """Clean the posts by a task file that is not written yet, whatever share of them is lost.

    Parameters
    ----------
    name
        The name of the task and of the study.
    task, study
        Their files.

    Returns
    -------
    fates
        The split, the fate and the reason of each raw row.
    posts
        For each split, the number of posts of each class.

    Raises
    ------
    ValueError
        If the verb clean refuses the posts.
    """
    with tempfile.TemporaryDirectory() as folder:
        config = Path(copytree(CONFIG, f"{folder}/config"))
        for path, text in zip(new_tasks.target_files(name, config), (task, study), strict=True):
            path.write_text(text, encoding="utf-8")
        try:
            described = Study({"study": name}, root=config)
        except ConfigError as fault:  # its places are in the temporary folder
            raise ValueError(str(fault).replace(f"{folder}/", "")) from None
        body = described.task(name)
        labels = [label["name"] for label in body["labels"]]
        body["allow_loss"] = 1
        spec = clean_spec(described, name)
        words = ["--spec", spec, "--data", described.data, "--out", f"{folder}/posts"]
        done = subprocess.run(
            [sys.executable, str(SCRIPTS / "clean.py"), *words],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            told = done.stderr.strip().splitlines()
            raise ValueError(told[-1] if told else "the posts cannot be cleaned")
        ledger = pq.read_table(f"{folder}/posts/ledger.parquet")
        fates = list(zip(*(ledger[key].to_pylist() for key in ("split", "fate", "reason"))))
        codes = {
            split: pq.read_table(f"{folder}/posts/{split}.parquet")["label"].to_pylist()
            for split in TRIED
        }
    posts = {
        split: {label: found.count(code) for code, label in enumerate(labels)}
        for split, found in codes.items()
    }
    return fates, posts


if __name__ == "__main__":
    run(main)
