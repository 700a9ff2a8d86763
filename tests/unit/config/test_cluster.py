"""What a job asks of a cluster, and that no spec knows of it."""

import pytest
from study_files import write_config

from postgrad.config.cluster import (
    DEFAULT_REQUEST,
    LAUNCH_RESOURCES,
    SUBMISSION_RESOURCES,
    job_resources,
)
from postgrad.config.errors import ConfigError
from postgrad.graph import queries
from postgrad.study import specs
from postgrad.study.study import Study

NODE = {"gpus": 8, "cpus": 64, "mem_mb": 1000, "minutes": 100}
CLUSTER = {
    "account": None,
    "partition": "cpu",
    "gpu_partition": "gpu",
    "gpu_model": "a800",
    "node": NODE,
}


def given(ask, cluster=CLUSTER, attempt=1):
    """Only what stands on the submission, not how its processes are launched."""
    found = job_resources({"cpus": 2, **DEFAULT_REQUEST, **ask}, cluster, attempt)
    assert tuple(found) == (*SUBMISSION_RESOURCES, *LAUNCH_RESOURCES)
    return {
        name: value
        for name, value in found.items()
        if value is not None and name not in LAUNCH_RESOURCES
    }


def test_a_job_without_gpus_names_no_model():
    """The plugin takes a model alone for one GPU."""
    assert given({"mem_mb": 10, "minutes": 5}) == {
        "nodes": 1,
        "cpus_per_task": 2,
        "mem_mb": 10,
        "runtime": 5,
        "gpu": 0,
        "slurm_partition": "cpu",
    }


def test_gpus_are_counted_over_all_nodes_and_only_several_nodes_have_mpi():
    one, two = given({"gpus": 4}), given({"gpus": 4, "nodes": 2})
    assert one["gpu"] == 4 and "mpi" not in one and "tasks" not in one
    assert (two["gpu"], two["mpi"], two["tasks"], two["tasks_per_gpu"]) == (8, "srun", 2, 0)
    assert one["slurm_partition"] == "gpu" and one["gpu_model"] == "a800"


def test_each_attempt_has_more_memory_and_time_up_to_what_a_node_has():
    asked = [given({"mem_mb": 400, "minutes": 40}, attempt=attempt) for attempt in (1, 2, 3)]
    assert [(job["mem_mb"], job["runtime"]) for job in asked] == [(400, 40), (800, 80), (1000, 100)]
    assert given({"mem_mb": 400}, cluster={}, attempt=3)["mem_mb"] == 1200


@pytest.mark.parametrize("minutes, early", [(1440, 600), (100, 600), (60, 360), (1, 6)])
def test_a_training_is_told_to_stop_in_time_for_a_checkpoint(minutes, early):
    asked = job_resources(
        {"cpus": 2, **DEFAULT_REQUEST, "minutes": minutes}, {}, attempt=1, stops=True
    )
    assert asked["slurm_extra"] == f"--signal=TERM@{early}"


def study(folder, machine=None, **config):
    def scale(content):
        content["bases"]["big"]["machine"] = machine or {}

    root = write_config(folder / "config", scale=scale)
    return Study({"study": "test", "check_data": False, **config}, root=root)


def test_no_spec_holds_a_machine_fact(tmp_path):
    plain = study(tmp_path / "plain")
    machine = {verb: {"gpus": 8, "nodes": 2} for verb in ("pretrain", "finetune", "predict")}
    large = study(tmp_path / "large", machine, cluster=CLUSTER)
    for id in plain.graphs["small"].nodes:
        assert specs.node_spec(plain, "small", id) == specs.node_spec(large, "small", id)
    files = queries.predicted_datasets(plain.graphs["small"])
    predicted = [key for key in files if plain.graphs["small"].nodes[key[0]].verb == "finetune"]
    assert len(predicted) > 3
    for key in predicted:
        assert specs.predict_spec(plain, "small", *key) == specs.predict_spec(large, "small", *key)
    assert specs.report_spec(plain) == specs.report_spec(large)


def test_more_than_a_node_has_is_refused(tmp_path):
    with pytest.raises(ConfigError) as caught:
        study(tmp_path, {"finetune": {"gpus": 16, "cpus": 128}}, cluster=CLUSTER)
    gpus, cpus = sorted(caught.value.sentences, reverse=True)
    assert (
        "scales/here.yaml: bases.big.machine.finetune.gpus: 16 is more than the cluster's 8" in gpus
    )
    assert "finetune.cpus: 128 is more than the cluster's 64" in cpus


def test_a_training_has_a_process_for_each_gpu_unless_the_scale_says_otherwise():
    asks = [{}, {"gpus": 8, "nodes": 4, "zero": 3}, {"ranks": 2, "nodes": 2}]
    found = [job_resources({"cpus": 2, **DEFAULT_REQUEST, **ask}, CLUSTER, 1) for ask in asks]
    assert [(job["nodes"], job["ranks"], job["zero"]) for job in found] == [
        (1, 1, 0),
        (4, 8, 3),
        (2, 2, 0),
    ]
