"""The commands and files that the documents show: each `snakemake` command is planned by a dry run.

The files that a document tells the reader to write are written first, and so are those that
`make task` writes. Other targets of `make` are checked by tests/unit/test_documents.py.
docs/sixth-recipe.md and docs/adding-a-verb.md have tests of their own.
"""

import re
import shlex

import pandas as pd
import pytest
import yaml
from documents import commands_of
from tree import ROOT, copy_of_tree, make, snakemake

HAVE_TESTS = {"sixth-recipe", "adding-a-verb"}
DOCUMENTS = [
    path
    for path in [
        ROOT / "README.md",
        ROOT / "config/README.md",
        *sorted((ROOT / "docs").glob("*.md")),
    ]
    if path.stem not in HAVE_TESTS
]
# Commands of a shell that no test runs: they need a network, an editor or the reader's shell.
NOT_RUN = {
    "git clone ADDRESS postgrad",
    "cd postgrad",
    'export PATH="$PWD/.venv/bin:$PATH"',
    "$EDITOR slurm/site.yaml",
}
# tests/cluster submits jobs with this profile; here its configuration is planned without SLURM.
PROFILE, CONFIGURATION = ["--profile", "slurm"], ["--configfile", "slurm/site.yaml"]


def files_of(text):
    """{path: content} of the files that a document tells the reader to write, and to add to."""
    return tuple(
        dict(re.findall(rf"^{words} `([^`]+)`.*?:\n\n```yaml\n(.*?)^```", text, re.S | re.M))
        for words in ("Write this as", "Add these lines to")
    )


def planned(command):
    """The words after `snakemake` of a dry run of a command, without the raw posts."""
    words = [word for word in shlex.split(command)[1:] if word != "-n"]
    if words[: len(PROFILE)] == PROFILE:
        words = [*CONFIGURATION, *words[len(PROFILE) :]]
    if "check_data=false" not in words:
        words += ["check_data=false"] if "--config" in words else ["--config", "check_data=false"]
    return ["-n", *words]


# Each dry run once: several commands differ only in -n, which a dry run has anyway.
DRY_RUNS = {
    shlex.join(planned(command)): planned(command)
    for document in DOCUMENTS
    for command in commands_of(document.read_text(encoding="utf-8"))
    if command.startswith("snakemake ")
}
# Each command that writes a task file, once.
TASKS = sorted(
    {
        command
        for document in DOCUMENTS
        for command in commands_of(document.read_text(encoding="utf-8"))
        if command.startswith("make task ")
    }
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the tree with the files that the documents tell the reader to write."""
    folder = copy_of_tree(tmp_path_factory.mktemp("documents"))
    for document in DOCUMENTS:
        new, more = files_of(document.read_text(encoding="utf-8"))
        for name, content in new.items():
            assert not (folder / name).exists(), name
            (folder / name).write_text(content, encoding="utf-8")
        for name, content in more.items():
            with (folder / name).open("a", encoding="utf-8") as file:
                file.write(content)
    rows = [f"what I think of measure {number},{number % 3}" for number in range(60)]
    (folder / "posts.csv").write_text("\n".join(["text,stance", *rows, ""]), encoding="utf-8")
    for command in TASKS:
        done = make(folder, *shlex.split(command)[1:])
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_commands_are_found():
    assert len(DRY_RUNS) > 9 and TASKS == ["make task FROM=posts.csv NAME=stance"]
    assert commands_of("a\n```sh\nx y   # z\nv && w\n```\n```text\nu\n```\n") == ["x y", "v", "w"]
    assert planned("snakemake --profile slurm -n --config data=F") == [
        "-n", "--configfile", "slurm/site.yaml", "--config", "data=F", "check_data=false",
    ]  # fmt: skip


def test_every_command_is_tested_or_named_as_not_run():
    other = {
        command
        for document in DOCUMENTS
        for command in commands_of(document.read_text(encoding="utf-8"))
        if not command.startswith(("snakemake ", "make "))
    }
    assert other == NOT_RUN


@pytest.mark.parametrize("words", DRY_RUNS.values(), ids=DRY_RUNS)
def test_a_dry_run_of_the_command_succeeds(tree, words):
    done = snakemake(tree, *words)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_table_of_a_dry_run_is_the_one_that_is_shown(tree):
    text = (ROOT / "docs/reruns.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"^```text\n(.*?)^```", text, re.S | re.M)
    lines = snakemake(tree, "-n").stdout.splitlines()
    assert [line for line in table.splitlines() if line not in lines] == []


def test_the_files_that_the_reader_writes_are_those_of_the_documents(tree):
    study = yaml.safe_load((tree / "config/studies/mine.yaml").read_text(encoding="utf-8"))
    assert study["bind"] == {"uccnlp": {"violence": "my-posts"}}
    done = snakemake(tree, "-n", "--config", "study=mine", "check_data=false")
    assert "my-posts" in done.stdout


def test_the_corpus_of_the_example_is_read(tree, tmp_path):
    """docs/own-posts.md: three CSV files, checked by a dry run and cleaned."""
    (tmp_path / "my-posts").mkdir()
    for split in ("train", "dev", "test"):
        rows = [
            f"{split}{number},an odd post of {split} {number},{('no', 'yes')[number % 2]}"
            for number in range(6)
        ]
        text = "\n".join(["id,text,label", *rows, ""])
        (tmp_path / f"my-posts/{split}.csv").write_text(text, encoding="utf-8")
    config = ("--config", "study=mine", f"data={tmp_path}")
    done = snakemake(tree, "-n", *config)
    assert done.returncode == 0, done.stdout + done.stderr
    ledger = "results/mine/clean/my-posts/ledger.parquet"
    done = snakemake(tree, *config, "--", ledger)
    assert done.returncode == 0, done.stdout + done.stderr
    assert pd.read_parquet(tree / ledger)["fate"].tolist() == ["kept"] * 18
    dev = tmp_path / "my-posts/dev.csv"
    sound = dev.read_text(encoding="utf-8")
    dev.write_text(sound.replace(",yes\n", ",maybe\n"), encoding="utf-8")
    done = snakemake(tree, "-n", *config)
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert f"splits.dev.file: {dev}: column label holds maybe, which is no label" in done.stderr
    dev.unlink()
    done = snakemake(tree, "-n", *config)
    assert done.returncode != 0 and "Ask the person who collected the tweets." in done.stderr
