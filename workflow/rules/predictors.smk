"""From models to predictions: every predictor writes the one record of postgrad/records/predictions.py.

in:  models, cleaned splits
out: results/<study>/<recipe>/{predict,vote,calibrate,pick,review}/<node>/<task>/<split>.parquet; the shards of a pool's
     predictions lie beside them as <split>.shards/3-of-4.parquet, and one more job of the same rule gathers them
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
        spec=lambda wildcards: specs.predict_spec(STUDY, wildcards.recipe, wildcards.node, wildcards.dataset),
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
        predictions=members,
        posts=shared,
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
        "python workflow/scripts/vote.py --spec {params.spec:q} --predictions {input.predictions:q} "
        "--posts {input.posts:q} --out {output.predictions:q} --counts {output.counts:q} > {log:q} 2>&1"


rule calibrate:
    input:
        predictions=members,
        gold=fitted_on,
        on_gold=on_gold,
        pool=on_pool,
        model=trained,
    output:
        predictions="results/{study}/{recipe}/calibrate/{node}/{dataset}.parquet",
        fit="results/{study}/{recipe}/calibrate/{node}/{dataset}.fit.json",
    log:
        "work/{study}/log/{recipe}/calibrate/{node}/{dataset}.log",
    group:
        scoring
    conda:
        "../../envs/base.yaml"
    params:
        spec=spec,
        code=code("calibrate"),
    message:
        "Calibrating {wildcards.dataset}: {wildcards.recipe}/{wildcards.node}"
    shell:
        "python workflow/scripts/calibrate.py --spec {params.spec:q} --predictions {input.predictions:q} "
        "--gold {input.gold:q} --on-gold {input.on_gold:q} --pool {input.pool:q} --model {input.model:q} "
        "--out {output.predictions:q} --fit {output.fit:q} > {log:q} 2>&1"


rule pick:
    input:
        predictions=members,
        gold=fitted_on,
        on_gold=on_gold,
    output:
        predictions="results/{study}/{recipe}/pick/{node}/{dataset}.parquet",
        fit="results/{study}/{recipe}/pick/{node}/{dataset}.fit.json",
    log:
        "work/{study}/log/{recipe}/pick/{node}/{dataset}.log",
    group:
        scoring
    conda:
        "../../envs/base.yaml"
    params:
        spec=spec,
        code=code("pick"),
    message:
        "Picking for {wildcards.dataset}: {wildcards.recipe}/{wildcards.node}"
    shell:
        "python workflow/scripts/pick.py --spec {params.spec:q} --predictions {input.predictions:q} "
        "--gold {input.gold:q} --on-gold {input.on_gold:q} --out {output.predictions:q} "
        "--fit {output.fit:q} > {log:q} 2>&1"


rule review:
    input:
        predictions=members,
        data=lambda wildcards: posts_of(wildcards, wildcards.dataset),
        train=lambda wildcards: sources(wildcards) + audited(wildcards),
        gold=lambda wildcards: fitted_on(wildcards) + on_gold(wildcards),
        models=asked_models,
    output:
        multiext("results/{study}/{recipe}/review/{node}/{dataset}", out=".parquet", fit=".fit.json"),
    log:
        "work/{study}/log/{recipe}/review/{node}/{dataset}.log",
    conda:
        "../../envs/train.yaml"
    threads: threads_of
    resources:
        **machine("review"),
    params:
        spec=spec,
        code=code("review"),
        reached=reached,
    message:
        "Reviewing {wildcards.dataset}: {wildcards.recipe}/{wildcards.node}"
    shell:
        "exec python workflow/scripts/review.py --spec {params.spec:q} --reached {params.reached:q} --models {input.models:q} "
        "--predictions {input.predictions:q} --data {input.data:q} --train {input.train:q} --gold {input.gold:q} --out {output.out:q} "
        "--work work/{wildcards.study:q}/{wildcards.recipe:q}/review/{wildcards.node:q}/{wildcards.dataset:q}.parquet > {log:q} 2>&1"
