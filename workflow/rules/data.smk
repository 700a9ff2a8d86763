"""From raw files to datasets.

in:  the study's folder of posts, or nothing where the study makes its own
out: results/<study>/clean/<task>, results/<study>/audit/<task>,
     results/<study>/<recipe>/{augment,resample,synthesize,label,fold}
"""


rule demo:
    output:
        STUDY.made_files(),
    log:
        f"work/{STUDY.name}/log/demo.log",
    localrule: True
    conda:
        "../../envs/base.yaml"
    params:
        spec=specs.demo_spec(STUDY),
        code=code_fingerprint("demo"),
        folder=lambda wildcards: STUDY.data,
    message:
        "Making up posts"
    shell:
        "python workflow/scripts/demo.py --spec {params.spec:q} "
        "--out {params.folder:q} > {log:q} 2>&1"


rule clean:
    input:
        lambda wildcards: STUDY.raw_files(wildcards.task),
    output:
        splits=[f"results/{{study}}/clean/{{task}}/{split}.parquet" for split in SPLITS],
        ledger="results/{study}/clean/{task}/ledger.parquet",
    log:
        "work/{study}/log/clean/{task}.log",
    conda:
        "../../envs/base.yaml"
    params:
        spec=lambda wildcards: specs.clean_spec(STUDY, wildcards.task),
        code=code_fingerprint("clean"),
        folder=lambda wildcards: STUDY.data,
    message:
        "Cleaning {wildcards.task}: every raw row to a split or to the ledger"
    shell:
        ": > {log:q}; "
        "python workflow/scripts/clean.py --spec {params.spec:q} --data {params.folder:q} "
        '--out "$(dirname {output.ledger:q})" 2>&1 >> {log:q} | tee -a {log:q} >&2'


rule audit:
    input:
        train="results/{study}/clean/{task}/train.parquet",
        others=[f"results/{{study}}/clean/{{task}}/{split}.parquet" for split in SPLITS[1:]],
        ledger="results/{study}/clean/{task}/ledger.parquet",
        beside=files(PATHS.beside),
    output:
        groups="results/{study}/audit/{task}/groups.parquet",
        drop="results/{study}/audit/{task}/drop.parquet",
        near="results/{study}/audit/{task}/near.parquet",
    log:
        "work/{study}/log/audit/{task}.log",
    conda:
        "../../envs/base.yaml"
    params:
        spec=lambda wildcards: specs.audit_spec(STUDY, wildcards.task),
        code=code_fingerprint("audit"),
        beside=named(beside=PATHS.beside),
    message:
        "Looking for duplicates and leaks in {wildcards.task}"
    shell:
        "python workflow/scripts/audit.py --spec {params.spec:q} "
        '--clean "$(dirname {input.train:q})" {params.beside:q} '
        '--out "$(dirname {output.drop:q})" > {log:q} 2>&1'


rule augment:
    input:
        data=inputs("data"),
        drop=inputs("drop"),
        budget=inputs("budget"),
        scored=inputs("scored"),
    output:
        posts="results/{study}/{recipe}/augment/{node}.parquet",
        flow="results/{study}/{recipe}/augment/{node}.json",
    log:
        "work/{study}/log/{recipe}/augment/{node}.log",
    conda:
        "../../envs/base.yaml"
    params:
        spec=spec,
        code=code_fingerprint("augment"),
        reads=reads,
        scored=words("scored"),
    message:
        "Augmenting: {wildcards.recipe}/{wildcards.node}"
    shell:
        "python workflow/scripts/augment.py --spec {params.spec:q} --data {input.data:q} "
        "--drop {input.drop:q} --budget {input.budget:q} {params.scored:q} "
        "--out {output.posts:q} --flow {output.flow:q} > {log:q} 2>&1"


rule resample:
    input:
        data=inputs("data"),
        drop=inputs("drop"),
        budget=inputs("budget"),
    output:
        "results/{study}/{recipe}/resample/{node}.parquet",
    log:
        "work/{study}/log/{recipe}/resample/{node}.log",
    conda:
        "../../envs/base.yaml"
    params:
        spec=spec,
        code=code_fingerprint("resample"),
        reads=reads,
    message:
        "Balancing: {wildcards.recipe}/{wildcards.node}"
    shell:
        "python workflow/scripts/resample.py --spec {params.spec:q} --data {input.data:q} "
        "--drop {input.drop:q} --budget {input.budget:q} --out {output:q} > {log:q} 2>&1"


rule synthesize:
    input:
        data=inputs("data"),
        drop=inputs("drop"),
        corpus=inputs("corpus"),
        models=inputs("models"),
    output:
        posts="results/{study}/{recipe}/synthesize/{node}.parquet",
        flow="results/{study}/{recipe}/synthesize/{node}.json",
    log:
        "work/{study}/log/{recipe}/synthesize/{node}.log",
    conda:
        "../../envs/train.yaml"
    threads: threads_of
    resources:
        **machine("synthesize"),
    params:
        spec=spec,
        code=code_fingerprint("synthesize"),
        reads=reads,
        corpus=words("corpus"),
        reached=reached,
    message:
        "Writing posts: {wildcards.recipe}/{wildcards.node}"
    shell:
        "exec python workflow/scripts/synthesize.py --spec {params.spec:q} --data {input.data:q} "
        "--drop {input.drop:q} {params.corpus:q} --models {input.models:q} "
        "--reached {params.reached:q} --out {output.posts:q} --flow {output.flow:q} > {log:q} 2>&1"


rule label:
    input:
        gold=inputs("gold"),
        pool=inputs("pool"),
        drop=inputs("drop"),
        held_out=inputs("held_out"),
        train=inputs("train"),
        predictions=inputs("predictions"),
        budget=inputs("budget"),
    output:
        posts="results/{study}/{recipe}/label/{node}.parquet",
        flow="results/{study}/{recipe}/label/{node}.json",
    log:
        "work/{study}/log/{recipe}/label/{node}.log",
    conda:
        "../../envs/base.yaml"
    params:
        spec=spec,
        code=code_fingerprint("label"),
        reads=reads,
        teachers=words("pool", "predictions"),
    message:
        "Labelling posts: {wildcards.recipe}/{wildcards.node}"
    shell:
        "python workflow/scripts/label.py --spec {params.spec:q} --drop {input.drop:q} "
        "--held-out {input.held_out:q} --train {input.train:q} "
        "--gold {input.gold:q} {params.teachers:q} --budget {input.budget:q} "
        "--out {output.posts:q} --flow {output.flow:q} > {log:q} 2>&1"


rule fold:
    input:
        data=inputs("data"),
        drop=inputs("drop"),
        corpus=inputs("corpus"),
        groups=inputs("groups"),
    output:
        posts="results/{study}/{recipe}/fold/{node}.parquet",
        drop="results/{study}/{recipe}/fold/{node}.drop.parquet",
    log:
        "work/{study}/log/{recipe}/fold/{node}.log",
    conda:
        "../../envs/base.yaml"
    params:
        spec=spec,
        code=code_fingerprint("fold"),
        reads=reads,
    message:
        "Holding out a fold: {wildcards.recipe}/{wildcards.node}"
    shell:
        "python workflow/scripts/fold.py --spec {params.spec:q} --data {input.data:q} "
        "--drop {input.drop:q} --corpus {input.corpus:q} --groups {input.groups:q} "
        "--out {output.posts:q} --out-drop {output.drop:q} > {log:q} 2>&1"
