"""Look-ups only: wildcards -> paths, spec, code, threads. What decides stands in workflow/scripts/postgrad."""

import json
import os
import sys
from functools import cache

sys.path.insert(0, str(Path(workflow.basedir) / "workflow" / "scripts"))

from snakemake.exceptions import WorkflowError

from postgrad.config.cluster import NAMES
from postgrad.config.errors import Fault, told_once
from postgrad.config.yaml_files import as_list, read_yaml
from postgrad.graph import queries
from postgrad.records.names import FOLD, HELD_OUT, SPLITS
from postgrad.runtime.study_lock import begin
from postgrad.study import specs
from postgrad.study.cleanup import leftovers, listing
from postgrad.study.fingerprints import code, unconfirmed
from postgrad.study.study import Study
from postgrad.verbs import language_models


def refuse(fault):
    """End here, before the graph is built: a sentence for each mistake, no traceback."""
    sentences = told_once(fault.sentences)
    sys.exit("\n  ".join([f"Nothing was run: {len(sentences)} to mend in the configuration.", *sentences]))


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
    recipe="|".join(map(re.escape, STUDY.all_recipes())),  # a job that was sent away may be of any
    task="[^/]+",
    node="[^/]+",
    model="[^/]+",
    dataset="[^/]+/[^/]+",
    shard=r"|\.shards/[1-9][0-9]*-of-[1-9][0-9]*",
    scope="|all_recipes/",


RESULTS = f"results/{STUDY.name}"


def graph_of(recipe):
    """The graph of any recipe; a wrong one that was not asked for at the start ends here, in sentences."""
    try:
        return STUDY.graph(recipe)
    except Fault as fault:
        refuse(fault)


def graph(wildcards):
    return graph_of(wildcards.recipe)


def node(wildcards):
    found = graph(wildcards).nodes.get(wildcards.node)
    if found is None:
        raise WorkflowError(f"{graph(wildcards).where}: there is no node {wildcards.node!r} in this study.")
    return found


def posts_of(wildcards, source, reader=None):
    """The file of a split (ages/train) or of a dataset node; of ages/held-out, what was folded under its reader."""
    alias, split = os.path.split(source)
    if split == HELD_OUT:
        source = (reader or node(wildcards)).folds[0]
    elif alias:
        return f"{RESULTS}/clean/{graph(wildcards).tasks[alias]}/{split}.parquet"
    return f"{RESULTS}/{wildcards.recipe}/{graph(wildcards).nodes[source].verb}/{source}.parquet"


def sources(wildcards):
    return [posts_of(wildcards, source) for source in node(wildcards).sources]


def audited(wildcards):
    """What audit leaves out of the splits that a node reads."""
    aliases = filter(None, map(os.path.dirname, node(wildcards).sources))
    tasks = dict.fromkeys(graph(wildcards).tasks[alias] for alias in aliases)
    return [f"{RESULTS}/audit/{task}/drop.parquet" for task in tasks]


def held_out(wildcards):
    """What a node's fold holds out, and all that belongs with it."""
    return [f"{RESULTS}/{wildcards.recipe}/fold/{id}.drop.parquet" for id in node(wildcards).folds]


def drops(wildcards):
    return audited(wildcards) + held_out(wildcards)


def corpus(wildcards):
    """Every split of a node's task."""
    return [posts_of(wildcards, f"{node(wildcards).task}/{split}") for split in SPLITS]


def dev(wildcards):
    """The posts on which a training chooses its epoch, if it does."""
    chooses = node(wildcards).options.get("epoch") == "best"
    return [posts_of(wildcards, f"{node(wildcards).task}/dev")] if chooses else []


def base_of(wildcards):
    base = node(wildcards).base
    if base in graph(wildcards).nodes:
        return f"{RESULTS}/{wildcards.recipe}/{graph(wildcards).nodes[base].verb}/{base}/model.json"
    return f"results/base/{base}/model.json"


def predictions_of(recipe, predictor, dataset):
    verb = "predict" if predictor.verb == "finetune" else predictor.verb
    return f"{RESULTS}/{recipe}/{verb}/{predictor.id}/{dataset}.parquet"


def shards(wildcards):
    """What the predictions of a pool are gathered from, in a study with shards; nothing where a model predicts."""
    if STUDY.shards == 1 or wildcards.shard or os.path.basename(wildcards.dataset) != "unlabeled":
        return []
    whole, _ = os.path.splitext(predictions_of(wildcards.recipe, node(wildcards), wildcards.dataset))
    return [f"{whole}.shards/{number}-of-{STUDY.shards}.parquet" for number in range(1, STUDY.shards + 1)]


def gathers(wildcards):
    return wildcards.get("shard") == "" and bool(shards(wildcards))


def members(wildcards, dataset=None):
    """Predictions on one dataset of all that a node reads: a label's teachers, a vote's members, a pick's candidates."""
    nodes = graph(wildcards).nodes
    dataset = dataset or wildcards.dataset
    return [predictions_of(wildcards.recipe, nodes[id], dataset) for id in node(wildcards).members]


def shared(wildcards):
    """The held-out posts that a vote's members share among them; nothing where all of them predict every post."""
    split = os.path.basename(wildcards.dataset)
    return [posts_of(wildcards, wildcards.dataset)] if split == HELD_OUT and FOLD not in node(wildcards).axes else []


def budget(wildcards):
    """The dataset whose class counts a node keeps to, if it does."""
    return [posts_of(wildcards, node(wildcards).budget)] if node(wildcards).budget else []


def fitted_on(wildcards):
    """The gold posts on which a node is fitted or chosen, or its teachers are audited, if there are any."""
    made = node(wildcards)
    return [posts_of(wildcards, made.fit, graph(wildcards).nodes[made.members[0]])] if made.fit else []


def on_gold(wildcards):
    """The predictions of these posts by all that the node reads."""
    return members(wildcards, node(wildcards).fit) if node(wildcards).fit else []


def on_pool(wildcards):
    """What a calibration reads, on the posts whose class shares it estimates, if it does."""
    return [path for source in node(wildcards).sources[1:] for path in members(wildcards, source)]


def trained(wildcards):
    """The model whose class prior a calibration takes out; all under it learnt from the same posts."""
    if node(wildcards).options["method"] != "prior":
        return []
    first, *_ = queries.models_under(graph(wildcards), wildcards.node)
    return f"{RESULTS}/{wildcards.recipe}/finetune/{first}/model.json"


def scored(wildcards):
    return [predictions_of(wildcards.recipe, *pair) for pair in queries.scored(graph(wildcards))]


def gold(wildcards):
    return [posts_of(wildcards, dataset, predictor) for predictor, dataset in queries.scored(graph(wildcards))]


def embedders(wildcards):
    """The encoder of each task whose diversity is measured."""
    measured, graph_ = queries.measured(graph(wildcards)), graph(wildcards)
    return [f"results/base/{graph_.diversity[alias]['model']}/model.json" for alias, _ in measured]


def of_measured(path):
    """A file of each task whose diversity is measured: {task} stands for its name."""
    return lambda wildcards: [
        f"{RESULTS}/{path.format(task=graph(wildcards).tasks[alias])}"
        for alias, _ in queries.measured(graph(wildcards))
    ]


def measured_sets(wildcards):
    return [posts_of(wildcards, id) for _, ids in queries.measured(graph(wildcards)) for id in ids]


def reported(wildcards):
    """The recipes in a report: those that the study asks for, or all."""
    if not wildcards.scope:
        return STUDY.recipes
    try:
        STUDY.read(STUDY.all_recipes())
    except Fault as fault:
        refuse(fault)
    return STUDY.all_recipes()


def page_of(wildcards):
    return f"{RESULTS}/{wildcards.scope}report.html"


def in_report(path):
    """The file of each recipe in a report."""
    return lambda wildcards: [f"{RESULTS}/{recipe}/{path}" for recipe in reported(wildcards)]


def of_tasks(path):
    """The file of each task in a report: {task} stands for its name."""
    return lambda wildcards: [f"{RESULTS}/{path.format(task=task)}" for task in STUDY.tasks(reported(wildcards))]


def flows(wildcards):
    graphs = map(graph_of, reported(wildcards))
    return [f"{RESULTS}/{graph.recipe}/label/{id}.json" for graph in graphs for id in queries.labelled(graph)]


def measured(wildcards):
    """diversity.json of the recipes that ask for it."""
    asking = [graph.recipe for graph in map(graph_of, reported(wildcards)) if graph.diversity]
    return [f"{RESULTS}/{recipe}/diversity/diversity.json" for recipe in asking]


def written(wildcards):
    graphs = map(graph_of, reported(wildcards))
    return [f"{RESULTS}/{graph.recipe}/synthesize/{id}.json" for graph in graphs for id in queries.written(graph)]


def restarting(wildcards):
    graphs = map(graph_of, reported(wildcards))
    return [
        f"{RESULTS}/{graph.recipe}/finetune/{id}/model.json" for graph in graphs for id in queries.restarting(graph)
    ]


def reviewed(wildcards):
    found = [(graph.recipe, *pair) for graph in map(graph_of, reported(wildcards)) for pair in queries.reviewed(graph)]
    return [f"{RESULTS}/{recipe}/review/{id}/{dataset}.fit.json" for recipe, id, dataset in found]


# What a report reads, by the name of the argument that takes it.
REPORTED = {
    "scores": in_report("score/score.json"),
    "compare": in_report("compare/compare.json"),
    "diversity": measured,
    "ledger": of_tasks("clean/{task}/ledger.parquet"),
    "audit": of_tasks("audit/{task}/drop.parquet"),
    "flow": flows,
    "written": written,
    "model": restarting,
    "review": reviewed,
}


def spec(wildcards):
    return specs.node_spec(STUDY, wildcards.recipe, wildcards.node)


def asked_models(wildcards):
    """The folders' model.json of the models here that a node asks; an endpoint has none."""
    kinds = {model: STUDY.bases[model]["kind"] for model in node(wildcards).asked}
    return [f"results/base/{model}/model.json" for model, kind in kinds.items() if kind == "causal"]


def reached(wildcards, resources):
    """How the models that a node asks are reached, and what each may cost. Tracked by nothing: see launch."""
    return json.dumps(language_models.reached(STUDY, node(wildcards)), sort_keys=True)


def threads_of(wildcards):
    if node(wildcards).asked:
        return language_models.threads(graph(wildcards), node(wildcards))
    return 1 if gathers(wildcards) else node(wildcards).options.get("threads", 1)


asks = cache(STUDY.resources)


def machine(verb):
    """What a job of a model asks of the cluster: {resource: its function}. Other rules ask for the profile's."""

    def asked(name):
        def value(wildcards, attempt):
            return asks(wildcards.recipe, wildcards.node, None if gathers(wildcards) else verb, attempt)[name]

        return value

    return {name: asked(name) for name in NAMES} if STUDY.cluster is not None else {}


def launch(verb):
    """How many processes train. Snakemake tracks no param that comes from `resources`: other GPUs retrain nothing."""

    def words(wildcards, resources):
        asked = asks(wildcards.recipe, wildcards.node, verb, attempt=1)
        return ["--nodes", str(asked["nodes"]), "--ranks", str(asked["ranks"]), "--zero", str(asked["zero"])]

    return words


def scoring(wildcards):
    """The group of a recipe's cheap last jobs, one submission. A vote goes alone where a model waits for it."""
    teaches = "node" in wildcards.keys() and wildcards.node in queries.teaching(graph(wildcards))
    return None if teaches else f"{wildcards.recipe}-scores"


def reports():
    """The folders of the reports that this run was asked for."""
    return sorted(os.path.dirname(job.output.page) for job in workflow.dag.jobs if job.rule.name == "report")


def begin_run():
    """Be the only run of the study from here on; a second one ends in a sentence."""
    try:
        begin(STUDY.name, getattr(workflow.scheduler._executor, "run_uuid", None))
    except BlockingIOError as fault:
        remedy = "Wait for its end or end it; two minutes after its machine went down it counts as ended."
        sys.exit(f"Nothing was run: another run of study {STUDY.name}, {fault}. {remedy}")


@cache
def left_over():
    """Work that no study refers to, told on the screen once."""
    folders = leftovers()
    logger.warning(listing(folders))
    return folders
