"""The command report: tables small enough to check by eye, counts that must add up, equal bytes."""

import csv
import io
import json
import re

import pandas as pd
import pytest
from made_verdicts import is_rounded_from, numbers
from report_files import (
    COMPARE,
    FLOORS,
    FLOW,
    GUESSED,
    SCORE,
    SECRET,
    SPEC,
    Page,
    dropped,
    entry,
    inputs,
    ledger,
    marked,
    near,
    report,
)

from postgrad.report import bookkeeping, label_flow, score_tables, text_tables
from postgrad.report.sections import TEACHERS


def test_csv_has_the_official_metric_first_and_no_row_twice():
    rows = list(csv.DictReader(io.StringIO(text_tables.scores_csv([SCORE], SPEC))))
    assert list(rows[0]) == [
        "recipe",
        "predictor",
        "dataset",
        "metric",
        "value",
        "n",
        "transductive",
        "stand_in",
    ]
    first = [
        (row["metric"], row["value"]) for row in rows if row["predictor"] == "ages-plain@seed=1"
    ]
    assert first == [
        ("f1", "0.600000"),
        ("accuracy", "0.600000"),
        ("precision", "0.600000"),
        ("recall", "0.600000"),
        ("macro_f1", "0.600000"),
        ("auc", "0.750000"),
    ]
    keys = [tuple(row[key] for key in ("recipe", "predictor", "dataset", "metric")) for row in rows]
    assert len(keys) == len(set(keys)) == 7 * 6  # the split without gold has no row
    assert [row["value"] for row in rows if row["metric"] == "auc"].count("") == 1


@pytest.mark.parametrize("metric", ["accuracy", "micro_f1"])
def test_every_table_shows_the_official_metric_of_the_task(metric):
    """It is the first metric in scores.csv and in the heads of the tables.

    0.6 is the value of the other metrics.
    """
    one = entry("ages-plain@seed=1", 6)
    one = {**one, "metric": metric, "values": one["values"] | {metric: 0.875, "official": 0.875}}
    score = {"recipe": "ctyun", "entries": [one], "estimates": []}
    rows = list(csv.DictReader(io.StringIO(text_tables.scores_csv([score], SPEC))))
    assert (rows[0]["metric"], rows[0]["value"]) == (metric, "0.875000")
    assert [row["metric"] for row in rows].count(metric) == 1
    (row,) = score_tables.node_scores([score], FLOORS)
    assert (row["metric"], row["mean"], row["macro_f1"]) == (metric, 0.875, 0.6)
    assert f"ctyun  ages/dev  {metric}" in text_tables.scores_text([row], [], SPEC)


def test_csv_refuses_a_predictor_scored_twice():
    with pytest.raises(ValueError, match="ages-floor was scored twice on ages/dev"):
        text_tables.scores_csv(
            [{"recipe": "ctyun", "entries": [entry("ages-floor", 5), entry("ages-floor", 6)]}], SPEC
        )


def test_nodes_are_means_over_seeds_beside_their_floor():
    rows = {(row["node"], row["dataset"]): row for row in score_tables.node_scores([SCORE], FLOORS)}
    plain = rows["ages-plain", "ages/dev"]
    assert (
        plain["mean"] == pytest.approx(0.7)
        and plain["sd"] == pytest.approx(0.02**0.5)
        and plain["seeds"] == 2
    )
    assert plain["median"] == pytest.approx(0.7) and plain["floor"] == 0.5 and not plain["is_floor"]
    assert (
        rows["ages-floor", "ages/dev"]["is_floor"] and rows["ages-floor", "ages/dev"]["sd"] is None
    )
    assert rows["ages-expert", "ages/dev"]["auc"] == 0.75  # of the one seed that has it
    assert rows["ages-floor", "ages/dev"]["median"] == 0.5  # of one seed
    none = rows["ages-floor", "ages/test"]
    assert (
        none["median"] is None
        and none["mean"] is None
        and none["seeds"] == 0
        and none["reason"] == "no gold labels"
    )


def test_the_median_is_not_the_mean():
    entries = [entry(f"a@seed={seed}", right) for seed, right in ((1, 9), (2, 8), (3, 1))]
    (row,) = score_tables.node_scores([{"recipe": "r", "entries": entries, "estimates": []}], {})
    assert row["median"] == 0.8 and row["mean"] == pytest.approx(0.6)
    assert text_tables.scores_text([row], [], SPEC).splitlines()[1].split() == [
        "a",
        "0.600",
        "0.436",
        "0.800",
        "3",
        "0.750",
    ]


def test_other_axes_than_the_seed_stay_apart():
    entries = [
        entry("a@loss=focal@seed=1", 6),
        entry("a@loss=focal@seed=2", 8),
        entry("a@loss=ldam@seed=1", 9),
    ]
    rows = score_tables.node_scores([{"recipe": "r", "entries": entries, "estimates": []}], {})
    assert [(row["node"], row["seeds"]) for row in rows] == [
        ("a@loss=focal", 2),
        ("a@loss=ldam", 1),
    ]


def test_text_table_is_aligned_narrow_and_ends_with_the_path():
    text = text_tables.scores_text(
        score_tables.node_scores([SCORE], FLOORS), score_tables.chain_tables([COMPARE]), SPEC
    )
    lines = text.splitlines()
    assert lines[0].split() == "ctyun ages/dev f1 mean sd median seeds auc".split()
    assert lines[1].split() == "ages-floor 0.500 - 0.500 1 0.750 floor".split()
    assert lines[2].split() == "ages-plain 0.700 0.141 0.700 2 0.750".split()
    assert (
        lines[5] == ""
        and lines[6].split() == "ctyun ages/test not scored mean sd median seeds auc".split()
    )
    assert lines[7].split() == "ages-floor - - - 0 - floor".split()
    assert {len(line.removesuffix("  floor")) for line in lines[:8] if line} == {len(lines[0])}
    assert "  ages-plain -> ages-expert                           +0.150 ± 0.071, 2 seeds" in lines
    one = text_tables.step_line("a", "b", {"mean": -0.1, "sd": None, "seeds": 1}, "control")
    assert one.split() == ["a", "->", "b", "-0.100,", "1", "seed", "control"]
    assert "made up" in text and lines[-1] == "Report: results/demo/report.html"
    assert "made up" not in text_tables.scores_text([], [], {**SPEC, "made_up": False})


FITTED = {"ages-expert": ["ages/dev"]}
MARKED = marked(fitted=FITTED)


def test_a_score_on_what_was_fitted_on_has_a_star_and_a_footnote():
    rows, chains = score_tables.node_scores([SCORE], FLOORS), score_tables.chain_tables([COMPARE])
    lines = text_tables.scores_text(rows, chains, MARKED).splitlines()
    starred = [line for line in lines if "*" in line]
    assert starred[0].split()[0] == "ages-expert*" and lines.index(starred[0]) < lines.index(
        ""
    )  # in the block of dev
    assert "ages-plain -> ages-expert*" in starred[1] and starred[2].startswith(
        "* The node was fitted or chosen on"
    )
    assert len(starred) == 3  # ages/test has no star
    assert "*" not in text_tables.scores_text(rows, chains, SPEC)


TAINTED = marked(transductive=["ages-expert", "guessed"])


def test_what_is_transductive_has_a_dagger_wherever_it_stands():
    rows, chains = score_tables.node_scores([SCORE], FLOORS), score_tables.chain_tables([COMPARE])
    rows = [{**row, "one_class": int(row["node"] == "ages-expert")} for row in rows]
    lost = bookkeeping.collapse_rows(
        {("ctyun", "ages-expert@seed=1"): {"seed": 1, "collapsed": [1]}}
    )
    lines = text_tables.scores_text(rows, chains, TAINTED, lost).splitlines()
    marked = [line for line in lines if "†" in line]
    assert marked[0].split()[0] == "ages-expert†"
    assert (
        "ages-plain -> ages-expert† " in marked[1] and "ages-plain -> ages-expert† " in marked[2]
    )  # dev and test
    assert "ages-expert† on ages/dev" in marked[3] and "ages-expert@seed=1†, seed 1" in marked[4]
    assert marked[5].startswith("† Transductive: ") and len(marked) == 6
    assert "†" not in text_tables.scores_text(rows, chains, SPEC, lost)


def test_a_node_may_have_both_signs():
    both = marked(transductive=["ages-expert"], fitted=FITTED)
    text = text_tables.scores_text(
        score_tables.node_scores([SCORE], FLOORS), score_tables.chain_tables([COMPARE]), both
    )
    assert "ages-plain -> ages-expert†* " in text and "  ages-expert†*  " in text
    assert text.index("* The node was fitted") < text.index("† Transductive")


def test_csv_says_what_is_transductive():
    rows = list(csv.DictReader(io.StringIO(text_tables.scores_csv([SCORE], TAINTED))))
    found = {row["predictor"]: row["transductive"] for row in rows}
    assert found["ages-expert@seed=1"] == found["ages-expert@seed=2"] == "yes"
    assert {mark for name, mark in found.items() if "expert" not in name} == {""}


RULED = marked(stand_in=["ages-expert"])


def test_what_hangs_on_a_stand_in_is_marked_wherever_it_stands():
    rows, chains = score_tables.node_scores([SCORE], FLOORS), score_tables.chain_tables([COMPARE])
    lines = [
        line for line in text_tables.scores_text(rows, chains, RULED).splitlines() if "‡" in line
    ]
    assert lines[0].split()[0] == "ages-expert‡" and "ages-plain -> ages-expert‡ " in lines[1]
    assert lines[-1].startswith(
        "‡ A rule wrote or reviewed"
    ) and "‡" not in text_tables.scores_text(rows, chains, TAINTED)
    found = list(csv.DictReader(io.StringIO(text_tables.scores_csv([SCORE], RULED))))
    assert {row["predictor"].split("@")[0] for row in found if row["stand_in"] == "yes"} == {
        "ages-expert"
    }
    assert {row["stand_in"] for row in found} == {"yes", ""} and {
        row["transductive"] for row in found
    } == {""}


def test_one_class_for_all_posts_is_told():
    """Ten posts of two gold classes get one answer in one of two seeds.

    If all posts are of one class, no warning follows.
    """
    alike = {**entry("ages-plain@seed=2", 5), "confusion": [[10, 0], [10, 0]]}
    alone = {**entry("ages-floor", 10), "confusion": [[20, 0], [0, 0]]}
    silent = {**entry("ages-read", 0), "confusion": [[0, 0], [0, 0]], "abstained": 20}
    entries = [entry("ages-plain@seed=1", 6), alike, alone, silent]
    rows = score_tables.node_scores(
        [{"recipe": "ctyun", "entries": entries, "estimates": []}], FLOORS
    )
    assert {row["node"]: row["one_class"] for row in rows} == {
        "ages-plain": 1,
        "ages-floor": 0,
        "ages-read": 0,
    }
    lines = text_tables.scores_text(rows, [], SPEC).splitlines()
    at = lines.index("Nodes that predict one class for all posts:")
    assert lines[at + 1] == "  ctyun: ages-plain on ages/dev, 1 of 2 seeds" and lines[at + 2] == ""
    assert "one class" not in text_tables.scores_text(
        score_tables.node_scores([SCORE], FLOORS), [], SPEC
    )


def test_collapsed_trainings_are_told():
    models = {("ctyun", "a@seed=1"): {"seed": 1, "collapsed": []},
              ("ctyun", "b@seed=1"): {"seed": 1001, "collapsed": [1]},
              ("ctyun", "c@seed=2"): {"seed": 1002, "collapsed": [2, 1002]}}  # fmt: skip
    rows = bookkeeping.collapse_rows(models)
    assert [(row["node"], row["lost"]) for row in rows] == [("b@seed=1", False), ("c@seed=2", True)]
    text = text_tables.scores_text([], [], SPEC, rows)
    assert "  ctyun: b@seed=1, seed 1; the model with seed 1001 is kept\n" in text
    assert (
        "  ctyun: c@seed=2, seeds 2, 1002; the last model is kept although it collapsed\n" in text
    )


def test_text_table_cuts_long_names_to_100_columns():
    long = entry("a" * 90 + "@loss=focal@seed=1", 6)
    floors = {"ctyun": {"ages": "a" * 90 + "@loss=focal"}}
    rows = score_tables.node_scores(
        [{"recipe": "ctyun", "entries": [long], "estimates": []}], floors
    )
    lines = text_tables.scores_text(rows, [], SPEC).splitlines()
    assert len(lines[1]) == 100 and lines[1].endswith("  floor") and "…" in lines[1]
    line = text_tables.scores_text(rows, [], marked(transductive=["a" * 90])).splitlines()[1]
    assert len(line) == 100 and "…† " in line  # the sign outlives the name


def test_bar_grows_from_the_middle():
    assert score_tables.difference_bar(0.1, None, 0.2) == {
        "left": 50,
        "width": 25,
        "low": 75,
        "span": 0,
    }
    assert score_tables.difference_bar(-0.1, 0.05, 0.2) == {
        "left": 25,
        "width": 25,
        "low": 12.5,
        "span": 25,
    }
    assert (
        score_tables.difference_bar(None, None, 0.2) is None
        and score_tables.difference_bar(0.0, None, 0.0) is None
    )


def test_chain_puts_each_control_under_its_step():
    dev, test = score_tables.chain_tables([COMPARE])
    (step,) = dev["steps"]
    assert (step["from"], step["to"]) == ("ages-plain", "ages-expert") and step[
        "mean"
    ] == pytest.approx(0.15)
    assert step["score"]["mean"] == pytest.approx(0.85)
    (control,) = step["controls"]
    assert control["node"] == "ages-drawn" and control["mean"] == pytest.approx(0.05)
    assert dev["reach"] == pytest.approx(0.15 + 0.005**0.5)
    assert test["metric"] is None and test["steps"][0]["bar"] is None


def test_confusion_adds_the_seeds():
    rows = score_tables.node_scores([SCORE], FLOORS)
    (close,) = score_tables.last_node_tables(rows, [COMPARE])
    assert close["node"] == "ages-expert" and close["dataset"] == "ages/dev"
    assert [[cell["count"] for cell in line] for line in close["confusion"]["cells"]] == [
        [17, 3],
        [3, 17],
    ]
    assert close["confusion"]["cells"][0][0]["share"] == 0.85
    assert [one["f1"] for one in close["classes"]] == pytest.approx([0.85, 0.85])
    assert [one["f1"] for one in close["floor_classes"]] == [0.5, 0.5]


def test_a_dataset_may_have_a_floor_of_its_own():
    """A vote over folds of the linear model on the held-out posts, where the model of all train
    posts has no score.
    """
    held_out = [
        entry(node, right, "ages/held-out")
        for node, right in (("ages-floor-mean", 4), ("ages-mean", 7))
    ]
    floors = {"ctyun": {"ages": "ages-floor", "ages/held-out": "ages-floor-mean"}}
    rows = score_tables.node_scores([SCORE | {"entries": [*SCORE["entries"], *held_out]}], floors)
    found = {(row["node"], row["dataset"]): (row["is_floor"], row["floor"]) for row in rows}
    assert found["ages-floor", "ages/dev"] == (True, 0.5) and found["ages-plain", "ages/dev"] == (
        False,
        0.5,
    )
    assert found["ages-floor-mean", "ages/held-out"] == (True, 0.4)
    assert found["ages-mean", "ages/held-out"] == (False, 0.4)


def test_flow_counts_per_class():
    flow = label_flow.label_flow_table(FLOW, "ctyun")
    assert [(stage["name"], stage["posts"], stage["counts"]) for stage in flow["stages"]] == [
        ("pool", 40, None),
        ("scored by both teachers", 40, None),
        ("agreed", 30, [20, 10]),
        ("kept", 20, [12, 8]),
    ]
    assert flow["gold"]["correct"] == (12 * 1.0 + 4 * 0.5) / 16


def test_teachers_are_measured_in_all_and_by_class():
    """Of 16 agreed labels 14 are correct, and 15 of as many by confidence."""
    flow = label_flow.label_flow_table(FLOW, "ctyun")
    rows = label_flow.SECTION.teachers([flow])
    assert {key for row in rows for key in row} == set(TEACHERS)
    found = {
        (row["measure"], row.get("class") or row.get("teacher")): (row["value"], row["posts"])
        for row in rows
    }
    assert len(found) == len(rows)
    assert found["accuracy", None] == (14 / 16, 16)
    assert found["accuracy by confidence", None] == (15 / 16, 16)
    assert found["accuracy by confidence", "yes"] == (0.75, 4)
    assert found["coverage", "yes"] == (0.7, 6)
    assert found["accuracy of a teacher", "qwen15"] == (0.85, 20)
    assert found["kappa", None] == (0.6, 20)
    assert found["error correlation", None] == (0.25, 20)
    assert found["shift of labels", "no"] == (pytest.approx(20 / 30 - 0.6), 30)
    assert found["shift of kept", "yes"] == (pytest.approx(0), 20)
    without_gold = label_flow.label_flow_table({**FLOW, "gold": None}, "ctyun")
    assert {row["dataset"] for row in label_flow.teacher_rows([without_gold])} == {"pool"}


def test_flow_of_one_teacher_speaks_of_answers():
    flow = label_flow.label_flow_table(GUESSED, "ctyun")
    assert [(stage["name"], stage["posts"], stage["counts"]) for stage in flow["stages"]] == [
        ("pool", 40, None),
        ("scored by the teacher", 40, None),
        ("answered", 39, [20, 19]),
        ("outside the held-out fold", 37, [20, 17]),
        ("kept", 3, [2, 1]),
    ]
    assert (
        flow["gold"]["correct"] == (12 * 0.75 + 7 * 1.0) / 19 and flow["gold"]["labelled"] == 0.95
    )


def test_flow_of_what_is_above_a_probability(tmp_path):
    flow = {**GUESSED, "node": "agreed", "share": None, "above": 0.9, "balance": "none"}
    assert label_flow.label_flow_table(flow, "ctyun")["above"] == 0.9
    arguments = inputs(tmp_path)
    (tmp_path / "ctyun/label/agreed.json").write_text(json.dumps(flow))
    assert report(arguments, tmp_path).returncode == 0
    words = re.sub(r"\s+", " ", Page((tmp_path / "report.html").read_text()).words)
    assert "kept by confidence · probability at least 0.9 · balance none" in words


def test_splits_stand_in_their_usual_order():
    books = pd.concat([ledger("unlabeled"), ledger("undivided"), ledger("dev"), ledger("train")])
    rows = bookkeeping.ledger_rows("task6", books, dropped())
    assert [row["split"] for row in rows] == ["train", "dev", "unlabeled", "undivided"]


def test_books_balance():
    (row,) = bookkeeping.ledger_rows("task6", ledger(), dropped("train1"))
    assert row == {
        "task": "task6", "split": "train", "rows": 5, "kept": 3, "rejected": 1, "decoy": 1,
        "reasons": {"no text": 1}, "duplicates": 1,
        "copies": {"duplicate": 1}, "used": 2,
    }  # fmt: skip


def test_the_least_similar_near_copies_are_named():
    pairs = near(("train2", "train0", 0.9), ("train1", "train0", 0.8), ("train0", "dev1", 0.8))
    assert bookkeeping.near_copy_row("task6", pairs, dropped("train1", "train2")) == {
        "task": "task6", "posts": 3, "stay": 1,
        "post_id": "train0", "partner": "dev1", "similarity": 0.8,
    }  # fmt: skip
    assert bookkeeping.near_copy_row("task6", near(), dropped()) is None


def test_the_page_shows_kinds_of_duplicates_and_the_least_similar_pair(tmp_path):
    assert report(inputs(tmp_path), tmp_path).returncode == 0
    words = re.sub(r"\s+", " ", Page((tmp_path / "report.html").read_text()).words)
    assert "Kinds of duplicates" in words and "1 duplicate" in words
    assert (
        "smm4h24-task6: 1 near-copy; least similar: post train1, a near-copy of train0, "
        "similarity 0.81"
    ) in words


@pytest.mark.parametrize(
    "books, sentence",
    [
        (
            (ledger(fates=("kept", "lost")), dropped()),
            "fate 'lost' is not one of kept, rejected, decoy",
        ),
        ((pd.concat([ledger(), ledger()]), dropped()), "the number of rows is not the sum of kept"),
        (
            (ledger(), dropped("train3")),
            "the number of kept posts is not the sum of used",
        ),  # a rejected post cannot be a duplicate
        ((ledger(), dropped("x", split="dev")), "split dev is not in the ledger"),
    ],
)
def test_books_that_do_not_balance_are_refused(books, sentence):
    with pytest.raises(ValueError, match=sentence):
        bookkeeping.ledger_rows("task6", *books)


def test_equal_deviations_share_a_row():
    rows = bookkeeping.deviation_rows(SPEC["recipes"]["ctyun"]["deviations"])
    assert [(row["nodes"], row["key"], row["paper"], row["used"]) for row in rows] == [
        (["ages-plain", "ages-expert"], "lr", "5e-06", "0.001"),
        (["ages-plain"], "seed", "[1, 2, 3]", "[1, 2]"),
        ([""], "qwen", "–", "tiny"),
    ]


def test_marks_stand_among_the_deviations_node_by_node():
    body = marked(transductive=["ages-expert"], fitted={"ages-floor": ["ages/dev", "ages/test"]})[
        "recipes"
    ]["ctyun"]
    rows = [(row["node"], row["key"], row["used"]) for row in bookkeeping.recipe_deviations(body)]
    assert rows == [
        ("", "qwen", "tiny"),
        ("ages-expert", "lr", 1e-3),
        ("ages-expert", "transductive", True),
        ("ages-floor", "fitted on", "ages/dev"),
        ("ages-floor", "fitted on", "ages/test"),
        ("ages-plain", "lr", 1e-3),
        ("ages-plain", "seed", [1, 2]),
    ]


# -- the command line
# -------------------------------------------------------------------------------


def trained(folder, collapsed, seed, node="ages-plain"):
    """The path of a model.json in the workflow's layout."""
    path = folder / f"ctyun/finetune/{node}@seed=1/model.json"
    path.parent.mkdir(parents=True)
    path.write_text(
        json.dumps({"collapsed": collapsed, "seed": seed, "spec": {"node": f"{node}@seed=1"}})
    )
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    arguments = inputs(folder)
    for name in ("one", "two"):
        done = report(arguments, folder / name)
        assert done.returncode == 0, done.stderr
    return folder


def test_equal_inputs_give_equal_bytes(made):
    for name in ("report.html", "scores.csv", "scores.txt"):
        assert (made / "one" / name).read_bytes() == (made / "two" / name).read_bytes()


def test_page_is_whole_escaped_and_fetches_nothing(made):
    text = (made / "one" / "report.html").read_text()
    page_ = Page(text)
    assert page_.fetched == [] and not re.search(r"url\((?!#)|@import|://", text)
    assert "Made-up <posts>" in page_.words and "<posts>" not in text
    assert SECRET not in text


def csv_cells(folder, *names):
    """All cells of CSV files, and the counts of their rows from 0 on."""
    rows = [row for name in names for row in csv.DictReader((folder / name).open())]
    return [cell for row in rows for cell in row.values()] + list(range(len(rows) + 1))


def test_each_number_of_the_verdict_stands_in_the_row_that_it_names(made):
    text = (made / "one" / "report.html").read_text()
    rows = list(csv.DictReader((made / "one" / "comparisons.csv").open()))
    part = text[text.index('<ul class="verdict">') : text.index('<h2 id="comparisons">')]
    sentences = [Page(item).words for item in re.findall(r"<li>.*?</li>", part, re.S)]
    steps = [words for words in sentences if not words.startswith("best")]
    assert steps and len(steps) == sum(
        row["kind"] == "step" and row["outcome"] != "" for row in rows
    )
    for words in steps:
        words, _, place = words.rpartition(" row ")
        row = rows[int(place) - 1]
        assert row["outcome"] in words and row["sentence"] in words
        shown = numbers(row["sentence"].replace("95 % interval", "interval"))
        shown = [number for number in shown if number != ".001"]
        assert len(shown) > 5, "the sentence has numbers"
        own = [cell for other in rows if other["step"] == row["step"] for cell in other.values()]
        assert [number for number in shown if not is_rounded_from(number, own)] == []


def test_each_number_of_the_best_system_and_of_methods_stands_in_a_csv_file(made):
    folder = made / "one"
    cells = csv_cells(folder, "ranking.csv")
    text = (folder / "report.html").read_text()
    best = [
        Page(item).words for item in re.findall(r"<li>.*?</li>", text, re.S) if ">best<" in item
    ]
    assert best and all(len(numbers(words)) >= 3 for words in best)
    assert [n for words in best for n in numbers(words) if not is_rounded_from(n, cells)] == []
    cells += csv_cells(folder, "comparisons.csv", "scores.csv")
    constants = {"95", ".05", ".001", "1946", "1979", "10,000", "2,000"}
    shown = numbers((folder / "methods.md").read_text())
    assert len(shown) > 20
    assert [n for n in shown if n not in constants and not is_rounded_from(n, cells)] == []


def test_figures_lie_beside_the_page(made):
    for name in ("comparisons", "ranking"):
        one, two = ((made / out / f"figures/{name}.pdf").read_bytes() for out in ("one", "two"))
        assert one.startswith(b"%PDF") and one == two


def test_page_shows_every_section(made):
    text = (made / "one" / "report.html").read_text()
    words = re.sub(r"\s+", " ", Page(text).words)
    for heading in (
        "scores",
        "chains",
        "confusion",
        "classes",
        "probabilities",
        "flow",
        "ledger",
        "not-run",
        "deviations",
        "readings",
    ):
        assert f'<h2 id="{heading}">' in text
    for shown in (
        "were made up by a program",
        "0.700 ± 0.141",
        "+0.150 ± 0.071",
        "no gold labels",
        "κ 0.600",
        "1 no text",
        "no prompt at this scale",
        "ages-expert, ages-plain",
        "Labels are answered as words.",
        "ages-drawn: lr 1e-5 overrides the scale's 3e-3",
        "jury: one and two give equal predictions at this scale (tiny)",
    ):
        assert shown in words, shown


def test_page_shows_comparisons_that_get_no_outcome(tmp_path):
    """If there is a test set, dev gets no outcome, and there is no reason to tell."""
    arguments = inputs(tmp_path)
    sets = COMPARE["chains"]["ages"]["sets"]
    both = {"ages": {"sets": {**sets, "ages/test": sets["ages/dev"]}}}
    (tmp_path / "ctyun/compare/compare.json").write_text(json.dumps({**COMPARE, "chains": both}))
    done = report(arguments, tmp_path)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((tmp_path / "comparisons.csv").open()))
    assert any(not row["outcome"] and row["dataset"] == "ages/dev" for row in rows)


def test_page_of_real_posts_does_not_call_them_made_up(made, tmp_path):
    arguments = inputs(tmp_path)
    arguments[1] = json.dumps({**SPEC, "made_up": False})
    assert report(arguments, tmp_path).returncode == 0
    assert (
        "made up"
        not in (tmp_path / "report.html").read_text() + (tmp_path / "scores.txt").read_text()
    )


def test_page_marks_a_score_on_what_was_fitted_on(made, tmp_path):
    arguments = inputs(tmp_path)
    arguments[1] = json.dumps(MARKED)
    assert report(arguments, tmp_path).returncode == 0
    words = Page((tmp_path / "report.html").read_text()).words
    assert (
        words.count("fitted on it") == 6
    )  # scores, chain, confusion matrix, classes, calibration and thresholds of ages/dev
    assert "Its score there is not a test" in words
    assert "fitted on it" not in (made / "one" / "report.html").read_text()


def test_page_marks_what_is_transductive_in_every_table(made, tmp_path):
    (tmp_path / "ctyun/label").mkdir(parents=True)
    (tmp_path / "ctyun/label/guessed.json").write_text(json.dumps(GUESSED))
    arguments = [*inputs(tmp_path), "--model", "ctyun", "ages-expert@seed=1"]
    arguments.append(str(trained(tmp_path, [1], 1001, "ages-expert")))
    arguments[1] = json.dumps(TAINTED)
    arguments += ["--flow", "ctyun", "guessed@fold=2", str(tmp_path / "ctyun/label/guessed.json")]
    done = report(arguments, tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "report.html").read_text()
    parts = dict(zip(*[iter(re.split(r'<h2 id="([a-z-]+)">', text)[1:])] * 2))
    found = {
        name: part.count('<span class="tag">transductive</span>') for name, part in parts.items()
    }
    assert {name: count for name, count in found.items() if count} == {
        "scores": 1, "chains": 1, "confusion": 1, "classes": 1, "flow": 1, "collapses": 1,
        "probabilities": 2,  # calibration and thresholds
    }  # fmt: skip
    assert 'tag">transductive' not in (made / "one" / "report.html").read_text()
    words = re.sub(r"\s+", " ", Page(text).words)
    for shown in (
        "kept by confidence · share 0.1",
        "scored by the teacher",
        "On ages/held-outn = 20 · answered 0.950",
        "answers that are correct",
        "Teacher: jury (accuracy on ages/held-out 0.800).",
        "On ages/devn = 20 · κ 0.600 · agreed on 0.800",
        "temperature 1.20",
    ):
        assert shown in words, shown


def test_page_tells_collapsed_trainings_where_there_are_any(made, tmp_path):
    assert "ollapsed" not in (made / "one" / "report.html").read_text()
    arguments = [
        *inputs(tmp_path),
        "--model",
        "ctyun",
        "ages-plain@seed=1",
        str(trained(tmp_path, [1], 1001)),
    ]
    assert report(arguments, tmp_path).returncode == 0
    words = re.sub(r"\s+", " ", Page((tmp_path / "report.html").read_text()).words)
    assert "collapsed with seed 1; the model with seed 1001 is kept" in words
    assert (
        "ages-plain@seed=1, seed 1; the model with seed 1001 is kept"
        in (tmp_path / "scores.txt").read_text()
    )


def nothing_was_written(folder):
    """Whether only the spec lies in a report's folder, which is kept before the work begins."""
    return [path.name for path in folder.iterdir()] == ["report.html.spec.json"]


@pytest.mark.parametrize(
    "more, sentence",
    [
        (
            ["--audit", "caves", "drop.parquet"],
            "--audit has a file for the unknown caves; give each name",
        ),
        (["--ledger", "caves", "ledger.parquet"], "--audit lacks a file for caves; give each name"),
        (["--flow", "ctyun", "agreed", "b"], "--flow names ctyun agreed twice: "),
        (
            ["--flow", "ctyun", "other", "FLOW"],
            "--flow other: the file is of node agreed; give each file under its own",
        ),
    ],
)
def test_a_file_under_another_name_than_its_own_is_refused(tmp_path, more, sentence):
    arguments = inputs(tmp_path)
    flow = arguments[arguments.index("--flow") + 3]
    done = report(
        [*arguments, *(flow if word == "FLOW" else word for word in more)], tmp_path / "out"
    )
    assert (
        done.returncode == 1
        and done.stderr.startswith(f"report: {sentence}")
        and done.stderr.count("\n") == 1
    )
    assert nothing_was_written(tmp_path / "out")


def test_a_recipe_is_named_by_the_argument_and_not_by_the_path(tmp_path):
    arguments = inputs(tmp_path / "elsewhere")
    at = arguments.index("--flow") + 3
    (tmp_path / "flow.json").write_text(
        (tmp_path / "elsewhere/ctyun/label/agreed.json").read_text()
    )
    arguments[at] = str(tmp_path / "flow.json")
    assert (
        report(arguments, tmp_path).returncode == 0
        and report(inputs(tmp_path / "x"), tmp_path / "y").returncode == 0
    )
    assert (tmp_path / "report.html").read_text() == (tmp_path / "y/report.html").read_text()


def test_bad_books_end_in_one_sentence_and_leave_nothing(tmp_path):
    arguments = inputs(tmp_path)
    dropped("train3").to_parquet(tmp_path / "audit/smm4h24-task6/drop.parquet")
    done = report(arguments, tmp_path / "out")
    assert done.returncode == 1 and done.stderr.startswith(
        "report: audit of smm4h24-task6, split train: "
    )
    assert done.stderr.count("\n") == 1 and nothing_was_written(tmp_path / "out")
