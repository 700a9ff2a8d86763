"""From models to predictions: every predictor writes the one record of postgrad/records/predictions.py.

in:  models, cleaned splits
out: results/<study>/<recipe>/{predict,vote,calibrate,pick,review}/<node>/<task>/<split>.parquet; the shards of a pool's
     predictions lie beside them as <split>.shards/3-of-4.parquet, and one more job of the same rule gathers them
"""


rule predict:
    input:
        model=inputs("model", verb="predict"),
        data=inputs("data", verb="predict"),
        shards=inputs("shards", verb="predict"),
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
        reads=reads,
        shard=lambda wildcards: os.path.basename(wildcards.shard),
    message:
        "Predicting {wildcards.dataset}{wildcards.shard}: {wildcards.recipe}/{wildcards.node}"
    shell:
        'exec python workflow/scripts/predict.py --spec {params.spec:q} --model "$(dirname {input.model:q})" --data {input.data:q} '
        "--work work/{wildcards.study:q}/{wildcards.recipe:q}/predict/{wildcards.node:q}/{wildcards.dataset:q}{wildcards.shard:q} "
        "--shard {params.shard:q} --shards {input.shards:q} --out {output:q} > {log:q} 2>&1"


rule vote:
    input:
        predictions=inputs("predictions"),
        posts=inputs("posts"),
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
        reads=reads,
    message:
        "Voting on {wildcards.dataset}: {wildcards.recipe}/{wildcards.node}"
    shell:
        "python workflow/scripts/vote.py --spec {params.spec:q} --predictions {input.predictions:q} "
        "--posts {input.posts:q} --out {output.predictions:q} --counts {output.counts:q} > {log:q} 2>&1"


rule calibrate:
    input:
        predictions=inputs("predictions"),
        gold=inputs("gold"),
        on_gold=inputs("on_gold"),
        pool=inputs("pool"),
        model=inputs("model"),
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
        reads=reads,
    message:
        "Calibrating {wildcards.dataset}: {wildcards.recipe}/{wildcards.node}"
    shell:
        "python workflow/scripts/calibrate.py --spec {params.spec:q} --predictions {input.predictions:q} "
        "--gold {input.gold:q} --on-gold {input.on_gold:q} --pool {input.pool:q} --model {input.model:q} "
        "--out {output.predictions:q} --fit {output.fit:q} > {log:q} 2>&1"


rule pick:
    input:
        predictions=inputs("predictions"),
        gold=inputs("gold"),
        on_gold=inputs("on_gold"),
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
        reads=reads,
        candidates=words("predictions", "on_gold"),
    message:
        "Picking for {wildcards.dataset}: {wildcards.recipe}/{wildcards.node}"
    shell:
        "python workflow/scripts/pick.py --spec {params.spec:q} --gold {input.gold:q} {params.candidates:q} "
        "--out {output.predictions:q} --fit {output.fit:q} > {log:q} 2>&1"


rule review:
    input:
        unpack(inputs("train", "drop")),
        unpack(inputs("gold", "on_gold")),
        predictions=inputs("predictions"),
        data=inputs("data"),
        models=inputs("models"),
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
        reads=reads,
        reached=reached,
    message:
        "Reviewing {wildcards.dataset}: {wildcards.recipe}/{wildcards.node}"
    shell:
        "exec python workflow/scripts/review.py --spec {params.spec:q} --reached {params.reached:q} --models {input.models:q} --predictions {input.predictions:q} "
        "--data {input.data:q} --train {input.train:q} --drop {input.drop:q} --gold {input.gold:q} --on-gold {input.on_gold:q} --out {output.out:q} "
        "--work work/{wildcards.study:q}/{wildcards.recipe:q}/review/{wildcards.node:q}/{wildcards.dataset:q}.parquet > {log:q} 2>&1"
