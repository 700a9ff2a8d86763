"""What a dry run says: the words for each cause, the table, and when Snakemake keeps its own."""

import logging
import re
from types import SimpleNamespace

import pytest
from finished import finish
from tree import copy_of_tree, snakemake

from postgrad.study.dry_run import LAST, WIDTH, Job, Outlook, attach, cause, changed, differences, node_of, rows, table


def reason(**known):
    """Snakemake's Reason, as far as it is read."""
    empty = dict.fromkeys(("forced", "code_changed", "input_changed"), False)
    files = {name: set() for name in ("missing_output", "updated_input", "updated_input_run")}
    return SimpleNamespace(**empty | files | known)


def literals(*values):
    return {repr(value) for value in values}


# -- names and causes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wildcards, one, several",
    [
        ({"recipe": "ctyun", "node": "ages-expert"}, "ages-expert", "ctyun/ages-expert"),
        ({"recipe": "ctyun", "node": "qwen", "dataset": "ages/dev"}, "qwen", "ctyun/qwen"),
        ({"recipe": "ctyun"}, "ctyun", "ctyun"),
        ({"task": "caves"}, "caves", "caves"),
        ({"model": "linear"}, "linear", "linear"),
        ({}, "", ""),
    ],
)
def test_a_node_is_named_with_its_recipe_where_there_are_several(wildcards, one, several):
    assert (node_of(wildcards, False), node_of(wildcards, True)) == (one, several)


@pytest.mark.parametrize(
    "found, words",
    [
        (reason(forced=True, missing_output={"a"}), ("forced", "forced")),
        (reason(missing_output={"a"}, updated_input_run={"b"}), ("new", "new")),
        (reason(code_changed=True), ("code", "command changed")),
        (reason(updated_input={"b", "a", "c"}, updated_input_run={"c"}), ("input", "input changed: a and 1 more")),
        (reason(updated_input={"posts/train.tsv"}), ("input", "input changed: posts/train.tsv")),
        (reason(input_changed=True), ("inputs", "inputs differ")),
        (reason(updated_input_run={"a"}), ("follows", "")),
    ],
)
def test_each_cause_has_its_words(found, words):
    assert cause(found) == words


def test_a_changed_spec_is_told_before_what_the_job_follows():
    change = SimpleNamespace(only_old=literals('{"lr":0.1}'), only_new=literals('{"lr":0.2}'))
    assert cause(reason(updated_input_run={"a"}), change) == ("spec", "spec: lr 0.1 -> 0.2")


@pytest.mark.parametrize(
    "old, new, words",
    [
        (['{"a":1}', "0" * 16], ['{"a":2}', "1" * 16], ("spec", "spec: a 1 -> 2")),
        (["0" * 16], ["1" * 16], ("code", "code changed")),
        (["version 1"], ["version 2"], ("code", "VERSION 1 -> 2")),
        (["work/a"], ["work/b"], ("other", "params changed")),
    ],
)
def test_changed_params(old, new, words):
    assert changed(literals(*old), literals(*new)) == words


def test_differences_name_the_path_and_both_values():
    old = {"lr": 0.01, "batch": 8, "loss": {"name": "ldam", "c": 0.5}, "frozen": None, "same": [1]}
    new = {"lr": 0.001, "batch": 16, "loss": {"name": "ldam", "c": 1}, "frozen": 2, "same": [1], "rule": "soft"}
    assert differences(old, new) == [
        "batch 8 -> 16",
        "frozen null -> 2",
        "loss.c 0.5 -> 1",
        "lr 0.01 -> 0.001",
        "rule null -> soft",
    ]


@pytest.mark.parametrize("value", ["x" * 31, "two\nlines", ["one", "two", "three", "four", "five"]])
def test_a_long_value_is_not_printed(value):
    assert differences({"prompt": "a"}, {"prompt": value}) == ["prompt changed"]
    assert differences({"prompt": value}, {}) == ["prompt changed"]


# -- the table ----------------------------------------------------------------------------------------

JOBS = [
    Job("clean", "caves", "input", "input changed: posts/train.tsv"),
    Job("finetune", "expert", "new", "new"),
    Job("finetune", "expert", "spec", "spec: lr 0.1 -> 0.2"),
    Job("predict", "expert", "follows", "", (("finetune", "expert"),)),
    Job("predict", "expert", "follows", "", (("finetune", "expert"), ("audit", "caves"))),
    Job("report", "", "follows", "", (("score", "a"), ("score", "b"), ("clean", "caves"))),
]
TABLE = """\
verb      node    jobs  why
clean     caves      1  input changed: posts/train.tsv
finetune  expert     2  spec: lr 0.1 -> 0.2 (1 of 2)
predict   expert     2  follows finetune expert, audit caves
report               1  follows score a, score b and 1 more
6 of 9 jobs: 2 cheap, 2 finetune, 2 predict"""


def test_the_table():
    assert table(JOBS, 9) == TABLE


def test_a_row_follows_no_job_of_its_own():
    """The job that gathers shards follows them and stands in their row."""
    shard = Job("predict", "expert", "follows", "", (("finetune", "expert"),))
    gathers = Job("predict", "expert", "follows", "", (("predict", "expert"),))
    assert list(rows([gathers, shard, shard])) == [("predict", "expert", 3, "follows finetune expert")]


def test_the_weightier_cause_of_merged_jobs_is_told_whatever_their_order():
    expected = [("finetune", "expert", 2, "spec: lr 0.1 -> 0.2 (1 of 2)")]
    assert list(rows(JOBS[1:3])) == list(rows(JOBS[2:0:-1])) == expected


def test_no_line_is_wider_than_the_width():
    lines = table([Job("finetune", "x", "input", "input changed: " + "long/" * 40)], 1).splitlines()
    assert max(map(len, lines)) == WIDTH and lines[1].endswith("...")


# -- in Snakemake's place -----------------------------------------------------------------------------

EVENT = {name: SimpleNamespace(name=name) for name in ("RUN_INFO", "JOB_INFO", "SHELLCMD")}
SAID = [("Building DAG", None), ("stats", "RUN_INFO"), ("Job 1", "JOB_INFO"), ("rm -r", "SHELLCMD"),
        ("stats", "RUN_INFO"), ("Reasons:\n", None), ("3 jobs have missing metadata", None)]  # fmt: skip


def heard(handler):
    """What comes through a handler of what Snakemake says in a dry run."""
    handler.name, messages = "DefaultStreamHandler", []
    handler.emit = lambda record: messages.append(record.msg)
    for message, event in SAID:
        record = logging.LogRecord("snakemake", logging.INFO, "", 0, message, (), None)
        record.event = EVENT.get(event)
        handler.handle(record)
    return messages


def settings(quiet=(), **known):
    return SimpleNamespace(**{"dryrun": True, "quiet": [SimpleNamespace(name=name) for name in quiet], **known})


def test_the_table_stands_for_stats_paragraphs_and_reasons():
    handler = logging.Handler()
    handler.addFilter(Outlook(lambda: (JOBS, 9)))
    assert heard(handler) == ["Building DAG", f"{TABLE}\n{LAST}", "3 jobs have missing metadata"]


def test_where_the_graph_cannot_be_read_snakemakes_own_words_stand():
    handler = logging.Handler()
    handler.addFilter(Outlook(lambda: 1 / 0))
    expected = [message for message, _ in SAID]
    expected[1] = "No table of what will run: ZeroDivisionError: division by zero\nstats"
    assert heard(handler) == expected


@pytest.mark.parametrize(
    "asked, first",
    [
        (settings(), TABLE),
        (settings(["HOST", "REASON"]), TABLE),
        (settings(dryrun=False), "stats"),
        (settings(printshellcmds=True), "stats"),
        (settings(verbose=True), "stats"),
        (settings(["RULES"]), "stats"),
        (settings(["RULES", "PROGRESS"]), "stats"),
        (None, "stats"),
        (settings(["ALL"]), None),
    ],
)
def test_who_gets_the_table(asked, first):
    handler = logging.Handler()
    handler.name = "DefaultStreamHandler"
    times = []
    attach(lambda: (JOBS, 9), [handler], asked, lambda: times.append(1))
    said = heard(handler)
    assert said[1].startswith(first) if first else said == []
    assert len(times) == (first is TABLE)  # jobs go unsaid only behind a table


def test_the_handler_of_a_plugin_is_left_alone():
    handler = logging.Handler()
    attach(lambda: (JOBS, 9), [handler], settings(), None)
    assert handler.filters == []


# -- Snakemake itself ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The demo study as if it had run."""
    return finish(copy_of_tree(tmp_path_factory.mktemp("finished")))


def outlook(folder, *arguments):
    """{verb and node: why} and the total of a dry run."""
    done = snakemake(folder, "-n", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("verb "))
    assert max(map(len, lines[start:])) <= WIDTH and lines[-1] == LAST
    words = (re.fullmatch(r"(\w+) +(\S*) +(\d+)  (.+)", line).groups() for line in lines[start + 1 : -2])
    return {f"{verb} {node}".strip(): why for verb, node, _, why in words}, lines[-2]


def test_a_finished_study_gets_snakemakes_sentence(finished):
    assert "Nothing to be done" in snakemake(finished, "-n").stdout


def test_a_fresh_study_is_new_and_every_node_has_one_row(tmp_path):
    why, total = outlook(copy_of_tree(tmp_path))
    assert set(why.values()) == {"new"}
    assert list(why)[0] == "demo" and list(why)[-1] == "report"
    assert list(why).index("predict qwen") < list(why).index("label agreed") < list(why).index("finetune ages-expert")
    assert total == "85 of 85 jobs: 24 cheap, 1 pretrain, 20 finetune, 40 predict"


@pytest.mark.parametrize(
    "file, old, new, expected",
    [
        (
            "config/scales/demo.yaml",
            "pretrain: {lr: 3.0e-3, batch: 16",
            "pretrain: {lr: 3.0e-4, batch: 32",
            {
                "pretrain reader": "spec: batch 16 -> 32, lr 0.003 -> 0.0003",
                "finetune ages-read": "follows pretrain reader",
                "predict ages-read": "follows finetune ages-read",
                "label agreed": None,
            },
        ),
        (
            "config/scales/demo.yaml",
            "finetune: {lr: 3.0e-3",
            "finetune: {lr: 1.0e-3",
            # Snakemake calls it a mere follower of ages-expert.
            {"finetune disorders-expert": "spec: lr 0.003 -> 0.001", "finetune ages-floor": None},
        ),
        (
            "workflow/scripts/vote.py",
            "import json\n",
            "import json\nimport string\n",
            {"vote ages-vote": "code changed", "score ctyun": "follows vote ages-vote", "predict ages-expert": None},
        ),
        (
            "workflow/scripts/predict.py",
            "VERSION = 1",
            "VERSION = 2",
            {"predict ages-floor": "VERSION 1 -> 2", "finetune ages-expert": "follows label agreed"},
        ),
        (
            "work/demo/posts/smm4h24-task5/train.tsv",
            "",
            "another post",
            {
                "clean smm4h24-task5": "input changed: work/demo/posts/smm4h24-task5/train.tsv",
                "audit smm4h24-task5": "follows clean smm4h24-task5",
                "clean smm4h24-task6": None,
            },
        ),
        (
            "config/studies/demo.yaml",
            "seeds: 1",
            "seeds: 2",
            {"finetune ages-plain": "new", "vote ages-vote": "inputs differ", "score ctyun": "spec: pairs changed"},
        ),
    ],
)
def test_one_change_is_named_where_it_was_made_and_followed_downstream(finished, file, old, new, expected):
    text = (finished / file).read_text()
    assert old in text
    (finished / file).write_text(text.replace(old, new))
    try:
        why, _ = outlook(finished)
    finally:
        (finished / file).write_text(text)
    assert {row: why.get(row) for row in expected} == expected


def test_commands_are_shown_to_who_asks_for_them(finished):
    said = snakemake(finished, "-n", "-p", "--forceall").stdout
    assert "Job stats:" in said and "python workflow/scripts/vote.py" in said and LAST not in said


def test_a_real_run_keeps_its_log(tmp_path):
    done = snakemake(copy_of_tree(tmp_path), "--cores", "1", "results/base/linear/model.json")
    assert done.returncode == 0, done.stderr
    assert re.search(r"Job stats:(.|\n)*Fetching or making the base linear(.|\n)*Finished jobid: 0", done.stderr)
    assert LAST not in done.stdout + done.stderr
