"""Write methods.md: the paragraphs on methods and results for a paper, with the numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from postgrad.evaluation.bootstrap import DRAWS, RANK_DRAWS

Row = Mapping[str, Any]  # a row of comparisons.csv or of ranking.csv; an empty cell is None


def methods_text(
    spec: Mapping[str, Any],
    scores: Sequence[Row],
    comparisons: Sequence[Row],
    ranking: Sequence[Row],
) -> str:
    """Return methods.md. Its numbers are cells of the CSV files beside it, or counts of their rows.

    Parameters
    ----------
    spec
        The spec of the report.
    scores
        The scores of all nodes, as from `node_scores`.
    comparisons
        The rows of comparisons.csv, with their sentences.
    ranking
        The rows of ranking.csv.
    """
    paragraphs = [
        f"# Methods and results of study {spec['study']}",
        "A run writes this file again when results change: edit a copy of it.",
    ]
    if spec["made_up"]:
        paragraphs.append(
            "**The posts of this study were made up by a program. These results only show that "
            "the workflow runs.**"
        )
    if spec.get("so_far"):
        paragraphs.append("**The study has not finished. Results of some jobs are missing.**")
    scored = [row for row in scores if row["mean"] is not None]
    paragraphs += [_systems(spec, scored), _intervals()]
    if comparisons:
        paragraphs += [_comparisons(comparisons), _results(comparisons, ranking)]
        paragraphs += _sentences(comparisons)
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"


def _systems(spec: Mapping[str, Any], scored: Sequence[Row]) -> str:
    recipes = spec["recipes"]
    titles = _listed([body["title"] for body in recipes.values()])
    sizes: dict[str, tuple[int, str]] = {}
    for row in scored:
        sizes.setdefault(f"{row['task']}, {row['dataset']}", (row["n"], row["metric"]))
    systems = len({(row["recipe"], row["node"]) for row in scored})
    seeds = _range([row["seeds"] for row in scored])
    sets = _listed(
        [f"{name} ({posts:,} posts; {metric})" for name, (posts, metric) in sizes.items()], "; "
    )
    return (
        f"**Systems.** We ran {_counted(len(recipes), 'recipe')} ({titles}) in mode "
        f"{spec['mode']} at scale {spec['scale']}. {_counted(systems, 'system')} "
        f"{'was' if systems == 1 else 'were'} scored by the official metric of the task, with "
        f"{seeds} each, on {sets}. The report lists all values that differ from the papers'."
    )


def _intervals() -> str:
    return (
        "**Intervals.** A score is the mean over the seeds. Its interval of 95 % covers the choice "
        "of the posts and of the seeds. The variance due to the posts was estimated by drawing "
        f"groups of posts with replacement ({DRAWS:,} times, and {RANK_DRAWS:,} times for scores "
        "by rank), where posts of one known author or of one group of near-duplicates form a "
        "group; the variance due to the seeds by their sample variance. Degrees of freedom are "
        "those of Satterthwaite (1946)."
    )


def _comparisons(rows: Sequence[Row]) -> str:
    family = [row for row in rows if row["p_holm"] is not None]
    splits = _listed(sorted({row["dataset"].partition("/")[2] for row in family})) or "no split"
    margins = _listed(
        [
            f"{value:g}"
            for value in sorted({row["margin"] for row in rows if row["margin"] is not None})
        ]
    )
    seeds = _range([row["seeds"] for row in family])
    return (
        "**Comparisons.** Two systems were compared on the same posts and, seed by seed, over "
        f"{seeds}. The p-values are two-sided; those of all "
        f"{_counted(len(family), 'comparison')} on {splits} were corrected by the method of Holm "
        "(1979). We say that a step helps or harms if its corrected p-value is below .05. If its "
        "gain over one of its controls, which leave the idea of the step out, is not shown in the "
        "same way, it is worth no more than that control. Otherwise it cannot be told whether it "
        "helps." + (f" A difference within ±{margins} is practically zero." if margins else "")
    )


def _results(rows: Sequence[Row], ranking: Sequence[Row]) -> str:
    steps = [row for row in rows if row["kind"] == "step" and row["outcome"]]
    outcomes = [row["outcome"] for row in steps]
    best = [
        f"{row['recipe']}: {row['node']} on {row['dataset']} of {row['task']} "
        f"({row['metric']} {row['mean']:.3f}"
        + (f", {row['low']:.3f} to {row['high']:.3f})" if row["low"] is not None else ")")
        for row in ranking
        if row["rank"] == 1 and row["decisive"]
    ]
    text = f"**Results.** Of {_counted(len(steps), 'step')}, "
    text += ", ".join(
        f"{outcomes.count(outcome)} {words}"
        for outcome, words in (
            ("helps", "helped"),
            ("harms", "harmed"),
            ("no more than its control", "gained no more than a control"),
        )
    )
    text += f", and for {outcomes.count('cannot be told')} it cannot be told."
    return text + (f" The best systems were {_listed(best, '; ')}." if best else "")


def _sentences(rows: Sequence[Row]) -> list[str]:
    lines = [
        f"- {row['sentence']} (row {place})"
        for place, row in enumerate(rows, start=1)
        if row["kind"] == "step" and row["outcome"]
    ]
    return ["The steps, with their rows in comparisons.csv:", "\n".join(lines)] if lines else []


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _range(numbers: Sequence[int]) -> str:
    """Return a range of seeds in words.

    Examples
    --------
    >>> _range([3, 3]), _range([1, 3]), _range([1])
    ('3 seeds', '1 to 3 seeds', '1 seed')
    """
    low, high = min(numbers, default=0), max(numbers, default=0)
    return _counted(high, "seed") if low == high else f"{low} to {_counted(high, 'seed')}"


def _listed(items: Sequence[str], separator: str = ", ") -> str:
    """Return items as a list in words.

    Examples
    --------
    >>> _listed(["a", "b", "c"])
    'a, b and c'
    """
    if len(items) < 2:
        return "".join(items)
    return f"{separator.join(items[:-1])} and {items[-1]}"
