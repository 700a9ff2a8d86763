"""The command review: what a verdict changes, from which margin, and what is never shown."""

import json
import shutil
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from broken import GPT, put
from study_files import PROMPT, write_config
from talking import server
from tree import ROOT, copy_of_tree, scored, snakemake

import review
from postgrad.config.errors import ConfigError
from postgrad.graph import queries
from postgrad.llm import stand_in
from postgrad.llm.answer_cache import Reply, Request, parse_reply
from postgrad.llm.reviewing import probability_margins, verdict_schema
from postgrad.records.parquet_files import write_table
from postgrad.records.posts import DROPPED, write_posts
from postgrad.records.predictions import (
    ABSTAIN,
    dataset_predictions,
    prediction_matrix,
    prediction_rows,
    read_predictions,
    write_predictions,
)
from postgrad.report.reviews import review_rows
from postgrad.study import specs
from postgrad.study.job_requests import JobRequests
from postgrad.study.paths import Paths, path_list
from postgrad.study.study import Study
from postgrad.verbs import language_models
from postgrad.verbs.registry import VERBS

LABELS = [{"name": "no", "about": "no rain"}, {"name": "yes", "about": "rain"}]
THREE = [{"name": name, "about": f"a {name} word"} for name in ("negative", "neutral", "positive")]
TRUE = {"verdict": True, "new_label": "yes", "reason": "it is about rain"}
FALSE = {"verdict": False, "new_label": "no", "reason": "aunt Mathilda is dry"}
SPEC = {
    "node": "checked",
    "of": ["plain"],
    "fit": None,
    "metric": "f1",
    "positive": [1],
    "labels": LABELS,
    "check": "yes",
    "otherwise": "no",
    "prompt": PROMPT,
    "shots": 0,
    "gate": "always",
    "seed": 1,
    "datasets": ["rain/test"],
}
GATED = {"fit": "rain/dev", "gate": [0.1, 0.3], "alpha": 0.05}
# The probability of yes of six posts: three are yes, at margins .8, .2 and .08; one has no answer.
YES = {"rain": 0.9, "tea": 0.4, "trains": 0.6, "bread": 0.54, "snow": 0.1, "books": None}


def logits_of(share):
    return [0.0, 0.0] if share is None else np.log([1 - share, share])


def files(folder, name, shares, gold=None):
    """Posts whose first word is their name, and predictions of them: (posts file, predictions)."""
    frame = pd.DataFrame({"post_id": [f"{name}-{word}" for word in shares], "label": gold})
    frame["text"] = [f"{word} again, said my aunt Mathilda in {name}" for word in shares]
    write_posts(frame, folder / f"{name}.parquet")
    labels = [ABSTAIN if share is None else int(share > 0.5) for share in shares.values()]
    logits = [logits_of(share) for share in shares.values()]
    return str(folder / f"{name}.parquet"), prediction_rows(frame["post_id"], logits, labels=labels)


def run(folder, base, shares=YES, dev=None, train=None, budget=None, **options):
    """(fit.json, labels by first word) of one review.

    dev: (shares, gold labels); train: gold labels by first word.
    """
    posts, rows = files(folder, "test", shares)
    predictions = {"rain/test": rows}
    described = {key: base[key] for key in ("base", "kind", "model", "failed") if key in base}
    reached = {
        "answers": str(folder / "work/answers"),
        "budget": budget,
        "bases": {base["base"]: base},
    }
    words = [
        "--spec",
        json.dumps({**SPEC, **options, "asked": [described]}),
        "--reached",
        json.dumps(reached),
    ]
    words += [
        "--data",
        "rain/test",
        posts,
        *to_files(folder),
        "--work",
        str(folder / "work/review/checked"),
    ]
    if dev:
        gold, predictions["rain/dev"] = files(folder, "dev", *dev)
        words += ["--gold", gold]
    if train:
        examples, _ = files(folder, "train", dict.fromkeys(train, 0.5), list(train.values()))
        write_table(pd.DataFrame({"post_id": ["train-twin"]}), folder / "drop.parquet", DROPPED)
        words += ["--train", examples, "--drop", str(folder / "drop.parquet")]
    write_predictions(predictions, folder / "of.parquet")
    review.main(words)
    found = dataset_predictions(read_predictions(folder / "out/scored.parquet"), "rain/test")
    names = [post_id.partition("-")[2] for post_id in found["post_id"]]
    return json.loads((folder / "out/scored.fit.json").read_text()), dict(
        zip(names, found["label"].tolist())
    )


def to_files(folder):
    out = folder / "out/scored"
    return [
        "--predictions",
        str(folder / "of.parquet"),
        "--out",
        f"{out}.parquet",
        "--fit",
        f"{out}.fit.json",
    ]


def before_and_after(folder):
    return [
        dataset_predictions(read_predictions(folder / name), "rain/test")
        for name in ("of.parquet", "out/scored.parquet")
    ]


def unchanged(folder):
    before, after = before_and_after(folder)
    pd.testing.assert_frame_equal(before, after)
    return True


# -- what a verdict changes ------------------------------------------------------------------------


def test_one_that_always_says_true_changes_nothing(tmp_path):
    with server(good=TRUE) as told:
        fit, _ = run(tmp_path, told.base())
    assert unchanged(tmp_path) and told.heard == ["rain", "trains", "bread"]
    counts = fit["reviews"]["rain/test"]
    assert fit["gate"] is None
    assert counts == {
        "predicted": 3,
        "checked": 3,
        "confirmed": 3,
        "rejected": 0,
        "changed": 0,
        "answers": 3,
        "tokens_in": 90,
        "tokens_out": 30,
        "stand_in": 0,
        "abstained": {},
    }
    assert fit["on"] and fit["margin"] is None and fit["reviewer"] == "gpt"


def test_one_that_always_says_false_sets_all_checked_to_the_label_named(tmp_path):
    with server(good=FALSE | {"new_label": "yes"}) as told:  # what it proposes plays no part
        fit, labels = run(tmp_path, told.base())
    assert labels == {"rain": 0, "tea": 0, "trains": 0, "bread": 0, "snow": 0, "books": ABSTAIN}
    assert [fit["reviews"]["rain/test"][key] for key in ("checked", "rejected", "changed")] == [
        3,
        3,
        3,
    ]
    before, after = map(prediction_matrix, before_and_after(tmp_path))
    assert (
        np.allclose(after[[0, 2, 3]], before[[0, 2, 3]][:, ::-1])
        and (after[[1, 4, 5]] == before[[1, 4, 5]]).all()
    )


def three(folder, told, otherwise):
    """A review of the negative ones among posts of three classes, all of which the model finds
    positive.
    """
    posts = pd.DataFrame({"post_id": ["a", "b", "c"], "text": ["rain", "tea", "snow"]})
    write_posts(posts, folder / "test.parquet")
    rows = prediction_rows(
        posts["post_id"], np.log([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.5, 0.1, 0.4]])
    )
    write_predictions({"rain/test": rows}, folder / "of.parquet")
    spec = {
        **SPEC,
        "labels": THREE,
        "check": "negative",
        "otherwise": otherwise,
        "asked": [told.base()],
    }
    reached = {"answers": str(folder / "answers"), "budget": None, "bases": {"gpt": told.base()}}
    words = [
        "--spec",
        json.dumps(spec),
        "--reached",
        json.dumps(reached),
        "--work",
        str(folder / "work"),
    ]
    review.main([*words, "--data", "rain/test", str(folder / "test.parquet"), *to_files(folder)])
    return json.loads((folder / "out/scored.fit.json").read_text())["reviews"]["rain/test"]


def test_rejecting_negative_as_negative_changes_nothing_and_the_proposed_label_does(tmp_path):
    """As the code of ALEX did in 2023 Task 2, and as it was meant."""
    with server(good={"verdict": False, "new_label": "positive", "reason": "glad"}) as told:
        counts = three(tmp_path, told, "negative")
        assert unchanged(tmp_path) and (counts["rejected"], counts["changed"]) == (2, 0)
        counts = three(tmp_path, told, "proposed")
        assert (counts["rejected"], counts["changed"]) == (2, 2) and len(
            told.heard
        ) == 2  # the rule asks nothing anew
    found = read_predictions(tmp_path / "out/scored.parquet")
    assert found["label"].tolist() == [2, 1, 2]
    assert np.allclose(
        prediction_matrix(found), [[0.1, 0.3, 0.6], [0.2, 0.7, 0.1], [0.4, 0.1, 0.5]]
    )


def test_where_the_model_abstains_the_prediction_stays_and_is_counted(tmp_path):
    long = FALSE | {"reason": "dry " * 31}
    ways = {"rain": "wrong_json", "trains": "refused"}
    with server(lambda post, times: ways.get(post), good=long) as told:
        fit, labels = run(tmp_path, told.base(tries=1, failed="abstain"))
    counts = fit["reviews"]["rain/test"]
    assert unchanged(tmp_path) and (counts["checked"], counts["confirmed"], counts["rejected"]) == (
        3,
        0,
        0,
    )
    assert sum(counts["abstained"].values()) == 3 and counts["abstained"]["not JSON"] == 1
    assert any("pattern" in reason for reason in counts["abstained"])  # 31 words are too many


def test_a_rerun_asks_nothing_again_and_writes_the_same_bytes(tmp_path, capsys):
    with server(good=FALSE) as told:
        run(tmp_path, told.base())
        before = [(tmp_path / f"out/scored.{end}").read_bytes() for end in ("parquet", "fit.json")]
        run(tmp_path, told.base())
        assert len(told.heard) == 3 and "3 answers were kept" in capsys.readouterr().err
    assert [
        (tmp_path / f"out/scored.{end}").read_bytes() for end in ("parquet", "fit.json")
    ] == before


# -- the gate --------------------------------------------------------------------------------------

# 40 posts of dev: all yes at a margin of .08 (even ones) or .8; those of a small margin are wrong.
DEV = ({f"d{i}": 0.9 if i % 2 else 0.54 for i in range(40)}, [i % 2 for i in range(40)])


def test_a_gate_opens_where_dev_gains_and_only_below_its_margin(tmp_path):
    with server(good=FALSE) as told:
        fit, labels = run(tmp_path, told.base(), dev=DEV, **GATED)
    # at margin .1 the 20 wrong ones of dev become no, and nothing more is won at .3
    assert fit["on"] and fit["margin"] == 0.1 and fit["tried"] == [[0.1, 1.0], [0.3, 1.0]]
    assert (
        fit["before"] == pytest.approx(2 / 3)
        and fit["after"] == 1
        and fit["p"] == pytest.approx(2 / 2001)
    )
    assert labels == {"rain": 1, "tea": 0, "trains": 1, "bread": 0, "snow": 0, "books": ABSTAIN}
    assert sorted(told.heard) == sorted(["bread", *(f"d{i}" for i in range(0, 40, 2))])
    assert fit["gate"]["checked"] == 20 and fit["posts"] == 40


@pytest.mark.parametrize("metric", ["accuracy", "micro_f1"])
def test_a_gate_seeks_the_official_metric(tmp_path, metric):
    with server(good=FALSE) as told:
        fit, _ = run(tmp_path, told.base(), dev=DEV, **{**GATED, "metric": metric, "positive": []})
    assert fit["metric"] == metric and (fit["before"], fit["after"]) == (0.5, 1.0) and fit["on"]


@pytest.mark.parametrize("gold", [[1] * 40, [0, *[1] * 39]], ids=["a loss", "a gain of one post"])
def test_a_gate_stays_shut_without_a_gain_beyond_chance_and_asks_no_more(tmp_path, gold):
    wrong = {"d0"} if gold[0] == 0 else set()
    answer = (lambda post: FALSE if post in wrong else TRUE) if wrong else FALSE
    with server(good=answer) as told:
        fit, _ = run(tmp_path, told.base(), dev=(DEV[0], gold), **GATED)
    assert not fit["on"] and unchanged(tmp_path) and fit["reviews"]["rain/test"]["answers"] == 0
    assert fit["p"] > 0.05 and not {"bread", "rain"} & {*told.heard}
    assert (fit["after"] > fit["before"]) == bool(wrong)


def test_margins_by_eye():
    assert np.allclose(
        probability_margins(np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])), [0.2, 0.7]
    )


# -- what it is shown ------------------------------------------------------------------------------


def test_examples_come_from_train_alone(tmp_path):
    train = {"mist": 0, "hail": 0, "sun": 1, "wind": 1, "twin": 1}
    with server(good=TRUE) as told:
        run(tmp_path, told.base(), dev=DEV, train=train, shots=2, **GATED)
    for body in told.bodies:
        system, user = (message["content"] for message in body["messages"])
        assert system.startswith("Is it yes?\n- no: no rain\n- yes: rain\n")
        shown = [line for line in system.splitlines() if "Mathilda" in line]
        assert {line.split()[2] for line in shown} == {
            "mist",
            "hail",
            "sun",
            "wind",
        }  # audit leaves the twin out
        assert all(line.endswith("in train") for line in shown) and user.count("Mathilda") == 1
    assert {body["messages"][1]["content"].split()[-1] for body in told.bodies} == {"dev"}


def test_reasons_are_for_the_owner_alone(tmp_path, capsys):
    with server(good=FALSE) as told:
        run(tmp_path, told.base(), dev=DEV, **GATED)
    work = tmp_path / "work/review/checked"
    paths = [work / "gate.parquet", work / "rain/test.parquet"]
    assert [
        stat.S_IMODE(file.stat().st_mode) for path in paths for file in (path, path.parent)
    ] == [0o600, 0o700] * 2
    gate, test = map(pd.read_parquet, paths)
    assert gate["asked_for"].tolist() == ["gate"] * 20
    assert test[["asked_for", "post_id", "verdict", "new_label", "reason"]].values.tolist() == [
        ["rain/test", "test-bread", False, "no", FALSE["reason"]]
    ]
    assert (
        "Mathilda" not in (tmp_path / "out/scored.fit.json").read_text() + capsys.readouterr().err
    )
    assert pd.read_parquet(tmp_path / "out/scored.parquet")["answer"].isna().all()


# -- the node in a graph ---------------------------------------------------------------------------

BODY = {
    "review": "plain",
    "reviewer": "judge",
    "fit": "rain/dev",
    "prompt": "check",
    "check": "yes",
    "otherwise": "no",
    "shots": 1,
    "gate": [0.1, 0.3],
    "alpha": 0.05,
    "seed": 1,
}
RULE = {"rule": {"kind": "stand-in"}, "judge": {**GPT, "key": "JUDGE_KEY"}}


def study_of(
    folder,
    body=BODY,
    model="rule",
    mode="recommended",
    prompt=None,
    study=None,
    more=None,
    bases=RULE,
):
    """A study with the predictor `checked`, and `jury` on it.

    model: what judge becomes at its scale.
    """

    def recipe(content):
        content["predictors"] |= {
            "checked": body,
            "jury": {"vote": ["checked"], "rule": "soft", "ties": "lowest"},
        }
        content["score"] = {"jury": ["rain/dev"]}
        if more:
            more(content)

    def scale(content):
        content["bases"]["judge"] = {"model": model} if isinstance(model, str | None) else model

    files = {"recipe": recipe, "scale": scale, "bases": lambda content: content.update(bases)}
    root = write_config(folder / "config", prompt=prompt, study=study, **files)
    return Study({"study": "test", "check_data": False, "mode": mode}, root=root)


def test_one_that_agrees_finds_every_label_right():
    request = Request((("user", "This is not it, never."),), verdict_schema(["no", "yes"]))
    assert json.loads(stand_in.stand_in_text(request))["verdict"] is False
    agreed = stand_in.stand_in_text(request, agrees=True)
    assert (
        json.loads(agreed)["verdict"] is True
        and parse_reply(Reply(agreed, "stop", 0, 0), request.schema)[1] is None
    )


def test_a_review_has_a_node_for_each_seed_and_a_whole_spec(tmp_path):
    study = study_of(tmp_path)
    graph = study.graphs["small"]
    node = graph.nodes["checked@seed=2"]
    assert (
        node.members == ["plain@seed=2"]
        and node.sources == ["rain/train"]
        and node.fit == "rain/dev"
    )
    assert node.fitted == ("rain/dev",) and node.stand_in and graph.nodes["jury"].stand_in
    assert not graph.nodes["plain@seed=2"].stand_in
    assert json.loads(specs.node_spec(study, "small", "checked@seed=2", "scored")) == {
        "node": "checked@seed=2",
        "of": ["plain@seed=2"],
        "fit": "rain/dev",
        "check": "yes",
        "otherwise": "no",
        "shots": 1,
        "gate": [0.1, 0.3],
        "alpha": 0.05,
        "seed": 1,
        "labels": [{"name": "no"}, {"name": "yes"}],
        "prompt": PROMPT,
        "positive": [1],
        "metric": "f1",
        "asked": [{"base": "rule", "kind": "stand-in"}],
        "datasets": ["rain/dev"],
    }
    assert VERBS["review"].reported_nodes(graph) == [f"checked@seed={seed}" for seed in (1, 2)]
    assert queries.predictors_for_expensive(graph) == {"plain@seed=1", "plain@seed=2"}
    requests = JobRequests(study, Paths(study))
    assert requests.scoring_group("small", "plain@seed=1", "scored") is None, (
        "a review waits for it"
    )
    told = json.loads(specs.report_spec(study))["recipes"]["small"]
    assert told["marks"]["stand_in"] == ["checked", "jury"]
    assert {
        "node": "",
        "key": "judge",
        "paper": "judge",
        "used": "rule",
        "why": "scale here",
    } in told["deviations"]


def test_a_reviews_counts_are_the_datasets_own_and_its_cost_is_that_of_all_requests():
    gate = {
        "checked": 5,
        "answers": 5,
        "tokens_in": 50,
        "tokens_out": 5,
        "stand_in": 0,
        "abstained": {},
    }
    own = {
        "checked": 2,
        "answers": 2,
        "tokens_in": 20,
        "tokens_out": 2,
        "stand_in": 2,
        "abstained": {"not JSON": 2},
    }
    facts = {
        "node": "checked@seed=1",
        "fit": "ages/dev",
        "gate": gate,
        "reviews": {"ages/dev": gate, "ages/test": own},
    }
    first, row = review_rows(facts, "ctyun")
    assert first["dataset"] == "ages/dev" and first["answers"] == 10
    (alone,) = review_rows({**facts, "gate": None, "reviews": {"ages/test": own}}, "ctyun")
    assert alone["answers"] == 2
    found = {
        key: row[key]
        for key in ("recipe", "dataset", "checked", "abstained", "answers", "tokens", "stand_in")
    }
    told = {"recipe": "ctyun", "dataset": "ages/test", "checked": 2, "abstained": 2}
    assert found == told | {"answers": 7, "tokens": 77, "stand_in": True}


def test_its_job_reads_examples_of_train_and_fits_its_gate_on_dev(tmp_path):
    paths = Paths(study_of(tmp_path))
    read = paths.inputs(None, "small", "checked@seed=1", "scored", None)
    assert {role: path_list(files) for role, files in read.items()} == {
        "train": ["results/test/clean/rain/train.parquet"],
        "drop": ["results/test/audit/rain/drop.parquet"],
        "gold": ["results/test/clean/rain/dev.parquet"],
        "predictions": ["results/test/small/predict/plain@seed=1/scored.parquet"],
        "data": ["results/test/clean/rain/dev.parquet"],
        "models": [],
    }
    folder = "results/test/small/review"
    assert paths.report_files("")["review"] == {
        ("small", id): f"{folder}/{id}/scored.fit.json"
        for id in ("checked@seed=1", "checked@seed=2")
    }


def test_in_mode_faithful_all_are_checked_and_nothing_is_fitted(tmp_path):
    study = study_of(
        tmp_path, {**BODY, "faithful": {"gate": "always", "otherwise": "yes"}}, mode="faithful"
    )
    node = study.graphs["small"].nodes["checked@seed=1"]
    assert (
        node.fit is None
        and node.fitted == ()
        and (node.options["gate"], node.options["otherwise"]) == ("always", "yes")
    )


def test_the_prompts_text_is_in_the_spec_and_what_an_answer_costs_is_not(tmp_path):
    def leave(content):
        content["endpoints"] = {"requests": 10, "tokens": 1000}

    changes = {
        "same": {},
        "prompt": {"prompt": put("system", "Is it {label}? {examples}")},
        "budget": {"study": put("endpoints", {"requests": 20, "tokens": 9})},
        "url": {"bases": {"judge": {**GPT, "url": "http://elsewhere/v1", "tries": 2}}},
        "model": {"bases": {"judge": {**GPT, "model": "other"}}},
    }
    found, ways = {}, {}
    for name, change in changes.items():
        change = {"study": leave, "bases": {"judge": GPT}} | change
        write = tmp_path / name / "config/tasks/rain.yaml"
        try:
            study = study_of(tmp_path / name, model="judge", **change)
        except ConfigError:  # the task gives no leave yet
            write.write_text(write.read_text() + "endpoints: true\n")
            study = Study({"study": "test", "check_data": False}, root=tmp_path / name / "config")
        found[name] = specs.node_spec(study, "small", "checked@seed=1")
        ways[name] = language_models.endpoint_access(
            study, study.graphs["small"].nodes["checked@seed=1"]
        )
    assert found["same"] == found["budget"] == found["url"] and "http" not in found["same"]
    assert len({found["same"], found["prompt"], found["model"]}) == 3
    assert ways["same"] == {
        "answers": "work/test/answers",
        "budget": {"requests": 10, "tokens": 1000},
        "bases": {"judge": {"url": GPT["url"]}},
    }
    assert (
        ways["budget"]["budget"]["requests"] == 20 and ways["url"]["bases"]["judge"]["tries"] == 2
    )


def test_a_model_in_a_folder_computes_as_its_scale_predicts(tmp_path):
    predict = {"threads": 3, "attention": "eager", "precision": "fp32", "batch_tokens": 8}
    study = study_of(tmp_path, model={"model": "tiny", "predict": predict})
    spec = json.loads(specs.node_spec(study, "small", "checked@seed=1"))
    assert spec["asked"] == [
        {"base": "tiny", "kind": "causal", "threads": 3, "attention": "eager", "precision": "fp32"}
    ]
    requests = JobRequests(study, Paths(study))
    found = requests.resources("review", "small", "checked@seed=1", None, None, attempt=1)
    assert found["cpus_per_task"] == 3
    with pytest.raises(
        ConfigError,
        match="here.yaml: bases.judge.predict: tiny is to write, and needs threads, attention",
    ):
        study_of(tmp_path / "b", model={"model": "tiny"})


@pytest.mark.parametrize("model, why", [
    (None, "scale here has no model in the place of judge"),
    ("linear", "review asks a model that writes; judge is of kind linear at this scale"),
])  # fmt: skip
def test_without_a_model_that_writes_it_is_not_run_nor_what_stands_on_it(tmp_path, model, why):
    not_run = study_of(tmp_path, model=model).graphs["small"].not_run
    assert not_run["checked"] == why and not_run["jury"] == "needs checked, which is not run"


FAULTS = {
    "no base": (
        {"reviewer": "juge"},
        "checked.reviewer: there is no base 'juge'; did you mean 'judge'",
    ),
    "no reviewer": (
        {"reviewer": None},
        "checked: review asks a language model; name a base under reviewer",
    ),
    "no such label": ({"check": "ye"}, "checked.check: there is no label 'ye'; did you mean 'yes'"),
    "no such way out": ({"otherwise": "propose"}, "checked.otherwise: .*did you mean 'proposed'"),
    "no such prompt": (
        {"prompt": "chek"},
        "checked.prompt: there is no file .*chek.yaml; did you mean 'check'",
    ),
    "a gate without dev": (
        {"fit": None},
        "a gate is fitted on gold posts; name the task's dev under fit",
    ),
    "a gate without a test": ({"alpha": None}, "write alpha: 0.05"),
    "a test set": ({"fit": "rain/test"}, "rain/test is a test set"),
    "train": ({"fit": "rain/train"}, "checked.fit: rain/train"),
    "another word": ({"gate": "never"}, "checked.gate: 'never' does not fit"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_wrong_review_is_told_before_the_graph_is_built(tmp_path, case):
    change, sentence = FAULTS[case]
    body = {key: value for key, value in {**BODY, **change}.items() if value is not None}
    with pytest.raises(ConfigError, match=sentence):
        study_of(tmp_path, body)


PROMPTS = {
    "a wrong field": (
        put("user", "{txt}"),
        "prompts/check.yaml: user: review fills in no {txt}; did you mean 'text'",
    ),
    "no post": (put("user", "Well?"), "prompts/check.yaml: user: {text} is missing"),
    "no examples": (
        put("system", "Is it {label}?"),
        "checked.shots: .*check.yaml has no {examples}",
    ),
    "another turn": (put("assistant", "Yes."), "prompts/check.yaml: there is no key 'assistant'"),
    "no text": (put("system", 3), "prompts/check.yaml: system: expected text, found 3"),
}


@pytest.mark.parametrize("case", PROMPTS)
def test_a_wrong_prompt_is_told_before_the_graph_is_built(tmp_path, case):
    change, sentence = PROMPTS[case]
    with pytest.raises(ConfigError, match=sentence):
        study_of(tmp_path, prompt=change)


def test_no_post_goes_to_an_endpoint_without_leave(tmp_path):
    with pytest.raises(
        ConfigError, match="checked.reviewer: judge is an endpoint, and no post of rain goes to one"
    ):
        study_of(tmp_path, model="judge")


def test_held_out_posts_may_stand_among_the_examples(tmp_path):
    def folded(content):
        content["datasets"]["parts"] = {"fold": ["rain/train"], "k": 2, "seed": 1}
        content["models"]["member"] = {"finetune": "big", "data": ["parts"], "seed": 1}
        content["predictors"]["mean"] = {
            "vote": ["member"],
            "over": ["fold"],
            "rule": "soft",
            "ties": "lowest",
        }

    body = {**BODY, "review": "mean", "fit": "rain/held-out"}
    with pytest.raises(
        ConfigError,
        match="checked.fit: rain/held-out holds the posts of train that the prompt shows",
    ):
        study_of(tmp_path / "a", body, more=folded)
    graph = study_of(tmp_path / "b", {**body, "shots": 0}, more=folded).graphs["small"]
    assert (
        graph.nodes["checked"].fitted == ("rain/held-out",) and graph.nodes["checked"].sources == []
    )

    def scored_there(content):
        folded(content)
        content["score"]["checked"] = ["rain/held-out"]

    with pytest.raises(
        ConfigError, match="rain/held-out is not there: checked shows its model posts of train"
    ):
        study_of(tmp_path / "c", {**body, "fit": "rain/dev"}, more=scored_there)


@pytest.mark.parametrize(
    "path", sorted(Path("config/prompts").glob("review-*.yaml")), ids=lambda path: path.stem
)
def test_the_prompts_of_config_fit_and_end_with_the_post(path):
    prompt = yaml.safe_load((ROOT / path).read_text())
    language_models.check_prompt(prompt, VERBS["review"], path)
    assert (
        prompt["user"].rstrip().rpartition("\n\n")[2] == "{text}"
    )  # so a stand-in reads the post alone
    assert "30 words" in "".join(prompt.values()) and "uncertain" in "".join(prompt.values())


# -- the recipe alex
# ---------------------------------------------------------------------------------


def alex(mode="recommended"):
    config = {"study": "demo", "recipes": ["alex"], "mode": mode, "check_data": False}
    return Study(config, root=ROOT / "config").graphs["alex"]


def test_a_rejected_negative_stays_negative_in_mode_faithful_alone():
    """In SMM4H-2023 Task 2 the released code replaces 0 by 0 and ignores the proposed label."""
    for mode, otherwise, gate in (
        ("faithful", "negative", "always"),
        ("recommended", "proposed", None),
    ):
        options = alex(mode=mode).nodes["therapy-reviewed@seed=1"].options
        assert (options["check"], options["otherwise"]) == ("negative", otherwise)
        assert gate is None or options["gate"] == gate
    for name in ("covid-reviewed@seed=1", "anxiety-reviewed@seed=1"):
        options = alex(mode="faithful").nodes[name].options
        assert (options["check"], options["otherwise"]) == ("yes", "no")


def test_reviews_stand_for_themselves_and_say_that_a_rule_reviewed():
    nodes = alex().nodes
    assert {node.name for node in nodes.values() if node.stand_in} == {
        "covid-reviewed", "covid-agreed", "therapy-reviewed", "anxiety-reviewed"}  # fmt: skip
    assert nodes["covid-agreed@seed=1"].asked == {"agreeing": "agreeing"}


def test_no_post_of_alex_goes_to_a_server(tmp_path):
    root = shutil.copytree(ROOT / "config", tmp_path / "config")
    scale = yaml.safe_load((root / "scales/laptop.yaml").read_text())
    scale["bases"]["gpt-3.5-turbo"] = {}
    (root / "scales/laptop.yaml").write_text(yaml.safe_dump(scale))
    with pytest.raises(ConfigError, match="is an endpoint, and no post of smm4h.* goes to one"):
        Study({"study": "public", "recipes": ["alex"], "check_data": False}, root=root)


# -- a run -----------------------------------------------------------------------------------------

RECIPE = {
    "title": "A linear model, reviewed",
    "tasks": {"ages": "smm4h24-task6"},
    "models": {"plain": {"finetune": "linear", "data": ["ages/train"], "seed": 1}},
    "predictors": {
        "checked": {
            **BODY,
            "reviewer": "qwen-72b-chat",
            "fit": "ages/dev",
            "prompt": "review-label",
            "gate": "always",
        },
        "gated": {
            **BODY,
            "reviewer": "qwen-72b-chat",
            "fit": "ages/dev",
            "prompt": "review-literal",
        },
        "asked": {**BODY, "reviewer": "bertweet-base", "fit": "ages/dev", "prompt": "review-label"},
    },
    "score": {"plain": ["ages/test"], "checked": ["ages/dev", "ages/test"], "gated": ["ages/dev"]},
}
POSTS = {"train": 120, "dev": 60, "test": 40, "decoys": 10, "unlabeled": 20}
DEMO = {
    "title": "T",
    "recipes": ["reviews"],
    "scale": "demo",
    "made": {"seed": 1, "posts": {"smm4h24-task6": POSTS}},
}


@pytest.mark.slow
def test_a_run_reviews_with_a_stand_in_and_marks_it(tmp_path, forked_python):
    tree = copy_of_tree(tmp_path)
    for name, content in (("recipes/reviews", RECIPE), ("studies/demo", DEMO)):
        (tree / f"config/{name}.yaml").write_text(yaml.safe_dump(content))
    scale = tree / "config/scales/demo.yaml"
    scale.write_text(scale.read_text().replace("model: tiny-causal", "model: stand-in", 1))
    done = snakemake(tree, python=forked_python)
    assert done.returncode == 0, done.stdout + done.stderr
    fit = json.loads((tree / "results/demo/reviews/review/checked/scored.fit.json").read_text())
    counts = fit["reviews"]["ages/test"]
    assert (
        counts["stand_in"]
        == counts["checked"]
        == counts["predicted"]
        > counts["confirmed"]
        > 0
        == counts["tokens_in"]
    )
    assert {
        ("checked‡", "ages/dev"),
        ("checked‡", "ages/test"),
        ("gated‡*", "ages/dev"),
        ("plain", "ages/test"),
    } <= scored(tree)
    page = (tree / "results/demo/report.html").read_text()
    reviews = page[
        page.index('<h2 id="review">') : page.index("<h2 ", page.index('<h2 id="review">') + 1)
    ]
    assert reviews.count("a rule, no model") == 3 and "yes → no" in reviews
    assert "review asks a model that writes; bertweet-base is of kind encoder" in page
    answers = tree / "work/demo/answers/stand-in"
    assert (
        stat.S_IMODE(answers.stat().st_mode) == 0o700
        and len(list(answers.glob("*.json"))) > counts["checked"]
    )
    budget = {"endpoints": {"requests": 9, "tokens": 9}}  # what a model may cost decides no answer
    (tree / "config/studies/demo.yaml").write_text(yaml.safe_dump({**DEMO, **budget}))
    again = snakemake(tree, "-n")
    assert "Nothing to be done" in again.stdout + again.stderr


def test_a_vote_for_which_a_model_waits_is_told_from_one_that_only_scores(tmp_path):
    """It may not share the submission of the scores, which wait for the model.

    What is taught has a file of its own.
    """

    def recipe(content):
        content["predictors"]["jury"] = {"vote": ["plain"], "rule": "majority", "ties": "lowest"}
        content["predictors"]["checked"] = {
            "review": "jury", "reviewer": "big", "prompt": "check", "check": "yes",
            "otherwise": "no", "shots": 0,
            "gate": "always", "seed": 1,
        }  # fmt: skip
        content["datasets"]["agreed"]["teachers"] = ["jury", "two"]
        content["score"] = {"together": ["rain/dev"], "checked": ["rain/dev"]}

    def scale(content):
        content["bases"]["big"]["predict"] = {
            "threads": 1,
            "attention": "eager",
            "precision": "fp32",
            "batch_tokens": 8,
        }

    root = write_config(tmp_path, recipe=recipe, scale=scale)
    study = Study({"study": "test", "check_data": False}, root=root)
    graph, requests = study.graphs["small"], JobRequests(study, Paths(study))
    assert queries.predictors_for_expensive(graph) == {"jury", "plain@seed=1", "plain@seed=2"}
    assert requests.scoring_group("small", "jury", "scored") is None
    assert requests.scoring_group("small", "together", "scored") == "small-scores"
    files = queries.predicted_datasets(graph)
    assert (
        files["jury", "teaching"]
        == files["plain@seed=1", "teaching"]
        == ["rain/dev", "rain/unlabeled"]
    )
    assert (
        files["jury", "scored"] == files["checked", "scored"] == ["rain/dev"]
        and ("two", "scored") not in files
    )
