"""Draw the figures of a report in one style, as SVG for the page and as PDF beside it.

A module that draws a figure opens it with `new_figure`, draws on it with the objects of matplotlib,
and hands it to `figure_svg` and `write_pdf`. Matplotlib is imported when the first figure is drawn,
because the import takes most of a second.
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from postgrad.records.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The colours of the page in light mode, under the names of its CSS variables. On the page the
# variables take their place, so that a figure follows the dark mode. c0 to c5 can be told apart
# by readers who are colour-blind (Okabe and Ito, darkened to a contrast of 3:1 on paper).
COLOURS = {
    "ink": "#1c2327",
    "quiet": "#667078",
    "rule": "#dfe2e1",
    "faint": "#f1f2ef",
    "accent": "#1f6680",
    "grey": "#a3aaad",
    "paper": "#fcfcfa",
    "c0": "#0072b2",
    "c1": "#d55e00",
    "c2": "#008a64",
    "c3": "#b8538c",
    "c4": "#b07a00",
    "c5": "#3b3b9e",
}
SERIES = tuple(COLOURS[f"c{i}"] for i in range(6))  # for curves, in this order
WIDTH = 7.0  # inches: the text width of a page of A4 with margins of 16 mm


def house_style() -> Any:
    """Return the settings of matplotlib that all figures share, as a dictionary."""
    ink, quiet, rule = COLOURS["ink"], COLOURS["quiet"], COLOURS["rule"]
    return {
        "axes.axisbelow": True,
        "axes.edgecolor": COLOURS["grey"],
        "axes.facecolor": "none",
        "axes.grid": True,
        "axes.labelcolor": quiet,
        "axes.labelsize": 9,
        "axes.linewidth": 0.8,
        "axes.prop_cycle": f"cycler('color', {list(SERIES)})",
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 9.5,
        "axes.titleweight": "bold",
        "figure.facecolor": "none",
        "font.family": "DejaVu Sans",  # comes with matplotlib, so a PDF is the same everywhere
        "font.size": 9,
        "grid.color": rule,
        "grid.linewidth": 0.7,
        "legend.fontsize": 8.5,
        "legend.frameon": False,
        "lines.linewidth": 1.5,
        "lines.markersize": 5,
        "pdf.fonttype": 42,  # text of a PDF can be searched and edited
        "savefig.facecolor": "none",
        "svg.fonttype": "none",  # text stays text, in the typeface of the page
        "svg.hashsalt": "postgrad",  # the same ids in every run
        "text.color": ink,
        "text.parse_math": False,  # a $ in a name is a $
        "xtick.color": COLOURS["grey"],
        "xtick.labelcolor": quiet,
        "xtick.labelsize": 8.5,
        "ytick.color": COLOURS["grey"],
        "ytick.labelcolor": ink,
        "ytick.labelsize": 8.5,
    }


@contextmanager
def drawing() -> Iterator[None]:
    """Hold the house style while figures are drawn and written."""
    import matplotlib

    with matplotlib.rc_context(house_style()):
        yield


@contextmanager
def new_figure(height: float, width: float = WIDTH) -> Iterator["Figure"]:
    """Yield an empty figure in the house style, on which the body draws.

    Parameters
    ----------
    height, width
        The size in inches.
    """
    from matplotlib.figure import Figure

    with drawing():
        yield Figure(figsize=(width, height), layout="constrained")


def figure_with_text(text: str) -> "Figure":
    """Return a figure that only says why there is nothing to draw."""
    with new_figure(1.0) as figure:
        figure.text(0.02, 0.5, text, va="center")
    return figure


def figure_svg(figure: "Figure", name: str, description: str) -> str:
    """Return a figure as an SVG element for the page. Equal figures give equal text.

    Parameters
    ----------
    figure
        The figure.
    name
        A name that no other figure of the page has. The ids within the figure begin with it.
    description
        What the figure shows, for readers who do not see it. It is escaped here.
    """
    out = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with drawing():
        figure.savefig(out, format="svg", metadata=nothing)
    return page_svg(out.getvalue(), name, description)


def page_svg(svg: str, name: str, description: str) -> str:
    """Return an SVG file of matplotlib as an element that can stand in the page.

    Its ids are made unique within the page, its colours become variables of the page, its text
    takes the page's typeface, and coordinates have two decimals.

    Examples
    --------
    >>> page_svg('<?xml?><svg><path id="m1" d="M 1.2345 6" style="fill: #1c2327"/></svg>', "a", "b")
    '<svg role="img" aria-label="b"><path id="a-m1" d="M 1.23 6" style="fill: var(--ink)"/></svg>'
    """
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg)  # HTML knows the names without them
    svg = re.sub(r"<g id=\"[^\"]*\"", "<g", svg)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r" ?font-family: [^;\"]*;?", "", svg)
    svg = re.sub(r"font: ([0-9.]+px) [^;\"]*;", r"font-size: \1;", svg)
    svg = re.sub(
        r' (?:d|x|y|points|transform)="[^"]*"',
        lambda match: re.sub(r"(\.\d\d)\d+", r"\1", match[0]),
        svg,
    )
    names = {colour: name for name, colour in COLOURS.items()}
    svg = re.sub(
        r'style="[^"]*"',
        lambda match: re.sub(
            r"#[0-9a-f]{6}",
            lambda hex: f"var(--{names[hex[0]]})" if hex[0] in names else hex[0],
            match[0],
        ),
        svg,
    )
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(description)}"', 1)


def write_pdf(figures: Sequence["Figure"], path: Path | str, title: str) -> None:
    """Write figures as the pages of a PDF file. Equal figures give equal bytes.

    Parameters
    ----------
    figures
        At least one figure.
    path
        The file.
    title
        The title in the properties of the file.
    """
    from matplotlib.backends.backend_pdf import PdfPages

    facts: Mapping[str, Any] = {
        "Title": title,
        "Creator": "Postgrad",
        "Producer": None,
        "CreationDate": None,
    }
    with (
        drawing(),
        atomic_write(path) as temporary,
        PdfPages(temporary, metadata=dict(facts)) as pages,
    ):
        for figure in figures:
            figure.savefig(pages, format="pdf", facecolor="white")
