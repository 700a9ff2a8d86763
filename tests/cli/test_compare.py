"""Steps along a chain, paired by seed, and the command itself."""

import json
import subprocess
import sys

import pytest

from postgrad.evaluation.comparison import compare_chain
from postgrad.records.outcomes import write_outcomes

DATASET = "t/dev"


def entry(node, axes, official, auc=0.5, dataset=DATASET):
    predictor = "@".join([node, *(f"{key}={value}" for key, value in axes.items())])
    named = {"predictor": predictor, "node": node, "axes": axes, "dataset": dataset}
    named |= {"task": "t", "metric": "f1", "n": 9}
    return {**named, "values": {"official": official, "auc": auc}}


def test_steps_are_paired_by_seed():
    entries = [
        entry("plain", {"seed": 1}, 0.5, 0.6),
        entry("plain", {"seed": 2}, 0.7, 0.8),
        entry("expert", {"seed": 2}, 0.75, 0.9),
        entry("expert", {"seed": 1}, 0.65, 0.6),
        entry("expert", {"seed": 1}, 0.0, dataset="t/test"),
    ]
    found = compare_chain(entries, ["plain", "expert"], {}, DATASET)
    assert found["metric"] == "f1" and found["controls"] == []
    (step,) = found["steps"]  # gains .15 and .05
    assert (step["from"], step["to"], step["seeds"]) == ("plain", "expert", 2)
    assert step["mean"] == pytest.approx(0.1) and step["sd"] == pytest.approx(0.05 * 2**0.5)
    assert step["auc"] == pytest.approx(0.05)
    assert [node["mean"] for node in found["nodes"]] == pytest.approx([0.6, 0.7])
    assert found["nodes"][0]["sd"] == pytest.approx(0.1 * 2**0.5) and found["nodes"][0][
        "auc"
    ] == pytest.approx(0.7)


def test_a_node_without_axes_pairs_with_every_seed():
    entries = [
        entry("floor", {}, 0.5),
        *(entry("expert", {"seed": s}, 0.5 + s / 10) for s in (1, 2, 3)),
    ]
    (step,) = compare_chain(entries, ["floor", "expert"], {}, DATASET)["steps"]
    assert (
        step["seeds"] == 3
        and step["mean"] == pytest.approx(0.2)
        and step["sd"] == pytest.approx(0.1)
    )


def test_further_axes_pair_on_the_shared_ones_only():
    entries = [entry("a", {"seed": 1}, 0.1), entry("a", {"seed": 2}, 0.5)]
    entries += [
        entry("b", {"loss": loss, "seed": 1}, gain) for loss, gain in (("ce", 0.2), ("focal", 0.4))
    ]
    (step,) = compare_chain(entries, ["a", "b"], {}, DATASET)["steps"]
    assert step["seeds"] == 2 and step["mean"] == pytest.approx(0.2)  # .1 and .3, both from seed 1


def test_a_control_is_set_against_the_node_before_the_one_it_stands_for():
    entries = [
        entry(node, {"seed": 1}, value) for node, value in zip("abcxy", (0.1, 0.3, 0.7, 0.4, 0.2))
    ]
    found = compare_chain(entries, ["a", "b", "c"], {"x": "c", "y": "b"}, DATASET)
    x, y = found["controls"]
    assert (x["node"], x["beside"], x["against"]) == ("x", "c", "b") and x["mean"] == pytest.approx(
        0.1
    )
    assert (y["beside"], y["against"]) == ("b", "a") and y["mean"] == pytest.approx(0.1)
    assert x["own"]["mean"] == 0.4 and x["sd"] is None


def test_what_was_not_run_is_null_with_its_reason():
    unscored = {
        "predictor": "c",
        "node": "c",
        "dataset": DATASET,
        "n": 0,
        "reason": "no gold labels",
    }
    entries = [entry("a", {"seed": 1}, 0.5), entry("d", {"seed": 2}, 0.5), unscored]
    found = compare_chain(entries, ["a", "gone", "c", "d"], {"x": "d"}, DATASET)
    assert [node.get("reason") for node in found["nodes"]] == [
        None,
        "not run",
        "no gold labels",
        None,
    ]
    assert [step["reason"] for step in found["steps"]] == ["not run"] * 3
    nothing = {
        "mean": None,
        "sd": None,
        "seeds": 0,
        "auc": None,
        "auc_sd": None,
        "reason": "not run",
    }
    assert found["steps"][0] == {"from": "a", "to": "gone", **nothing}
    assert found["controls"] == [
        {"node": "x", "beside": "d", "against": "c", **nothing, "own": nothing}
    ]
    (step,) = compare_chain(entries, ["a", "d"], {}, DATASET)["steps"]
    assert step["reason"] == "no equal seeds" and step["mean"] is None
    assert compare_chain([], ["a", "d"], {}, DATASET)["metric"] is None


def test_a_missing_auc_leaves_the_step_itself():
    entries = [entry("a", {}, 0.5, None), entry("b", {}, 0.6, 0.9)]
    (step,) = compare_chain(entries, ["a", "b"], {}, DATASET)["steps"]
    assert step["mean"] == pytest.approx(0.1) and step["auc"] is None and "reason" not in step


def test_a_control_needs_a_step():
    with pytest.raises(ValueError, match="control x stands in the place of a, which is not"):
        compare_chain([], ["a", "b"], {"x": "a"}, DATASET)


def test_command(tmp_path):
    entries = [entry("a", {"seed": 1}, 0.1), entry("b", {"seed": 1}, 0.3)]
    (tmp_path / "score.json").write_text(
        json.dumps({"recipe": "r", "entries": entries, "estimates": []})
    )
    chain = {"chain": ["a", "b"], "controls": {"x": "b"}, "sets": [DATASET, "t/test"]}
    spec = {"recipe": "r", "chains": {"main": chain}, "margin": 0.01}
    write_outcomes([], tmp_path / "outcomes.parquet")
    command = [sys.executable, "workflow/scripts/compare.py", "--spec", json.dumps(spec)]
    command += ["--scores", tmp_path / "score.json", "--out", tmp_path / "compare.json"]
    command += ["--outcomes", tmp_path / "outcomes.parquet"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "compare.json").read_text())
    sets = found["chains"]["main"]["sets"]
    assert found["recipe"] == "r" and set(sets) == {DATASET, "t/test"}
    assert sets[DATASET]["steps"][0]["mean"] == 0.2  # rounded to ten digits
    assert (
        sets[DATASET]["controls"][0]["reason"] == sets["t/test"]["steps"][0]["reason"] == "not run"
    )
