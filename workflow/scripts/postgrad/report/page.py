"""Render the report as one HTML page."""

from pathlib import Path
from typing import Any

import jinja2


def render_page(template: Path | str, **tables: Any) -> str:
    """Render the page as one self-contained HTML file.

    Parameters
    ----------
    template
        The path of the Jinja2 template. All values are escaped.
    **tables
        The values that the template reads.
    """
    file = Path(template)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(file.parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["figure"] = format_figure
    return environment.get_template(file.name).render(**tables)


def format_figure(value: float | None, places: int = 3, signed: bool = False) -> str:
    """Format a number as the page shows it.

    Examples
    --------
    >>> format_figure(0.9531), format_figure(0.0123, signed=True), format_figure(None)
    ('0.953', '+0.012', '–')
    """
    if value is None:
        return "–"
    text = f"{value:+.{places}f}" if signed else f"{value:.{places}f}"
    return text.replace("-", "−")
