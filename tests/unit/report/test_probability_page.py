"""What the page shows of probabilities and subgroups stands in the CSV files beside it."""

import csv
import io

import pytest
from made_outcomes import DATASET, POSTS, answers, grouped, study

from postgrad.report.figures import write_pdf
from postgrad.report.probability_page import probability_report

COMPARE = [
    {
        "recipe": "sky",
        "chains": {"rain": {"sets": {DATASET: {"nodes": [{"node": "plain"}]}}}},
    }
]


@pytest.fixture(scope="module")
def report():
    entry, floor = answers("floor", 3)
    platforms = ["reddit"] * (POSTS // 2) + ["twitter"] * (POSTS // 2)
    _, rows, outcomes = study(
        *grouped(platform=platforms), (entry, floor.assign(platform=platforms))
    )
    return probability_report(rows, COMPARE, outcomes)


def rows_of(report, file):
    return list(csv.DictReader(io.StringIO(report.files[file])))


def test_the_files_have_the_figures_of_the_page(report):
    (calibrations,) = report.page["calibrations"].values()
    assert [row["is_floor"] for row in calibrations] == [False, True]
    for row, line in zip(calibrations, rows_of(report, "probabilities.csv"), strict=True):
        assert (row["node"], f"{row['ece']:.6f}") == (line["node"], line["ece"])
    ((key, thresholds),) = report.page["threshold_tables"].items()
    assert key == ("sky", DATASET, "plain")  # not that of the floor
    lines = {
        row["threshold"]: row for row in rows_of(report, "thresholds.csv") if row["node"] == "plain"
    }
    assert len(thresholds) == 9 and len(lines) == 19
    for row in thresholds:
        assert f"{row['f1']:.6f}" == lines[f"{row['threshold']:.6f}"]["f1"]


def test_a_subgroup_of_the_floor_stands_beside_that_of_the_last_node(report):
    (table,) = report.page["subgroup_tables"]
    reddit, twitter = table["columns"]["platform"]
    assert list(table["columns"]) == ["platform"]
    for pair, value in ((reddit, "reddit"), (twitter, "twitter")):
        assert pair["last"]["value"] == pair["floor"]["value"] == value
        assert (pair["last"]["node"], pair["floor"]["node"]) == ("plain", "floor")
    assert len(rows_of(report, "subgroups.csv")) == 4


def test_there_is_a_figure_for_each_dataset_with_a_line_for_each_node(report):
    (figure,) = report.figures
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "Reliability",
        "Risk against coverage",
        "Precision against recall",
    ]
    drawn = [line.get_label() for line in figure.axes[1].get_lines()]
    assert drawn == ["plain", "floor"]
    points = [row for row in rows_of(report, "curves.csv") if row["curve"] == "risk_coverage"]
    lines = figure.axes[1].get_lines()
    assert sum(len(line.get_xdata()) for line in lines) == len(points)
    assert report.page["curve_figures"][0]["svg"].startswith("<svg")


def test_without_chains_there_are_still_all_files(report, tmp_path):
    _, rows, outcomes = study(answers("floor", 3))
    nothing = probability_report(rows, [], outcomes)
    assert len(rows_of(nothing, "probabilities.csv")) == 1
    assert nothing.files.keys() == report.files.keys()
    assert rows_of(nothing, "curves.csv") == nothing.page["curve_figures"] == []
    write_pdf(nothing.figures, tmp_path / "curves.pdf", "nothing")
    assert (tmp_path / "curves.pdf").read_bytes().startswith(b"%PDF")
