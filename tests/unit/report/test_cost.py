"""cost.csv from the records of jobs."""

import csv
import io
import json

from postgrad.report.cost import cost_csv, cost_rows

RECORD = {"node": "a", "seconds": 1800, "cpu_seconds": 3600, "gpu_seconds": 0, "tokens": 100}


def write(work, place, **changes):
    folder = work / place / "cost/scored"
    folder.mkdir(parents=True)
    (folder / "cost.json").write_text(json.dumps({**RECORD, "kilowatt_hours": None, **changes}))


def test_the_nodes_of_a_stage_are_added_up(tmp_path):
    write(tmp_path, "small/finetune/a", kilowatt_hours=0.5)
    write(tmp_path, "small/finetune/b", kilowatt_hours=0.25, tokens=None)
    write(tmp_path, "small/finetune/left-over")
    write(tmp_path, "small/review/c", tokens=None)
    costly = {"finetune": ["a", "b", "not-run"], "review": ["c"], "predict": ["a"]}
    spec = {"recipes": {"small": {"costly": costly}, "other": {}}}
    rows = list(csv.DictReader(io.StringIO(cost_csv(cost_rows(str(tmp_path), spec)))))
    assert [list(row.values()) for row in rows] == [
        ["small", "finetune", "2", "3600", "2.0", "0.0", "100", "0.75"],
        ["small", "review", "1", "1800", "1.0", "0.0", "", ""],
    ]
    assert cost_rows(None, spec) == []
