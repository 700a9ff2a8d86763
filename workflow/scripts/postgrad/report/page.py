"""The report as one HTML page."""

from pathlib import Path
from typing import Any

import jinja2


def html(template: Path | str, **tables: Any) -> str:
    """The page, one self-contained file.

    template: path of the Jinja2 file; everything is escaped.
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
    environment.filters["figure"] = figure
    return environment.get_template(file.name).render(**tables)


def figure(value: float | None, places: int = 3, signed: bool = False) -> str:
    """A number as the page shows it: `0.953`, `+0.012`, `−0.004`; `–` for None."""
    if value is None:
        return "–"
    text = f"{value:+.{places}f}" if signed else f"{value:.{places}f}"
    return text.replace("-", "−")
