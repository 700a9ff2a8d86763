"""The report's tables as plain text: scores.csv for machines, scores.txt for the terminal."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from postgrad.records.score_files import ScoreFile
from postgrad.report.bookkeeping import ReportSpec, fitted, node_of, stand_ins, transductive
from postgrad.report.score_tables import METRICS, NodeScores
from postgrad.report.sections import Entries, Section

FIGURES = ("mean", "sd", "median", "seeds", "auc")  # the columns of scores.txt beside the node
WIDTHS = (7, 7, 8, 7, 7)
NAMES = 100 - sum(WIDTHS) - len("  floor")  # the widest column of nodes


def csv_text(scores: Iterable[ScoreFile], spec: ReportSpec) -> str:
    """scores.csv: one row a recipe, predictor, dataset and metric, the official metric first.

    scores: score.json files as dicts, in the order wanted. Six decimals; an empty value where the
    AUC does not exist (a class without gold); no row where the split has no gold labels.
    `transductive` and `stand_in` are yes or empty. Raises ValueError if a predictor was scored
    twice on one dataset.
    """
    out, marks = io.StringIO(), (transductive(spec), stand_ins(spec))
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
                    f"recipe {key[0]}: {key[1]} was scored twice on {key[2]}; name it once in score:"
                )
            seen.add(key)
            if entry["n"]:
                official, values = entry["metric"], entry["values"]
                told = ["yes" * ((key[0], entry["node"]) in marked) for marked in marks]
                for metric in [official] + [metric for metric in METRICS if metric != official]:
                    value = values[metric]
                    writer.writerow(
                        [*key, metric, "" if value is None else f"{value:.6f}", entry["n"], *told]
                    )
    return out.getvalue()


def text_table(
    rows: Sequence[NodeScores],
    chains: Iterable[Mapping[str, Any]],
    spec: ReportSpec,
    collapses: Sequence[Mapping[str, Any]] = (),
    sections: Iterable[tuple[Section, Entries]] = (),
) -> str:
    """scores.txt: aligned tables for the terminal, at most 100 columns wide; ends with the report's
    path.

    Scores first, a block a dataset under its recipe and metric, the floor on top; then the
    differences along each of `chains`, what the `sections` of verbs say, predictions of one class
    alone, and the `collapses` of trainings. A star marks what was fitted on the dataset of its
    score, a dagger what is transductive, a double one what hangs on a stand-in's answers.
    """
    marked, seen, ruled = fitted(spec), transductive(spec), stand_ins(spec)
    blocks: dict[tuple[str, str], list[NodeScores]] = {}

    def daggers(recipe: str, id: str) -> str:
        name = (recipe, node_of(spec, recipe, id)["name"])
        return signs(name in seen, name in ruled)

    def signs_of(recipe: str, dataset: str, node: str) -> str:
        name = (recipe, node)
        return signs(name in seen, name in ruled, (recipe, node, dataset) in marked)

    def signed(table: Mapping[str, Any], node: str) -> str:
        return node + signs_of(table["recipe"], table["dataset"], node)

    for row in sorted(rows, key=lambda row: not row["is_floor"]):
        blocks.setdefault((row["recipe"], row["dataset"]), []).append(row)
    names = {
        id(row): shortened(f"  {row['node']}", signs_of(row["recipe"], row["dataset"], row["name"]))
        for row in rows
    }
    titles = {
        key: f"{key[0]}  {key[1]}  {block[0]['metric'] or 'not scored'}"
        for key, block in blocks.items()
    }
    width = max(map(len, [*names.values(), *titles.values()]), default=0)
    lines = []
    for key in sorted(blocks, key=[(row["recipe"], row["dataset"]) for row in rows].index):
        lines += ["", line(titles[key], FIGURES, width)]
        for row in blocks[key]:
            figures = [decimals(value) for value in (row["mean"], row["sd"], row["median"])]
            cells = [*figures, str(row["seeds"]), decimals(row["auc"])]
            lines.append(line(names[id(row)], cells, width) + "  floor" * row["is_floor"])
    lines = lines[1:]
    for table in chains:
        lines += [
            "",
            f"What each step of {table['recipe']}: {table['chain']} adds on {table['dataset']}",
        ]
        for step in table["steps"]:
            lines.append(step_line(signed(table, step["from"]), signed(table, step["to"]), step))
            for control in step["controls"]:
                lines.append(
                    step_line(
                        signed(table, control["against"]),
                        signed(table, control["node"]),
                        control,
                        "control",
                    )
                )
    for section, entries in sections:
        for block in section.blocks(entries, daggers):
            lines += ["", *block]
    alone = [row for row in rows if row["one_class"]]
    lines += ["", "One class alone is predicted:"] if alone else []
    for row in alone:
        where = f"{row['recipe']}: {row['node']}{daggers(row['recipe'], row['name'])} on {row['dataset']}"
        lines.append(
            f"  {where}, {row['one_class']} of {row['seeds']} seed{'s' * (row['seeds'] > 1)}"
        )
    lines += ["", "Trainings that ended in one class:"] if collapses else []
    for training in collapses:
        seeds = f"seed{'s' * (len(training['collapsed']) > 1)} {', '.join(map(str, training['collapsed']))}"
        kept = (
            "the last model is kept all the same"
            if training["lost"]
            else f"the model is of seed {training['seed']}"
        )
        node = training["node"] + daggers(training["recipe"], training["node"])
        lines.append(f"  {training['recipe']}: {node}, {seeds}; {kept}")
    lines += [""] if marked or seen or ruled else []
    if marked:
        lines.append(
            "* fitted or chosen on the gold labels of this dataset: its score here is no test."
        )
    if seen:
        lines.append("† transductive: it, or what it stands on, has read the texts of a test set.")
    if ruled:
        lines.append(
            "‡ a rule wrote or reviewed in a language model's place: the score says nothing of such a model."
        )
    if spec["made_up"]:
        lines += [
            "",
            "The posts are made up: these scores show that the workflow runs, and nothing else.",
        ]
    return "\n".join([*lines, "", f"Report: {spec['page']}"]) + "\n"


def decimals(value: float | None) -> str:
    """A figure as scores.txt shows it; `-` for None."""
    return "-" if value is None else f"{value:.3f}"


def signs(transductive: bool, stand_in: bool, fitted: bool = False) -> str:
    """The marks behind a node's name in scores.txt, which explains them below all its tables."""
    return "†" * transductive + "‡" * stand_in + "*" * fitted


def shortened(name: str, signs: str) -> str:
    """A node's name with its signs, no wider than its column.

    The page and the CSV have the whole name.
    """
    space = NAMES - len(signs)
    return (name if len(name) <= space else name[: space - 1] + "…") + signs


def line(name: str, cells: Iterable[str], width: int) -> str:
    """A line of scores.txt: a name on the left, its cells on the right."""
    return name.ljust(width) + "".join(cell.rjust(space) for cell, space in zip(cells, WIDTHS))


def step_line(before: str, after: str, gain: Mapping[str, Any], note: str = "") -> str:
    """One step of a chain, or its control, as a line of scores.txt."""
    found = gain.get("reason")
    if not found:
        sd = "" if gain["sd"] is None else f" ± {gain['sd']:.3f}"
        found = f"{gain['mean']:+.3f}{sd}, {gain['seeds']} seed{'s' * (gain['seeds'] > 1)}"
    return f"  {f'{before} -> {after}':<52}{found:<28}{note}".rstrip()
