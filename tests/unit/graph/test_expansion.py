"""`for`.

A recipe's graph made once for each of several tasks, and a study that uses the first of them alone.
"""

import json
import re
from copy import deepcopy

import pytest
import yaml
from study_files import RECIPE, TASK, write_config

from postgrad.config.errors import ConfigError, merge_alike_messages
from postgrad.study import specs
from postgrad.study.study import Study

SECTIONS = ("datasets", "models", "predictors", "score", "compare")
SHORT = """
tasks: {violence: rain, adverse: snow}
for: {task: [violence, adverse]}
datasets:
  agreed: {label: task/unlabeled, teachers: [one, two], keep: agreement}
  drawn:  {label: task/unlabeled, teachers: [one, two], keep: random, budget: agreed}
  filled: {augment: [task/train, drawn], method: shuffle, fill: largest}
  pooled: {fold: [task/train, task/dev], k: 2, seed: 4}
models:
  one:    {finetune: big, data: [task/train], seed: 11}
  two:    {finetune: linear, data: [task/train], seed: 12}
  reader: {pretrain: big, data: [task/unlabeled]}
  expert: {finetune: reader, data: [task/train, agreed, filled]}
  member: {finetune: big, data: [pooled]}
predictors:
  mean:   {vote: [member], over: [fold], rule: soft, ties: lowest}
  fair:   {calibrate: mean, fit: task/held-out, method: prior, target: uniform, lambda: [0, 1.0]}
  even:
    calibrate: mean
    fit: task/held-out
    method: prior
    target: {"no": 0.5, "yes": 0.5}
    lambda: [1.0]
  wide:
    calibrate: mean
    fit: task/held-out
    method: prior
    target: task/unlabeled
    lambda: [1.0]
  best:   {pick: [fair, even], fit: task/held-out, over: [seed]}
  uniform: {vote: [expert], rule: soft, ties: lowest}     # no target of a calibration
score: {best: [task/held-out], wide: task/held-out, one: [task/dev]}
compare:
  steps: {chain: [one, expert], controls: [two], sets: [task/dev]}
  sizes: {chain: [one, expert], controls: {two: expert}, sets: [task/dev]}
"""
LONG = """
tasks: {violence: rain, adverse: snow}
datasets:
  violence-agreed:
    label: violence/unlabeled
    teachers: [violence-one, violence-two]
    keep: agreement
  violence-drawn:
    label: violence/unlabeled
    teachers: [violence-one, violence-two]
    keep: random
    budget: violence-agreed
  violence-filled: {augment: [violence/train, violence-drawn], method: shuffle, fill: largest}
  violence-pooled: {fold: [violence/train, violence/dev], k: 2, seed: 4}
models:
  violence-one:    {finetune: big, data: [violence/train], seed: 11}
  violence-two:    {finetune: linear, data: [violence/train], seed: 12}
  violence-reader: {pretrain: big, data: [violence/unlabeled]}
  violence-expert:
    finetune: violence-reader
    data: [violence/train, violence-agreed, violence-filled]
  violence-member: {finetune: big, data: [violence-pooled]}
predictors:
  violence-mean: {vote: [violence-member], over: [fold], rule: soft, ties: lowest}
  violence-fair:
    calibrate: violence-mean
    fit: violence/held-out
    method: prior
    target: uniform
    lambda: [0, 1.0]
  violence-even:
    calibrate: violence-mean
    fit: violence/held-out
    method: prior
    target: {"no": 0.5, "yes": 0.5}
    lambda: [1.0]
  violence-wide:
    calibrate: violence-mean
    fit: violence/held-out
    method: prior
    target: violence/unlabeled
    lambda: [1.0]
  violence-best: {pick: [violence-fair, violence-even], fit: violence/held-out, over: [seed]}
  violence-uniform: {vote: [violence-expert], rule: soft, ties: lowest}
score:
  violence-best: [violence/held-out]
  violence-wide: violence/held-out
  violence-one: [violence/dev]
compare:
  violence-steps:
    chain: [violence-one, violence-expert]
    controls: [violence-two]
    sets: [violence/dev]
  violence-sizes:
    chain: [violence-one, violence-expert]
    controls: {violence-two: violence-expert}
    sets: [violence/dev]
"""
# The second task's half is the first's with another name, as a person would copy it.
PARTS = [yaml.safe_load(text) for text in (LONG, LONG.replace("violence", "adverse"))]
WRITTEN_OUT = {section: {**PARTS[0][section], **PARTS[1][section]} for section in SECTIONS}


def study_in(folder, sections=SHORT, config=None, study=None, snow=None):
    """A study of one recipe with these sections (YAML or a mapping), and two tasks, rain and snow.

    snow: a function that changes the second task.
    """

    def recipe(content):
        for section in SECTIONS:
            content.pop(section, None)
        content |= yaml.safe_load(sections) if isinstance(sections, str) else sections

    root = write_config(folder, recipe=recipe, study=study)
    content = deepcopy(TASK)
    if snow:
        snow(content)
    (root / "tasks/snow.yaml").write_text(yaml.safe_dump(content))
    return Study({"study": "test", "check_data": False, **(config or {})}, root=root)


def test_for_makes_what_would_be_written_out_by_hand(tmp_path):
    short = study_in(tmp_path / "a").graphs["small"]
    long = study_in(tmp_path / "b", {"tasks": PARTS[0]["tasks"], **WRITTEN_OUT}).graphs["small"]
    assert long.nodes and short.nodes == long.nodes and short.ids == long.ids
    assert (short.score, short.compare) == (long.score, long.compare)
    assert short.tasks == long.tasks and short.not_run == long.not_run == {}
    assert short.nodes["adverse-expert@seed=2"].base == "adverse-reader"


def test_a_task_under_its_own_name_is_read_by_both(tmp_path):
    """Here violence, whose pool both teach: nodes of both tasks carry labels of violence then."""
    sections = SHORT.replace("reader: {pretrain: big, data: [task/unlabeled]}",
                             "reader: {pretrain: big, data: [violence/unlabeled]}")  # fmt: skip
    nodes = study_in(tmp_path, sections).graphs["small"].nodes
    assert (
        nodes["adverse-reader"].sources
        == nodes["violence-reader"].sources
        == ["violence/unlabeled"]
    )


def test_a_study_uses_the_first_tasks_alone_and_the_report_says_so(tmp_path):
    def bound(study):
        study |= {"tasks": 1, "bind": {"small": {"violence": "rain", "adverse": "snow"}}}

    study = study_in(tmp_path / "a", study=bound)
    graph = study.graphs["small"]
    assert study.tasks() == ["rain"] and {node.task for node in graph.nodes.values()} <= {
        "violence",
        None,
    }
    assert graph.nodes == {
        id: node
        for id, node in study_in(tmp_path / "b").graphs["small"].nodes.items()
        if id.startswith("violence-")
    }
    rows = json.loads(specs.report_spec(study))["recipes"]["small"]["deviations"]
    row = {
        "node": "",
        "key": "tasks",
        "paper": ["violence", "adverse"],
        "used": ["violence"],
        "why": "study",
    }
    assert row in rows and not [row for row in rows if row["key"] == "adverse"]
    turned = study_in(
        tmp_path / "c", SHORT.replace("[violence, adverse]", "[adverse, violence]"), {"tasks": 1}
    )
    assert turned.tasks() == ["snow"]


def test_a_cap_that_nothing_meets_changes_nothing(tmp_path):
    capped, free = study_in(tmp_path / "a", config={"tasks": 2}), study_in(tmp_path / "b")
    assert specs.report_spec(capped) == specs.report_spec(free) and "tasks" not in {
        row["key"] for row in free.graphs["small"].deviations
    }


@pytest.mark.parametrize(
    "old, new, places, words",
    [
        (
            "task: [violence, adverse]",
            "task: [violance, adverse]",
            ["for.task"],
            "no task 'violance'; did you mean 'violence'",
        ),
        (
            "task: [violence, adverse]",
            "violence: [violence]",
            ["for.violence"],
            "a task's own name; choose a word",
        ),
        (
            "task: [violence, adverse]",
            "task: [violence, violence]",
            ["for.task"],
            "'violence' occurs twice; keep one",
        ),
        ("for: {task: [violence, adverse]}", "for: {}", ["for"], "One word, and a list of tasks"),
        (
            "for: {task: [violence, adverse]}",
            "for: {task: [violence], other: [adverse]}",
            ["for"],
            "One word, and a list of tasks",
        ),
        (
            "teachers: [one, two], keep: agreement",
            "teachers: [one, tow], keep: agreement",
            ["datasets.agreed.teachers"],
            "no node 'tow'; did you mean 'two'",
        ),
        (
            "finetune: reader",
            "finetune: raeder",
            ["models.expert.finetune"],
            "no base or model 'raeder'; did you mean 'reader'",
        ),
        ("data: [pooled]", "data: [taks/train]", ["models.member.data"], "no task 'taks'"),
        ("one: [task/dev]", "oen: [task/dev]", ["score.oen"], "did you mean 'one'"),
        (
            "reader: {pretrain: big, data: [task/unlabeled]}",
            "reader: 3",
            ["models.reader"],
            "a mapping, found 3",
        ),
        (
            "data: [task/train], seed: 11",
            "data: [violence/dev], seed: 11",
            ["models.one.data"],
            "violence/dev is a dev set",
        ),
        (
            "data: [task/train], seed: 11",
            "data: [task/dev], seed: 11",
            ["models.one.data"],
            "task/dev is a dev set.*task/train",
        ),
        (
            "reader: {pretrain: big, data: [task/unlabeled]}",
            "reader: {pretrain: again, data: [task/unlabeled]}\n  again: {pretrain: reader, data: "
            "[task/unlabeled]}",
            ["models.again"],
            "again -> reader -> again is a cycle",
        ),
        ("adverse: snow}", "violence-one: snow}", ["for.task"], "no task 'adverse'"),
    ],
)
def test_a_fault_is_told_once_for_all_tasks_by_the_names_of_the_file(
    tmp_path, old, new, places, words
):
    assert SHORT.count(old) == 1
    with pytest.raises(ConfigError) as caught:
        study_in(tmp_path, SHORT.replace(old, new))
    assert sorted(sentence.split(": ")[1] for sentence in caught.value.sentences) == sorted(places)
    assert all(re.search(words, sentence) for sentence in caught.value.sentences), caught.value


def test_a_fault_of_one_task_names_its_node(tmp_path):
    """Here the class weights of a node, since only the second task has a third label."""
    sections = SHORT.replace(
        "data: [task/train], seed: 11",
        'data: [task/train], seed: 11, class_weights: {"no": 1, "yes": 2}',
    )

    def third(content):
        content["labels"].append({"name": "sleet", "value": "2", "word": "sleet", "digit": "2"})

    with pytest.raises(ConfigError) as caught:
        study_in(tmp_path, sections, snow=third)
    places = [sentence.split(": ")[1] for sentence in caught.value.sentences]
    assert places == ["models.adverse-one.class_weights", "predictors.adverse-even.target"], (
        caught.value
    )


def test_one_wrong_word_in_an_anchor_of_a_recipe_for_two_tasks_is_one_sentence(tmp_path):
    wrong = SHORT.replace(
        "one:    {finetune: big, data: [task/train], seed: 11}",
        "one:    &a {finetune: bigg, data: [task/train], seed: 11}\n  third:  {<<: *a, seed: 3}",
    )
    with pytest.raises(ConfigError) as caught:
        study_in(tmp_path, wrong)
    (sentence,) = merge_alike_messages(caught.value.sentences)
    assert (
        ": models.one.finetune, models.third.finetune: there is no base or model 'bigg'; did you "
        "mean 'big'" in sentence
    )


def test_what_nodes_of_all_tasks_lack_stands_once(tmp_path):
    defaults = deepcopy(RECIPE["defaults"])
    del defaults["finetune"]["weight_decay"], defaults["finetune"]["c"]
    with pytest.raises(ConfigError) as caught:
        study_in(tmp_path, {**yaml.safe_load(SHORT), "defaults": defaults})
    remedy = "give it in the node or in defaults.finetune or in the scale here."
    assert sorted(
        sentence.split(": ", 1)[1] for sentence in merge_alike_messages(caught.value.sentences)
    ) == [
        f"models.one, models.expert, models.member: finetune needs weight_decay; {remedy}",
        f"models.two: finetune needs c; {remedy}",
    ]


def test_two_nodes_never_get_one_name(tmp_path):
    sections = yaml.safe_load(SHORT)
    sections["tasks"] = {"cold": "rain", "cold-wet": "snow"}
    sections["for"] = {"task": ["cold", "cold-wet"]}
    sections["models"]["wet-one"] = sections["models"]["one"]
    with pytest.raises(
        ConfigError,
        match="models.one: two entries would be called 'cold-wet-one'; rename this one.",
    ):
        study_in(tmp_path, sections)


def test_without_for_the_word_is_an_unknown_task(tmp_path):
    with pytest.raises(
        ConfigError, match="models.one.data: there is no task 'task'; known: adverse, violence"
    ):
        study_in(tmp_path, SHORT.replace("for: {task: [violence, adverse]}\n", ""))
