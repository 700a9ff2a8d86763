"""From predictions to what people read.

in:  predictions, gold and datasets of a recipe; ledgers, audits and label flows of the study
out: results/<study>/<recipe>/{score,compare,diversity};
     results/<study>/report.html with the files beside it, of the recipes that the study asks for,
     and the same in results/<study>/all_recipes of all recipes, and in results/<study>/so_far of
     what there is of a study that has not finished: see so_far.smk
"""


rule score:
    input:
        predictions=files(PATHS.scored_predictions),
        gold=files(PATHS.scored_posts),
        groups=files(PATHS.scored_groups),
    output:
        scores="results/{study}/{recipe}/score/score.json",
        outcomes="results/{study}/{recipe}/score/outcomes.parquet",
    log:
        "work/{study}/log/{recipe}/score.log",
    group:
        scoring
    conda:
        "../../envs/base.yaml"
    params:
        spec=lambda wildcards: specs.score_spec(STUDY, wildcards.recipe),
        code=code_fingerprint("score"),
        reads=lambda wildcards: specs.score_reads(STUDY, wildcards.recipe),
        files=named(
            predictions=PATHS.scored_predictions,
            gold=PATHS.scored_posts,
            groups=PATHS.scored_groups,
        ),
    message:
        "Scoring {wildcards.recipe}"
    shell:
        "python workflow/scripts/score.py --spec {params.spec:q} {params.files:q} "
        "--outcomes {output.outcomes:q} --out {output.scores:q} > {log:q} 2>&1"


rule compare:
    input:
        scores=rules.score.output.scores,
        outcomes=rules.score.output.outcomes,
    output:
        "results/{study}/{recipe}/compare/compare.json",
    log:
        "work/{study}/log/{recipe}/compare.log",
    group:
        scoring
    conda:
        "../../envs/base.yaml"
    params:
        spec=lambda wildcards: specs.compare_spec(STUDY, wildcards.recipe),
        code=code_fingerprint("compare"),
    message:
        "Comparing along the chains of {wildcards.recipe}"
    shell:
        "python workflow/scripts/compare.py --spec {params.spec:q} --scores {input.scores:q} "
        "--outcomes {input.outcomes:q} --out {output:q} > {log:q} 2>&1"


rule diversity:
    input:
        train=inputs("train", verb="diversity"),
        drop=inputs("drop", verb="diversity"),
        base=inputs("base", verb="diversity"),
        data=inputs("data", verb="diversity"),
    output:
        "results/{study}/{recipe}/diversity/diversity.json",
    log:
        "work/{study}/log/{recipe}/diversity.log",
    conda:
        "../../envs/train.yaml"
    params:
        spec=lambda wildcards: specs.recipe_spec(STUDY, wildcards.recipe, verb="diversity"),
        code=code_fingerprint("diversity"),
        reads=lambda wildcards: specs.recipe_reads(STUDY, wildcards.recipe, verb="diversity"),
        files=words("train", "drop", "base", "data", verb="diversity"),
    message:
        "Measuring how varied the posts of {wildcards.recipe} are"
    shell:
        "python workflow/scripts/diversity.py --spec {params.spec:q} {params.files:q} "
        "--out {output:q} > {log:q} 2>&1"


rule report:
    input:
        unpack(look_up(report_inputs)),
    output:
        page=captioned(PATHS.page("{scope}")),
        tables=[captioned(f"{PATHS.folder}/{{scope}}{name}") for name in REPORT_FILES],
    log:
        f"work/{STUDY.name}/log/{{scope}}report.log",
    conda:
        "../../envs/base.yaml"
    params:
        spec=look_up(report_spec),
        code=code_fingerprint("report"),
        files=lambda wildcards: option_words(report_files(wildcards.scope)),
        work=f"work/{STUDY.name}",
        times=lambda wildcards: FOUND.report_times() if wildcards.scope == SO_FAR else "",
    message:
        "Writing the report"
    shell:
        "python workflow/scripts/report.py --spec {params.spec:q} {params.files:q} "
        "--work {params.work:q} --out {output.page:q} > {log:q} 2>&1"
