"""From predictions to what people read.

in:  predictions and gold of a recipe; ledgers, audits and label flows of the study
out: results/<study>/<recipe>/{score,compare}, results/<study>/{report.html,scores.csv,scores.txt}
"""


rule score:
    input:
        predictions=scored,
        gold=gold,
    output:
        "results/{study}/{recipe}/score/score.json",
    log:
        "work/{study}/log/{recipe}/score.log",
    group:
        scoring
    conda:
        "../../envs/base.yaml"
    params:
        spec=lambda wildcards: STUDY.score_spec(wildcards.recipe),
        code=code("score"),
    message:
        "Scoring {wildcards.recipe}"
    shell:
        "python workflow/scripts/score.py --spec {params.spec:q} --predictions {input.predictions:q} "
        "--gold {input.gold:q} --out {output:q} > {log:q} 2>&1"


rule compare:
    input:
        rules.score.output,
    output:
        "results/{study}/{recipe}/compare/compare.json",
    log:
        "work/{study}/log/{recipe}/compare.log",
    group:
        scoring
    conda:
        "../../envs/base.yaml"
    params:
        spec=lambda wildcards: STUDY.compare_spec(wildcards.recipe),
        code=code("compare"),
    message:
        "Comparing along the chains of {wildcards.recipe}"
    shell:
        "python workflow/scripts/compare.py --spec {params.spec:q} --scores {input:q} --out {output:q} > {log:q} 2>&1"


rule report:
    input:
        scores=[f"{RESULTS}/{recipe}/score/score.json" for recipe in STUDY.graphs],
        compare=[f"{RESULTS}/{recipe}/compare/compare.json" for recipe in STUDY.graphs],
        ledger=[f"{RESULTS}/clean/{task}/ledger.parquet" for task in STUDY.tasks()],
        audit=[f"{RESULTS}/audit/{task}/drop.parquet" for task in STUDY.tasks()],
        flow=[f"{RESULTS}/{graph.recipe}/label/{id}.json" for graph in STUDY.graphs.values() for id in graph.labelled()],
        model=[f"{RESULTS}/{name}/finetune/{id}/model.json" for name in STUDY.graphs for id in restarting(name)],
    output:
        page=f"{RESULTS}/report.html",
        table=f"{RESULTS}/scores.csv",
        text=f"{RESULTS}/scores.txt",
    log:
        f"work/{STUDY.name}/log/report.log",
    conda:
        "../../envs/base.yaml"
    params:
        spec=STUDY.report_spec(),
        code=code("report"),
    message:
        "Writing the report"
    shell:
        "python workflow/scripts/report.py --spec {params.spec:q} --scores {input.scores:q} "
        "--compare {input.compare:q} --ledger {input.ledger:q} --audit {input.audit:q} --flow {input.flow:q} "
        "--model {input.model:q} --table {output.table:q} --text {output.text:q} --out {output.page:q} > {log:q} 2>&1"
