"""The report's tables, built from what the other verbs wrote; the page, the CSV and the text show the same figures.

No table holds a post's text: all that comes in are counts, scores and names.
"""

import csv
import io
import json
from pathlib import Path
from statistics import fmean, median, stdev

import jinja2

from postgrad.vocabulary import AT, SPLITS

METRICS = ("accuracy", "precision", "recall", "f1", "macro_f1", "auc")
TEXT_COLUMNS = ("recipe", "node", "dataset", "metric", "mean", "sd", "median", "seeds", "floor", "auc")
TEXT_WIDTH = 100
FATES = ("kept", "rejected", "decoy")


def mean_and_sd(values):
    """(mean, sample sd) of the values that are not None; the sd of fewer than two is None."""
    values = [value for value in values if value is not None]
    return fmean(values) if values else None, stdev(values) if len(values) > 1 else None


def figure(value, places=3, signed=False):
    """A number as the page shows it: `0.953`, `+0.012`, `−0.004`; `–` for None."""
    if value is None:
        return "–"
    text = f"{value:+.{places}f}" if signed else f"{value:.{places}f}"
    return text.replace("-", "−")


def seedless(predictor):
    """A predictor's name without its seed: `ages-plain@seed=1` → `ages-plain`; other axes stay."""
    return AT.join(part for part in predictor.split(AT) if not part.startswith("seed="))


def fitted(spec):
    """{(recipe, node, split)}: where a node's score is on the gold labels that it was fitted or chosen on.

    spec: the report's; its deviations name them under the key `fitted on`.
    """
    return {(recipe, row["node"], row["used"]) for recipe, row in deviations(spec, "fitted on")}


def transductive(spec):
    """{(recipe, node)}: the nodes whose result hangs on the texts of a test set, as the deviations name them."""
    return {(recipe, row["node"]) for recipe, row in deviations(spec, "transductive")}


def deviations(spec, key):
    """(recipe, row) of the deviations of one key in the report's spec."""
    return [(name, row) for name, body in spec["recipes"].items() for row in body["deviations"] if row["key"] == key]


def csv_text(scores, spec):
    """scores.csv: one row a recipe, predictor, dataset and metric, the official metric first.

    scores: score.json files as dicts, in the order wanted. Six decimals; an empty value where the AUC
    does not exist (a class without gold); no row where the split has no gold labels. `transductive` is yes or
    empty. Raises ValueError if a predictor was scored twice on one dataset.
    """
    out, seen, marked = io.StringIO(), set(), transductive(spec)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["recipe", "predictor", "dataset", "metric", "value", "n", "transductive"])
    for score in scores:
        for entry in score["entries"]:
            key = (score["recipe"], entry["predictor"], entry["dataset"])
            if key in seen:
                raise ValueError(f"recipe {key[0]}: {key[1]} was scored twice on {key[2]}; name it once in score:")
            seen.add(key)
            if entry["n"]:
                official, values = entry["metric"], entry["values"]
                mark = "yes" if (key[0], key[1].split(AT)[0]) in marked else ""
                for metric in [official] + [metric for metric in METRICS if metric != official]:
                    value = values[metric]
                    writer.writerow([*key, metric, "" if value is None else f"{value:.6f}", entry["n"], mark])
    return out.getvalue()


def node_scores(scores, floors):
    """One dict a (recipe, node, dataset), seeds averaged, in the order of the scores.

    floors: {recipe: {task's name in the recipe: node}}. Keys: recipe, node, dataset, task, metric, n,
    seeds, mean, sd, median, each of METRICS as a mean, is_floor, floor (the floor's mean on that dataset or
    None), one_class (how many seeds predict one class alone where gold has more), reason (why there is no
    score, or None), entries (the score entries behind it).
    """
    groups = {}
    for score in scores:
        for entry in score["entries"]:
            key = (score["recipe"], seedless(entry["predictor"]), entry["dataset"])
            groups.setdefault(key, []).append(entry)
    rows = []
    for (recipe, node, dataset), entries in groups.items():
        values = [entry["values"] for entry in entries if entry["n"]]
        mean, sd = mean_and_sd([value["official"] for value in values])
        rows.append(
            {
                "recipe": recipe,
                "node": node,
                "dataset": dataset,
                "task": entries[0]["task"],
                "metric": entries[0].get("metric"),
                "n": entries[0]["n"],
                "seeds": len(values),
                "mean": mean,
                "sd": sd,
                "median": median([value["official"] for value in values]) if values else None,
                **{metric: mean_and_sd([value[metric] for value in values])[0] for metric in METRICS},
                "is_floor": floors.get(recipe, {}).get(dataset.split("/")[0]) == node,
                "one_class": sum(one_class(entry) for entry in entries if entry["n"]),
                "reason": next((entry["reason"] for entry in entries if entry.get("reason")), None),
                "entries": entries,
            }
        )
    floor = {(row["recipe"], row["dataset"]): row["mean"] for row in rows if row["is_floor"]}
    return [{**row, "floor": floor.get((row["recipe"], row["dataset"]))} for row in rows]


def one_class(entry):
    """Whether a score entry's predictions are of one class alone, and its gold labels are not."""
    counts = entry["confusion"]
    return sum(map(any, zip(*counts))) == 1 and sum(map(any, counts)) > 1


def collapse_rows(models):
    """Trainings that ended in one class, {recipe, node, collapsed, seed, lost}: the seeds, and the kept model's.

    models: {(recipe, node): model.json}. lost: the kept model is such a one as well.
    """
    return [
        {
            "recipe": recipe,
            "node": node,
            "collapsed": facts["collapsed"],
            "seed": facts["seed"],
            "lost": facts["seed"] in facts["collapsed"],
        }
        for (recipe, node), facts in models.items()
        if facts["collapsed"]
    ]


def text_table(rows, chains, spec, collapses=()):
    """scores.txt: aligned tables for the terminal, at most 100 columns wide; ends with the report's path.

    Scores first, a block a dataset, the floor on top; then the differences along each of `chains`, predictions
    of one class alone, and the `collapses` of trainings. A star marks what was fitted on the dataset of its score, a
    dagger what is transductive.
    """
    marked, seen, blocks = fitted(spec), transductive(spec), {}

    def star(recipe, node, dataset):
        return "*" * ((recipe, node.split(AT)[0], dataset) in marked)

    def dagger(recipe, node):
        return "†" * ((recipe, node.split(AT)[0]) in seen)

    def signed(table, node):
        return node + dagger(table["recipe"], node) + star(table["recipe"], node, table["dataset"])

    for row in sorted(rows, key=lambda row: not row["is_floor"]):
        blocks.setdefault((row["recipe"], row["dataset"]), []).append(row)
    cells = [list(TEXT_COLUMNS)]
    for block in sorted(blocks, key=[(row["recipe"], row["dataset"]) for row in rows].index):
        cells.append([""] * len(TEXT_COLUMNS))
        for row in blocks[block]:
            keys = ("mean", "sd", "median", "floor", "auc")
            figures = ["-" if row[key] is None else f"{row[key]:.3f}" for key in keys]
            names = [row[key] or "-" for key in ("recipe", "node", "dataset", "metric")]
            names[2] += star(*names[:3])
            names[1] += dagger(*names[:2])
            cells.append([*names, *figures[:3], str(row["seeds"]), *figures[3:]])
    widths = [max(len(line[i]) for line in cells) for i in range(len(TEXT_COLUMNS))]
    over = sum(widths) + 2 * (len(widths) - 1) - TEXT_WIDTH
    if over > 0:  # a node's name may carry axes; the page and the CSV have it whole
        widths[1] = max(widths[1] - over, 8)
    lines = []
    for line in cells:
        if len(line[1]) > widths[1]:
            sign = "†" * line[1].endswith("†")
            line[1] = line[1][: widths[1] - 1 - len(sign)] + "…" + sign
        left = [text.ljust(width) for text, width in zip(line[:4], widths[:4])]
        right = [text.rjust(width) for text, width in zip(line[4:], widths[4:])]
        lines.append("  ".join(left + right).rstrip())
    for table in chains:
        lines += ["", f"What each step of {table['recipe']}: {table['chain']} adds on {table['dataset']}"]
        for step in table["steps"]:
            lines.append(step_line(signed(table, step["from"]), signed(table, step["to"]), step))
            for row in step["controls"]:
                lines.append(step_line(signed(table, row["against"]), signed(table, row["node"]), row, "control"))
    alone = [row for row in rows if row["one_class"]]
    lines += ["", "One class alone is predicted:"] if alone else []
    for row in alone:
        names = f"{row['recipe']}: {row['node']}{dagger(row['recipe'], row['node'])} on {row['dataset']}"
        lines.append(f"  {names}, {row['one_class']} of {row['seeds']} seed{'s' * (row['seeds'] > 1)}")
    lines += ["", "Trainings that ended in one class:"] if collapses else []
    for row in collapses:
        seeds = f"seed{'s' * (len(row['collapsed']) > 1)} {', '.join(map(str, row['collapsed']))}"
        kept = "the last model is kept all the same" if row["lost"] else f"the model is of seed {row['seed']}"
        lines.append(f"  {row['recipe']}: {row['node']}{dagger(row['recipe'], row['node'])}, {seeds}; {kept}")
    lines += [""] if marked or seen else []
    if marked:
        lines.append("* fitted or chosen on the gold labels of this dataset: its score here is no test.")
    if seen:
        lines.append("† transductive: it, or what it stands on, has read the texts of a test set.")
    if spec["made_up"]:
        lines += ["", "The posts are made up: these scores show that the workflow runs, and nothing else."]
    return "\n".join([*lines, "", f"Report: {spec['page']}"]) + "\n"


def step_line(before, after, gain, note=""):
    """One step of a chain, or its control, as a line of scores.txt."""
    found = gain.get("reason")
    if not found:
        sd = "" if gain["sd"] is None else f" ± {gain['sd']:.3f}"
        found = f"{gain['mean']:+.3f}{sd}, {gain['seeds']} seed{'s' * (gain['seeds'] > 1)}"
    return f"  {f'{before} -> {after}':<52}{found:<28}{note}".rstrip()


def score_tables(rows):
    """The rows of `node_scores` as [{recipe, name, task, sets: [{dataset, metric, n, rows}]}]; the floor first."""
    tables = {}
    for row in rows:
        name = row["dataset"].split("/")[0]
        table = tables.setdefault((row["recipe"], name), {"task": row["task"], "sets": {}})
        table["sets"].setdefault(row["dataset"], []).append(row)
    return [
        {
            "recipe": recipe,
            "name": name,
            "task": table["task"],
            "sets": [
                {
                    "dataset": dataset,
                    "metric": members[0]["metric"],
                    "n": members[0]["n"],
                    "floor": members[0]["floor"],
                    "rows": sorted(members, key=lambda row: not row["is_floor"]),
                }
                for dataset, members in table["sets"].items()
            ],
        }
        for (recipe, name), table in tables.items()
    ]


def bar(mean, sd, reach):
    """Where a difference's bar lies, in percent of a track whose middle is zero and whose ends are ±reach."""
    if mean is None or not reach:
        return None
    half = 50 / reach
    spread = sd or 0
    return {
        "left": round(50 + min(mean, 0) * half, 2),
        "width": round(abs(mean) * half, 2),
        "low": round(50 + (mean - spread) * half, 2),
        "span": round(2 * spread * half, 2),
    }


def chain_tables(compares):
    """Every chain and set as {recipe, chain, dataset, metric, reach, first, steps}.

    first: the chain's first node. A step holds what compare wrote, with `score` (its node's own summary),
    `bar` and `controls`: the controls that stand in the place of its node, in the same form. reach: the
    largest difference with its sd, the half width of every bar of the recipe, so that bars can be compared.
    """
    tables = []
    for compare in compares:
        sets = [found for content in compare["chains"].values() for found in content["sets"].values()]
        gains = [row for found in sets for row in found["steps"] + found["controls"] if row["mean"] is not None]
        reach = max((abs(row["mean"]) + (row["sd"] or 0) for row in gains), default=0.0)
        for chain, content in compare["chains"].items():
            for dataset, found in content["sets"].items():
                own = {node["node"]: node for node in found["nodes"]}
                steps = [{**step, "score": own[step["to"]], "controls": []} for step in found["steps"]]
                for control in found["controls"]:
                    (step,) = [step for step in steps if step["to"] == control["beside"]]
                    step["controls"].append(
                        {**control, "score": control["own"], "bar": bar(control["mean"], control["sd"], reach)}
                    )
                tables.append(
                    {
                        "recipe": compare["recipe"],
                        "chain": chain,
                        "dataset": dataset,
                        "metric": found["metric"],
                        "reach": reach,
                        "first": found["nodes"][0],
                        "steps": [{**step, "bar": bar(step["mean"], step["sd"], reach)} for step in steps],
                    }
                )
    return tables


def last_nodes(compares):
    """(recipe, node, dataset) of the last node of each chain on each of its sets, each once."""
    found = {}
    for compare in compares:
        for content in compare["chains"].values():
            for dataset, values in content["sets"].items():
                found[compare["recipe"], values["nodes"][-1]["node"], dataset] = None
    return list(found)


def confusion(row):
    """A node's confusion matrix on one dataset, counts added over its seeds; None without scores.

    {labels, cells: [[{count, share}]], supports, abstained}; share is the count's part of its gold row.
    """
    entries = [entry for entry in row["entries"] if entry["n"]]
    if not entries:
        return None
    size = len(entries[0]["confusion"])
    counts = [[sum(e["confusion"][i][j] for e in entries) for j in range(size)] for i in range(size)]
    return {
        "labels": [per["label"] for per in entries[0]["per_class"]],
        "cells": [[{"count": c, "share": c / sum(line) if sum(line) else 0.0} for c in line] for line in counts],
        "abstained": sum(entry["abstained"] for entry in entries),
    }


def class_rows(row):
    """Per class of a node on one dataset: label, support, and precision, recall, f1 as means over its seeds."""
    per_seed = [entry["per_class"] for entry in row["entries"] if entry["n"]]
    return [
        {
            "label": same[0]["label"],
            "support": same[0]["support"],
            **{key: mean_and_sd([one[key] for one in same])[0] for key in ("precision", "recall", "f1")},
        }
        for same in zip(*per_seed)
    ]


def close_ups(rows, compares):
    """The last node of every chain on each of its sets: its row, confusion and classes, the floor beside."""
    by_key = {(row["recipe"], row["node"], row["dataset"]): row for row in rows}
    floors = {(row["recipe"], row["dataset"]): row for row in rows if row["is_floor"]}
    found = []
    for key in last_nodes(compares):
        row = by_key.get(key)
        matrix = row and confusion(row)
        if matrix:
            floor = floors.get((key[0], key[2]))
            floor_classes = class_rows(floor) if floor else []
            found.append({**row, "confusion": matrix, "classes": class_rows(row), "floor_classes": floor_classes})
    return found


def flow_table(flow, recipe):
    """A label flow as {recipe, node, keep, share, balance, fit, said, teachers, classes, stages, gold}.

    said: `agreed` of two teachers, `answered` of one. stages: {name, posts, share of the pool, counts (posts a class,
    or None)}. gold, None without gold posts on `fit`: n, kappa, said (share of posts with a label), right (share of
    these labels), classes: {accuracy, coverage} each.
    """
    classes = sorted(flow["kept"], key=int)  # codes; their names stand in flow["classes"]
    said = "agreed" if len(flow["teachers"]) > 1 else "answered"

    def stage(name, by_class, posts=None):
        counts = by_class and [by_class[code] for code in classes]
        posts = sum(counts) if posts is None else posts
        return {"name": name, "posts": posts, "share": posts / flow["pool"] if flow["pool"] else 0, "counts": counts}

    scored = "scored by both teachers" if said == "agreed" else "scored by the teacher"
    stages = [stage("pool", None, flow["pool"]), stage(scored, None, flow["scored"]), stage(said, flow[said])]
    for name, key in (("beside the held-out fold", "beside"), ("budget", "budget")):
        stages += [stage(name, flow[key])] if flow[key] else []
    stages.append(stage("kept", flow["kept"]))
    gold = flow["gold"]
    if gold:
        per_class = [gold["classes"][code] for code in classes]
        named = sum(one[said] for one in per_class)
        right = sum(one[said] * (one["accuracy"] or 0) for one in per_class)
        gold = {**gold, "said": gold[said], "right": right / named if named else None, "classes": per_class}
    teachers = [
        {"name": name, "temperature": temperature, "accuracy": gold["accuracy"][i] if gold else None}
        for i, (name, temperature) in enumerate(zip(flow["teachers"], flow["temperatures"]))
    ]
    return {
        **{key: flow[key] for key in ("node", "keep", "share", "balance", "fit")},
        "recipe": recipe,
        "said": said,
        "classes": flow["classes"],
        "stages": stages,
        "gold": gold,
        "teachers": teachers,
    }


def ledger_rows(task, ledger, drop):
    """Per split of a task: rows in, decoys, rejected (with reasons), kept, duplicates, used.

    ledger: one row a raw row, with split, fate (kept, rejected, decoy), reason, post_id. drop: audit's
    post_id and split. Raises ValueError if the books do not balance: every raw row has one fate,
    every kept post stands once in its split, and audit drops only posts that were kept.
    """
    strange = sorted(set(ledger["fate"]) - set(FATES))
    if strange:
        raise ValueError(f"ledger of {task}: fate {strange[0]!r} is none of {', '.join(FATES)}; run clean again")
    rows = []
    for split in sorted(set(ledger["split"]), key=lambda split: (SPLITS + (split,)).index(split)):
        part = ledger[ledger["split"] == split]
        kept = part.loc[part["fate"] == "kept", "post_id"]
        dropped = drop.loc[drop["split"] == split, "post_id"]
        counts = part["fate"].value_counts()
        row = {
            "task": task,
            "split": split,
            "rows": len(part),
            **{fate: int(counts.get(fate, 0)) for fate in FATES},
            "reasons": part.loc[part["fate"] == "rejected", "reason"].value_counts().sort_index().to_dict(),
            "duplicates": len(dropped),
            "used": int((~kept.isin(dropped)).sum()),
        }
        if row["rows"] != row["kept"] + row["rejected"] + row["decoy"] or kept.duplicated().any():
            raise ValueError(f"ledger of {task}, split {split}: rows in are not kept + rejected + decoys; clean again")
        if row["kept"] != row["used"] + row["duplicates"]:
            raise ValueError(f"audit of {task}, split {split}: kept are not used + duplicates; audit again")
        rows.append(row)
    unknown = sorted(set(drop["split"]) - set(ledger["split"]))
    if unknown:
        raise ValueError(f"audit of {task}: split {unknown[0]} is not in the ledger; run audit again")
    return rows


def deviation_rows(deviations):
    """Deviations as {nodes, key, paper, used, why}: nodes that deviate alike share a row."""
    rows = {}
    for deviation in deviations:
        shown = [json.dumps(deviation[name], ensure_ascii=False).strip('"') for name in ("paper", "used")]
        key = (deviation["key"], *["–" if text == "null" else text for text in shown], deviation["why"])
        rows.setdefault(key, []).append(deviation["node"])
    return [
        {"nodes": nodes, "key": key, "paper": paper, "used": used, "why": why}
        for (key, paper, used, why), nodes in rows.items()
    ]


def html(template, **tables):
    """The page, one self-contained file. template: path of the Jinja2 file; everything is escaped."""
    template = Path(template)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["figure"] = figure
    environment.filters["seedless"] = seedless
    return environment.get_template(template.name).render(**tables)
