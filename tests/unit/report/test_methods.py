"""methods: every number of methods.md stands in a CSV file, or counts its rows."""

import pytest
from made_verdicts import RANKS, compared, is_rounded_from, numbers

from postgrad.evaluation.bootstrap import DRAWS, RANK_DRAWS
from postgrad.report.methods import methods_text

SPEC = {
    "study": "wet",
    "scale": "laptop",
    "mode": "faithful",
    "made_up": False,
    "recipes": {"r": {"title": "Rain"}, "s": {"title": "Snow"}},
}
SCORES = [
    {
        "recipe": recipe, "node": node, "task": "rain", "dataset": "rain/test", "n": 1600,
        "metric": "f1", "seeds": seeds, "mean": 0.7,
    }
    for recipe, node, seeds in (("r", "cut", 3), ("s", "cut", 1), ("r", "plain", 3))
]  # fmt: skip
ROWS = [
    compared(sentence="It helps: F1 from 0.700 to 0.720, +0.020 (1,600 posts)."),
    compared(outcome="cannot be told"),
    compared("control", "harms"),
    compared(outcome="", p_holm=None),
]
CONSTANTS = {"95", ".05", "1946", "1979", f"{DRAWS:,}", f"{RANK_DRAWS:,}"}


def test_the_text_names_systems_seeds_outcomes_and_the_best():
    text = methods_text(SPEC, SCORES, ROWS, RANKS)
    for part in (
        "2 recipes (Rain and Snow) in mode faithful at scale laptop. 3 systems were scored",
        "with 1 to 3 seeds each, on rain, rain/test (1,600 posts; f1)",
        "those of all 3 comparisons on test were corrected",
        "Of 2 steps, 1 helped, 0 harmed, 0 gained no more than a control, and for 1 it cannot",
        "r: cut on rain/test of rain (f1 0.720, 0.700 to 0.740).",
        "- It helps: F1 from 0.700 to 0.720, +0.020 (1,600 posts). (row 1)",
    ):
        assert part in text, part


def test_each_number_is_a_cell_a_count_or_a_constant():
    text = methods_text(SPEC, SCORES, ROWS, RANKS)
    cells = [cell for row in [*ROWS, *RANKS, *SCORES] for cell in row.values()]
    counts = range(len(ROWS) + 1)
    shown = numbers(text)
    assert len(shown) > 20
    assert [
        number
        for number in shown
        if number not in CONSTANTS and not is_rounded_from(number, [*cells, *counts])
    ] == []


@pytest.mark.parametrize(
    "spec, words", [({"made_up": True}, "made up"), ({"so_far": {"missing": []}}, "not finished")]
)
def test_what_weakens_the_results_is_said_first(spec, words):
    text = methods_text(SPEC | spec, SCORES, [], [])
    assert text.index(words) < text.index("**Systems.**") and "Comparisons" not in text
    assert words not in methods_text(SPEC, SCORES, [], [])


def test_numbers_of_a_text_are_found_and_held_against_cells():
    assert numbers("F1 from 0.700 to 1,234 at p < .001, −0.5 (95 % of a@seed=1).") == [
        "0.700", "1,234", ".001", "-0.5", "95"
    ]  # fmt: skip
    assert is_rounded_from("+0.012", ["x", 0.0124]) and is_rounded_from("57", ["0.567"])
    assert not is_rounded_from("+0.012", [0.0126, None])
