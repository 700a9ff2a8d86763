"""interval_plots and verdict_page: each row of the CSV files is shown, with its number."""

from made_verdicts import RANKS, compared
from report_files import Page

from postgrad.report.figures import figure_svg
from postgrad.report.interval_plots import MARKERS, OUTCOMES, comparison_figures, ranking_figure
from postgrad.report.verdict_page import task_verdicts, verdict_report

NONE = compared(outcome="", difference=0.0, dataset="rain/dev") | dict.fromkeys(
    ("difference", "low", "high", "p", "p_holm"), None
)
ROWS = [
    compared(),
    compared("control", "cannot be told", -0.001, after="drawn"),
    compared("step over control", "harms", -0.05, before="drawn"),
    compared(outcome="no more than its control", recipe="s", after="an <odd> name"),
    NONE,
]


def test_each_recipe_has_a_forest_plot_with_a_line_for_each_interval():
    figures = comparison_figures(ROWS)
    assert list(figures) == ["r", "s"]
    axes = figures["r"].axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "plain → expert",
        "plain → drawn",
        "drawn → expert",
    ]
    texts = [text.get_text() for text in axes.texts]
    assert "+0.020 [+0.010, +0.030]" in texts and "−0.050 [−0.060, −0.040]" in texts
    assert [line.get_marker() for line in axes.lines if line.get_marker() != "None"] == [
        MARKERS[kind] for kind in ("step", "control", "step over control")
    ]
    assert axes.get_xlim() == figures["s"].axes[0].get_xlim(), "recipes can be compared"
    assert axes.get_xlim()[0] < -0.06 and axes.get_xlim()[1] > 0.03


def test_colours_of_outcomes_differ():
    assert len({colour for colour, _ in OUTCOMES.values()}) == len(OUTCOMES)
    svg = figure_svg(comparison_figures(ROWS)["r"], "f", "A plot.")
    assert all(outcome in svg for outcome in ("helps", "harms", "cannot be told"))


def test_without_intervals_there_is_no_figure():
    assert comparison_figures([NONE]) == {} and ranking_figure([]) is None
    parts = verdict_report([], []).page
    assert not parts["comparison_figures"] and parts["ranking_svg"] is None


def test_the_ranking_shows_rank_recipe_and_interval():
    figure = ranking_figure(RANKS)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["1  r: cut", "2  s: cut"]
    assert "0.720 [0.700, 0.740]" in [text.get_text() for text in figure.axes[0].texts]


def test_rows_have_their_numbers_in_the_file():
    parts = verdict_report(ROWS, RANKS).page
    assert [row["row"] for row in parts["comparisons"]] == [1, 2, 3, 4, 5]
    assert [row["row"] for group in parts["comparison_groups"] for row in group["rows"]] == [
        1, 2, 3, 4, 5
    ]  # fmt: skip
    assert [[row["row"] for row in group["rows"]] for group in parts["verdicts"]] == [[1, 4]]
    for figure in parts["comparison_figures"]:
        assert Page(figure["svg"]).fetched == []


def test_a_task_shows_its_best_systems_and_the_steps_with_an_outcome():
    (group,) = task_verdicts(ROWS, RANKS)
    assert group["task"] == "rain" and [row["recipe"] for row in group["best"]] == ["r"]
    assert task_verdicts([NONE], []) == []
