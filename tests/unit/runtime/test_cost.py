"""The cost of a job: what is measured, what is added up, and which record is in use."""

import ctypes
import json
import os
import time

import pytest

from postgrad.llm.answer_cache import Answer
from postgrad.runtime import cost
from postgrad.runtime.result_cache import restore_result, result_folder, store_result


def record_of(file):
    return json.loads(file.read_text())


def test_a_job_is_charged_with_its_time_and_a_later_run_adds_to_it(tmp_path):
    file = tmp_path / "cost.json"
    for tokens in (10, 5):
        with cost.record_cost(file, "plain") as own:
            end = time.process_time() + 0.05
            while time.process_time() < end:
                pass
            own["tokens"] = tokens
    record = record_of(file)
    assert record["node"] == "plain" and record["tokens"] == 15 and record["gpu_seconds"] == 0
    assert record["cpu_seconds"] >= 0.08 and record["seconds"] >= 0.09


def test_a_job_that_fails_is_charged_too(tmp_path):
    with pytest.raises(SystemExit), cost.record_cost(tmp_path / "cost.json", "plain"):
        raise SystemExit(75)
    assert record_of(tmp_path / "cost.json")["tokens"] is None
    with cost.record_cost(tmp_path / "none/cost.json", "plain"), cost.record_cost(None, "plain"):
        pass
    assert not (tmp_path / "none").exists()


def test_the_first_rank_writes_for_all(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    with cost.record_cost(tmp_path / "cost.json", "plain"):
        pass
    assert not (tmp_path / "cost.json").exists()


def test_only_new_answers_cost_tokens():
    answers = [Answer("yes", None, "", 7, 3), Answer("no", None, "", 70, 30, kept=True)]
    own = {"tokens": None}
    assert list(cost.count_tokens(lambda requests: answers, own)([])) == answers
    assert own["tokens"] == 10


def test_the_record_of_the_setting_in_use_is_read_also_after_a_return_to_it(tmp_path):
    work, out = tmp_path / "work", tmp_path / "out"
    out.mkdir()
    (out / "model.json").write_text("{}")
    for rate in (1, 2):
        key = {"spec": {"node": "plain", "lr": rate}, "version": 1}
        with cost.record_cost(result_folder(work, key) / cost.COST, "plain") as own:
            store_result(work, key, out)
            own["tokens"] = rate
    assert [record["tokens"] for record in cost.read_costs(work)] == [2]
    first = {"spec": {"node": "plain", "lr": 1}, "version": 1}
    os.utime(result_folder(work, key) / "key.json", (1, 1))
    assert restore_result(work, first, out)
    assert [record["tokens"] for record in cost.read_costs(work)] == [1]
    assert not (out / cost.COST).exists(), "a record is no part of a result"
    with cost.record_cost(cost.cost_file(work, "scored"), "plain") as own:
        own["tokens"] = 7
    assert [record["tokens"] for record in cost.read_costs(work)] == [1, 7]
    assert cost.read_costs(tmp_path / "nothing") == []


def counter(folder, name, microjoules):
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    (place / "energy_uj").write_text(f"{microjoules}\n")
    (place / "max_energy_range_uj").write_text("10000000\n")


def test_a_processor_s_counter_may_begin_anew_and_its_parts_count_once(tmp_path, monkeypatch):
    monkeypatch.setattr(cost, "gpu_joules", lambda: None)
    counter(tmp_path, "intel-rapl:0", 9_000_000)
    counter(tmp_path, "intel-rapl:0:0", 5)
    counters = cost.EnergyCounters(tmp_path)
    counter(tmp_path, "intel-rapl:0", 2_000_000)
    counter(tmp_path, "intel-rapl:0:0", 4_000_000)
    assert counters.joules(0.5, False, 1) == pytest.approx(1.5)
    assert counters.joules(0.5, True, 1) is None, "the GPU's part is not known"
    assert cost.EnergyCounters(tmp_path / "none").joules(0.5, False, 1) is None


class Nvml:
    """Two GPUs that have used 3 and 4 joules."""

    def nvmlInit_v2(self):
        return 0

    def nvmlDeviceGetCount_v2(self, count):
        count._obj.value = 2
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, number, handle):
        handle._obj.value = number + 1
        return 0

    def nvmlDeviceGetTotalEnergyConsumption(self, handle, used):
        used._obj.value = {1: 3000, 2: 4000}[handle.value]
        return 0


def test_the_energy_of_visible_gpus_is_added_up(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert cost.gpu_joules(Nvml()) == 7
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert cost.gpu_joules(Nvml()) == 4
    monkeypatch.setattr(ctypes, "CDLL", lambda name: (_ for _ in ()).throw(OSError(name)))
    assert cost.gpu_joules() is None
