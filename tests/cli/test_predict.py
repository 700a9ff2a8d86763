"""The command predict: logits do not depend on neighbours, and posts keep their order.

Whole answers are scored.

"""

import json
import resource
import shutil
import subprocess
import sys

import made
import numpy as np
import pandas as pd
import pytest

import finetune
import predict
from postgrad.models import inference
from postgrad.records.posts import first_by_hash, read_posts
from postgrad.records.predictions import (
    dataset_predictions,
    prediction_matrix,
    read_predictions,
    softmax,
)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return made.labelled_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def dev(tmp_path_factory):
    return made.made_posts(tmp_path_factory.mktemp("clean") / "moods" / "dev.parquet", n=30, seed=4)


@pytest.fixture(scope="module")
def floor(tmp_path_factory, dev):
    """A linear model trained on dev."""
    folder = tmp_path_factory.mktemp("floor")
    base = made.made_base(folder / "base", "linear")
    finetune.main(
        made.arguments(
            made.linear_spec(), base=base, data=dev, work=folder / "work", out=folder / "model"
        )
    )
    return folder / "model"


def predictions(spec, model, data, folder, name="out"):
    return made.predicted(spec, model, data, folder / f"{name}.parquet")


@pytest.mark.parametrize("kind", ["encoder", "causal"])
def test_batches_change_nothing_and_the_order_is_the_files(tmp_path, models, dev, kind):
    many = predictions(
        made.predict_spec(kind, batch_tokens=600), models / kind, dev, tmp_path, "many"
    )
    alone = predictions(
        made.predict_spec(kind, batch_tokens=1), models / kind, dev, tmp_path, "alone"
    )
    assert many["post_id"].tolist() == read_posts(dev)["post_id"].tolist()
    np.testing.assert_allclose(
        prediction_matrix(many, "logits"), prediction_matrix(alone, "logits"), atol=1e-5
    )
    assert prediction_matrix(many, "logits").std(axis=0).min() > 1e-2, (
        "posts must differ, or the order proves nothing"
    )
    np.testing.assert_allclose(prediction_matrix(many), softmax(prediction_matrix(many, "logits")))
    assert many["answer"].isna().all() and many["label"].isin([0, 1]).all()


def test_the_pool_is_chosen_by_hash_and_nothing_else_is(tmp_path, models, dev):
    spec = made.predict_spec("encoder", pool=7)
    pool = predictions(spec | {"datasets": ["moods/unlabeled"]}, models / "encoder", dev, tmp_path)
    assert pool["post_id"].tolist() == first_by_hash(read_posts(dev), 7)["post_id"].tolist()
    assert len(predictions(spec, models / "encoder", dev, tmp_path)) == 30


def test_odd_texts_are_scored(tmp_path, models):
    data = tmp_path / "odd.parquet"
    texts = [
        "",
        " ",
        "rain " * 500,
        "{text} {keyword}",
        "\U0001f600\u200d\u00e9",
        "<|endoftext|>[SEP]",
    ]
    frame = pd.DataFrame({"post_id": list("abcdef"), "text": texts})
    made.write_posts(frame, data)
    for kind in ("encoder", "causal"):
        rows = predictions(
            made.predict_spec(kind, precision="bf16"), models / kind, data, tmp_path, kind
        )
        assert np.isfinite(prediction_matrix(rows, "logits")).all() and rows[
            "post_id"
        ].tolist() == list("abcdef")


def test_linear_and_its_start(tmp_path, floor, dev):
    words = made.prediction_words(made.predict_spec("linear"), floor, dev, tmp_path / "p.parquet")
    heavy = "{'torch', 'transformers', 'sklearn'}"
    code = "import sys, predict; predict.main(sys.argv[1:]); "
    code += f"sys.exit(bool({heavy} & set(sys.modules)))"
    assert (
        subprocess.run(
            [sys.executable, "-c", code, *words], cwd=made.ROOT / "workflow/scripts"
        ).returncode
        == 0
    )
    rows, gold = read_predictions(tmp_path / "p.parquet"), read_posts(dev)
    assert rows["label"].tolist() == gold["label"].tolist()
    assert (prediction_matrix(rows, "logits")[:, 0] == 0).all()


def sharded(spec, model, data, folder, count):
    """The files that `count` shards write, each predicted on its own."""
    files = []
    for number in range(1, count + 1):
        shard = f"{number}-of-{count}"
        files.append(folder / f"{shard}.parquet")
        predict.main(made.prediction_words(spec, model, data, files[-1], shard=shard))
    return files


@pytest.mark.parametrize(
    "kind, precision",
    [("encoder", "fp32"), ("causal", "fp32"), ("causal", "bf16"), ("linear", "fp32")],
)
@pytest.mark.parametrize("count", [2, 3, 40])
def test_gathered_shards_are_the_bytes_of_one_job(
    tmp_path, models, floor, dev, kind, precision, count
):
    """A shard takes whole batches of the whole dataset.

    Blocks of posts, batched anew, were off by up to 3e-6.
    """
    spec = made.predict_spec(kind, precision=precision)
    spec, model = (
        spec | {"datasets": ["moods/unlabeled"], "pool": 25},
        floor if kind == "linear" else models / kind,
    )
    whole = predictions(spec, model, dev, tmp_path)
    files = sharded(spec, model, dev, tmp_path, count)
    sizes = [len(read_predictions(file)) for file in files]
    assert sum(sizes) == len(whole) == 25 and max(sizes) < 25
    assert 0 in sizes or count < 40, "more shards than batches leave some without a post"
    out = tmp_path / "gathered.parquet"
    predict.main(made.prediction_words(spec, model, dev, out, shards=files))
    assert out.read_bytes() == (tmp_path / "out.parquet").read_bytes()


@pytest.mark.parametrize("change", ["one short", "one twice", "another pool's"])
def test_shards_that_do_not_make_up_the_dataset_are_refused(tmp_path, floor, dev, change):
    spec = made.predict_spec("linear")
    files = sharded(spec, floor, dev, tmp_path, 3)
    if change == "another pool's":
        dev = made.made_posts(tmp_path / "other.parquet", n=30, seed=5)
    else:
        files[2:] = files[:1] if change == "one twice" else []
    out = tmp_path / "out.parquet"
    done = made.script("predict", made.prediction_words(spec, floor, dev, out, shards=files))
    assert done.returncode == 1 and "remove the folder and predict again" in done.stderr
    assert "Traceback" not in done.stderr and not out.exists()


def test_another_shard_is_not_taken_for_this_one(tmp_path, floor, dev):
    """Two shards share one work folder: the second finds a result that is not its own."""
    found, out = [], tmp_path / "out.parquet"
    for shard in ("1-of-2", "2-of-2"):
        predict.main(
            made.prediction_words(made.predict_spec("linear"), floor, dev, out, shard=shard)
        )
        found.append(set(read_predictions(out)["post_id"]))
    assert len(found[0] | found[1]) == 30 and not found[0] & found[1]


def test_the_command_needs_no_trainer_and_refuses_another_tasks_model(tmp_path, models, dev):
    words = made.prediction_words(
        made.predict_spec("encoder"), models / "encoder", dev, tmp_path / "p.parquet"
    )
    heavy = "{'transformers.trainer', 'datasets'}"
    code = "import sys, predict; predict.main(sys.argv[1:]); "
    code += f"sys.exit(bool({heavy} & set(sys.modules)))"
    assert (
        subprocess.run(
            [sys.executable, "-c", code, *words], cwd=made.ROOT / "workflow/scripts"
        ).returncode
        == 0
    )
    other = made.predict_spec("encoder", labels=[{"name": "a"}, {"name": "b"}])
    done = made.script(
        "predict", made.prediction_words(other, models / "encoder", dev, tmp_path / "q.parquet")
    )
    assert (
        done.returncode == 1
        and "train it for this task" in done.stderr
        and "Traceback" not in done.stderr
    )
    assert not (tmp_path / "q.parquet").exists()


@pytest.fixture
def several(tmp_path, models, monkeypatch):
    """Return a function that predicts several datasets into one file.

    It takes {dataset: posts}, and returns the rows and how often a model was loaded and run.
    """
    calls = {"load_model": 0, "encoder_scores": 0}

    def counted(name, function):
        def call(*given, **options):
            calls[name] += 1
            return function(*given, **options)

        return call

    for name in calls:
        monkeypatch.setattr(inference, name, counted(name, getattr(inference, name)))

    def predicted(datasets, name="scored", **options):
        files = []
        for dataset, posts in datasets.items():
            made.write_posts(posts, tmp_path / f"{dataset}.parquet")
            files += [dataset, tmp_path / f"{dataset}.parquet"]
        spec, out = (
            made.predict_spec("encoder", datasets=[*datasets], **options),
            tmp_path / f"{name}.parquet",
        )
        words = made.arguments(spec, model=models / "encoder", work=tmp_path / "work", out=out)
        words += [
            word
            for i in range(0, len(files), 2)
            for word in ("--data", files[i], str(files[i + 1]))
        ]
        before = dict(calls)
        predict.main(words)
        return read_predictions(out), tuple(calls[key] - before[key] for key in calls)

    return predicted


DEV, TEST, POOL = made.posts(30, seed=4), made.posts(21, seed=2), made.posts(40, seed=3)


def test_a_file_holds_its_datasets_one_after_the_other(several):
    datasets = {"moods/dev": DEV, "moods/test": TEST, "moods/unlabeled": POOL}
    rows, calls = several(datasets, pool=7)
    assert calls == (1, 3), "the model is loaded once"
    assert rows["dataset"].drop_duplicates().tolist() == [*datasets]
    assert [len(dataset_predictions(rows, dataset)) for dataset in datasets] == [30, 21, 7]
    assert dataset_predictions(rows, "moods/test")["post_id"].tolist() == TEST["post_id"].tolist()


def test_logits_hang_on_no_other_dataset(several, models, dev, tmp_path):
    together, _ = several({"moods/dev": read_posts(dev), "moods/test": TEST})
    alone = predictions(made.predict_spec("encoder"), models / "encoder", dev, tmp_path, "alone")
    np.testing.assert_array_equal(
        prediction_matrix(dataset_predictions(together, "moods/dev"), "logits"),
        prediction_matrix(alone, "logits"),
    )


def test_a_further_dataset_is_predicted_alone(several, capsys):
    first, _ = several({"moods/dev": DEV})
    rows, calls = several({"moods/dev": DEV, "moods/test": TEST})
    assert (
        calls == (1, 1)
        and "plain@seed=1: 21 posts of moods/test predicted" in capsys.readouterr().err
    )
    pd.testing.assert_frame_equal(dataset_predictions(rows, "moods/dev"), first)
    rows, calls = several({"moods/dev": DEV, "moods/test": TEST}, "teaching")
    assert calls == (0, 0), "the two files of a node share what is kept, and no model is loaded"
    _, calls = several({"moods/test": TEST.assign(text="other"), "moods/dev": DEV})
    assert calls == (1, 1)


def test_predictions_that_an_earlier_version_kept_are_taken_back(tmp_path, several, models):
    """They were kept without the column `dataset`, in a folder of each dataset."""
    several({"moods/dev": DEV})
    (kept,) = (tmp_path / "work").rglob("predictions.parquet")
    older = tmp_path / "work/moods/dev"
    older.mkdir()
    pd.read_parquet(kept).drop(columns="dataset").to_parquet(older / "predictions.parquet")
    (kept.parent / "key.json").rename(older / "key.json")
    shutil.rmtree(kept.parent)
    key = json.loads((older / "key.json").read_text())
    spec = made.predict_spec("encoder", dataset="moods/dev")
    assert key["spec"] == {
        name: value for name, value in spec.items() if name not in ("datasets", "pool")
    }
    rows, calls = several({"moods/dev": DEV})
    assert calls == (0, 0) and set(rows["dataset"]) == {"moods/dev"}


@pytest.fixture
def scored(tmp_path, models, monkeypatch):
    """Return a function that predicts posts and counts how often the model itself is asked.

    It takes (frame, spec, model), and returns the count.
    """
    calls, scores = [], inference.encoder_scores
    monkeypatch.setattr(
        inference, "encoder_scores", lambda *given: calls.append(1) or scores(*given)
    )

    def count(frame, model=models / "encoder", **options):
        made.write_posts(frame, tmp_path / "data.parquet")
        rows = predictions(
            made.predict_spec("encoder", **options), model, tmp_path / "data.parquet", tmp_path
        )
        assert rows["post_id"].tolist() == frame["post_id"].tolist()
        return len(calls)

    return count


def test_an_equal_key_takes_the_predictions_back(tmp_path, scored):
    """A dev set with other labels alters no prediction."""
    posts = made.posts(6)
    assert scored(posts) == 1
    before = (tmp_path / "out.parquet").read_bytes()
    (tmp_path / "out.parquet").unlink()
    assert scored(posts) == scored(posts) == scored(posts.assign(label=None)) == 1
    assert (tmp_path / "out.parquet").read_bytes() == before


@pytest.mark.parametrize(
    "change", ["text", "keyword", "post_id", "order", "fewer", "spec", "model", "version"]
)
def test_any_change_of_what_a_prediction_hangs_on_predicts_again(
    tmp_path, models, scored, monkeypatch, change
):
    posts, options = made.posts(6), {}
    assert scored(posts) == 1
    if change in posts:
        posts.loc[5, change] = "other"
    elif change == "order":
        posts = posts[::-1]
    elif change == "fewer":
        posts = posts[:5]
    elif change == "spec":
        options["batch_tokens"] = 99
    elif change == "model":
        options["model"] = shutil.copytree(models / "encoder", tmp_path / "encoder")
        path = options["model"] / "model.json"
        path.write_text(path.read_text() + " ")
    else:
        monkeypatch.setattr(predict, "VERSION", 2)
    assert scored(posts, **options) == 2


def test_predictions_are_taken_back_in_a_moment(tmp_path, models, dev):
    """Within 2 s of a processor (0.6 s measured), where torch and transformers alone take longer to
    import.
    """
    spec = made.predict_spec("encoder")
    rows = predictions(spec, models / "encoder", dev, tmp_path)
    out = tmp_path / "new.parquet"
    words = made.arguments(
        spec, model=models / "encoder", data=["moods/dev", dev], work=tmp_path / "out.work", out=out
    )
    heavy = "{'torch', 'transformers', 'sklearn', 'safetensors'}"
    code = "import sys, predict; predict.main(sys.argv[1:]); "
    code += f"sys.exit(bool({heavy} & set(sys.modules)))"
    command, before = (
        [sys.executable, "-c", code, *words],
        resource.getrusage(resource.RUSAGE_CHILDREN),
    )
    done = subprocess.run(
        command, cwd=made.ROOT / "workflow/scripts", capture_output=True, text=True
    )
    after = resource.getrusage(
        resource.RUSAGE_CHILDREN
    )  # not the clock, which others on the machine would slow
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2
    sentence = (
        "plain@seed=1: spec, version and inputs are as before; finished predictions restored\n"
    )
    assert done.returncode == 0 and done.stderr == sentence
    np.testing.assert_array_equal(prediction_matrix(read_predictions(out)), prediction_matrix(rows))
