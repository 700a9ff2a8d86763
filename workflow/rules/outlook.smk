"""What will run, and why: the table of `snakemake -n`. In every other run it does nothing."""

from postgrad.graph import queries
from postgrad.study import dry_run


def in_order(dag):
    """Every job that makes files, in the order in which data flows; `all` makes none."""
    order = {rule.name: place for place, rule in enumerate(workflow.rules)}
    for level in dag.toposorted():
        made = (job for job in level if job.output)
        yield from sorted(made, key=lambda job: (order[job.rule.name], job.output[0]))


def names_of(job):
    """The wildcards of a job, with the name of its node for the node's id."""
    found = dict(job.wildcards_dict)
    return (
        found | {"node": PATHS.node(found["recipe"], found["node"]).name}
        if "node" in found
        else found
    )


def overrides(recipe, several):
    """Sentences on the nodes of a recipe that override their scale.

    several: whether each sentence names the recipe.
    """
    sentences = queries.override_sentences(STUDY.graph(recipe), most=2)
    return [f"{recipe}/{sentence}" if several else sentence for sentence in sentences]


def planned():
    """(jobs that will run, how many there are, where nodes override their scale)."""
    dag, jobs = workflow.dag, []
    known = list(in_order(dag))
    recipes = sorted(
        {job.wildcards_dict["recipe"] for job in known if "recipe" in job.wildcards_dict}
    )
    several = len(recipes) > 1
    named = {job: (job.rule.name, dry_run.node_of(names_of(job), several)) for job in known}
    place = {job: place for place, job in enumerate(named)}
    for job in filter(dag.needrun, named):
        reason = dag.reason(job)
        change = reason.params_changed
        if (reason.updated_input or reason.updated_input_run) and not reason.missing_output:
            # Snakemake looks no further where an input is newer; that spec or inputs are others as
            # well tells more.
            change = workflow.persistence.params_changed(job)
        upstream = set(filter(dag.needrun, dag.dependencies[job]))
        further = {
            other for nearer in upstream for other in dag.dependencies[nearer]
        }  # clean behind audit
        follows = tuple(named[other] for other in sorted(upstream - further, key=place.get))
        cause = dry_run.cause(reason, change)
        if reason.missing_output and dry_run.is_of_older_form(job.output[0]):
            cause = "older", dry_run.OLDER
        jobs.append(dry_run.Job(*named[job], *cause, follows))
    return jobs, len(named), [line for recipe in recipes for line in overrides(recipe, several)]


def tell_of_upgrade():
    """Say once, before the first job, what is done again because an earlier version made it."""
    try:
        jobs, *_ = planned()
    except (
        Exception
    ) as error:  # a new Snakemake may name things otherwise; the run goes on without the sentence
        logger.warning(f"Nothing is said of an upgrade: {type(error).__name__}: {error}")
        return
    if sentence := dry_run.upgrade_sentence(jobs):
        logger.warning(sentence)


dry_run.attach(planned, logger.handlers, getattr(workflow, "output_settings", None))
