"""The ranking of recipes: the node that stands for a recipe, and its marks."""

import pytest

from postgrad.evaluation.comparison import compare_chain
from postgrad.report import leaderboard, score_tables


def entry(predictor, score, dataset="rain/test", task="weather", reason=None):
    name, *axes = predictor.split("@")
    named = {"predictor": predictor, "node": name, "axes": dict(axis.split("=") for axis in axes)}
    named |= {"dataset": dataset, "task": task}
    if reason:
        return {**named, "n": 0, "reason": reason}
    values = dict.fromkeys(
        ("official", "accuracy", "precision", "recall", "f1", "macro_f1", "auc"), score
    )
    return {
        **named,
        "n": 10,
        "metric": "f1",
        "values": values,
        "per_class": [],
        "confusion": [[5, 0], [0, 5]],
        "abstained": 0,
    }


def both(name, dev, test):
    return [entry(name, dev, "rain/dev"), entry(name, test)]


def study(recipes, chains=None, marks=None):
    """Return rows, compares and spec of {recipe: entries} and {recipe: lists of nodes}."""
    scores = [
        {"recipe": recipe, "entries": entries, "estimates": []}
        for recipe, entries in recipes.items()
    ]
    compares = []
    for recipe, lists in (chains or {}).items():
        found = {}
        for i, chain in enumerate(lists):
            sets = {
                name: compare_chain(recipes[recipe], chain, {}, name)
                for name in ("rain/dev", "rain/test")
            }
            found[f"c{i}"] = {"sets": sets}
        compares.append({"recipe": recipe, "chains": found})
    none = {"transductive": [], "stand_in": [], "fitted": {}}
    bodies = {name: {"marks": none | (marks or {}).get(name, {}), "nodes": {}} for name in recipes}
    rows = score_tables.node_scores(scores, {recipe: {"rain": "floor"} for recipe in recipes})
    return rows, compares, {"recipes": bodies, "made_up": False, "page": "report.html"}


def shown(*arguments, split="test"):
    (table,) = [
        table for table in leaderboard.rank_recipes(*study(*arguments)) if table["split"] == split
    ]
    return [(row["rank"], row["recipe"], row["node"]) for row in table["rows"]]


def test_the_last_node_of_the_chain_stands_for_a_recipe_whatever_is_better():
    one = [*both("floor", 0.2, 0.2), *both("plain", 0.9, 0.9), *both("expert", 0.5, 0.5)]
    two = [*both("floor", 0.3, 0.3), *both("only", 0.6, 0.6)]
    found = shown({"one": one, "two": two}, {"one": [["plain", "expert"]]})
    assert found == [(1, "two", "only"), (2, "one", "expert")]


def test_of_several_chains_dev_chooses_and_never_test():
    entries = [
        *both("floor", 0.2, 0.2),
        *both("a", 0.5, 0.9),
        *both("b", 0.6, 0.3),
        *both("c", 0.9, 0.9),
    ]
    rows, compares, spec = study({"one": entries}, {"one": [["c", "a"], ["c", "b"]]})
    dev, test = leaderboard.rank_recipes(rows, compares, spec)
    assert [(table["split"], table["rows"][0]["node"]) for table in (dev, test)] == [
        ("dev", "b"),
        ("test", "b"),
    ]
    assert (
        dev["rows"][0]["fitted"] and not test["rows"][0]["fitted"]
    )  # the choice flatters the score on dev alone


def test_where_the_last_node_was_not_run_the_one_before_it_stands_there():
    entries = [*both("plain", 0.4, 0.4), *both("expert", 0.7, 0.7)]
    assert shown({"one": entries}, {"one": [["plain", "expert", "reviewed"]]}) == [
        (1, "one", "expert")
    ]


def test_the_floor_stands_alone_where_there_is_nothing_else_and_beside_the_others():
    assert shown({"one": both("floor", 0.2, 0.4)}) == [(1, "one", "floor")]
    (table,) = leaderboard.rank_recipes(*study({"one": [entry("floor", 0.25), entry("x", 0.5)]}))
    assert [(row["node"], row["floor"]) for row in table["rows"]] == [("x", 0.25)]


def test_recipes_meet_on_the_corpus_and_not_on_its_name_in_a_recipe():
    one = [entry("a", 0.5, "rain/test", "weather"), entry("a", 0.5, "snow/test", "winter")]
    two = [entry("b", 0.5, "drops/test", "weather"), entry("b", 0.8, "drops/cross", "weather")]
    found = leaderboard.rank_recipes(*study({"one": one, "two": two}))
    assert [
        (t["task"], t["split"], [(r["rank"], r["recipe"]) for r in t["rows"]]) for t in found
    ] == [
        ("weather", "test", [(1, "one"), (1, "two")]),  # equal means share a rank
        ("weather", "cross", [(1, "two")]),
        ("winter", "test", [(1, "one")]),
    ]


def test_seeds_are_averaged_and_what_has_no_gold_labels_is_left_out():
    entries = [
        entry("a@seed=1", 0.4),
        entry("a@seed=2", 0.6),
        entry("a@seed=1", 0, "rain/dev", reason="no gold labels"),
    ]
    (table,) = leaderboard.rank_recipes(*study({"one": entries}))
    (row,) = table["rows"]
    assert (row["mean"], row["seeds"]) == (0.5, 2) and row["sd"] == pytest.approx(0.02**0.5)


def test_marks_are_those_of_the_node_on_that_dataset():
    marks = {"transductive": ["a"], "stand_in": ["a"], "fitted": {"a": ["rain/dev"]}}
    dev, test = leaderboard.rank_recipes(
        *study({"one": both("a@seed=1", 0.5, 0.5)}, None, {"one": marks})
    )
    named = [
        leaderboard.leaderboard_text([table]).splitlines()[4].split()[2] for table in (dev, test)
    ]
    assert named == ["a†‡*", "a†‡"]


def test_the_text_is_aligned_and_narrow():
    rows, compares, spec = study(
        {"one": [entry("a" * 90, 0.5), entry("floor", 0.25)], "two": [entry("b", 0.75)]}
    )
    lines = leaderboard.leaderboard_text(
        leaderboard.rank_recipes(rows, compares, spec)
    ).splitlines()
    assert lines[0].startswith("The rank of each recipe") and lines[2] == lines[-1] == ""
    assert lines[3].split() == ["weather", "test", "f1", *leaderboard.COLUMNS]
    assert lines[4].split() == ["1", "two:", "b", "0.750", "-", "1", "-"]
    assert lines[5].split()[:2] == ["2", "one:"] and lines[5].split()[-4:] == [
        "0.500",
        "-",
        "1",
        "0.250",
    ]
    assert len({len(told) for told in lines[3:6]}) == 1 and max(map(len, lines)) <= 100
    assert leaderboard.leaderboard_text([]) == ""
