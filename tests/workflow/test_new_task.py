"""`make task`: from a file of posts to a study that runs, by the commands that README.md shows."""

import random
import shlex

import pandas as pd
import pytest
import yaml
from documents import commands_of
from tree import ROOT, copy_of_tree, make, snakemake

WORDS = {"against": "costly useless harmful", "favor": "helpful wise needed", "neutral": "some day"}
EXPORT = 'export PATH="$PWD/.venv/bin:$PATH"'


def shown():
    """The commands of README.md from `make task` on."""
    commands = commands_of((ROOT / "README.md").read_text(encoding="utf-8"))
    start = next(i for i, command in enumerate(commands) if command.startswith("make task"))
    return [command for command in commands[start : start + 5] if "stance" in command]


def write_posts(path, count=150, **columns):
    rng, stances = random.Random(1), list(WORDS)
    table = pd.DataFrame({"stance": [stances[number % 3] for number in range(count)]})
    table["body"] = [
        f"measure {number} is {rng.choice(WORDS[stance].split())} and {rng.random():.3f}"
        for number, stance in enumerate(table["stance"])
    ]
    table.assign(**columns).to_csv(path, index=False)


@pytest.fixture(scope="module")
def clean_tree(tmp_path_factory):
    return copy_of_tree(tmp_path_factory.mktemp("task"))


@pytest.fixture
def tree(clean_tree):
    """The tree, from which what a test has written is taken out again."""
    yield clean_tree
    for path in clean_tree.glob("config/*/stance.yaml"):
        path.unlink()


def test_a_file_becomes_a_study_that_is_planned(tree):
    write_posts(tree / "posts.csv")
    command, planned, *_ = shown()
    assert command == "make task FROM=posts.csv NAME=stance"
    done = make(tree, *shlex.split(command)[1:])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "posts.csv: 150 rows; columns text: body, label: stance" in done.stdout
    assert "  train: 105 posts (against 35, favor 35, neutral 35)" in done.stdout
    for shown_command in shown()[1:]:
        assert f"  {shown_command}" in done.stdout.splitlines()
    said = done.stdout + done.stderr + (tree / "config/tasks/stance.yaml").read_text()
    assert "measure 1 " not in said
    done = snakemake(tree, *shlex.split(planned)[1:])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\ncalibrate  fair " in done.stdout and "\nclean      stance " in done.stdout
    done = make(tree, "task", "FROM=posts.csv", "NAME=stance")
    assert done.returncode != 0 and "stance.yaml is there already and stays as it is" in done.stderr


def test_a_loss_that_is_seen_is_allowed(tree):
    stances = [None if number % 4 == 0 else list(WORDS)[number % 3] for number in range(150)]
    write_posts(tree / "posts.csv", stance=stances)
    done = make(tree, "task", "FROM=posts.csv", "NAME=stance")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "  38 of 150 rows of the file are rejected: no label" in done.stdout
    assert yaml.safe_load((tree / "config/tasks/stance.yaml").read_text())["allow_loss"] == 0.26


@pytest.mark.parametrize(
    "words, told",
    [
        (["FROM=posts.csv"], "say make task FROM=posts.csv NAME=stance"),
        (["FROM=posts.csv", "NAME=Stance"], "NAME=Stance: a name consists of lower-case letters"),
        (["FROM=none.csv", "NAME=stance"], "none.csv: there is no such file or folder"),
        (["FROM=posts.csv", "NAME=stance", "LABEL=body"], "column body does not look like one of"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_writes_nothing(tree, words, told):
    write_posts(tree / "posts.csv")
    done = make(tree, "task", *words)
    assert done.returncode != 0 and told in done.stderr and "Traceback" not in done.stderr
    assert not list(tree.glob("config/*/stance.yaml"))


def test_a_path_may_hold_blanks_and_quotes(tree):
    (tree / "my 'posts'").mkdir(exist_ok=True)
    write_posts(tree / "my 'posts'/all of them.csv")
    done = make(tree, "task", "FROM=my 'posts'/all of them.csv", "NAME=stance")
    assert done.returncode == 0, done.stdout + done.stderr
    done = snakemake(tree, "-n", "--config", "study=stance")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_commands_of_the_readme_lead_to_scores(tree):
    """At most five from the file to the first score, with the models of a laptop."""
    write_posts(tree / "posts.csv")
    commands = shown()
    assert len(commands) < 5  # and one sets the path
    assert make(tree, *shlex.split(commands[0])[1:]).returncode == 0
    first = next(command for command in commands[1:] if " -n" not in command)
    done = snakemake(tree, *shlex.split(first)[1:])
    assert done.returncode == 0, done.stdout + done.stderr
    scores = pd.read_csv(tree / "results/stance/scores.csv")
    assert {"floor", "plain@seed=1", "weighted@seed=1", "jury", "fair"} <= {*scores["predictor"]}
    floor = scores.query(
        "predictor == 'floor' and dataset == 'posts/test' and metric == 'macro_f1'"
    )
    assert floor["value"].item() > 0.9
