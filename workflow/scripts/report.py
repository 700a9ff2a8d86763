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

from postgrad.records.files import write_text
from postgrad.report import bookkeeping, diversity_map, leaderboard, page, score_tables, text_tables
from postgrad.runtime.cli import run

TEMPLATE = Path(__file__).parent / "postgrad" / "report" / "report.html.j2"
FILES = {  # of JSON, by the argument that takes them
    "scores": "score.json, one a recipe",
    "compare": "compare.json, one a recipe",
    "diversity": "diversity.json, one a recipe that asks for it",
    "flow": "label flow of each label node",
    "written": "counts of each synthesize node",
    "model": "model.json of each model that may begin anew",
    "review": "fit.json of each review",
}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--spec", type=json.loads, required=True, help="study, recipes, deviations, as JSON")
    for name, told in FILES.items():
        parser.add_argument(f"--{name}", nargs="*", default=[], help=told)
    parser.add_argument("--ledger", nargs="*", default=[], help="ledger.parquet in the folder of its task")
    parser.add_argument("--audit", nargs="*", default=[], help="drop.parquet, in the order of the ledgers")
    for name, told in (("table", "scores.csv"), ("text", "scores.txt"), ("out", "report.html")):
        parser.add_argument(f"--{name}", required=True, help=told)
    args = parser.parse_args(argv)
    if len(args.ledger) != len(args.audit):
        raise ValueError(f"{len(args.ledger)} ledgers but {len(args.audit)} audits; give one drop.parquet a ledger.")

    spec = args.spec
    # Each file by the parts of its path, which name recipe and node.
    read = {name: [(Path(p).parts, json.loads(Path(p).read_text())) for p in vars(args)[name]] for name in FILES}
    scores, compares, varied = ([content for _, content in read[name]] for name in ("scores", "compare", "diversity"))
    rows = score_tables.node_scores(scores, {recipe: body["floors"] for recipe, body in spec["recipes"].items()})
    books = []
    for ledger, drop in zip(args.ledger, args.audit):
        books += bookkeeping.ledger_rows(Path(ledger).parent.name, pd.read_parquet(ledger), pd.read_parquet(drop))
    recipes = {
        name: {**body, "deviations": bookkeeping.deviation_rows(body["deviations"])}
        for name, body in spec["recipes"].items()
    }
    chains, diversity = score_tables.chain_tables(compares), diversity_map.diversity_tables(varied)
    collapses = bookkeeping.collapse_rows({(parts[-4], parts[-2]): facts for parts, facts in read["model"]})
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
        flows=[bookkeeping.flow_table(flow, parts[-3]) for parts, flow in read["flow"]],
        diversity=diversity,
        written=[bookkeeping.written_table(counts, parts[-3]) for parts, counts in read["written"]],
        books=books,
        collapses=collapses,
        reviews=[
            bookkeeping.review_row(facts, parts[-5], f"{parts[-2]}/{parts[-1].removesuffix('.fit.json')}")
            for parts, facts in read["review"]
        ],
    )
    write_text(html, args.out)


if __name__ == "__main__":
    run(main)
