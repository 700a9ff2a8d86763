"""Where the files of every rule lie, on a small study.

Folds, held-out posts, shards, budgets, calibrations.
"""

import re

import pytest
import yaml
from study_files import write_config
from tree import ROOT

from postgrad.study.paths import Paths, UnknownNode, path_list
from postgrad.study.study import Study
from postgrad.verbs.registry import VERBS

SIZES = {"hidden": 32, "layers": 1, "heads": 2, "vocabulary": 500, "length": 64, "seed": 1}
FIT = {"fit": "rain/dev", "method": "prior", "lambda": [0, 1.0]}
RANDOM = {
    "label": "rain/unlabeled",
    "teachers": ["one"],
    "keep": "random",
    "budget": "agreed",
    "balance": "none",
}
WRITTEN = {
    "synthesize": "rain/train",
    "writers": ["big", "rule"],
    "prompt": "write",
    "count": 4,
    "per_call": 2,
    "shots": {"own": 1, "other": 0},
    "calls": 4,
    "temperature": 0,
    "seed": 1,
}


def whole(content):
    """The small recipe, and one node of every kind of look-up beside."""
    content["datasets"] |= {
        "pooled": {"fold": ["rain/train", "rain/dev"], "k": 2, "seed": 42},
        "guessed": RANDOM,
        "made": WRITTEN,
        "balanced": {"resample": ["rain/train", "filled"], "budget": "agreed", "seed": 1},
    }
    content["models"] |= {
        "member": {"finetune": "big", "data": ["pooled", "filled"], "seed": 1},
        "chosen": {
            "finetune": "big",
            "data": ["rain/train"],
            "seed": 1,
            "epoch": "best",
            "restarts": 1,
        },
    }
    content["predictors"] |= {
        "mean": {"vote": ["member"], "over": ["fold"], "rule": "soft", "ties": "lowest"},
        "fair": {"calibrate": "one", "target": "uniform", **FIT},
        "pooled-fair": {"calibrate": "one", "target": "rain/unlabeled", **FIT},
        "warm": {"calibrate": "mean", "fit": "rain/held-out", "method": "temperature"},
        "best": {"pick": ["one", "fair"], "fit": "rain/dev"},
    }
    content["score"] = {
        "chosen": ["rain/dev"],
        "mean": ["rain/held-out"],
        "warm": ["rain/held-out"],
    }
    content["score"] |= {name: ["rain/dev"] for name in ("pooled-fair", "best", "together")}
    content["compare"]["rain"] |= {"sets": ["rain/dev"], "controls": {}, "chain": ["one", "fair"]}


def study_in(folder, recipe=whole, **config):
    def bases(content):
        content |= {"rule": {"kind": "stand-in"}, "small": {"kind": "encoder", "make": SIZES}}

    def scale(content):
        computing = {"threads": 1, "attention": "eager", "precision": "fp32", "batch_tokens": 64}
        content["bases"] |= {"rule": {}, "small": {}}
        content["bases"]["big"]["predict"] = computing

    root = write_config(folder / "config", recipe=recipe, scale=scale, bases=bases)
    (root / "prompts/write.yaml").write_text(
        yaml.safe_dump({"system": "Be brief.", "user": "Write {number} posts."})
    )
    return Study({"study": "test", "check_data": False, **config}, root=root)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return Paths(study_in(tmp_path_factory.mktemp("study")))


def read(paths, node):
    """What the job of a node, or of what is scored of it, reads, by role."""
    file = "scored" if paths.node("small", node).verb in VERBS.sections["predictors"] else None
    return paths.inputs(None, "small", node, file, None)


SMALL = "results/test/small"
CLEAN = "results/test/clean/rain"
DROP = "results/test/audit/rain/drop.parquet"


def test_a_split_lies_with_its_task_and_a_dataset_node_with_its_recipe(paths):
    assert paths.posts("small", "plain@seed=1", "rain/dev") == f"{CLEAN}/dev.parquet"
    assert paths.posts("small", "plain@seed=1", "filled") == f"{SMALL}/augment/filled.parquet"


def test_held_out_posts_lie_in_the_fold_of_the_model_that_left_them_out(paths):
    found = paths.posts("small", "member@fold=2", "rain/held-out")
    assert found == f"{SMALL}/fold/pooled@fold=2.parquet"
    assert paths.posts("small", "mean", "rain/held-out") == f"{SMALL}/fold/pooled@fold=1.parquet"


def test_an_unknown_node_is_named_with_its_recipe(paths):
    with pytest.raises(
        UnknownNode, match="recipes/small.yaml: there is no node 'plain@seed=9' in this study"
    ):
        paths.source_posts("small", "plain@seed=9")


def test_sources_stand_in_the_order_of_the_recipe(paths):
    assert paths.source_posts("small", "expert@seed=2") == [
        f"{CLEAN}/train.parquet",
        f"{SMALL}/label/agreed.parquet",
    ]
    assert paths.source_posts("small", "reader") == [f"{CLEAN}/unlabeled.parquet"]
    assert paths.source_posts("small", "balanced") == [
        f"{CLEAN}/train.parquet",
        f"{SMALL}/augment/filled.parquet",
    ]


def test_drops_are_those_of_audit_and_of_every_fold_below(paths):
    held_out = [f"{SMALL}/fold/pooled@fold=2.drop.parquet"]
    assert (
        paths.audit_drops("small", "plain@seed=1") == paths.drops("small", "plain@seed=1") == [DROP]
    )
    assert paths.held_out_drops("small", "plain@seed=1") == []
    assert paths.held_out_drops("small", "member@fold=2") == held_out
    assert paths.audit_drops("small", "member@fold=2") == [], (
        "it reads datasets alone, which audit's drops have passed"
    )
    assert paths.drops("small", "pooled@fold=1") == [DROP], (
        "one list of a task, however many of its splits are read"
    )


def test_a_corpus_is_every_split_under_its_name(paths):
    splits = ("train", "dev", "test", "cross", "unlabeled")
    assert paths.corpus("small", "pooled@fold=1") == {
        split: f"{CLEAN}/{split}.parquet" for split in splits
    }
    assert (
        paths.duplicate_groups("small", "pooled@fold=1") == "results/test/audit/rain/groups.parquet"
    )
    assert paths.train_posts("small", "agreed") == f"{CLEAN}/train.parquet"


def test_dev_is_read_only_where_it_chooses_the_epoch(paths):
    assert paths.epoch_posts("small", "chosen") == [f"{CLEAN}/dev.parquet"]
    assert paths.epoch_posts("small", "plain@seed=1") == []


def test_a_budget_is_the_dataset_that_the_node_names(paths):
    assert paths.budget_posts("small", "guessed") == [f"{SMALL}/label/agreed.parquet"]
    assert paths.budget_posts("small", "balanced") == [f"{SMALL}/label/agreed.parquet"]
    assert paths.budget_posts("small", "agreed") == []


def test_a_fit_has_its_gold_posts_and_the_predictions_of_them(paths):
    assert paths.fit_posts("small", "best") == [f"{CLEAN}/dev.parquet"]
    assert read(paths, "best")["predictions"] == {
        "one": f"{SMALL}/predict/one/scored.parquet",
        "fair": f"{SMALL}/calibrate/fair/scored.parquet",
    }
    assert paths.fit_posts("small", "agreed") == [f"{CLEAN}/dev.parquet"], (
        "its teachers are audited there"
    )
    assert paths.fit_posts("small", "mean") == []


def test_a_fit_on_held_out_posts_reads_the_first_fold_under_what_is_calibrated(paths):
    assert paths.fit_posts("small", "warm") == [f"{SMALL}/fold/pooled@fold=1.parquet"]
    assert read(paths, "warm")["predictions"] == {"mean": f"{SMALL}/vote/mean/scored.parquet"}


def test_a_calibration_may_estimate_class_shares_on_a_pool_and_take_out_a_prior(paths):
    assert read(paths, "pooled-fair")["pool"] == {"one": f"{SMALL}/predict/one/teaching.parquet"}
    assert read(paths, "fair")["pool"] == []
    assert read(paths, "fair")["model"] == [f"{SMALL}/finetune/one/model.json"]
    assert read(paths, "warm")["model"] == []


def test_members_are_named_by_their_ids(paths):
    assert read(paths, "together")["predictions"] == {
        f"expert@seed={seed}": f"{SMALL}/predict/expert@seed={seed}/scored.parquet"
        for seed in (1, 2)
    }
    assert read(paths, "agreed")["predictions"] == {
        teacher: f"{SMALL}/predict/{teacher}/teaching.parquet" for teacher in ("one", "two")
    }


def test_a_vote_over_folds_reads_the_held_out_posts_that_its_members_share(paths):
    assert read(paths, "mean")["posts"] == {"rain/held-out": f"{SMALL}/fold/pooled@fold=1.parquet"}
    assert read(paths, "together")["posts"] == {}


def test_a_predictor_reads_the_posts_of_each_dataset_that_its_file_holds(paths):
    assert paths.datasets("small", "one", "teaching") == ["rain/dev", "rain/unlabeled"]
    found = paths.inputs("predict", "small", "one", "teaching", "")
    assert found["data"] == {
        f"rain/{split}": f"{CLEAN}/{split}.parquet" for split in ("dev", "unlabeled")
    }
    assert found["model"] == f"{SMALL}/finetune/one/model.json" and found["shards"] == []
    found = paths.inputs("predict", "small", "member@fold=2", "scored", "")
    assert found["data"] == {"rain/held-out": f"{SMALL}/fold/pooled@fold=2.parquet"}


@pytest.mark.parametrize(
    "node, file, why",
    [
        ("chosen", "teaching", "nothing learns from its predictions"),
        ("two", "scored", "it is not scored"),
    ],
)
def test_a_file_for_which_the_recipe_has_no_use_is_refused(paths, node, file, why):
    with pytest.raises(
        UnknownNode, match=f"{node} has no file '{file}' in this study, since {why}"
    ):
        paths.inputs("predict", "small", node, file, "")


def test_a_training_starts_from_a_base_or_from_a_model_of_the_recipe(paths):
    assert paths.base_model("small", "plain@seed=1") == "results/base/tiny/model.json"
    assert paths.base_model("small", "expert@seed=2") == f"{SMALL}/pretrain/reader/model.json"
    assert paths.base_model("small", "again@seed=2") == f"{SMALL}/finetune/expert@seed=2/model.json"


def test_a_causal_base_that_is_asked_is_read_from_its_folder(paths):
    assert paths.asked_models("small", "made") == ["results/base/tiny/model.json"], (
        "a stand-in has no folder"
    )
    assert paths.asked_models("small", "plain@seed=1") == []


def test_what_is_written_may_be_met_again_in_the_pool_alone(paths):
    assert list(read(paths, "made")["corpus"]) == ["train", "dev", "test", "cross"]


def test_every_rule_finds_the_roles_that_it_asks_for(paths):
    """The record of each verb with a node here has all the roles that its rule names."""
    text = "".join(path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
    rules = dict(re.findall(r"^rule (\w+):\n(.*?)(?=^rule |\Z)", text, re.S | re.M))
    verbs = {node.verb: node.id for node in paths.study.graph("small").nodes.values()}
    assert len(verbs) > 8
    for verb, id in verbs.items():
        roles = set(re.findall(r'"(\w+)"', " ".join(re.findall(r"inputs\((.*?)\)", rules[verb]))))
        assert roles and roles == read(paths, id).keys(), verb


def test_a_pool_is_gathered_from_as_many_shards_as_the_study_says(tmp_path, paths):
    sharded = Paths(study_in(tmp_path, shards=3))
    assert sharded.shards("small", "one", "teaching", "") == [
        f"{SMALL}/predict/one/teaching.shards/{i}-of-3.parquet" for i in (1, 2, 3)
    ]
    assert sharded.shards("small", "one", "teaching", ".shards/1-of-3") == [], (
        "a shard runs the model"
    )
    assert sharded.shards("small", "one", "scored", "") == [], (
        "only the file with the pool is shared out"
    )
    assert paths.shards("small", "one", "teaching", "") == [], (
        "a study of one shard gathers nothing"
    )


def test_every_score_has_its_predictions_and_its_gold_posts(paths):
    predictions, posts = paths.scored_predictions("small"), paths.scored_posts("small")
    assert list(predictions) == list(dict.fromkeys(predictor for predictor, _ in posts))
    assert predictions["mean"] == f"{SMALL}/vote/mean/scored.parquet"
    assert posts["mean", "rain/held-out"] == f"{SMALL}/fold/pooled@fold=1.parquet"
    assert predictions["chosen"] == f"{SMALL}/predict/chosen/scored.parquet"
    assert posts["chosen", "rain/dev"] == f"{CLEAN}/dev.parquet"


def test_a_report_reads_the_results_of_its_recipes_under_what_they_are(paths):
    files = paths.report_files("")
    assert files["scores"] == [f"{SMALL}/score/score.json"]
    assert files["compare"] == [f"{SMALL}/compare/compare.json"]
    assert files["ledger"] == {"rain": f"{CLEAN}/ledger.parquet"} and files["audit"] == {
        "rain": DROP
    }
    assert files["flow"] == {
        ("small", id): f"{SMALL}/label/{id}.json" for id in ("agreed", "guessed")
    }
    assert files["written"] == {("small", "made"): f"{SMALL}/synthesize/made.json"}
    assert files["model"] == {("small", "chosen"): f"{SMALL}/finetune/chosen/model.json"}
    assert paths.report_inputs("")["ledger"] == [f"{CLEAN}/ledger.parquet"]
    assert paths.page("") == "results/test/report.html"
    assert paths.page("all_recipes/") == "results/test/all_recipes/report.html"


def test_a_report_of_all_recipes_reads_those_that_the_study_does_not_ask_for(tmp_path):
    study = study_in(tmp_path)
    other = tmp_path / "config/recipes/other.yaml"
    other.write_text((tmp_path / "config/recipes/small.yaml").read_text())
    paths = Paths(study)
    assert paths.reported("") == ["small"] and list(study.graphs) == ["small"]
    assert paths.reported("all_recipes/") == ["other", "small"]
    assert paths.report_files("all_recipes/")["scores"] == [
        f"results/test/{recipe}/score/score.json" for recipe in ("other", "small")
    ]


def test_a_rule_reads_the_paths_without_their_names():
    assert path_list({"one": "a", "two": "b"}) == ["a", "b"]
    assert path_list("a") == "a" and path_list(["a", "b"]) == ["a", "b"]


def test_posts_are_compared_with_the_scored_posts_of_the_tasks_that_stand_on_them(tmp_path):
    def recipe(content):
        whole(content)
        content["tasks"]["mud"] = "mud"
        content["models"]["deep"] = {"finetune": "expert", "data": ["mud/train"]}
        content["score"] |= {"deep": ["mud/dev"]}

    study_in(tmp_path)  # for the task file
    task = (tmp_path / "config/tasks/rain.yaml").read_text()
    (tmp_path / "config/tasks/mud.yaml").write_text(task)
    paths = Paths(study_in(tmp_path, recipe=recipe))
    other = {"mud/dev": "results/test/clean/mud/dev.parquet"}
    own = {split: f"{CLEAN}/{split}.parquet" for split in ("test", "dev", "cross")}
    assert paths.beside("rain") == other and paths.beside("mud") == {}
    assert read(paths, "filled")["scored"] == own | other
    assert read(paths, "made")["corpus"] == own | other | {"train": f"{CLEAN}/train.parquet"}
    assert paths.report_files("")["augmented"] == {
        ("small", "filled"): f"{SMALL}/augment/filled.json"
    }
