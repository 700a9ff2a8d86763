"""Report: one page of all scores, chains, label flows and books of a study, with its CSV and a text
table.

python workflow/scripts/report.py --spec '{"study":"demo","title":"Made-up posts","scale":"demo", ...}' \
  --scores results/demo/ctyun/score/score.json --compare results/demo/ctyun/compare/compare.json \
  --ledger smm4h24-task6 results/demo/clean/smm4h24-task6/ledger.parquet \
  --audit smm4h24-task6 results/demo/audit/smm4h24-task6/drop.parquet \
  --flow ctyun agreed results/demo/ctyun/label/agreed.json \
  --table results/demo/scores.csv --text results/demo/scores.txt --out results/demo/report.html
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from postgrad.records.files import write_text
from postgrad.records.json_files import read_json
from postgrad.report import bookkeeping, leaderboard, page, score_tables, text_tables
from postgrad.report.sections import all_sections, read_named
from postgrad.runtime.cli import add_spec, named_files, parse_arguments, run

TEMPLATE = Path(__file__).parent / "postgrad" / "report" / "report.html.j2"
RECIPES = ("scores", "compare")  # options with a JSON file of each recipe, which names the recipe
# Files that are named, by their option: the words of the name, and what the file is.
NAMED = {
    "ledger": (("TASK",), "ledger.parquet of each task"),
    "audit": (("TASK",), "drop.parquet of each task"),
    "model": (("RECIPE", "NODE"), "model.json of each model that may begin anew"),
}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "study, recipes, deviations")
    sections = all_sections()
    whole = dict.fromkeys(RECIPES, "JSON of each recipe, which names the recipe")
    for option, told in (
        whole | {one.option: one.told for one in sections if not one.words}
    ).items():
        parser.add_argument(f"--{option}", nargs="*", default=[], help=told)
    named = NAMED | {
        section.option: (section.words, section.told) for section in sections if section.words
    }
    for option, (name, told) in named.items():
        words: dict[str, Any] = {"nargs": len(name) + 1, "metavar": (*name, "FILE")}
        parser.add_argument(f"--{option}", action="append", default=[], help=told, **words)
    for option, told in (("table", "scores.csv"), ("text", "scores.txt"), ("out", "report.html")):
        parser.add_argument(f"--{option}", required=True, help=told)
    args = parse_arguments(parser, argv)

    spec, ledgers = args.spec, named_files("--ledger", args.ledger)
    audits = named_files("--audit", args.audit, ledgers)
    scores, compares = ([read_json(file) for file in vars(args)[option]] for option in RECIPES)
    models = read_named("model", named_files("--model", args.model), ("spec", "node"))
    shown = [(section, section.read(vars(args)[section.option])) for section in sections]
    shown = [(section, entries) for section, entries in shown if entries]
    rows = score_tables.node_scores(
        scores, {recipe: body["floors"] for recipe, body in spec["recipes"].items()}
    )
    books = []
    for task, ledger in ledgers.items():
        books += bookkeeping.ledger_rows(
            task, pd.read_parquet(ledger), pd.read_parquet(audits[task])
        )
    recipes = {
        name: {
            **body,
            "deviations": bookkeeping.deviation_rows(bookkeeping.deviations_and_marks(body)),
        }
        for name, body in spec["recipes"].items()
    }
    chains = score_tables.chain_tables(compares)
    collapses = bookkeeping.collapse_rows(models)
    ranks = leaderboard.rankings(rows, compares, spec) if len(recipes) > 1 else []
    write_text(text_tables.csv_text(scores, spec), args.table)
    write_text(
        leaderboard.text(ranks) + text_tables.text_table(rows, chains, spec, collapses, shown),
        args.text,
    )
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
        sections=shown,
        books=books,
        collapses=collapses,
    )
    write_text(html, args.out)


if __name__ == "__main__":
    run(main)
