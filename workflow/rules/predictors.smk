"""From models to predictions: every predictor writes the one record of postgrad/predictions.py.

in:  models, cleaned splits
out: results/<study>/<recipe>/{predict,vote}/<node>/<task>/<split>.parquet; the shards of a pool's predictions
     lie beside them as <split>.shards/3-of-4.parquet, and one more job of the same rule gathers them
"""


rule predict:
    input:
        model="results/{study}/{recipe}/finetune/{node}/model.json",
        data=lambda wildcards: posts_of(wildcards, wildcards.dataset),
        shards=shards,
    output:
        "results/{study}/{recipe}/predict/{node}/{dataset}{shard}.parquet",
    log:
        "work/{study}/log/{recipe}/predict/{node}/{dataset}{shard}.log",
    conda:
        "../../envs/train.yaml"
    threads: threads_of
    resources:
        **machine("predict"),
    params:
        spec=lambda wildcards: STUDY.predict_spec(wildcards.recipe, wildcards.node, wildcards.dataset),
        code=code("predict"),
        shard=lambda wildcards: os.path.basename(wildcards.shard),
    message:
        "Predicting {wildcards.dataset}{wildcards.shard}: {wildcards.recipe}/{wildcards.node}"
    shell:
        'exec python workflow/scripts/predict.py --spec {params.spec:q} --model "$(dirname {input.model:q})" --data {input.data:q} '
        "--work work/{wildcards.study:q}/{wildcards.recipe:q}/predict/{wildcards.node:q}/{wildcards.dataset:q}{wildcards.shard:q} "
        "--shard {params.shard:q} --shards {input.shards:q} --out {output:q} > {log:q} 2>&1"


rule vote:
    input:
        members,
    output:
        predictions="results/{study}/{recipe}/vote/{node}/{dataset}.parquet",
        counts="results/{study}/{recipe}/vote/{node}/{dataset}.json",
    log:
        "work/{study}/log/{recipe}/vote/{node}/{dataset}.log",
    group:
        scoring
    conda:
        "../../envs/base.yaml"
    params:
        spec=spec,
        code=code("vote"),
    message:
        "Voting on {wildcards.dataset}: {wildcards.recipe}/{wildcards.node}"
    shell:
        "python workflow/scripts/vote.py --spec {params.spec:q} --predictions {input:q} "
        "--out {output.predictions:q} --counts {output.counts:q} > {log:q} 2>&1"
