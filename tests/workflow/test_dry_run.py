"""What a dry run says of a real tree: the table, and when Snakemake's own text is kept."""

import re

import pytest
from finished import finish
from tree import copy_of_tree, snakemake

from postgrad.study.dry_run import LAST_LINE, WIDTH


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The demo study as if it had run."""
    return finish(copy_of_tree(tmp_path_factory.mktemp("finished")))


def outlook(folder, *arguments):
    """{verb and node: why}, the total of a dry run, and the sum of the column of jobs."""
    done = snakemake(folder, "-n", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("verb "))
    assert max(map(len, lines[start:])) <= WIDTH and lines[-1] == LAST_LINE
    rows = [
        re.fullmatch(r"(\w+) +(\S*) +(\d+)  (.+)", line).groups() for line in lines[start + 1 : -2]
    ]
    why = {f"{verb} {node}".strip(): why for verb, node, _, why in rows}
    return why, lines[-2], sum(int(jobs) for *_, jobs, _ in rows)


def test_a_finished_study_gets_snakemakes_sentence(finished):
    assert "Nothing to be done" in snakemake(finished, "-n").stdout


def test_a_fresh_study_is_new_and_every_node_has_one_row(tmp_path):
    why, total, jobs = outlook(copy_of_tree(tmp_path))
    assert set(why.values()) == {"new"}
    assert list(why)[0] == "demo" and list(why)[-1] == "report"
    assert (
        list(why).index("predict qwen")
        < list(why).index("label agreed")
        < list(why).index("finetune ages-expert")
    )
    assert jobs <= 64
    assert total == f"{jobs} of {jobs} jobs: {jobs - 41} cheap, 1 pretrain, 20 finetune, 20 predict"


def test_a_number_of_a_node_that_overrides_its_scales_stands_above_the_total(tmp_path):
    """The sentence has the recipe's name if several recipes are planned.

    There is no sentence before the edit, as the test above shows.
    """
    folder = copy_of_tree(tmp_path)
    recipe = folder / "config/recipes/ctyun.yaml"
    old, new = (
        "ages-plain:        {finetune: qwen-72b-chat,",
        "ages-plain:        {finetune: qwen-72b-chat, lr: 1.0e-5,",
    )
    assert recipe.read_text().count(old) == 1
    recipe.write_text(recipe.read_text().replace(old, new))
    for recipes, told in (
        ("[ctyun]", "ages-plain: lr 1e-5 overrides the scale's 3e-3"),
        ("[ctyun,utrad]", "ctyun/ages-plain: lr 1e-5 overrides the scale's 3e-3"),
    ):
        done = snakemake(folder, "-n", "--config", f"recipes={recipes}")
        assert done.stdout.splitlines()[-3:][::2] == [told, LAST_LINE], done.stdout + done.stderr


def test_steps_that_are_one_model_at_this_scale_stand_above_the_total(tmp_path):
    folder = copy_of_tree(tmp_path)
    recipe = folder / "config/recipes/ctyun.yaml"
    old = "ages-read:         {finetune: reader,"
    assert recipe.read_text().count(old) == 1
    recipe.write_text(recipe.read_text().replace(old, "ages-read: {finetune: qwen-72b-chat,"))
    done = snakemake(folder, "-n")
    assert done.stdout.splitlines()[-3] == (
        "chain ages: ages-plain and ages-read give equal predictions at this scale (tiny-causal)"
    ), done.stdout + done.stderr


@pytest.mark.parametrize(
    "file, old, new, expected",
    [
        (
            "config/scales/demo.yaml",
            "pretrain:\n      lr: 3.0e-3\n      batch: 16",
            "pretrain:\n      lr: 3.0e-4\n      batch: 32",
            {
                "pretrain reader": "spec: batch 16 -> 32, lr 0.003 -> 0.0003",
                "finetune ages-read": "follows pretrain reader",
                "predict ages-read": "follows finetune ages-read",
                "label agreed": None,
            },
        ),
        (
            "config/scales/demo.yaml",
            "finetune: {lr: 3.0e-3",
            "finetune: {lr: 1.0e-3",
            # Snakemake calls it a mere follower of ages-expert.
            {"finetune disorders-expert": "spec: lr 0.003 -> 0.001", "finetune ages-floor": None},
        ),
        (
            "workflow/scripts/vote.py",
            "import argparse\n",
            "import argparse\nimport string\n",
            {
                "vote ages-vote": "code changed",
                "score ctyun": "follows vote ages-vote",
                "predict ages-expert": None,
            },
        ),
        (
            "workflow/scripts/predict.py",
            "VERSION = 1",
            "VERSION = 2",
            {
                "predict ages-floor": "VERSION 1 -> 2",
                "finetune ages-expert": "follows label agreed",
            },
        ),
        (
            "work/demo/posts/smm4h24-task5/train.tsv",
            "",
            "another post",
            {
                "clean smm4h24-task5": "input changed: work/demo/posts/smm4h24-task5/train.tsv",
                "audit smm4h24-task5": "follows clean smm4h24-task5",
                "clean smm4h24-task6": None,
            },
        ),
        (
            "config/recipes/ctyun.yaml",
            "ages-plain:        {finetune: qwen-72b-chat, data: [ages/train]}",
            "ages-plain:        {finetune: qwen-72b-chat, data: [ages/train, agreed]}",
            {
                "finetune ages-plain": "data: + label agreed",
                "predict ages-plain": "follows finetune ages-plain",
            },
        ),
        (
            "config/studies/demo.yaml",
            "seeds: 1",
            "seeds: 2",
            {
                "finetune ages-plain": "new",
                "vote ages-vote": "members: + finetune ages-expert@seed=2",
                "score ctyun": "spec: pairs changed; "
                "predictors: + finetune ages-plain@seed=2 + finetun...",
            },
        ),
    ],
)
def test_one_change_is_named_where_it_was_made_and_followed_downstream(
    finished, file, old, new, expected
):
    text = (finished / file).read_text()
    assert old in text
    (finished / file).write_text(text.replace(old, new))
    try:
        why, *_ = outlook(finished)
    finally:
        (finished / file).write_text(text)
    assert {row: why.get(row) for row in expected} == expected


def test_commands_are_shown_to_who_asks_for_them(finished):
    said = snakemake(finished, "-n", "-p", "--forceall").stdout
    assert (
        "Job stats:" in said and "python workflow/scripts/vote.py" in said and LAST_LINE not in said
    )


def test_a_real_run_keeps_its_log(tmp_path):
    done = snakemake(copy_of_tree(tmp_path), "--cores", "1", "results/base/linear/model.json")
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"Job stats:(.|\n)*Fetching or making the base linear(.|\n)*Finished jobid: 0", done.stderr
    )
    assert LAST_LINE not in done.stdout + done.stderr
