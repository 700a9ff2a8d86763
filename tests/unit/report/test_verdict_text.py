"""The verdict on made-up pairs of systems: its outcome, its sentence, and where its figures are."""

import csv
import io
import re

import numpy as np
import pandas as pd
import pytest

from postgrad.evaluation.comparison import compare_chain
from postgrad.evaluation.metrics import score_predictions
from postgrad.evaluation.node_estimates import chain_differences
from postgrad.evaluation.verdicts import verdicts
from postgrad.records.outcomes import Outcomes
from postgrad.report.verdict_text import (
    COLUMNS,
    MAX_LINES,
    csv_text,
    verdict_sentence,
    verdict_text,
    with_sentences,
)

SPEC = {"study": "made", "title": "Made-up posts", "made_up": True}


def system(node, right, n, seed=0, seeds=(1, 2, 3), dataset="rain/test"):
    """Entries and outcomes of a system that answers a share of n posts right, with three seeds.

    Which posts are hard is the same for all systems of equal `seed` and n.
    """
    rng = np.random.default_rng(seed)
    gold, hardness = rng.integers(0, 2, n), rng.random(n)
    entries, frames = [], []
    for one in seeds:
        noise = np.random.default_rng([one, len(node)]).normal(0, 0.01, n)
        labels = np.where(hardness + noise < right, gold, 1 - gold)
        probs = np.eye(2)[labels]
        named = {"predictor": f"{node}@seed={one}", "dataset": dataset}
        scores = score_predictions(gold, labels, probs, ["no", "yes"], [1], "f1")
        entries.append({**named, "node": node, "axes": {"seed": str(one)}, "task": "t", **scores})
        ids = [f"p{place}" for place in range(n)]
        columns = {"post_id": ids, "group": range(n), "gold": gold, "label": labels}
        frames.append(pd.DataFrame({**named, **columns, "probs": list(probs)}))
    return entries, frames


def judged(systems, chain, controls=None, dataset="rain/test", margin=0.01):
    entries = [entry for own, _ in systems for entry in own]
    outcomes = Outcomes(pd.concat([frame for _, frames in systems for frame in frames]))
    comparison = compare_chain(entries, chain, controls or {}, dataset) | {
        "differences": chain_differences(entries, outcomes, chain, controls or {}, dataset, margin)
    }
    compares = [{"recipe": "r", "chains": {"main": {"sets": {dataset: comparison}}}}]
    return verdicts(compares, {("r", "rain"): "t"})


def test_a_real_gain_helps():
    (row,) = judged([system("plain", 0.7, 2000), system("expert", 0.75, 2000)], ["plain", "expert"])
    assert row["outcome"] == "helps" and row["low"] > 0
    sentence = verdict_sentence(row)
    assert sentence.startswith("r, rain/test: expert helps after plain: F1 from 0.")
    assert "; 3 seeds, 2,000 posts; corrected p < .001)." in sentence


def test_a_harm_is_called_one():
    (row,) = judged([system("plain", 0.75, 2000), system("expert", 0.7, 2000)], ["plain", "expert"])
    assert row["outcome"] == "harms" and row["high"] < 0
    assert "expert harms after plain: F1 from" in verdict_sentence(row)


def test_no_difference_cannot_be_told_and_is_probably_practically_zero():
    (row,) = judged([system("plain", 0.75, 8000), system("xpert", 0.75, 8000)], ["plain", "xpert"])
    assert row["outcome"] == "cannot be told" and row["near_zero_probability"] > 0.9
    sentence = verdict_sentence(row)
    assert "It cannot be told whether xpert helps after plain" in sentence
    assert f"within ±0.01 is {100 * row['near_zero_probability']:.0f} %" in sentence


def test_too_few_posts_cannot_be_told_and_the_sentence_says_how_many_would_do():
    (row,) = judged([system("plain", 0.7, 60), system("expert", 0.75, 60)], ["plain", "expert"])
    assert row["outcome"] == "cannot be told" and row["difference"] > 0.01
    assert row["needed_posts"] > 60
    wanted = f"To tell a difference of this size would take about {row['needed_posts']:,} posts"
    assert wanted in verdict_sentence(row)


def test_a_step_that_a_control_equals_is_worth_no_more_than_the_control():
    systems = [system("plain", 0.7, 2000), system("expert", 0.75, 2000)]
    rows = judged(
        [*systems, system("contrl", 0.75, 2000)], ["plain", "expert"], {"contrl": "expert"}
    )
    kinds = {row["kind"]: row for row in rows}
    assert kinds["control"]["outcome"] == "helps"
    assert kinds["step over control"]["outcome"] == "cannot be told"
    step = kinds["step"]
    assert (step["outcome"], step["control"]) == ("no more than its control", "contrl")
    sentence = verdict_sentence(step, rows)
    over = f"{kinds['step over control']['difference']:+.3f}".replace("-", "−")
    assert "expert is worth no more than its control contrl" in sentence
    assert f"over the control only {over} (95 % interval" in sentence
    weak = judged(
        [*systems, system("contrl", 0.7, 2000)], ["plain", "expert"], {"contrl": "expert"}
    )
    assert next(row for row in weak if row["kind"] == "step")["outcome"] == "helps"


def test_dev_gives_a_verdict_only_if_no_other_split_has_gold_labels():
    systems = [
        (own + other, frames + others)
        for (own, frames), (other, others) in (
            (system(node, right, 2000), system(node, right, 2000, dataset="rain/dev"))
            for node, right in (("plain", 0.7), ("expert", 0.75))
        )
    ]
    entries = [entry for own, _ in systems for entry in own]
    outcomes = Outcomes(pd.concat([frame for _, frames in systems for frame in frames]))
    chain, sets = ["plain", "expert"], {}
    for dataset in ("rain/dev", "rain/test"):
        sets[dataset] = compare_chain(entries, chain, {}, dataset) | {
            "differences": chain_differences(entries, outcomes, chain, {}, dataset, 0.01)
        }
    tasks = {("r", "rain"): "t"}

    def outcomes_of(*names):
        body = {"main": {"sets": {name: sets[name] for name in names}}}
        return [row["outcome"] for row in verdicts([{"recipe": "r", "chains": body}], tasks)]

    assert outcomes_of("rain/dev", "rain/test") == ["", "helps"]
    assert outcomes_of("rain/dev") == ["helps"]


def test_the_correction_counts_every_comparison_of_the_report():
    """The same small gain is told alone, and not among many comparisons without a gain."""
    gain = [system("plain", 0.7, 2000), system("expert", 0.712, 2000)]
    (alone,) = judged(gain, ["plain", "expert"])
    equal = [system(f"none{'x' * i}", 0.7, 2000) for i in range(30)]
    names = [entries[0]["node"] for entries, _ in equal]
    rows = judged([*gain, *equal], ["plain", "expert"], dict.fromkeys(names, "expert"))
    among = next(row for row in rows if row["kind"] == "step")
    assert among["p"] == pytest.approx(alone["p"]) and among["p_holm"] > 30 * alone["p_holm"]


def test_every_figure_of_a_sentence_stands_in_its_row():
    systems = [system("plain", 0.7, 500), system("expert", 0.75, 500), system("contrl", 0.75, 500)]
    rows = judged(systems, ["plain", "expert"], {"contrl": "expert"})
    for row in csv.DictReader(io.StringIO(csv_text(with_sentences(rows), COLUMNS))):
        figures = set()
        for value in row.values():
            for part in re.findall(r"[-−]?[\d.]+", value) if value != row["sentence"] else ():
                figures |= {part, part.lstrip("-−")}
        values = [float(value) for value in row.values() if re.fullmatch(r"-?[\d.]+", value)]
        for other in rows:  # the sentence of a step may quote the row of its control
            values += [v for v in other.values() if isinstance(v, (int, float))]
        known = {f"{abs(value):.3f}" for value in values} | {f"{value:g}" for value in values}
        known |= {f"{100 * value:.0f}" for value in values} | {f"{value:,.0f}" for value in values}
        known |= {"95"} | ({".001"} if float(row["p_holm"]) < 0.001 else set())
        for number in re.findall(r"\d*[.,]?\d+", row["sentence"]):
            assert number in known, (number, row["sentence"])


def test_the_verdict_at_the_end_of_a_run_has_at_most_30_lines_of_100_columns():
    systems = [system(f"node{'x' * i}", 0.6 + i / 40, 2000) for i in range(12)]
    names = [entries[0]["node"] for entries, _ in systems]
    rows = judged(systems, names)
    best = {"rank": 1, "decisive": "yes", "split": "test", "metric": "f1", "node": "n" * 90}
    best |= {
        "role": "system",
        "recipe": "r",
        "mean": 0.5,
        "low": 0.4,
        "high": 0.6,
        "not_told_from": "floor",
    }
    text = verdict_text(rows, [best | {"task": f"t{i}"} for i in range(17)], SPEC)
    floor = verdict_text([], [best | {"task": "t", "node": "linear", "role": "floor"}], SPEC)
    assert "  t test: r: linear (the floor), F1 0.500 (0.400 to 0.600)" in floor
    lines = text.splitlines()
    assert len(lines) <= MAX_LINES and max(map(len, lines)) <= 100
    assert lines[0] == "Verdict of study made: Made-up posts"
    assert "  and 10 more in ranking.csv" in lines and "  and 7 more in comparisons.csv" in lines
    assert lines[-1].startswith("Cannot be told: 0 of 11 steps")
