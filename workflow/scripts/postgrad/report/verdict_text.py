"""The verdicts of a report in words: a sentence each, comparisons.csv, and the end of a run.

All figures in a sentence are rounded from the row of comparisons.csv, or of ranking.csv, that has
the sentence.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from postgrad.evaluation.verdicts import (
    HARMS,
    HELPS,
    NO_MORE,
    OVER_CONTROL,
    STEP,
    UNKNOWN,
    Verdict,
    is_same_step,
)

METRIC_NAMES = {
    "f1": "F1",
    "macro_f1": "macro-F1",
    "micro_f1": "micro-F1",
    "accuracy": "accuracy",
    "auc": "AUC",
}
COLUMNS = (
    "recipe",
    "task",
    "dataset",
    "metric",
    "chain",
    "kind",
    "before",
    "after",
    "step",
    "posts",
    "seeds",
    "before_mean",
    "after_mean",
    "difference",
    "low",
    "high",
    "standard_error",
    "degrees_of_freedom",
    "posts_sd",
    "seeds_sd",
    "p",
    "p_holm",
    "gain_probability",
    "near_zero_probability",
    "margin",
    "mcnemar_p",
    "outcome",
    "control",
    "needed_posts",
    "needed_seeds",
    "reason",
    "sentence",
)
MAX_LINES = 30  # of verdict.txt
_MAX_BEST, _MAX_OUTCOME = 8, 5  # lines of the best systems, and of each outcome


def csv_text(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    r"""Return rows as the text of a CSV file. Floats have six decimals, and None is empty.

    Examples
    --------
    >>> csv_text([{"p": 0.25, "n": 3}, {"p": None, "n": 0}], ["p", "n"])
    'p,n\n0.250000,3\n,0\n'
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        values = [row.get(column) for column in columns]
        writer.writerow(
            ["" if v is None else f"{v:.6f}" if isinstance(v, float) else v for v in values]
        )
    return out.getvalue()


def with_sentences(rows: Sequence[Verdict]) -> list[dict[str, Any]]:
    """Return the rows of comparisons.csv: each comparison with its sentence."""
    return [{**row, "sentence": verdict_sentence(row, rows)} for row in rows]


def verdict_sentence(row: Verdict, rows: Sequence[Verdict] = ()) -> str:
    """Return the verdict of a comparison as one sentence, or an empty text if it has no outcome.

    Parameters
    ----------
    row
        The comparison.
    rows
        All comparisons, among which a step that is worth no more than its control finds the one
        over its control.
    """
    if not row["outcome"]:
        return ""
    metric, after, before = METRIC_NAMES[row["metric"]], row["after"], row["before"]
    figures = _interval(row) + f"; {_size(row)}; corrected p {_p_value(row['p_holm'])}"
    means = f"from {_score(row['before_mean'])} to {_score(row['after_mean'])}"
    place = f"{row['recipe']}, {row['dataset']}: "
    change = f"{metric} {means}, {_signed(row['difference'])} ({figures})"
    if row["outcome"] in (HELPS, HARMS):
        return f"{place}{after} {row['outcome']} after {before}: {change}."
    if row["outcome"] == NO_MORE:
        return (
            f"{place}{after} is worth no more than its control {row['control']}: after {before} it "
            f"changes {change}, but over the control {_over_control(row, rows)}."
        )
    near = f"{100 * (row['near_zero_probability'] or 0.0):.0f} %"
    return (
        f"{place}It cannot be told whether {after} helps after {before}: {change}. The probability "
        f"that the difference is within ±{row['margin']:g} is {near}. {_needed(row)}"
    )


def _over_control(step: Verdict, rows: Sequence[Verdict]) -> str:
    """Return the gain of a step over its control, with its interval."""
    for row in rows:
        is_over = row["kind"] == OVER_CONTROL and row["before"] == step["control"]
        if is_over and is_same_step(row, step):
            return f"only {_signed(row['difference'])} ({_interval(row)})"
    return "the gain is not known"


def _needed(row: Verdict) -> str:
    """Return how many posts or seeds a difference of the seen size would need."""
    ways = []
    if row["needed_posts"]:
        ways.append(f"about {row['needed_posts']:,} posts")
    if row["needed_seeds"]:
        ways.append(f"about {row['needed_seeds']:,} seeds")
    if not ways:
        return "Neither more posts alone nor more seeds alone would tell a difference of this size."
    return f"To tell a difference of this size would take {' or '.join(ways)}."


def _interval(row: Mapping[str, Any]) -> str:
    return f"95 % interval {_signed(row['low'])} to {_signed(row['high'])}"


def _size(row: Mapping[str, Any]) -> str:
    seeds = f"{row['seeds']} seed{'s' * (row['seeds'] != 1)}"
    return f"{seeds}, {row['posts']:,} posts"


def _score(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _signed(value: float | None) -> str:
    return "none" if value is None else f"{value:+.3f}".replace("-", "−")


def _p_value(value: float | None) -> str:
    return "unknown" if value is None else "< .001" if value < 0.001 else f"{value:.3f}"


def verdict_text(
    rows: Sequence[Mapping[str, Any]],
    rankings: Sequence[Mapping[str, Any]],
    spec: Mapping[str, Any],
) -> str:
    """Return verdict.txt, which a run shows at its end: at most 30 lines of at most 100 columns.

    It names the best system of each task, what helped, what harmed, and what did not.

    Parameters
    ----------
    rows
        All comparisons of the report.
    rankings
        The rows of ranking.csv.
    spec
        The spec of the report.
    """
    lines = [f"Verdict of study {spec['study']}: {spec['title']}"]
    if spec["made_up"]:
        lines.append("The posts are made up. The scores only show that the workflow runs.")
    best = [row for row in rankings if row["rank"] == 1 and row["decisive"]]
    if best:
        lines += ["", "Best system of each task (95 % interval)"]
        lines += _some([_best_line(row) for row in best], _MAX_BEST, "ranking.csv")
    steps = [row for row in rows if row["kind"] == STEP]
    for outcome, title in (
        (HELPS, "Helps"),
        (HARMS, "Harms"),
        (NO_MORE, "Helps, but is worth no more than its control"),
    ):
        own = [_step_line(row) for row in steps if row["outcome"] == outcome]
        if own:
            lines += [title, *_some(own, _MAX_OUTCOME, "comparisons.csv")]
    untold = sum(row["outcome"] == UNKNOWN for row in steps)
    judged = sum(bool(row["outcome"]) for row in steps)
    if judged:
        lines.append(f"Cannot be told: {untold} of {judged} steps (see the report)")
    else:
        lines.append("No step was compared on gold labels.")
    return "".join(f"{_shortened(line)}\n" for line in lines[:MAX_LINES])


def _shortened(line: str) -> str:
    """Return a line of at most 100 columns; the CSV files have the whole names."""
    return line if len(line) <= 100 else f"{line[:99]}…"


def _some(lines: Sequence[str], most: int, file: str) -> list[str]:
    """Return at most `most` lines, the last of which says how many more there are."""
    if len(lines) <= most:
        return list(lines)
    return [*lines[: most - 1], f"  and {len(lines) - most + 1} more in {file}"]


def _best_line(row: Mapping[str, Any]) -> str:
    floor = " (the floor)" if row["role"] == "floor" else ""
    system = f"{row['recipe']}: {row['node']}{floor}"
    score = f"{METRIC_NAMES[row['metric']]} {_score(row['mean'])}"
    interval = f" ({_score(row['low'])} to {_score(row['high'])})" if row["low"] is not None else ""
    untold = f", not told from {row['not_told_from']}" if row["not_told_from"] else ""
    return f"  {row['task']} {row['split']}: {system}, {score}{interval}{untold}"


def _step_line(row: Mapping[str, Any]) -> str:
    return (
        f"  {row['recipe']} {row['dataset']}: {row['before']} -> {row['after']} "
        f"{_signed(row['difference'])} ({_signed(row['low'])} to {_signed(row['high'])})"
    )
