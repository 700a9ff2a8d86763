"""Report: one page of all scores, chains, label flows and books of a study, with its CSV and a text table.

python workflow/scripts/report.py --spec '{"study":"demo","title":"Made-up posts","scale":"demo", ...}' \
  --scores results/demo/ctyun/score/score.json --compare results/demo/ctyun/compare/compare.json \
  --ledger results/demo/clean/smm4h24-task6/ledger.parquet --audit results/demo/audit/smm4h24-task6/drop.parquet \
  --flow results/demo/ctyun/label/agreed.json \
  --table results/demo/scores.csv --text results/demo/scores.txt --out results/demo/report.html
"""

import argparse
import json
from pathlib import Path

import pandas as pd

from postgrad import accounts, page, ranking, scatter, sheets, tables
from postgrad.cli import run
from postgrad.posts import write_text

TEMPLATE = Path(__file__).parent / "postgrad" / "report.html.j2"


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--spec", type=json.loads, required=True, help="study, recipes, deviations, as JSON")
    parser.add_argument("--scores", nargs="+", required=True, help="score.json, one a recipe")
    parser.add_argument("--compare", nargs="*", default=[], help="compare.json, one a recipe")
    parser.add_argument("--diversity", nargs="*", default=[], help="diversity.json, one a recipe that asks for it")
    parser.add_argument("--ledger", nargs="*", default=[], help="ledger.parquet in the folder of its task")
    parser.add_argument("--audit", nargs="*", default=[], help="drop.parquet, in the order of the ledgers")
    parser.add_argument("--flow", nargs="*", default=[], help="label flow of each label node")
    parser.add_argument("--written", nargs="*", default=[], help="counts of each synthesize node")
    parser.add_argument("--model", nargs="*", default=[], help="model.json of each model that may begin anew")
    parser.add_argument("--review", nargs="*", default=[], help="fit.json of each review")
    parser.add_argument("--table", required=True, help="scores.csv")
    parser.add_argument("--text", required=True, help="scores.txt")
    parser.add_argument("--out", required=True, help="report.html")
    args = parser.parse_args(argv)
    if len(args.ledger) != len(args.audit):
        raise ValueError(f"{len(args.ledger)} ledgers but {len(args.audit)} audits; give one drop.parquet a ledger.")

    read = (args.scores, args.compare, args.flow, args.review, args.diversity, args.written)
    files = ([json.loads(Path(path).read_text()) for path in paths] for paths in read)
    scores, compares, flows, reviews, varied, written = files
    places = [Path(path).parts for path in args.review]
    reviews = [
        accounts.review_row(facts, parts[-5], f"{parts[-2]}/{parts[-1].removesuffix('.fit.json')}")
        for facts, parts in zip(reviews, places)
    ]
    floors = {recipe: body["floors"] for recipe, body in args.spec["recipes"].items()}
    rows = tables.node_scores(scores, floors)
    books = []
    for ledger, drop in zip(args.ledger, args.audit):
        books += accounts.ledger_rows(Path(ledger).parent.name, pd.read_parquet(ledger), pd.read_parquet(drop))
    recipes = {
        name: {**body, "deviations": accounts.deviation_rows(body["deviations"])}
        for name, body in args.spec["recipes"].items()
    }
    write_text(sheets.csv_text(scores, args.spec), args.table)
    chains, diversity = tables.chain_tables(compares), scatter.diversity_tables(varied)
    models = {(Path(path).parts[-4], Path(path).parts[-2]): json.loads(Path(path).read_text()) for path in args.model}
    ranks = ranking.rankings(rows, compares, args.spec) if len(recipes) > 1 else []
    collapses = accounts.collapse_rows(models)
    text = sheets.text_table(rows, chains, args.spec, collapses, diversity)
    write_text(ranking.text(ranks) + text, args.text)
    html = page.html(
        TEMPLATE,
        spec=args.spec,
        recipes=recipes,
        fitted=accounts.fitted(args.spec),
        transductive=accounts.transductive(args.spec),
        stand_ins=accounts.stand_ins(args.spec),
        ranks=ranks,
        scores=tables.score_tables(rows),
        chains=chains,
        close_ups=tables.close_ups(rows, compares),
        flows=[accounts.flow_table(flow, Path(path).parts[-3]) for flow, path in zip(flows, args.flow)],
        diversity=diversity,
        written=[accounts.written_table(flow, Path(path).parts[-3]) for flow, path in zip(written, args.written)],
        books=books,
        collapses=collapses,
        reviews=reviews,
    )
    write_text(html, args.out)


if __name__ == "__main__":
    run(main)
