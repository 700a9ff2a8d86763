"""What the stages of a study cost, from the records that their jobs left in work/."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from postgrad.runtime.cost import add_known, read_costs

COLUMNS = (
    "recipe",
    "verb",
    "jobs",
    "seconds",
    "cpu_hours",
    "gpu_hours",
    "tokens",
    "kilowatt_hours",
)
HOUR = 3600.0


def cost_rows(work: str | None, spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what each expensive stage of each recipe cost, with the columns of cost.csv.

    Parameters
    ----------
    work
        The folder of the study in work/. Without it there is no row.
    spec
        The spec of the report. `costly` of a recipe has the ids of nodes by verb.

    Returns
    -------
    list of dict
        `jobs` is the number of nodes that have a record. A number that is not known is None; the
        energy of a stage is not known if that of one of its nodes is not.
    """
    rows = []
    for recipe, body in spec["recipes"].items() if work else ():
        for verb, ids in body.get("costly", {}).items():
            nodes = [read_costs(Path(str(work), recipe, verb, id)) for id in ids]
            records = [record for found in nodes for record in found]
            if records:
                seconds, cpu, gpu, tokens = (
                    known_sum(records, key)
                    for key in ("seconds", "cpu_seconds", "gpu_seconds", "tokens")
                )
                energies = [record.get("kilowatt_hours") for record in records]
                known = [energy for energy in energies if energy is not None]
                values = (
                    sum(map(bool, nodes)),
                    round(seconds or 0, 3),
                    round((cpu or 0) / HOUR, 4),
                    round((gpu or 0) / HOUR, 4),
                    tokens,
                    round(sum(known), 4) if len(known) == len(energies) else None,
                )
                rows.append(dict(zip(COLUMNS, (recipe, verb, *values))))
    return rows


def known_sum(records: list[dict[str, Any]], key: str) -> float | None:
    """Return the sum of a number over records; None if no record has it.

    Examples
    --------
    >>> known_sum([{"tokens": 5}, {"tokens": None}, {}], "tokens")
    5
    """
    total = None
    for record in records:
        total = add_known(total, record.get(key))
    return total


def cost_csv(rows: list[dict[str, Any]]) -> str:
    """Return cost.csv: a line for each stage of each recipe. What is not known is empty."""
    text = io.StringIO()
    lines = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    lines.writeheader()
    lines.writerows(rows)
    return text.getvalue()
