"""From models to predictions: every predictor writes the record of postgrad/records/predictions.py.

in:  models, cleaned splits
out: results/<study>/<recipe>/{predict,vote,calibrate,pick,review}/<node>/, two files with a column
     `dataset`: scored.parquet holds all splits on which the predictor is scored or fitted,
     teaching.parquet what other nodes learn from. The shards of the latter are
     teaching.shards/3-of-4.parquet and so on; one more job of the same rule gathers them
"""


rule predict:
    input:
        model=inputs("model", verb="predict"),
        data=inputs("data", verb="predict"),
        shards=inputs("shards", verb="predict"),
    output:
        "results/{study}/{recipe}/predict/{node}/{file}{shard}.parquet",
    log:
        "work/{study}/log/{recipe}/predict/{node}/{file}{shard}.log",
    conda:
        "../../envs/train.yaml"
    threads: threads_of
    resources:
        **machine("predict"),
    params:
        spec=lambda wildcards: specs.predict_spec(
            STUDY, wildcards.recipe, wildcards.node, wildcards.file
        ),
        code=code_fingerprint("predict"),
        reads=reads,
        data=words("data", verb="predict"),
        shard=lambda wildcards: os.path.basename(wildcards.shard),
    message:
        "Predicting, {wildcards.file}{wildcards.shard}: {wildcards.recipe}/{wildcards.node}"
    shell:
        "exec python workflow/scripts/predict.py --spec {params.spec:q} "
        '--model "$(dirname {input.model:q})" {params.data:q} '
        "--work work/{wildcards.study:q}/{wildcards.recipe:q}/predict/{wildcards.node:q} "
        "--shard {params.shard:q} --shards {input.shards:q} --out {output:q} > {log:q} 2>&1"


rule vote:
    input:
        predictions=inputs("predictions"),
        posts=inputs("posts"),
    output:
        predictions="results/{study}/{recipe}/vote/{node}/{file}.parquet",
        counts="results/{study}/{recipe}/vote/{node}/{file}.json",
    log:
        "work/{study}/log/{recipe}/vote/{node}/{file}.log",
    group:
        scoring
    conda:
        "../../envs/base.yaml"
    params:
        spec=spec,
        code=code_fingerprint("vote"),
        reads=reads,
        posts=words("posts"),
    message:
        "Voting, {wildcards.file}: {wildcards.recipe}/{wildcards.node}"
    shell:
        "python workflow/scripts/vote.py --spec {params.spec:q} "
        "--predictions {input.predictions:q} {params.posts:q} --out {output.predictions:q} "
        "--counts {output.counts:q} > {log:q} 2>&1"


rule calibrate:
    input:
        predictions=inputs("predictions"),
        gold=inputs("gold"),
        pool=inputs("pool"),
        model=inputs("model"),
    output:
        predictions="results/{study}/{recipe}/calibrate/{node}/{file}.parquet",
        fit="results/{study}/{recipe}/calibrate/{node}/{file}.fit.json",
    log:
        "work/{study}/log/{recipe}/calibrate/{node}/{file}.log",
    group:
        scoring
    conda:
        "../../envs/base.yaml"
    params:
        spec=spec,
        code=code_fingerprint("calibrate"),
        reads=reads,
    message:
        "Calibrating, {wildcards.file}: {wildcards.recipe}/{wildcards.node}"
    shell:
        "python workflow/scripts/calibrate.py --spec {params.spec:q} "
        "--predictions {input.predictions:q} --gold {input.gold:q} --pool {input.pool:q} "
        "--model {input.model:q} --out {output.predictions:q} --fit {output.fit:q} > {log:q} 2>&1"


rule pick:
    input:
        predictions=inputs("predictions"),
        gold=inputs("gold"),
    output:
        predictions="results/{study}/{recipe}/pick/{node}/{file}.parquet",
        fit="results/{study}/{recipe}/pick/{node}/{file}.fit.json",
    log:
        "work/{study}/log/{recipe}/pick/{node}/{file}.log",
    group:
        scoring
    conda:
        "../../envs/base.yaml"
    params:
        spec=spec,
        code=code_fingerprint("pick"),
        reads=reads,
        candidates=words("predictions"),
    message:
        "Picking, {wildcards.file}: {wildcards.recipe}/{wildcards.node}"
    shell:
        "python workflow/scripts/pick.py --spec {params.spec:q} "
        "--gold {input.gold:q} {params.candidates:q} --out {output.predictions:q} "
        "--fit {output.fit:q} > {log:q} 2>&1"


rule review:
    input:
        unpack(inputs("train", "drop", "gold", "predictions", "data", "models")),
    output:
        multiext(
            "results/{study}/{recipe}/review/{node}/{file}",
            predictions=".parquet",
            fit=".fit.json",
        ),
    log:
        "work/{study}/log/{recipe}/review/{node}/{file}.log",
    conda:
        "../../envs/train.yaml"
    threads: threads_of
    resources:
        **machine("review"),
    params:
        spec=spec,
        code=code_fingerprint("review"),
        reads=reads,
        data=words("data"),
        reached=reached,
    message:
        "Reviewing, {wildcards.file}: {wildcards.recipe}/{wildcards.node}"
    shell:
        "exec python workflow/scripts/review.py --spec {params.spec:q} "
        "--reached {params.reached:q} --models {input.models:q} "
        "--predictions {input.predictions:q} {params.data:q} --train {input.train:q} "
        "--drop {input.drop:q} --gold {input.gold:q} --out {output.predictions:q} "
        "--fit {output.fit:q} "
        "--work work/{wildcards.study:q}/{wildcards.recipe:q}/review/{wildcards.node:q} "
        "> {log:q} 2>&1"
