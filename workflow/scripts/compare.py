r"""Compute what each step along a recipe's chains adds, over seeds, beside its controls.

python workflow/scripts/compare.py --spec results/demo/ctyun/compare/compare.json.spec.json \
    --scores results/demo/ctyun/score/score.json \
    --outcomes results/demo/ctyun/score/outcomes.parquet \
    --out results/demo/ctyun/compare/compare.json

The result is {"recipe": R, "chains": {name: {"sets": {dataset: {
  "metric": the official metric,
  "nodes":    [{"node", S}]                                   the score of a node
  "steps":    [{"from", "to", S}]                             the gain of `to` over `from`
  "controls": [{"node", "beside", "against", S, "own": {S}}]  the gain of a control over `against`,
                                                              the node before the one that the
                                                              control replaces
  "differences": [...]  a `Difference` for each step and control, with its uncertainty
}}}}} where S is "mean", "sd" and "seeds" (the number of values or of pairs) of the official metric,
and "auc" and "auc_sd" of the AUC. A number that does not exist is null, and "reason" says why: "not
run", "no equal seeds" or "no gold labels".
"""

import argparse
from collections.abc import Sequence

from postgrad.evaluation.comparison import CompareOptions, compare_chain
from postgrad.evaluation.node_estimates import chain_differences
from postgrad.records.files import write_text
from postgrad.records.json_files import json_text, read_json
from postgrad.records.options import read_options
from postgrad.records.outcomes import read_outcomes
from postgrad.runtime.cli import add_spec, parse_arguments, run


def main(argv: Sequence[str] | None = None) -> None:
    """Compare the nodes of each chain and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "recipe and chains")
    parser.add_argument("--scores", required=True, help="score.json of the recipe")
    parser.add_argument("--outcomes", required=True, help="outcomes.parquet of the recipe")
    parser.add_argument("--out", required=True, help="the comparison, as JSON")
    args = parse_arguments(parser, argv)

    options, scored = read_options(CompareOptions, args.spec), read_json(args.scores)
    outcomes, entries = read_outcomes(args.outcomes), scored["entries"]
    chains = {}
    for name, chain in options.chains.items():
        sets = {
            dataset: compare_chain(entries, chain.chain, chain.controls, dataset)
            | {
                "differences": chain_differences(
                    entries, outcomes, chain.chain, chain.controls, dataset, options.margin
                )
            }
            for dataset in chain.sets
        }
        chains[name] = {"sets": sets}
    write_text(json_text({"recipe": scored["recipe"], "chains": chains}), args.out)


if __name__ == "__main__":
    run(main)
