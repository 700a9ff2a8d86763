"""Columns and labels of raw files are told before anything runs, and each file is read once."""

import json
import os
import subprocess
import sys

import pytest
from study_files import RAIN, write_config
from tree import ROOT

from postgrad.config.errors import ConfigError
from postgrad.corpus import raw_checks
from postgrad.study.study import Study

HEADER = "text,label\n"


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """The small study with raw files that all fit; the folder is the current one."""
    write_config(tmp_path / "config")
    (tmp_path / "posts/rain").mkdir(parents=True)
    for split in RAIN:
        (tmp_path / f"posts/rain/{split}.csv").write_text(HEADER + "it rains,1\nit snows,0\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def task(tree, **changes):
    """Change the file of a split of the task."""

    def change(content):
        for split, values in changes.items():
            content["splits"].setdefault(split, {}).update(values)

    write_config(tree / "config", task=change)


def read(reads_posts=True, **config):
    return Study({"study": "test", **config}, reads_posts=reads_posts)


def sentences(**config):
    with pytest.raises(ConfigError) as caught:
        read(**config)
    return list(caught.value.sentences)


def counted(monkeypatch):
    """The paths that are read from now on."""
    paths, find = [], raw_checks.find_misfits

    def note(path, *rest):
        paths.append(path.name)
        return find(path, *rest)

    monkeypatch.setattr(raw_checks, "find_misfits", note)
    return paths


def test_columns_and_labels_are_told_with_task_split_and_file(tree):
    (tree / "posts/rain/dev.csv").write_text("words,label\nit rains,1\n")
    (tree / "posts/rain/train.csv").write_text(HEADER + "it rains,wet\nit snows,0\n")
    assert sentences() == [
        "config/tasks/rain.yaml: splits.train.file: posts/rain/train.csv: column label holds wet, "
        "which is no label of the task; list it under labels with the value of the file, or "
        "correct the file.",
        "config/tasks/rain.yaml: splits.dev.file: posts/rain/dev.csv, line 1: no column text; "
        "the file has words, label; name the right one under `columns` in config/tasks/rain.yaml.",
    ]


def test_files_are_not_looked_at_where_posts_are_not_checked_and_by_no_job(tree):
    (tree / "posts/rain/dev.csv").write_text("words\n")
    assert read(check_data=False) and read(reads_posts=False)
    assert not (tree / "work").exists()


def test_another_mistake_is_told_before_any_file_is_read(tree, monkeypatch):
    paths = counted(monkeypatch)
    assert len(sentences(seeds=0)) == 1
    assert paths == [] and not (tree / "work").exists()


def test_a_file_is_read_once_until_it_or_its_description_changes(tree, monkeypatch):
    paths = counted(monkeypatch)
    files = [f"{split}.csv" for split in RAIN]
    read()
    assert sorted(paths) == sorted(files)
    read()
    assert len(paths) == 3
    dev = tree / "posts/rain/dev.csv"
    dev.write_text(HEADER + "it rains,1\nit snows,7\n")
    assert len(sentences()) == len(sentences()) == 1
    assert paths[3:] == ["dev.csv"]
    times = dev.stat()
    dev.write_text(HEADER + "it rains,1\nit snows,1\n")  # of the same size
    os.utime(dev, ns=(times.st_atime_ns, times.st_mtime_ns + 1))
    read()
    assert paths[4:] == ["dev.csv"]
    task(tree, dev={"columns": {"text": ["words", "text"], "label": "label"}})
    read()
    assert paths[5:] == ["dev.csv"]


def test_the_cache_holds_no_post_and_a_damaged_one_is_made_again(tree, monkeypatch):
    read()
    cache = tree / "work/test/raw_files.json"
    assert "rains" not in cache.read_text()
    cache.write_text("{")
    paths = counted(monkeypatch)
    read()
    assert len(paths) == 3 and json.loads(cache.read_text())


def test_a_gold_file_gives_the_labels_of_its_split(tree):
    columns = {"id": "id", "text": "text", "label": "label"}
    test = {"file": "rain/test.csv", "gold": "rain/gold.csv", "columns": columns}
    task(tree, test=test)
    (tree / "posts/rain/test.csv").write_text("id,text\n1,it rains\n")
    assert read()  # without the gold file there is nothing to check
    (tree / "posts/rain/gold.csv").write_text("id,label\n1,5\n")
    (sentence,) = sentences()
    assert sentence.startswith("config/tasks/rain.yaml: splits.test.gold: posts/rain/gold.csv: ")
    (tree / "posts/rain/gold.csv").write_text("nr,label\n1,1\n")
    (sentence,) = sentences()
    assert "posts/rain/gold.csv, line 1: no column id; the file has nr, label" in sentence


def test_a_value_among_others_and_several_files_of_a_pool(tree):
    among = {"text": "text", "label": {"column": "topics", "among": "wet"}}
    task(tree, train={"columns": among})
    (tree / "posts/rain/train.csv").write_text("text,topics\nit rains,wet cold\n")
    assert read()
    (tree / "posts/rain/train.csv").write_text(HEADER + "it rains,1\n")
    assert ["no column topics" in sentence for sentence in sentences()] == [True]


def test_a_file_of_lines_with_a_file_of_their_labels(tree, monkeypatch):
    def change(content):
        content["splits"]["dev"] = {"file": "rain/dev.txt", "labels_file": "rain/dev.labels.txt"}

    write_config(tree / "config", task=change)
    (tree / "posts/rain/dev.txt").write_text("it rains\nit snows\n")
    (tree / "posts/rain/dev.labels.txt").write_text("1\n0\n")
    assert read()
    paths = counted(monkeypatch)
    (tree / "posts/rain/dev.labels.txt").write_text("1\nmist\n")
    (sentence,) = sentences()
    assert "posts/rain/dev.txt: column label holds mist" in sentence and paths == ["dev.txt"]


def test_a_study_with_sound_files_imports_no_heavy_library(tree):
    code = (
        "import sys; from postgrad.study.study import Study; "
        "Study({'study': 'test'}, reads_posts=True); "
        "print([name for name in ('pandas', 'pyarrow', 'torch', 'numpy') if name in sys.modules], "
        "'postgrad.corpus.readers' in sys.modules)"
    )
    path = {"PYTHONPATH": str(ROOT / "workflow/scripts")}
    for told in ("[] True\n", "[] False\n"):  # the second time, nothing is read
        done = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **path}, capture_output=True, text=True
        )
        assert done.stdout == told, done.stderr
