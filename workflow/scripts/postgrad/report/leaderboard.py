"""One table that ranks the recipes of a report, task by task: what each of them claims, beside its floor."""

from postgrad.records.names import SPLITS
from postgrad.report.bookkeeping import fitted, stand_ins, transductive
from postgrad.report.text_tables import line, shortened, signs

COLUMNS = ("mean", "sd", "seeds", "floor")
CLAIM = """What each recipe claims on each task: the last node of its chain that was run; of several
chains, or without one, the node that is best on dev."""


def rankings(rows, compares, spec):
    """[{task, split, metric, n, rows}], tasks by name, splits in their order; the best mean first.

    rows: of score_tables.node_scores. compares: compare.json files. spec: the report's. Each row is one of `rows` with
    `alias`, the recipe's name of the task, `rank` (equal means share one), `fitted` (it, or its choice among several,
    hangs on the gold labels of this very split), `transductive` and `stand_in`. One row a recipe and name of the task:
    the `claimed` one. Where a recipe has no score on a split, it has no row.
    """
    marks = {"transductive": transductive(spec), "stand_in": stand_ins(spec)}
    groups, found = {}, {}
    for row in rows:
        if row["mean"] is not None:
            groups.setdefault((row["recipe"], row["dataset"]), []).append(row)
    for (recipe, dataset), members in groups.items():
        row, chosen = claimed(members, compares, groups.get((recipe, f"{dataset.partition('/')[0]}/dev"), []))
        name = row["name"]
        on_gold = (recipe, name, dataset) in fitted(spec) or (chosen and dataset.endswith("/dev"))
        told = {key: (recipe, name) in marked for key, marked in marks.items()}
        alias, _, split = dataset.partition("/")
        found.setdefault((row["task"], split), []).append({**row, **told, "alias": alias, "fitted": on_gold})
    return [
        {"task": task, "split": split, "metric": found[task, split][0]["metric"], "rows": ranked(found[task, split])}
        for task, split in sorted(found, key=lambda key: (key[0], (*SPLITS, key[1]).index(key[1])))
    ]


def ranked(rows):
    """The rows with their rank, the best mean first; equal means share a rank and stand in the order of names."""
    rows = sorted(rows, key=lambda row: (-row["mean"], row["recipe"], row["alias"]))
    return [{**row, "rank": 1 + sum(other["mean"] > row["mean"] for other in rows)} for row in rows]


def claimed(rows, compares, on_dev):
    """(the row that stands for a recipe on one dataset, whether dev chose it among several). No test score chooses.

    rows: the recipe's on the dataset; on_dev: its rows on the task's dev. Candidates are, of each of its chains there,
    the last node with a score; without chains all nodes but the floor, and the floor where it is alone. Of several the
    highest mean on dev counts, of equals the first; without scores there, the first.
    """
    recipe, dataset, by_node = rows[0]["recipe"], rows[0]["dataset"], {}
    for row in rows:
        by_node.setdefault(row["name"], []).append(row)
    ends = []
    for content in [c for compare in compares if compare["recipe"] == recipe for c in compare["chains"].values()]:
        chain = [node["node"] for node in content["sets"].get(dataset, {"nodes": []})["nodes"]]
        ends += [node for node in reversed(chain) if node in by_node][:1]
    others = [node for node, own in by_node.items() if not own[0]["is_floor"]]
    candidates = [row for node in dict.fromkeys(ends or others or by_node) for row in by_node[node]]
    dev = {row["node"]: row["mean"] for row in on_dev}
    best = max(candidates, key=lambda row: dev.get(row["node"], -1.0))
    return best, len(candidates) > 1


def text(tables):
    """The rankings as lines of scores.txt, an empty line behind each table; nothing for none."""
    lines = [CLAIM, ""] if tables else []
    names = {id(r): f"  {r['rank']}  {r['recipe']}: {r['node']}" for table in tables for r in table["rows"]}
    marks = ("transductive", "stand_in", "fitted")
    names = {id(r): shortened(names[id(r)], signs(*map(r.get, marks))) for table in tables for r in table["rows"]}
    titles = [f"{table['task']}  {table['split']}  {table['metric']}" for table in tables]
    width = max(map(len, [*names.values(), *titles]), default=0)
    for table, title in zip(tables, titles):
        lines.append(line(title, COLUMNS, width))
        for row in table["rows"]:
            figures = ["-" if row[key] is None else f"{row[key]:.3f}" for key in ("mean", "sd", "floor")]
            lines.append(line(names[id(row)], [*figures[:2], str(row["seeds"]), figures[2]], width))
        lines.append("")
    return "".join(f"{told}\n" for told in lines)
