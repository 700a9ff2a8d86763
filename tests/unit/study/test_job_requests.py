"""What the jobs of a small study ask of a cluster."""

import json

import pytest
from study_files import write_config

from postgrad.records.names import SCORED, TEACHING
from postgrad.study.job_requests import JobRequests
from postgrad.study.paths import Paths
from postgrad.study.study import Study

NODE = {"gpus": 8, "cpus": 64, "mem_mb": 1000, "minutes": 100}
CLUSTER = {"partition": "cpu", "gpu_partition": "gpu", "gpu_model": "a800", "node": NODE}


@pytest.fixture
def requests_for(tmp_path):
    """A function that returns the requests of the small study.

    It takes what the base `big` asks for, and keys of the study.
    """

    def make(machine, **config):
        def scale(content):
            content["bases"]["big"]["machine"] = machine

        root = write_config(tmp_path / "config", scale=scale)
        config = {"study": "test", "check_data": False, "cluster": CLUSTER} | config
        study = Study(config, root=root)
        return JobRequests(study, Paths(study))

    return make


def test_a_node_asks_for_what_its_base_at_the_bottom_asks_for(requests_for):
    """`expert` is trained from `reader`, and `reader` from `big`; the teacher `two` is linear."""
    requests = requests_for({"finetune": {"gpus": 2}, "predict": {"minutes": 7}})

    def asked(verb, node, file=None):
        return requests.resources(verb, "small", node, file, None, attempt=1)

    assert asked("finetune", "expert@seed=1")["gpu"] == 2
    assert asked("finetune", "two")["gpu"] == 0
    predict = asked("predict", "expert@seed=1", SCORED)
    assert predict["runtime"] == 7
    assert predict["slurm_extra"] is None, "a prediction writes no checkpoint"
    assert asked("finetune", "expert@seed=1")["slurm_extra"] is not None


def test_each_attempt_asks_for_more_time(requests_for):
    requests = requests_for({"finetune": {"minutes": 7}})
    found = [
        requests.resources("finetune", "small", "expert@seed=1", None, None, attempt)["runtime"]
        for attempt in (1, 2, 3)
    ]
    assert found == [7, 14, 21]


def test_a_job_that_joins_shards_asks_for_one_cpu_and_no_gpu(requests_for):
    requests = requests_for({"predict": {"gpus": 4, "cpus": 16, "mem_mb": 900}}, shards=3)
    job = ("small", "one", TEACHING)
    shard = requests.resources("predict", *job, ".shards/1-of-3", attempt=1)
    joined = requests.resources("predict", *job, "", attempt=1)
    assert (shard["gpu"], shard["cpus_per_task"]) == (4, 16)
    assert (joined["gpu"], joined["cpus_per_task"], joined["gpu_model"]) == (0, 1, None)
    assert requests.is_gathering(*job, "") and not requests.is_gathering(*job, ".shards/1-of-3")
    assert requests.threads(*job, "") == 1


def test_without_shards_no_job_joins_any(requests_for):
    assert not requests_for({}).is_gathering("small", "one", TEACHING, "")


def test_a_training_is_launched_with_what_its_scale_asks_for(requests_for):
    requests = requests_for({"finetune": {"gpus": 2, "nodes": 2, "cpus": 8, "zero": 3}})
    words = requests.launch_options("finetune", "small", "expert@seed=1")
    assert words == ["--nodes", "2", "--ranks", "2", "--zero", "3", "--cpus", "8"]


def test_scores_of_a_recipe_are_one_group_and_teaching_files_are_in_none(requests_for):
    requests = requests_for({})
    assert requests.scoring_group("small", None, None) == "small-scores"
    assert requests.scoring_group("small", "plain@seed=1", SCORED) == "small-scores"
    assert requests.scoring_group("small", "plain@seed=1", TEACHING) is None


def test_a_node_that_asks_no_language_model_has_no_access_to_any(requests_for):
    access = json.loads(requests_for({}).model_access("small", "plain@seed=1"))
    assert access["bases"] == {}
