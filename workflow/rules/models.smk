"""From bases and datasets to models.

in:  config/bases.yaml, cleaned splits, augmented and labelled datasets
out: results/base/<model>, results/<study>/<recipe>/{pretrain,finetune}/<node>, folders in which
     model.json is written last, so that a folder with it is complete
"""


rule base:
    output:
        "results/base/{model}/model.json",
    log:
        "work/base/log/{model}.log",
    localrule: True
    conda:
        "../../envs/train.yaml"
    params:
        spec=lambda wildcards: specs.base_spec(STUDY, wildcards.model),
        code=code_fingerprint("base"),
    message:
        "Fetching or making the base {wildcards.model}"
    shell:
        "python workflow/scripts/base.py --spec {params.spec:q} "
        '--out "$(dirname {output:q})" > {log:q} 2>&1'


rule pretrain:
    input:
        base=inputs("base"),
        data=inputs("data"),
        drop=inputs("drop"),
    output:
        "results/{study}/{recipe}/pretrain/{node}/model.json",
    log:
        "work/{study}/log/{recipe}/pretrain/{node}.log",
    conda:
        "../../envs/train.yaml"
    threads: threads_of
    resources:
        **machine("pretrain"),
    params:
        spec=spec,
        code=code_fingerprint("pretrain"),
        reads=reads,
        files=words("data", "drop"),
        launch=launch("pretrain"),
    message:
        "Pretraining: {wildcards.recipe}/{wildcards.node}"
    shell:
        "exec python workflow/scripts/pretrain.py --spec {params.spec:q} "
        '--base "$(dirname {input.base:q})" {params.files:q} '
        "--work work/{wildcards.study:q}/{wildcards.recipe:q}/pretrain/{wildcards.node:q} "
        '--out "$(dirname {output:q})" {params.launch:q} > {log:q} 2>&1'


rule finetune:
    input:
        base=inputs("base"),
        data=inputs("data"),
        drop=inputs("drop"),
        dev=inputs("dev"),
    output:
        "results/{study}/{recipe}/finetune/{node}/model.json",
    log:
        "work/{study}/log/{recipe}/finetune/{node}.log",
    conda:
        "../../envs/train.yaml"
    threads: threads_of
    resources:
        **machine("finetune"),
    params:
        spec=spec,
        code=code_fingerprint("finetune"),
        reads=reads,
        launch=launch("finetune"),
    message:
        "Fine-tuning: {wildcards.recipe}/{wildcards.node}"
    shell:
        "exec python workflow/scripts/finetune.py --spec {params.spec:q} "
        '--base "$(dirname {input.base:q})" --data {input.data:q} --drop {input.drop:q} '
        "--dev {input.dev:q} "
        "--work work/{wildcards.study:q}/{wildcards.recipe:q}/finetune/{wildcards.node:q} "
        '--out "$(dirname {output:q})" {params.launch:q} > {log:q} 2>&1'
