"""The table of `snakemake -n`: what will run, and why. It does nothing in other runs."""

from postgrad.graph import queries
from postgrad.graph.equal_predictions import equality_sentences
from postgrad.study import dry_run
from postgrad.study.run_progress import RunJob, write_plan


def in_order(dag):
    """Yield every job that makes files, in the order in which data flows; `all` makes none."""
    order = {rule.name: place for place, rule in enumerate(workflow.rules)}
    for level in dag.toposorted():
        made = (job for job in level if job.output)
        yield from sorted(made, key=lambda job: (order[job.rule.name], job.output[0]))


def names_of(job):
    """Return the wildcards of a job, with the name of its node in the place of the id."""
    found = dict(job.wildcards_dict)
    return (
        found | {"node": PATHS.node(found["recipe"], found["node"]).name}
        if "node" in found
        else found
    )


def notes(recipe, several):
    """Return sentences on nodes that override their scale, and on predictors that are equal at it.

    They begin with the recipe if `several` are planned.
    """
    graph = STUDY.graph(recipe)
    sentences = queries.override_sentences(graph, most=2) + equality_sentences(graph, most=2)
    return [f"{recipe}/{sentence}" if several else sentence for sentence in sentences]


def planned():
    """Return the jobs that will run, the number of all jobs, and the sentences above the total."""
    dag, jobs = workflow.dag, []
    known = list(in_order(dag))
    recipes = sorted(
        {job.wildcards_dict["recipe"] for job in known if "recipe" in job.wildcards_dict}
    )
    several = len(recipes) > 1
    named = {job: (job.rule.name, dry_run.node_label(names_of(job), several)) for job in known}
    place = {job: place for place, job in enumerate(named)}
    for job in filter(dag.needrun, named):
        reason = dag.reason(job)
        change = reason.params_changed
        if (reason.updated_input or reason.updated_input_run) and not reason.missing_output:
            # Snakemake stops looking where an input is newer, but a change of the spec or of the
            # inputs says more.
            change = workflow.persistence.params_changed(job)
        upstream = set(filter(dag.needrun, dag.dependencies[job]))
        # What a nearer job depends on as well, for example clean, which is behind audit.
        further = {other for nearer in upstream for other in dag.dependencies[nearer]}
        follows = tuple(named[other] for other in sorted(upstream - further, key=place.get))
        cause = dry_run.job_cause(reason, change)
        if reason.missing_output and dry_run.is_of_older_form(job.output[0]):
            cause = "older", dry_run.OLDER
        jobs.append(dry_run.Job(*named[job], *cause, follows))
    return jobs, len(named), [line for recipe in recipes for line in notes(recipe, several)]


def jobs_to_run():
    """Yield the jobs of this run, for `make watch`."""
    for job in filter(workflow.dag.needrun, in_order(workflow.dag)):
        found = job.wildcards_dict
        node = found.get("node") or found.get("task") or found.get("model") or ""
        log = job.log[0] if job.log else ""
        yield RunJob(job.rule.name, found.get("recipe", ""), node, str(job.output[0]), str(log))


def log_upgrade():
    """Log, before the first job, what is run again because an earlier version made it."""
    try:
        jobs, *_ = planned()
    except Exception as error:  # a new Snakemake may use other names; the run goes on
        logger.warning(
            f"No message about results of an earlier version: {type(error).__name__}: {error}"
        )
        return
    if sentence := dry_run.upgrade_sentence(jobs):
        logger.warning(sentence)


dry_run.show_dry_run_table(planned, logger.handlers, getattr(workflow, "output_settings", None))
