"""Compare: what each step along a recipe's chains adds, over seeds, beside its controls.

python workflow/scripts/compare.py --scores results/demo/ctyun/score/score.json \
  --out results/demo/ctyun/compare/compare.json \
  --spec '{"chains":{"ages":{"chain":["ages-plain","ages-read","ages-expert"],"controls":{"ages-drawn":
           "ages-expert"},"sets":["ages/dev"]}}}'

Writes {"recipe": R, "chains": {name: {"sets": {dataset: {
  "metric": the official one,
  "nodes":    [{"node", S}],                                 a node's own score
  "steps":    [{"from", "to", S}],                           the gain of `to` over `from`
  "controls": [{"node", "beside", "against", S, "own": {S}}]  the gain of the control over `against`, the
                                                             node before the one in whose place it
                                                             stands
}}}}} where S is "mean", "sd", "seeds" (the number of values or of pairs) of the official metric and
"auc", "auc_sd" of the AUC. Numbers that do not exist are null; "reason" says why ("not run", "no
equal seeds", "no gold labels"). `controls` in the spec may also be a list: they stand in the place
of the last node.
"""

import argparse
from collections.abc import Sequence

from postgrad.evaluation.comparison import CompareOptions, compare_chain
from postgrad.records.files import write_text
from postgrad.records.json_files import json_text, read_json
from postgrad.records.options import read_options
from postgrad.runtime.cli import add_spec, parse_arguments, run


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "recipe and chains")
    parser.add_argument("--scores", required=True, help="score.json of the recipe")
    parser.add_argument("--out", required=True, help="the comparison, as JSON")
    args = parse_arguments(parser, argv)

    options, scored = read_options(CompareOptions, args.spec), read_json(args.scores)
    chains = {}
    for name, chain in options.chains.items():
        sets = {
            dataset: compare_chain(scored["entries"], chain.chain, chain.controls, dataset)
            for dataset in chain.sets
        }
        chains[name] = {"sets": sets}
    write_text(json_text({"recipe": scored["recipe"], "chains": chains}), args.out)


if __name__ == "__main__":
    run(main)
