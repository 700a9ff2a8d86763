"""Write the tables of the report as plain text: scores.csv for programs, scores.txt for readers."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from postgrad.records.score_files import ScoreFile
from postgrad.report.bookkeeping import (
    ReportSpec,
    fitted_nodes,
    node_point,
    stand_in_nodes,
    transductive_nodes,
)
from postgrad.report.score_tables import METRICS, NodeScores
from postgrad.report.sections import Entries, Section

FIGURES = ("mean", "sd", "median", "seeds", "auc")  # the columns of scores.txt after the node
WIDTHS = (7, 7, 8, 7, 7)
NAME_WIDTH = 100 - sum(WIDTHS) - len("  floor")  # the largest width of the column of nodes


def scores_csv(scores: Iterable[ScoreFile], spec: ReportSpec) -> str:
    """Return scores.csv: a row for each recipe, predictor, dataset and metric.

    The official metric of a dataset comes first. Values have six decimals. The value is empty if
    the AUC does not exist because a class has no gold posts. A dataset without gold labels has no
    row. `transductive` and `stand_in` are yes or empty.

    Parameters
    ----------
    scores
        The contents of the score.json files, in the order of the rows.
    spec
        The spec of the report.

    Raises
    ------
    ValueError
        If a predictor was scored twice on one dataset.
    """
    out, marks = io.StringIO(), (transductive_nodes(spec), stand_in_nodes(spec))
    seen: set[tuple[str, str, str]] = set()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["recipe", "predictor", "dataset", "metric", "value", "n", "transductive", "stand_in"]
    )
    for score in scores:
        for entry in score["entries"]:
            key = (score["recipe"], entry["predictor"], entry["dataset"])
            if key in seen:
                raise ValueError(
                    f"recipe {key[0]}: {key[1]} was scored twice on {key[2]}; "
                    "name it once under score."
                )
            seen.add(key)
            if entry["n"]:
                official, values = entry["metric"], entry["values"]
                flags = ["yes" * ((key[0], entry["node"]) in marked) for marked in marks]
                for metric in [official] + [metric for metric in METRICS if metric != official]:
                    value = values[metric]
                    writer.writerow(
                        [*key, metric, "" if value is None else f"{value:.6f}", entry["n"], *flags]
                    )
    return out.getvalue()


class _NodeSigns:
    """The signs behind the names of nodes in scores.txt."""

    def __init__(self, spec: ReportSpec) -> None:
        self.spec = spec
        self.fitted = fitted_nodes(spec)
        self.transductive = transductive_nodes(spec)
        self.stand_in = stand_in_nodes(spec)

    def of_id(self, recipe: str, id: str) -> str:
        """Return the signs of a node, without that of a fit, by its id."""
        node = (recipe, node_point(self.spec, recipe, id)["name"])
        return node_signs(node in self.transductive, node in self.stand_in)

    def on_dataset(self, recipe: str, dataset: str, name: str) -> str:
        """Return all signs of a node on a dataset, by its name."""
        node = (recipe, name)
        fitted = (recipe, name, dataset) in self.fitted
        return node_signs(node in self.transductive, node in self.stand_in, fitted)


def scores_text(
    rows: Sequence[NodeScores],
    chains: Iterable[Mapping[str, Any]],
    spec: ReportSpec,
    collapses: Sequence[Mapping[str, Any]] = (),
    sections: Iterable[tuple[Section, Entries]] = (),
) -> str:
    """Return scores.txt: aligned tables for the terminal, at most 100 columns wide.

    The scores come first, in one block for each dataset, with the floor on top. The differences
    along the chains, the blocks of the sections, nodes that predict one class, and collapsed
    trainings follow. A star marks a node that was fitted on the dataset of its score, a dagger one
    that is transductive, and a double dagger one that depends on the answers of a stand-in. The
    last line is the path of the report.

    Parameters
    ----------
    rows
        The scores of all nodes, as from `node_scores`.
    chains
        The tables of the chains, as from `chain_tables`.
    spec
        The spec of the report.
    collapses
        The collapsed trainings, as from `collapse_rows`.
    sections
        The sections of verbs, each with its entries.
    """
    signs = _NodeSigns(spec)
    lines = [*_score_lines(rows, signs), *_chain_lines(chains, signs)]
    for section, entries in sections:
        for block in section.blocks(entries, signs.of_id):
            lines += ["", *block]
    lines += [*_one_class_lines(rows, signs), *_collapse_lines(collapses, signs)]
    lines += _footnotes(signs)
    if spec["made_up"]:
        lines += [
            "",
            "The posts are made up. The scores only show that the workflow runs.",
        ]
    return "\n".join([*lines, "", f"Report: {spec['page']}"]) + "\n"


def _score_lines(rows: Sequence[NodeScores], signs: _NodeSigns) -> list[str]:
    """Return one block of scores for each recipe and dataset."""
    blocks: dict[tuple[str, str], list[NodeScores]] = {}
    for row in sorted(rows, key=lambda row: not row["is_floor"]):
        blocks.setdefault((row["recipe"], row["dataset"]), []).append(row)
    names = {
        id(row): truncated_name(
            f"  {row['node']}", signs.on_dataset(row["recipe"], row["dataset"], row["name"])
        )
        for row in rows
    }
    titles = {
        key: f"{key[0]}  {key[1]}  {block[0]['metric'] or 'not scored'}"
        for key, block in blocks.items()
    }
    width = max(map(len, [*names.values(), *titles.values()]), default=0)
    lines = []
    for key in sorted(blocks, key=[(row["recipe"], row["dataset"]) for row in rows].index):
        lines += ["", table_line(titles[key], FIGURES, width)]
        for row in blocks[key]:
            figures = [format_score(value) for value in (row["mean"], row["sd"], row["median"])]
            cells = [*figures, str(row["seeds"]), format_score(row["auc"])]
            floor = "  floor" * row["is_floor"]
            lines.append(table_line(names[id(row)], cells, width) + floor)
    return lines[1:]


def _chain_lines(chains: Iterable[Mapping[str, Any]], signs: _NodeSigns) -> list[str]:
    """Return the steps of each chain and their controls."""
    lines: list[str] = []
    for table in chains:
        recipe, dataset = table["recipe"], table["dataset"]

        def signed(node: str, recipe: str = recipe, dataset: str = dataset) -> str:
            return node + signs.on_dataset(recipe, dataset, node)

        lines += ["", f"What each step of {recipe}: {table['chain']} adds on {dataset}"]
        for step in table["steps"]:
            lines.append(step_line(signed(step["from"]), signed(step["to"]), step))
            for control in step["controls"]:
                before, after = signed(control["against"]), signed(control["node"])
                lines.append(step_line(before, after, control, "control"))
    return lines


def _one_class_lines(rows: Sequence[NodeScores], signs: _NodeSigns) -> list[str]:
    """Return the nodes that predict one class for all posts."""
    one_class = [row for row in rows if row["one_class"]]
    lines = ["", "Nodes that predict one class for all posts:"] if one_class else []
    for row in one_class:
        node = row["node"] + signs.of_id(row["recipe"], row["name"])
        seeds = f"{row['one_class']} of {row['seeds']} seed{'s' * (row['seeds'] > 1)}"
        lines.append(f"  {row['recipe']}: {node} on {row['dataset']}, {seeds}")
    return lines


def _collapse_lines(collapses: Sequence[Mapping[str, Any]], signs: _NodeSigns) -> list[str]:
    """Return the collapsed trainings, and which model is kept."""
    lines = ["", "Trainings that ended with one class for all posts:"] if collapses else []
    for training in collapses:
        collapsed = training["collapsed"]
        seeds = f"seed{'s' * (len(collapsed) > 1)} {', '.join(map(str, collapsed))}"
        kept = (
            "the last model is kept although it collapsed"
            if training["lost"]
            else f"the model with seed {training['seed']} is kept"
        )
        node = training["node"] + signs.of_id(training["recipe"], training["node"])
        lines.append(f"  {training['recipe']}: {node}, {seeds}; {kept}")
    return lines


def _footnotes(signs: _NodeSigns) -> list[str]:
    """Return the explanations of the signs that occur."""
    notes = []
    if signs.fitted:
        notes.append(
            "* The node was fitted or chosen on the gold labels of this dataset. "
            "Its score is not a test."
        )
    if signs.transductive:
        notes.append(
            "† Transductive: the node or one on which it depends has read the texts of a test set."
        )
    if signs.stand_in:
        notes.append(
            "‡ A rule wrote or reviewed in place of a language model. "
            "The score does not describe a model."
        )
    return ["", *notes] if notes else []


def format_score(value: float | None) -> str:
    """Format a figure as scores.txt shows it.

    Examples
    --------
    >>> format_score(0.25), format_score(None)
    ('0.250', '-')
    """
    return "-" if value is None else f"{value:.3f}"


def node_signs(transductive: bool, stand_in: bool, fitted: bool = False) -> str:
    """Return the signs behind the name of a node, which scores.txt explains below its tables.

    Examples
    --------
    >>> node_signs(transductive=True, stand_in=False, fitted=True)
    '†*'
    """
    return "†" * transductive + "‡" * stand_in + "*" * fitted


def truncated_name(name: str, signs: str) -> str:
    """Return the name of a node with its signs, at most as wide as the column of nodes.

    The page and scores.csv contain the whole name.
    """
    space = NAME_WIDTH - len(signs)
    return (name if len(name) <= space else name[: space - 1] + "…") + signs


def table_line(name: str, cells: Iterable[str], width: int) -> str:
    """Return a line of scores.txt: a name, and cells that are aligned to the right."""
    return name.ljust(width) + "".join(cell.rjust(space) for cell, space in zip(cells, WIDTHS))


def step_line(before: str, after: str, gain: Mapping[str, Any], note: str = "") -> str:
    """Return a step of a chain, or its control, as a line of scores.txt."""
    result = gain.get("reason")
    if not result:
        sd = "" if gain["sd"] is None else f" ± {gain['sd']:.3f}"
        result = f"{gain['mean']:+.3f}{sd}, {gain['seeds']} seed{'s' * (gain['seeds'] > 1)}"
    return f"  {f'{before} -> {after}':<52}{result:<28}{note}".rstrip()
