"""What is wrong in the configuration is told at once, with its place and remedy, before the graph
is built.

The cases stand in broken.py. All run in this process, and once more as `snakemake -n`: one of each
class as the command that a person types, the others as forks of one process that has imported
Snakemake.
"""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import pytest
import yaml
from broken import CASES, FAULTS, MADE, MEAN, MEMBER, POOLED, RECIPE, STUDY, both, drop, put
from forked_snakemake import ForkedSnakemake
from study_files import RAIN, TASK, write_config
from tree import ROOT

from postgrad.config.errors import ConfigError, merge_alike_messages
from postgrad.study.study import Study


def broken(folder, case):
    """Write the small study and its raw files to `folder`, with one file changed.

    Return the folder `config`.
    """
    config = write_config(folder / "config")
    (config / "tasks" / f"{MADE}.yaml").write_text(yaml.safe_dump(TASK))
    (config / "config.yaml").write_text("study: test\n")
    for split in RAIN:
        (folder / "posts" / "rain").mkdir(parents=True, exist_ok=True)
        (folder / "posts" / "rain" / f"{split}.csv").write_text("text,label\nit rains,1\n")
    if case:
        file, change, *_ = case
        content = yaml.safe_load((config / file).read_text())
        changed = change(content)
        if not isinstance(changed, (str, bytes)):
            changed = yaml.safe_dump(content, sort_keys=False)
        (config / file).write_bytes(changed if isinstance(changed, bytes) else changed.encode())
    return config


def expected(case):
    """The pattern of the sentence: the file, the place in it, the finding and the remedy."""
    file, _, place, words = case
    places = "" if place == file else ".*" + re.escape(place)
    return f"config/{re.escape(file)}.*{words}" if place == file else f"{places}.*{words}"


@pytest.mark.parametrize("name", CASES)
def test_a_fault_names_its_place_and_remedy(tmp_path, monkeypatch, name):
    broken(tmp_path, CASES[name])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        Study(yaml.safe_load(Path("config/config.yaml").read_text()))
    assert re.search(expected(CASES[name]), str(caught.value)), str(caught.value)
    kind = name.partition(":")[0]
    if kind != "path":  # where posts are not there, every file of theirs is told
        assert len(merge_alike_messages(caught.value.sentences)) == 1, str(caught.value)
    assert all(
        re.match(r"config/[\w/.-]+\.yaml", sentence) for sentence in caught.value.sentences[:1]
    )


def test_the_unbroken_study_has_no_fault(tmp_path, monkeypatch):
    broken(tmp_path, None)
    monkeypatch.chdir(tmp_path)
    assert Study({"study": "test"}).graphs["small"].nodes


def test_all_faults_are_told_at_once(tmp_path, monkeypatch):
    """One in each file, and two in one node."""
    config = broken(tmp_path, None)
    monkeypatch.chdir(tmp_path)
    for name in (
        "type: a word for a number",
        "name: a positive class",
        "range: no seed",
        "range: an odd width",
    ):
        file, change, *_ = CASES[name]
        content = yaml.safe_load((config / file).read_text())
        change(content)
        (config / file).write_text(yaml.safe_dump(content))
    content = yaml.safe_load((config / RECIPE).read_text())
    content["models"]["plain"] |= {"lr": "1e-5", "data": ["rain/dev", "agred"]}
    content["models"]["two"]["finetune"] = "bigg"
    (config / RECIPE).write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError) as caught:
        Study({"study": "test"})
    places = [sentence.split(": ")[1] for sentence in caught.value.sentences]
    assert sorted(places) == sorted(
        [
            "seeds",
            "tiny.make.hidden",
            "bases.big.finetune.epochs",
            "positive",
            "models.plain.lr",
            "models.plain.data",
            "models.plain.data",
            "models.two.finetune",
        ]
    )


def test_what_hangs_on_a_broken_node_is_not_told_again(tmp_path, monkeypatch):
    broken(tmp_path, (RECIPE, put("models.reader.pretrain", "bigg"), None, None))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        Study({"study": "test"})
    assert len(caught.value.sentences) == 1  # expert, again, together and the chain stand on reader


def test_gold_posts_of_members_that_could_not_be_read_may_stand_in_folds(tmp_path, monkeypatch):
    changes = both(
        POOLED,
        MEMBER,
        MEAN,
        put("models.member.finetune", "bigg"),
        put("predictors.best", {"pick": ["mean"]}),
    )
    broken(tmp_path, (RECIPE, changes, None, None))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        Study({"study": "test"})
    remedy = (
        "pick needs gold posts; name the task's dev, or held-out where dev is in folds, under fit."
    )
    assert sorted(sentence.split(": ", 2)[2] for sentence in caught.value.sentences) == [
        remedy,
        "there is no base or model 'bigg'; did you mean 'big'?",
    ]


def test_faults_that_differ_in_the_node_alone_stand_once():
    file = "config/recipes/x.yaml"
    places = ["models.a.lr", "models.b.lr", "models.c.lr"]
    alike = [f"{file}: {place}: expected a number: 'y'." for place in places]
    named = [
        f"{file}: score.{node}: {node} learns from rain/dev in folds; fold train alone."
        for node in ("one", "all")
    ]
    quoted = [
        f"{file}: score.{node}: {node!r} is made by augment; name another."
        for node in ("one", "all")
    ]
    others = [
        "config/recipes/z.yaml: models.a.lr: expected a number: 'y'.",
        "config/bases.yaml: it is no YAML.",
    ]
    assert merge_alike_messages([alike[0], others[0], *alike[1:], others[1], *named, *quoted]) == [
        f"{file}: models.a.lr, models.b.lr, models.c.lr: expected a number: 'y'.",
        *others,
        f"{file}: score.one, score.all: "
        "each of them learns from rain/dev in folds; fold train alone.",
        f"{file}: score.one, score.all: each of them is made by augment; name another.",
    ]
    assert merge_alike_messages(named[:1]) == named[:1]
    differing = [
        f"{file}: score.{node}: {node} learns from {split}."
        for node, split in (("one", "a/dev"), ("all", "b/dev"))
    ]
    assert merge_alike_messages(differing) == differing
    paths = [
        f"config/tasks/x.yaml: splits.{split}.file: x/{split}.csv is not there."
        for split in ("dev", "test")
    ]
    assert merge_alike_messages(paths) == paths  # a name within a path is no node


def snakemake(folder, *arguments):
    """(exit code, output, CPU seconds) of Snakemake in a folder with a configuration."""
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "-n",
        "-s",
        *(arguments or [str(ROOT / "Snakefile")]),
    ]
    with open(folder / "output", "wb") as output:
        child = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, (folder / "output").read_text(), usage.ru_utime + usage.ru_stime


FIRST = [next(name for name in CASES if name.startswith(f"{kind}: ")) for kind in FAULTS]


def refused_wrongly(names, folder, call):
    """What is wrong with the refusals of these faults, a line each.

    call: as `snakemake` above. The exit code must not be 0, the sentence must be printed, and
    nothing may be run. It may take 2 CPU seconds more than an empty Snakefile.
    """
    (folder / "empty").mkdir()
    (folder / "empty" / "Snakefile").write_text("rule all:\n")
    start = min(call(folder / "empty", "Snakefile")[2] for _ in range(3))

    def refused(number, name):
        place = folder / str(number)
        broken(place, CASES[name])
        code, output, seconds = call(place)
        wrong = {
            "exit code": code == 0,
            "sentence": not re.search(expected(CASES[name]), output),
            "traceback": "Traceback" in output or 'File "' in output,
            "files": any((place / made).exists() for made in ("spoilt", "results", "work")),
            f"{seconds - start:.1f} s": seconds - start > 2,
        }
        return [f"{name}: {what}: {output}" for what, bad in wrong.items() if bad]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [line for lines in pool.map(refused, range(len(names)), names) for line in lines]


def test_snakemake_refuses_a_fault_of_each_class_without_a_traceback_and_soon(tmp_path):
    assert len(CASES) >= 60
    assert refused_wrongly(FIRST, tmp_path, snakemake) == []


@pytest.mark.slow
def test_snakemake_refuses_every_fault_without_a_traceback_and_soon(tmp_path):
    servers = SimpleQueue()
    for _ in range(os.cpu_count()):
        servers.put(ForkedSnakemake())

    def call(folder, snakefile=ROOT / "Snakefile"):
        server = servers.get()
        done, seconds = server.run(folder, "-n", "-s", snakefile)
        servers.put(server)
        return done.returncode, done.stdout + done.stderr, seconds

    others = [name for name in CASES if name not in FIRST]
    assert refused_wrongly(others, tmp_path, call) == []
    while not servers.empty():
        servers.get().close()


def test_snakemake_names_a_broken_config_file(tmp_path):
    broken(tmp_path, None)
    (tmp_path / "config" / "config.yaml").write_text("study: [test\n")
    code, output, _ = snakemake(tmp_path)
    assert (
        code != 0
        and "config/config.yaml, line 2: this is not YAML" in output
        and "Traceback" not in output
    )


def test_a_dry_run_goes_without_posts_where_it_is_told_so(tmp_path):
    broken(tmp_path, (STUDY, drop("data"), None, None))
    code, output, _ = snakemake(tmp_path, str(ROOT / "Snakefile"), "--config", "check_data=false")
    assert code == 0, output


def test_no_fault_repeats_a_long_text(tmp_path, monkeypatch):
    """A post may stand where a value is expected."""
    secret = "it has rained since tuesday and i still cannot sleep"
    broken(tmp_path, (RECIPE, put("models.plain.lr", secret), None, None))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=f"a text of {len(secret)} characters") as caught:
        Study({"study": "test"})
    assert "tuesday" not in str(caught.value)
