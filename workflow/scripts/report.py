r"""Write the report of a study: one page, and CSV and text files beside it.

python workflow/scripts/report.py --spec results/demo/report.html.spec.json \
    --scores results/demo/ctyun/score/score.json \
    --outcomes ctyun results/demo/ctyun/score/outcomes.parquet \
    --compare results/demo/ctyun/compare/compare.json \
    --ledger smm4h24-task6 results/demo/clean/smm4h24-task6/ledger.parquet \
    --audit smm4h24-task6 results/demo/audit/smm4h24-task6/drop.parquet \
    --near smm4h24-task6 results/demo/audit/smm4h24-task6/near.parquet \
    --flow ctyun agreed results/demo/ctyun/label/agreed.json \
    --out results/demo/report.html

Beside the page it writes the files of `postgrad.study.paths.REPORT_FILES`: tables of the figures
of the page, the scores as text, and the verdict that a run shows at its end.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from postgrad.evaluation.verdicts import verdicts
from postgrad.records.files import write_text
from postgrad.records.json_files import read_json
from postgrad.records.outcomes import read_outcomes
from postgrad.report import (
    bookkeeping,
    cost,
    leaderboard,
    methods,
    page,
    probability_page,
    provenance,
    ranking,
    score_tables,
    text_tables,
    verdict_page,
    verdict_text,
)
from postgrad.report.figures import write_pdf
from postgrad.report.sections import TEACHERS, find_sections, read_named_files
from postgrad.report.unfinished import unfinished_sentence, unfinished_text
from postgrad.runtime.cli import add_spec, named_files, parse_arguments, run

TEMPLATE = Path(__file__).parent / "postgrad" / "report" / "report.html.j2"
RECIPES = ("scores", "compare")  # options with a JSON file of each recipe, which names the recipe
# Files that are named, by their option: the words of the name, and what the file is.
NAMED = {
    "ledger": (("TASK",), "ledger.parquet of each task"),
    "audit": (("TASK",), "drop.parquet of each task"),
    "near": (("TASK",), "near.parquet of each task"),
    "model": (("RECIPE", "NODE"), "model.json of each model that may begin anew"),
    "outcomes": (("RECIPE",), "outcomes.parquet of each recipe"),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Write the report, the table of scores and its text form."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "study, recipes, deviations")
    sections = find_sections()
    whole = dict.fromkeys(RECIPES, "JSON of each recipe, which names the recipe")
    whole |= {section.option: section.help for section in sections if not section.words}
    for option, text in whole.items():
        parser.add_argument(f"--{option}", nargs="*", default=[], help=text)
    named = NAMED | {
        section.option: (section.words, section.help) for section in sections if section.words
    }
    for option, (name, text) in named.items():
        words: dict[str, Any] = {"nargs": len(name) + 1, "metavar": (*name, "FILE")}
        parser.add_argument(f"--{option}", action="append", default=[], help=text, **words)
    parser.add_argument("--work", help="the folder of the study in work/, with records of cost")
    parser.add_argument("--out", required=True, help="report.html")
    args = parse_arguments(parser, argv)

    spec, ledgers = args.spec, named_files("--ledger", args.ledger)
    audits = named_files("--audit", args.audit, ledgers)
    near_files = named_files("--near", args.near, ledgers)
    scores, compares = ([read_json(file) for file in vars(args)[option]] for option in RECIPES)
    models = read_named_files("model", named_files("--model", args.model), ("spec", "node"))
    shown = [
        (section, entries)
        for section in sections
        if (entries := section.read(vars(args)[section.option]))
    ]
    rows = score_tables.node_scores(
        scores, {recipe: body["floors"] for recipe, body in spec["recipes"].items()}
    )
    books, near_copies = [], []
    for task, ledger in ledgers.items():
        drop = pd.read_parquet(audits[task])
        books += bookkeeping.ledger_rows(task, pd.read_parquet(ledger), drop)
        row = bookkeeping.near_copy_row(task, pd.read_parquet(near_files[task]), drop)
        near_copies += [row] if row else []
    recipes = {
        name: {
            **body,
            "deviations": bookkeeping.deviation_rows(bookkeeping.recipe_deviations(body)),
        }
        for name, body in spec["recipes"].items()
    }
    chains = score_tables.chain_tables(compares)
    collapses = bookkeeping.collapse_rows(models)
    so_far = spec.get("so_far")
    ranks = leaderboard.rank_recipes(rows, compares, spec)
    outcomes = {
        recipe: read_outcomes(path)
        for recipe, path in named_files(
            "--outcomes", args.outcomes, [score["recipe"] for score in scores]
        ).items()
    }
    systems, pairs = ranking.rank_systems(ranks, rows, outcomes, spec["margin"])
    compared = verdict_text.with_sentences(
        verdicts(
            compares,
            {
                (recipe, alias): task
                for recipe, body in recipes.items()
                for alias, task in body["tasks"].items()
            },
        )
    )
    ranks = ranks if len(recipes) > 1 else []
    probability = probability_page.probability_report(rows, compares, outcomes)
    costs = cost.cost_rows(args.work, spec)
    texts = {
        "scores.csv": text_tables.scores_csv(scores, spec),
        "scores.txt": unfinished_text(so_far)
        + leaderboard.leaderboard_text(ranks)
        + text_tables.scores_text(rows, chains, spec, collapses, shown),
        "comparisons.csv": verdict_text.csv_text(compared, verdict_text.COLUMNS),
        "ranking.csv": verdict_text.csv_text(systems, ranking.COLUMNS),
        "cost.csv": cost.cost_csv(costs),
        "ranking_pairs.csv": verdict_text.csv_text(pairs, ranking.PAIR_COLUMNS),
        "methods.md": methods.methods_text(spec, rows, compared, systems),
        "verdict.txt": unfinished_text(so_far) + verdict_text.verdict_text(compared, systems, spec),
        **probability.files,
        "teachers.csv": verdict_text.csv_text(
            [row for section, entries in shown for row in section.teachers(entries)], TEACHERS
        ),
    }
    for file, content in texts.items():
        write_text(content, Path(args.out).parent / file)
    verdict = verdict_page.verdict_report(compared, systems)
    drawn = verdict.figures | {"figures/curves.pdf": probability.figures}
    for file, drawings in drawn.items():
        write_pdf(drawings, Path(args.out).parent / file, f"{file} of study {spec['study']}")
    html = page.render_page(
        TEMPLATE,
        spec=spec,
        unfinished=unfinished_sentence(so_far) if so_far else "",
        recipes=recipes,
        fitted_nodes=bookkeeping.fitted_nodes(spec),
        transductive_nodes=bookkeeping.transductive_nodes(spec),
        stand_in_nodes=bookkeeping.stand_in_nodes(spec),
        ranks=ranks,
        scores=score_tables.scores_by_task(rows),
        chains=chains,
        last_nodes=score_tables.last_node_tables(rows, compares),
        node_point=partial(bookkeeping.node_point, spec),
        sections=shown,
        books=books,
        near_copies=near_copies,
        collapses=collapses,
        costs=costs,
        provenance=provenance.provenance_table(
            Path(__file__).parent, scores, provenance.input_files(vars(args))
        ),
        **verdict.page,
        **probability.page,
    )
    write_text(html, args.out)


if __name__ == "__main__":
    run(main)
