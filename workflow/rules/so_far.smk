"""A report of what there is of a study that has not finished, for which nothing else is run.

in:  the predictions that exist and belong to today's settings; the rules declare them as params,
     because Snakemake would make an input again that is older than what it was made from
out: results/<study>/so_far: report.html, scores.csv and all else that a report has
"""


use rule score as score_so_far with:
    input:
        [],
    output:
        scores=f"results/{{study}}/{SO_FAR}{{recipe}}/score.json",
        outcomes=f"results/{{study}}/{SO_FAR}{{recipe}}/outcomes.parquet",
    log:
        f"work/{{study}}/log/{SO_FAR}{{recipe}}/score.log",
    localrule: True
    params:
        spec=lambda wildcards: FOUND.score_spec(wildcards.recipe),
        reads=lambda wildcards: FOUND.times(wildcards.recipe),
        files=named(predictions=FOUND.predictions, gold=FOUND.posts, groups=FOUND.groups),


use rule compare as compare_so_far with:
    input:
        scores=rules.score_so_far.output.scores,
        outcomes=rules.score_so_far.output.outcomes,
    output:
        f"results/{{study}}/{SO_FAR}{{recipe}}/compare.json",
    log:
        f"work/{{study}}/log/{SO_FAR}{{recipe}}/compare.log",
    localrule: True
