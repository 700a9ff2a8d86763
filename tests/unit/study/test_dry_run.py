"""What a dry run says: the words for each cause, the table, and when Snakemake keeps its own."""

import logging
from types import SimpleNamespace

import pytest

from postgrad.study.dry_run import (
    LAST_LINE,
    WIDTH,
    DryRunFilter,
    Job,
    dry_run_table,
    input_changes,
    is_of_older_form,
    job_cause,
    node_label,
    params_change,
    show_dry_run_table,
    spec_differences,
    table_rows,
    upgrade_sentence,
)


def reason(**known):
    """Snakemake's Reason, as far as it is read."""
    empty = dict.fromkeys(("forced", "code_changed", "input_changed"), False)
    files = {name: set() for name in ("missing_output", "updated_input", "updated_input_run")}
    return SimpleNamespace(**empty | files | known)


def literals(*values):
    return {repr(value) for value in values}


# -- names and causes
# ---------------------------------------------------------------------------------


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
    assert (node_label(wildcards, False), node_label(wildcards, True)) == (one, several)


@pytest.mark.parametrize(
    "found, words",
    [
        (reason(forced=True, missing_output={"a"}), ("forced", "forced")),
        (reason(missing_output={"a"}, updated_input_run={"b"}), ("new", "new")),
        (reason(code_changed=True), ("code", "command changed")),
        (
            reason(updated_input={"b", "a", "c"}, updated_input_run={"c"}),
            ("input", "input changed: a and 1 more"),
        ),
        (reason(updated_input={"posts/train.tsv"}), ("input", "input changed: posts/train.tsv")),
        (reason(updated_input_run={"a"}), ("follows", "")),
    ],
)
def test_each_cause_has_its_words(found, words):
    assert job_cause(found) == words


def test_a_changed_spec_is_told_before_what_the_job_follows():
    change = SimpleNamespace(only_old=literals('{"lr":0.1}'), only_new=literals('{"lr":0.2}'))
    assert job_cause(reason(updated_input_run={"a"}), change) == ("spec", "spec: lr 0.1 -> 0.2")


@pytest.mark.parametrize(
    "old, new, words",
    [
        (['{"a":1}', "0" * 16], ['{"a":2}', "1" * 16], ("spec", "spec: a 1 -> 2")),
        (["0" * 16], ["1" * 16], ("code", "code changed")),
        (["version 1"], ["version 2"], ("code", "VERSION 1 -> 2")),
        (["work/a"], ["work/b"], ("other", "params changed")),
        (['{"reads":{"data":["a"]}}'], ['{"reads":{"data":["a","b"]}}'], ("reads", "data: + b")),
        (
            ['{"a":1}', '{"reads":{"data":["a"]}}'],
            ['{"a":2}', '{"reads":{}}'],
            ("spec", "spec: a 1 -> 2; data: - a"),
        ),
        (
            ["0" * 16],
            ["1" * 16, '{"reads":{"data":["a"]}}'],
            ("older", "made by an earlier version"),
        ),
        ([["--flow", "a.json", "b.json"]], [["--flow", "a.json"]], ("reads", "files: - b.json")),
        ([], ['{"reads":{"data":["a"]}}'], ("older", "made by an earlier version")),
    ],
)
def test_changed_params(old, new, words):
    assert params_change(literals(*old), literals(*new)) == words


def test_differences_name_the_path_and_both_values():
    old = {"lr": 0.01, "batch": 8, "loss": {"name": "ldam", "c": 0.5}, "frozen": None, "same": [1]}
    new = {
        "lr": 0.001,
        "batch": 16,
        "loss": {"name": "ldam", "c": 1},
        "frozen": 2,
        "same": [1],
        "rule": "soft",
    }
    assert spec_differences(old, new) == [
        "batch 8 -> 16",
        "frozen null -> 2",
        "loss.c 0.5 -> 1",
        "lr 0.01 -> 0.001",
        "rule null -> soft",
    ]


def test_what_is_read_is_told_by_role_with_at_most_two_names():
    old = {"budget": ["label agreed"], "data": ["ages/train"], "members": ["a", "b"], "same": ["a"]}
    new = {
        "data": ["ages/train", "a", "b", "c"],
        "members": ["b", "a"],
        "same": ["a"],
        "fit": ["ages/dev"],
    }
    assert list(input_changes(old, new)) == [
        "budget: - label agreed",
        "data: + a + b and 1 more",
        "fit: + ages/dev",
        "members: another order",
    ]


@pytest.mark.parametrize("value", ["x" * 31, "two\nlines", ["one", "two", "three", "four", "five"]])
def test_a_long_value_is_not_printed(value):
    assert spec_differences({"prompt": "a"}, {"prompt": value}) == ["prompt changed"]
    assert spec_differences({"prompt": value}, {}) == ["prompt changed"]


# -- the table
# ----------------------------------------------------------------------------------------

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
    assert dry_run_table(JOBS, 9) == TABLE


def test_nodes_that_override_their_scale_stand_above_the_total():
    told = "expert: lr 1e-5 overrides the scale's 3e-3"
    *rows_of_jobs, total = TABLE.splitlines()
    assert dry_run_table(JOBS, 9, [told]).splitlines() == [*rows_of_jobs, told, total]
    assert len(dry_run_table(JOBS, 9, ["long/" * 40]).splitlines()[-2]) == WIDTH


def test_a_row_follows_no_job_of_its_own():
    """The job that gathers shards follows them and stands in their row."""
    shard = Job("predict", "expert", "follows", "", (("finetune", "expert"),))
    gathers = Job("predict", "expert", "follows", "", (("predict", "expert"),))
    assert list(table_rows([gathers, shard, shard])) == [
        ("predict", "expert", 3, "follows finetune expert")
    ]


def test_the_weightier_cause_of_merged_jobs_is_told_whatever_their_order():
    expected = [("finetune", "expert", 2, "spec: lr 0.1 -> 0.2 (1 of 2)")]
    assert list(table_rows(JOBS[1:3])) == list(table_rows(JOBS[2:0:-1])) == expected


def test_no_line_is_wider_than_the_width():
    lines = dry_run_table(
        [Job("finetune", "x", "input", "input changed: " + "long/" * 40)], 1
    ).splitlines()
    assert max(map(len, lines)) == WIDTH and lines[1].endswith("...")


# -- in Snakemake's place
# -----------------------------------------------------------------------------

EVENT = {name: SimpleNamespace(name=name) for name in ("RUN_INFO", "JOB_INFO", "SHELLCMD")}
SAID = [
    ("Building DAG", None),
    ("stats", "RUN_INFO"),
    ("Job 1", "JOB_INFO"),
    ("rm -r", "SHELLCMD"),
    ("stats", "RUN_INFO"),
    ("Reasons:\n", None),
    ("3 jobs have missing metadata", None),
]


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
    return SimpleNamespace(
        **{"dryrun": True, "quiet": [SimpleNamespace(name=name) for name in quiet], **known}
    )


def test_the_table_stands_for_stats_paragraphs_and_reasons():
    handler = logging.Handler()
    handler.addFilter(DryRunFilter(lambda: (JOBS, 9, [])))
    assert heard(handler) == [
        "Building DAG",
        f"{TABLE}\n{LAST_LINE}",
        "3 jobs have missing metadata",
    ]


def test_where_the_graph_cannot_be_read_snakemakes_own_words_stand():
    handler = logging.Handler()
    handler.addFilter(DryRunFilter(lambda: 1 / 0))
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
    show_dry_run_table(lambda: (JOBS, 9, []), [handler], asked)
    said = heard(handler)
    assert said[1].startswith(first) if first else said == []
    assert ("Job 1" in said) == (first == "stats")  # jobs go unsaid only behind a table


def test_the_handler_of_a_plugin_is_left_alone():
    handler = logging.Handler()
    show_dry_run_table(lambda: (JOBS, 9, []), [handler], settings())
    assert handler.filters == []


def test_what_an_earlier_version_made_is_told_in_one_sentence():
    """Earlier versions did not record what a job reads, so `reads` has no counterpart among the old
    params.
    """
    old, new = (
        literals('{"node":"one"}', "version 1"),
        literals('{"node":"one"}', '{"reads":{"data":["a"]}}', "version 1"),
    )
    assert params_change(old - new, new - old) == ("older", "made by an earlier version")
    jobs = [
        Job("clean", "rain", "code"),
        Job("finetune", "one", "older"),
        Job("score", "small", "spec", "spec: lr"),
    ]
    sentence = upgrade_sentence(jobs)
    assert "the jobs of clean, finetune run again once" in sentence and "\n" not in sentence
    assert upgrade_sentence(jobs[:1] + jobs[2:]) is None


@pytest.mark.parametrize(
    "file, older", [("ages/dev.parquet", True), ("teaching.shards/1-of-4.parquet", False)]
)
def test_predictions_of_an_earlier_version_are_told_by_their_folders(tmp_path, file, older):
    """Up to version 0.1.0 each dataset had a file of its own, in a folder of its task."""
    (tmp_path / "predict/one" / file).parent.mkdir(parents=True)
    assert is_of_older_form(str(tmp_path / "predict/one/scored.parquet")) is older
    assert is_of_older_form(str(tmp_path / "predict/one/teaching.parquet")) is older
    assert not is_of_older_form(str(tmp_path / "predict/two/scored.parquet"))
    assert not is_of_older_form(str(tmp_path / "predict/one/model.json"))
