"""Look-ups only: wildcards -> paths, spec, code, threads. What decides stands in workflow/scripts/postgrad."""

import os
import sys
from functools import cache

sys.path.insert(0, str(Path(workflow.basedir) / "workflow" / "scripts"))

from snakemake.exceptions import WorkflowError

from postgrad.configuration import Fault, read_yaml
from postgrad.leftovers import leftovers, listing
from postgrad.machine import NAMES
from postgrad.provenance import code, unconfirmed
from postgrad.study import Study
from postgrad.vocabulary import SPLITS


def refuse(fault):
    """End here, before the graph is built: a sentence for each mistake, no traceback."""
    told = f"Nothing was run: {len(fault.sentences)} to mend in the configuration."
    sys.exit("\n  ".join([told, *fault.sentences]))


try:
    read_yaml("config/config.yaml")  # Snakemake's own sentence names neither file nor line
except Fault as fault:
    refuse(fault)


configfile: "config/config.yaml"


try:
    STUDY = Study(config)
except Fault as fault:
    refuse(fault)

if sentence := unconfirmed():
    logger.warning(sentence)


wildcard_constraints:
    study=re.escape(STUDY.name),
    recipe="|".join(map(re.escape, STUDY.graphs)),
    task="[^/]+",
    node="[^/]+",
    model="[^/]+",
    dataset="[^/]+/[^/]+",


RESULTS = f"results/{STUDY.name}"


def graph(wildcards):
    return STUDY.graphs[wildcards.recipe]


def node(wildcards):
    found = graph(wildcards).nodes.get(wildcards.node)
    if found is None:
        raise WorkflowError(f"{graph(wildcards).where}: there is no node {wildcards.node!r} in this study.")
    return found


def posts_of(wildcards, source):
    """The file of a split (ages/train) or of a dataset node."""
    alias, split = os.path.split(source)
    if alias:
        return f"{RESULTS}/clean/{graph(wildcards).tasks[alias]}/{split}.parquet"
    return f"{RESULTS}/{wildcards.recipe}/{graph(wildcards).nodes[source].verb}/{source}.parquet"


def sources(wildcards):
    return [posts_of(wildcards, source) for source in node(wildcards).sources]


def drops(wildcards):
    """What audit leaves out of the splits that a node reads."""
    aliases = filter(None, map(os.path.dirname, node(wildcards).sources))
    tasks = dict.fromkeys(graph(wildcards).tasks[alias] for alias in aliases)
    return [f"{RESULTS}/audit/{task}/drop.parquet" for task in tasks]


def base_of(wildcards):
    base = node(wildcards).base
    if base in graph(wildcards).nodes:
        return f"{RESULTS}/{wildcards.recipe}/{graph(wildcards).nodes[base].verb}/{base}/model.json"
    return f"results/base/{base}/model.json"


def predictions_of(recipe, predictor, dataset):
    verb = "predict" if predictor.verb == "finetune" else predictor.verb
    return f"{RESULTS}/{recipe}/{verb}/{predictor.id}/{dataset}.parquet"


def members(wildcards, dataset=None):
    """Predictions of a label's teachers, or of a vote's members, on one dataset."""
    nodes = graph(wildcards).nodes
    dataset = dataset or wildcards.dataset
    return [predictions_of(wildcards.recipe, nodes[id], dataset) for id in node(wildcards).members]


def scored(wildcards):
    return [predictions_of(wildcards.recipe, predictor, dataset) for predictor, dataset in graph(wildcards).scored()]


def gold(wildcards):
    return [posts_of(wildcards, dataset) for _, dataset in graph(wildcards).scored()]


def restarting(recipe):
    return STUDY.graphs[recipe].restarting()


def spec(wildcards):
    return STUDY.node_spec(wildcards.recipe, wildcards.node)


def threads_of(wildcards):
    return node(wildcards).options.get("threads", 1)


asks = cache(STUDY.resources)


def machine(verb):
    """What a job of a model asks of the cluster: {resource: its function}. Other rules ask for the profile's."""

    def asked(name):
        return lambda wildcards, attempt: asks(wildcards.recipe, wildcards.node, verb, attempt)[name]

    return {name: asked(name) for name in NAMES} if STUDY.cluster is not None else {}


def launch(verb):
    """How many processes train. Snakemake tracks no param that comes from `resources`: other GPUs retrain nothing."""

    def words(wildcards, resources):
        asked = asks(wildcards.recipe, wildcards.node, verb, attempt=1)
        return ["--nodes", str(asked["nodes"]), "--ranks", str(asked["ranks"]), "--zero", str(asked["zero"])]

    return words


def scoring(wildcards):
    """The group of a recipe's cheap last jobs, one submission. A vote that teaches goes alone: models wait for it."""
    teaches = "node" in wildcards.keys() and wildcards.node in graph(wildcards).teaching()
    return None if teaches else f"{wildcards.recipe}-scores"


@cache
def left_over():
    """Work that no study refers to, told on the screen once."""
    folders = leftovers()
    logger.warning(listing(folders))
    return folders
