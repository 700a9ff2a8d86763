"""The jobs of a small study, and what their files say of each."""

import json
from pathlib import Path

import pytest
from study_files import write_config

from postgrad.study.job_list import (
    BEGUN,
    EARLIER,
    FAILED,
    MADE,
    MISSING,
    JobStates,
    all_jobs,
    job_of_path,
)
from postgrad.study.paths import Paths
from postgrad.study.so_far import SoFar
from postgrad.study.study import Study


@pytest.fixture
def paths(tmp_path, monkeypatch):
    write_config(tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    return Paths(Study({"study": "test", "check_data": False}))


def make(path, text="", spec=None, spec_file=None):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)
    if spec:
        Path(spec_file).write_text(json.dumps(json.loads(spec)))


def finish(job):
    make(job.result, spec=job.spec, spec_file=job.spec_file)


def test_every_input_of_a_job_is_made_by_a_job_of_the_list(paths):
    jobs = all_jobs(paths, ["small"])
    for job in jobs.values():
        for path in job.reads:
            made_by = job_of_path(jobs, path)
            assert made_by and path.startswith(made_by.stem), path
    for files in paths.report_files("").values():
        for path in files.values() if isinstance(files, dict) else files:
            rest = path.rpartition("/")[2]
            of_scores = ("score.json", "outcomes.parquet", "compare.json")
            assert rest in of_scores or job_of_path(jobs, path), path


def test_the_files_say_what_has_become_of_a_job(paths):
    jobs = all_jobs(paths, ["small"])
    one = jobs["results/test/small/finetune/one"]
    predict = jobs["results/test/small/predict/one/teaching"]

    def state(job):
        return JobStates(jobs).state(job)

    assert state(one) == MISSING
    make(one.log, "python finetune.py\n{'step': 1}\n")
    assert state(one) == BEGUN
    make(one.log, "python finetune.py\nTraceback (most recent call last):\n  in line 1\n")
    assert state(one) == FAILED and state(predict) == MISSING
    assert JobStates(jobs).failed_before(predict) == one
    make(one.log, "python finetune.py\nfinetune: posts are missing\n")
    assert state(one) == FAILED
    finish(one)
    finish(predict)
    assert state(one) == MADE and state(predict) == MADE
    make(one.result, spec='{"node": "one", "lr": 5}', spec_file=one.spec_file)
    assert state(one) == EARLIER and state(predict) == EARLIER


def test_only_what_is_there_is_scored_and_the_rest_has_a_reason(paths):
    jobs = SoFar(paths).states.jobs
    for stem in (
        "results/test/clean/rain",
        "results/test/audit/rain",
        "results/test/small/finetune/plain@seed=1",
        "results/test/small/predict/plain@seed=1/scored",
    ):
        finish(jobs[stem])
    make("results/test/clean/rain/dev.parquet")
    make("results/test/audit/rain/groups.parquet")
    make(jobs["results/test/small/finetune/one"].log, "ValueError: no\n")
    found = SoFar(paths)
    assert found.pairs("small") == [("plain@seed=1", "rain/dev")]
    spec = json.loads(found.score_spec("small"))
    assert [pair["predictor"] for pair in spec["pairs"]] == ["plain@seed=1"]
    files = found.report_files()
    assert files["scores"] == ["results/test/so_far/small/score.json"]
    assert files["ledger"] == {}, "audit has lost its list of dropped posts"
    summary = found.summary()
    assert summary["made"] == 4 and summary["failed"] == 1
    reasons = {(row["verb"], row["nodes"][0]): row for row in summary["missing"]}
    assert reasons["finetune", "one"]["reason"] == "failed"
    assert reasons["finetune", "one"]["log"] == "work/test/log/small/finetune/one.log"
    assert reasons["label", "agreed"]["reason"] == "waits for finetune one, which failed"
    assert reasons["finetune", "two"]["reason"] == "not made yet"
    assert summary["jobs"] == summary["made"] + sum(row["jobs"] for row in summary["missing"])
