"""figures: one style, equal bytes, and nothing that a page would fetch."""

import re

import pytest
from report_files import Page
from tree import ROOT

from postgrad.report.figures import COLOURS, SERIES, figure_svg, new_figure, write_pdf


def line(label="a & b"):
    with new_figure(2.0, 4.0) as figure:
        axes = figure.subplots()
        axes.plot([0, 1], [0.25, 0.123456], "o-", label="0.123456")
        axes.fill_between([0, 1], [0, 0], [1, 0.5], color=SERIES[1], alpha=0.3)
        axes.set_ylabel(label)
        axes.legend()
    return figure


def test_the_same_drawing_gives_the_same_svg_and_the_same_pdf(tmp_path):
    assert figure_svg(line(), "f", "A line.") == figure_svg(line(), "f", "A line.")
    for name in ("one", "two"):
        write_pdf([line(), line("c")], tmp_path / f"{name}.pdf", "Lines")
    one = (tmp_path / "one.pdf").read_bytes()
    assert one == (tmp_path / "two.pdf").read_bytes()
    assert one.startswith(b"%PDF") and one.count(b"/Type /Page\n") + one.count(b"/Type /Page ") == 2
    assert b"Date" not in one
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.pdf", "two.pdf"]


def test_an_svg_is_closed_fetches_nothing_and_keeps_its_text():
    svg = figure_svg(line(), "f", 'A "line".')
    page = Page(svg)
    assert page.fetched == [] and "://" not in svg and "<style" not in svg
    assert "a & b" in page.words and "0.123456" in page.words, "a label is not rounded"
    assert 'aria-label="A &quot;line&quot;."' in svg


def test_ids_of_two_figures_differ_and_are_all_found():
    one, two = (figure_svg(line(), name, "A line.") for name in ("one", "two"))
    made = [re.findall(r'\bid="([^"]+)"', svg) for svg in (one, two)]
    assert made[0] and not set(made[0]) & set(made[1])
    for svg, ids in zip((one, two), made):
        used = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svg)
        assert used and {first or second for first, second in used} <= set(ids)


def test_colours_are_those_of_the_page():
    svg = figure_svg(line(), "f", "A line.")
    assert "var(--c0)" in svg and "var(--ink)" in svg and not re.search(r"#[0-9a-f]{6}", svg)
    style = "".join(
        path.read_text() for path in (ROOT / "workflow/scripts/postgrad/report").glob("*.j2")
    )
    light = style[style.index(":root") : style.index("}", style.index(":root"))]
    assert dict(re.findall(r"--([a-z0-9]+): (#[0-9a-f]{6});", light)).items() >= COLOURS.items()


@pytest.mark.parametrize("name", ["matplotlib.pyplot"])
def test_no_figure_is_kept_in_a_global_state(name):
    import sys

    line()
    assert name not in sys.modules
