"""The study that is run, and functions that turn wildcards into inputs, params and resources."""

import inspect
import os

from snakemake.exceptions import WorkflowError

from postgrad.config.cluster import SUBMISSION_RESOURCES
from postgrad.config.errors import exit_on_config_error
from postgrad.config.yaml_files import read_yaml
from postgrad.records.names import SCORED, SPLITS, TEACHING
from postgrad.runtime.study_lock import begin_run, jobs_name
from postgrad.study import cleanup, specs
from postgrad.study.fingerprints import code_fingerprint, unconfirmed_message
from postgrad.study.job_requests import JobRequests
from postgrad.study.paths import REPORT_FILES, Paths, UnknownNode, option_words, path_list
from postgrad.study.so_far import SO_FAR, SoFar
from postgrad.study.study import Study

with exit_on_config_error():
    read_yaml("config/config.yaml")  # Snakemake's own sentence names neither file nor line


configfile: "config/config.yaml"


with exit_on_config_error():
    STUDY = Study(config, reads_posts=workflow.is_main_process)

PATHS = Paths(STUDY)
REQUESTS = JobRequests(STUDY, PATHS)
FOUND = SoFar(PATHS)

if sentence := unconfirmed_message():
    logger.warning(sentence)


wildcard_constraints:
    study=re.escape(STUDY.name),
    recipe="|".join(map(re.escape, STUDY.all_recipes())),  # a job that was sent away may be of any
    task="[^/]+",
    node="[^/]+",
    model="[^/]+",
    file=f"{SCORED}|{TEACHING}",
    shard=r"|\.shards/[1-9][0-9]*-of-[1-9][0-9]*",
    scope=f"|all_recipes/|{SO_FAR}",


def look_up(method):
    """Return a function that calls `method` with the wildcards named as its parameters."""
    names = list(inspect.signature(method).parameters)

    def call(wildcards):
        try:
            # Only now is a recipe read that the study does not ask for.
            with exit_on_config_error():
                return method(*map(wildcards.get, names))
        except UnknownNode as error:
            raise WorkflowError(str(error))

    return call


def files(method):
    """Return an input function: the paths that a method of PATHS gives."""
    call = look_up(method)
    return lambda wildcards: path_list(call(wildcards))


def named(**methods):
    """Return a function for a param: `--option NAME FILE` for each file of a method of PATHS."""
    calls = {option.replace("_", "-"): look_up(method) for option, method in methods.items()}
    return lambda wildcards: option_words({option: calls[option](wildcards) for option in calls})


def in_role(role, verb):
    """Return a method that gives the files of one role; without a verb, the verb is the node's."""
    return lambda recipe, node, file, shard: PATHS.inputs(verb, recipe, node, file, shard)[role]


def inputs(*roles, verb=None):
    """Return an input function: the files of one role, or {role: files} for `unpack`."""
    calls = {role: files(in_role(role, verb)) for role in roles}
    if len(roles) == 1:
        return calls[roles[0]]
    return lambda wildcards: {role: calls[role](wildcards) for role in roles}


def words(*roles, verb=None):
    """Return a function for a param: `--role NAME FILE` for each file of these roles."""
    return named(**{role: in_role(role, verb) for role in roles})


spec = look_up(lambda recipe, node, file: specs.node_spec(STUDY, recipe, node, file))
# The names of what a job reads. Snakemake reruns by params alone: see profiles/default/config.yaml.
reads = look_up(lambda recipe, node, file: specs.node_reads(STUDY, recipe, node, file))
threads_of = look_up(REQUESTS.threads)
scoring = look_up(REQUESTS.scoring_group)


def machine(verb):
    """Return {resource: its function} for jobs that run a model; others use the profile's."""

    def resource(name):
        return lambda wildcards, attempt: look_up(
            lambda recipe, node, file, shard: REQUESTS.resources(
                verb, recipe, node, file, shard, attempt
            )[name]
        )(wildcards)

    return {name: resource(name) for name in SUBMISSION_RESOURCES if STUDY.cluster is not None}


# Snakemake does not track a param whose function takes `resources`: other GPUs rerun nothing.
def reached(wildcards, resources):
    return look_up(REQUESTS.model_access)(wildcards)


def launch(verb):
    call = look_up(lambda recipe, node: REQUESTS.launch_options(verb, recipe, node))
    return lambda wildcards, resources: call(wildcards)


CAPTIONS = Path(workflow.basedir) / "workflow" / "report"


def report_inputs(scope):
    """Return the files that rules make for a report, by option of report.py."""
    return FOUND.report_inputs() if scope == SO_FAR else PATHS.report_inputs(scope)


def report_files(scope):
    """Return the files that report.py reads, by its options."""
    return FOUND.report_files() if scope == SO_FAR else PATHS.report_files(scope)


def report_spec(scope):
    """Return the spec of a report."""
    if scope == SO_FAR:
        return FOUND.report_spec(PATHS.page(scope))
    return specs.report_spec(STUDY, PATHS.reported(scope), PATHS.page(scope))


def captioned(path):
    """Mark a file for `snakemake --report` if workflow/report has a caption of its name."""
    caption = CAPTIONS / f"{Path(path.replace('{scope}', '')).name}.rst"
    return report(path, caption=str(caption)) if caption.is_file() else path


def has_only_so_far(dag):
    """Return whether a run only writes reports of what there is, and nothing that a run reads."""
    return all(
        job.rule.name.endswith("_so_far") or job.wildcards_dict.get("scope") == SO_FAR
        for job in dag.needrun_jobs()
    )
