"""What the rules share: the study, and PATHS (postgrad/study/paths.py), which finds their files."""

import inspect
import json
import os
from functools import cache

from snakemake.exceptions import WorkflowError

from postgrad.config.cluster import NAMES, launch_words
from postgrad.config.errors import stop_on_faults
from postgrad.config.yaml_files import read_yaml
from postgrad.graph import queries
from postgrad.records.names import SCORED, SPLITS, TEACHING
from postgrad.runtime.study_lock import begin, jobs_name
from postgrad.study import cleanup, specs
from postgrad.study.fingerprints import code, unconfirmed
from postgrad.study.paths import Paths, UnknownNode, option_words, path_list
from postgrad.study.study import Study
from postgrad.verbs import language_models

with stop_on_faults():
    read_yaml("config/config.yaml")  # Snakemake's own sentence names neither file nor line


configfile: "config/config.yaml"


with stop_on_faults():
    STUDY = Study(config)

PATHS = Paths(STUDY)

if sentence := unconfirmed():
    logger.warning(sentence)


wildcard_constraints:
    study=re.escape(STUDY.name),
    recipe="|".join(map(re.escape, STUDY.all_recipes())),  # a job that was sent away may be of any
    task="[^/]+",
    node="[^/]+",
    model="[^/]+",
    file=f"{SCORED}|{TEACHING}",
    shard=r"|\.shards/[1-9][0-9]*-of-[1-9][0-9]*",
    scope="|all_recipes/",


def look_up(method):
    """Return a function of wildcards. It calls the method with those that its parameters name."""
    names = list(inspect.signature(method).parameters)

    def found(wildcards):
        try:
            with (
                stop_on_faults()
            ):  # in a recipe that is read only now, since the study does not ask for it
                return method(*(wildcards.get(name) for name in names))
        except UnknownNode as error:
            raise WorkflowError(str(error))

    return found


def files(method):
    """A rule's input: the paths that a method of PATHS gives."""
    found = look_up(method)
    return lambda wildcards: path_list(found(wildcards))


def named(**methods):
    """A rule's param: the words `--option NAME FILE` for each file of the methods' results.

    methods: {option: method of PATHS that returns {name: file}}.
    """
    found = {option.replace("_", "-"): look_up(method) for option, method in methods.items()}
    return lambda wildcards: option_words(
        {option: files(wildcards) for option, files in found.items()}
    )


def in_role(role, verb):
    """The look-up of what a job reads in a role, by the record of the verb.

    With None, it is the verb of the job's node.
    """
    return lambda recipe, node, file, shard: PATHS.inputs(verb, recipe, node, file, shard)[role]


def inputs(*roles, verb=None):
    """A rule's input: the files that its verb reads in a role.

    With several roles it is {role: files}, for `unpack`.
    """
    found = {role: files(in_role(role, verb)) for role in roles}
    return (
        found[roles[0]]
        if len(roles) == 1
        else lambda wildcards: {role: found[role](wildcards) for role in roles}
    )


def words(*roles, verb=None):
    """A rule's param: the words `--role NAME FILE` for each file that is read in these roles."""
    return named(**{role: in_role(role, verb) for role in roles})


def spec(wildcards):
    return specs.node_spec(STUDY, wildcards.recipe, wildcards.node, wildcards.get("file"))


def reads(wildcards):
    """The names of what a job reads. Snakemake reruns by params alone: see profiles/default."""
    return specs.node_reads(STUDY, wildcards.recipe, wildcards.node, wildcards.get("file"))


def reached(wildcards, resources):
    """How the models that a node asks are reached, and what each may cost.

    Snakemake does not track it, for the reason given at `launch`.
    """
    return json.dumps(
        language_models.reached(STUDY, PATHS.node(wildcards.recipe, wildcards.node)), sort_keys=True
    )


def gathers(wildcards):
    """Whether a job joins the shards of a prediction and runs no model."""
    return wildcards.get("shard") == "" and bool(
        PATHS.shards(wildcards.recipe, wildcards.node, wildcards.file, "")
    )


def threads_of(wildcards):
    return 1 if gathers(wildcards) else STUDY.threads(wildcards.recipe, wildcards.node)


asks = cache(STUDY.resources)


def machine(verb):
    """What a job of a model asks of the cluster: {resource: its function}.

    Other rules ask for the resources of the profile.
    """

    def asked(name):
        return lambda wildcards, attempt: asks(
            wildcards.recipe, wildcards.node, None if gathers(wildcards) else verb, attempt
        )[name]

    return {name: asked(name) for name in NAMES} if STUDY.cluster is not None else {}


def launch(verb):
    """How many processes train.

    Snakemake tracks no param that comes from `resources`, so another number of GPUs retrains
    nothing.
    """
    return lambda wildcards, resources: launch_words(
        asks(wildcards.recipe, wildcards.node, verb, attempt=1)
    )


def scoring(wildcards):
    """The group of a recipe's cheap last jobs, which are submitted as one.

    A predictor for which a model waits is submitted alone.
    """
    awaited = wildcards.get("node") in queries.awaited(STUDY.graph(wildcards.recipe))
    return None if awaited or wildcards.get("file") == TEACHING else f"{wildcards.recipe}-scores"
