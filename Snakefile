"""Postgrad: from raw posts to a scored report, each published system one recipe. See README.md."""

from snakemake.utils import min_version

min_version("9.27")


report: "workflow/report/workflow.rst"


include: "workflow/rules/start.smk"
include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/predictors.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/so_far.smk"
include: "workflow/rules/outlook.smk"


rule all:
    default_target: True
    input:
        f"results/{STUDY.name}/report.html",
        f"results/{STUDY.name}/scores.csv",


rule all_recipes:
    input:
        f"results/{STUDY.name}/all_recipes/report.html",
        f"results/{STUDY.name}/all_recipes/scores.csv",


rule report_so_far:
    input:
        PATHS.page(SO_FAR),


rule clean_work:
    log:
        f"work/{STUDY.name}/log/clean_work.log",
    localrule: True
    conda:
        "envs/train.yaml"  # it has what reads the studies
    params:
        limits=lambda wildcards: cleanup.announce_plan(
            config.get("older_than"), config.get("keep_gb")
        ),
    message:
        "Removing work that no study refers to, and results of earlier settings as older_than and "
        "keep_gb say"
    shell:
        "PYTHONPATH=workflow/scripts python -m postgrad.study.cleanup {params.limits:q} > {log:q} "
        "2>&1"


onstart:
    if not has_only_so_far(workflow.dag):
        # The only run of the study from here on; a second one ends in a sentence.
        try:
            begin_run(STUDY.name, jobs_name(workflow.scheduler))
        except BlockingIOError as fault:
            remedy = "Wait for its end or end it"
            remedy += "; two minutes after its machine went down it counts as ended."
            sys.exit(f"Nothing was run: another run of study {STUDY.name}, {fault}. {remedy}")
        log_upgrade()
        write_plan(STUDY.name, jobs_to_run())


onsuccess:
    for page in sorted(
        job.output.page for job in workflow.dag.jobs if job.rule.name == "report"
    ):
        folder = os.path.dirname(page)
        print()
        print((Path(folder) / "verdict.txt").read_text(encoding="utf-8").rstrip())
        print(f"Scores: {folder}/scores.txt   Report: {page}")
