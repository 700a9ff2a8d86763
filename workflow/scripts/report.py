"""Report: one page of all scores, chains, label flows and books of a study, with its CSV and a text table.

python workflow/scripts/report.py --spec '{"study":"demo","title":"Made-up posts","scale":"demo", ...}' \
  --scores results/demo/ctyun/score/score.json --compare results/demo/ctyun/compare/compare.json \
  --ledger smm4h24-task6 results/demo/clean/smm4h24-task6/ledger.parquet \
  --audit smm4h24-task6 results/demo/audit/smm4h24-task6/drop.parquet \
  --flow ctyun agreed results/demo/ctyun/label/agreed.json \
  --table results/demo/scores.csv --text results/demo/scores.txt --out results/demo/report.html
"""

import argparse
from functools import partial
from pathlib import Path

import pandas as pd

from postgrad.records.files import write_text
from postgrad.records.json_files import read_json
from postgrad.report import bookkeeping, diversity_map, leaderboard, page, score_tables, text_tables
from postgrad.runtime.cli import add_spec, named_files, parse_arguments, run

TEMPLATE = Path(__file__).parent / "postgrad" / "report" / "report.html.j2"
RECIPES = ("scores", "compare", "diversity")  # options with a JSON file of each recipe, which names the recipe
# Files that are named, by their option: the words of the name, and what the file is.
NAMED = {
    "ledger": (("TASK",), "ledger.parquet of each task"),
    "audit": (("TASK",), "drop.parquet of each task"),
    "flow": (("RECIPE", "NODE"), "label flow of each label node"),
    "written": (("RECIPE", "NODE"), "counts of each synthesize node"),
    "model": (("RECIPE", "NODE"), "model.json of each model that may begin anew"),
    "review": (("RECIPE", "NODE", "DATASET"), "fit.json of each review"),
}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "study, recipes, deviations")
    for option in RECIPES:
        parser.add_argument(f"--{option}", nargs="*", default=[], help="JSON of each recipe, which names the recipe")
    for option, (name, told) in NAMED.items():
        words = {"nargs": len(name) + 1, "metavar": (*name, "FILE")}
        parser.add_argument(f"--{option}", action="append", default=[], help=told, **words)
    for name, told in (("table", "scores.csv"), ("text", "scores.txt"), ("out", "report.html")):
        parser.add_argument(f"--{name}", required=True, help=told)
    args = parse_arguments(parser, argv)

    spec, ledgers = args.spec, named_files("--ledger", args.ledger)
    audits = named_files("--audit", args.audit, ledgers)
    scores, compares, varied = ([read_json(file) for file in vars(args)[option]] for option in RECIPES)
    flows, written, models, reviews = (
        bookkeeping.read_named(option, named_files(f"--{option}", vars(args)[option])) for option in list(NAMED)[2:]
    )
    rows = score_tables.node_scores(scores, {recipe: body["floors"] for recipe, body in spec["recipes"].items()})
    books = []
    for task, ledger in ledgers.items():
        books += bookkeeping.ledger_rows(task, pd.read_parquet(ledger), pd.read_parquet(audits[task]))
    recipes = {
        name: {**body, "deviations": bookkeeping.deviation_rows(bookkeeping.deviations_and_marks(body))}
        for name, body in spec["recipes"].items()
    }
    chains, diversity = score_tables.chain_tables(compares), diversity_map.diversity_tables(varied)
    collapses = bookkeeping.collapse_rows(models)
    ranks = leaderboard.rankings(rows, compares, spec) if len(recipes) > 1 else []
    write_text(text_tables.csv_text(scores, spec), args.table)
    write_text(leaderboard.text(ranks) + text_tables.text_table(rows, chains, spec, collapses, diversity), args.text)
    html = page.html(
        TEMPLATE,
        spec=spec,
        recipes=recipes,
        fitted=bookkeeping.fitted(spec),
        transductive=bookkeeping.transductive(spec),
        stand_ins=bookkeeping.stand_ins(spec),
        ranks=ranks,
        scores=score_tables.score_tables(rows),
        chains=chains,
        close_ups=score_tables.close_ups(rows, compares),
        node_of=partial(bookkeeping.node_of, spec),
        flows=[bookkeeping.flow_table(flow, recipe) for (recipe, _), flow in flows.items()],
        diversity=diversity,
        written=[bookkeeping.written_table(counts, recipe) for (recipe, _), counts in written.items()],
        books=books,
        collapses=collapses,
        reviews=[bookkeeping.review_row(facts, recipe, name) for (recipe, _, name), facts in reviews.items()],
    )
    write_text(html, args.out)


if __name__ == "__main__":
    run(main)
