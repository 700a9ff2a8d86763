"""signals.

A training that is told to stop leaves a complete checkpoint, and a rerun ends with the same
weights.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import made
import pytest

import finetune
from postgrad.runtime import signals
from postgrad.runtime.locks import lock_folder
from postgrad.runtime.result_cache import COMPLETE

STEPS = 120  # of the trainings below: 20 epochs of 24 posts in fours


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("given")
    return {
        "base": made.made_base(folder / "encoder", "encoder"),
        "data": made.made_posts(folder / "train.parquet"),
    }


@pytest.fixture(scope="module")
def spec():
    # Dropout makes the weights depend on the state of every random number generator; no checkpoint
    # but the last one.
    return made.finetune_spec("encoder", epochs=20, dropout=0.1, checkpoint_steps=1000)


@pytest.fixture(scope="module")
def whole(paths, spec, tmp_path_factory):
    """The weights of a run that nobody disturbs."""
    folder = tmp_path_factory.mktemp("whole")
    finetune.main(made.arguments(spec, **paths, work=folder / "work", out=folder / "out"))
    return weights(folder / "out")


def weights(folder):
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def started(words, code=""):
    """A training in its own process. code: what is done before it begins."""
    main = f"import sys, time, finetune\n{code}\nfinetune.run(finetune.main)"
    return subprocess.Popen(
        [sys.executable, "-c", main, *words],
        cwd=made.ROOT / "workflow/scripts",
        stderr=subprocess.PIPE,
        text=True,
    )


# Each step is told, and takes as long as a signal needs to arrive.
TOLD = """
from postgrad.training import finetuning
slow, loss = 0.05, finetuning.label_loss
def told(*args, **options):
    print("a step", file=sys.stderr, flush=True)
    time.sleep(slow)
    return loss(*args, **options)
finetuning.label_loss = told
"""


def after_word(process, word, n=1):
    """Wait until the process has told this line n times."""
    seen = []
    while sum(line.strip() == word for line in seen) < n:
        seen.append(process.stderr.readline())
        assert seen[-1], "".join(seen)


# Mid-epoch from the start; and then at an epoch's last step of a run that was resumed.
@pytest.mark.parametrize(
    "number, stops",
    [pytest.param("SIGUSR1", (7, 11), marks=pytest.mark.slow), ("SIGTERM", (9,))],
)
def test_a_signal_leaves_a_complete_checkpoint_and_a_rerun_ends_the_same(
    tmp_path, paths, spec, whole, number, stops
):
    work, out = tmp_path / "work", tmp_path / "out"
    words = made.arguments(spec, **paths, work=work, out=out)
    steps = 0
    for begun in stops:
        one = started(words, TOLD)
        after_word(one, "a step", begun)
        one.send_signal(getattr(signal, number))
        one.send_signal(getattr(signal, number))  # srun and slurmstepd both pass it on
        told = one.communicate(timeout=60)[1]
        steps += begun
        assert one.returncode == signals.STOPPED == 75, told
        assert told.splitlines()[
            -1
        ] == f"{spec['node']}: stopped on request after step {steps} of {STEPS}; " + (
            "a rerun continues from there"
        )
        assert told.count("a step") == 0, "the step that ran was the last"
        assert (made.kept(work, f"checkpoint-{steps}") / COMPLETE).is_file()
        assert all((path / COMPLETE).is_file() for path in work.glob("*/checkpoint-*"))
        names = sorted(path.name for path in tmp_path.iterdir())
        assert names == ["out.spec.json", "work"], "no result, no half of one, and no lock"
    finetune.main(words)
    timing = json.loads((out / "timing.json").read_text())
    assert timing["resumed"] == f"checkpoint-{steps}" and timing["steps"] == STEPS
    assert weights(out) == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.spec.json", "work"]


def test_a_signal_before_the_first_step_ends_at_once(tmp_path, paths, spec):
    work, out = tmp_path / "work", tmp_path / "out"
    code = (
        "from postgrad.models import loading\n"
        "loading.set_threads = lambda n: (print('here', file=sys.stderr), time.sleep(60))\n"
        "from postgrad.training import finetuning"
    )
    one = started(made.arguments(spec, **paths, work=work, out=out), code)
    after_word(one, "here")
    one.send_signal(signal.SIGUSR1)
    told = one.communicate(timeout=20)[1]
    assert one.returncode == 128 + signal.SIGUSR1 and told == "ended by SIGUSR1\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out.spec.json"], "neither lock nor work"


@pytest.mark.slow
def test_the_same_signal_again_ends_at_once_and_terminate_after_usr1_does_not(
    tmp_path, paths, spec
):
    """SLURM's own order is USR1, then TERM at the end of the time.

    A checkpoint in the making goes on.
    """
    work, out = tmp_path / "work", tmp_path / "out"
    words = made.arguments(spec, **paths, work=work, out=out)
    one = started(words, TOLD.replace("0.05", "0.5"))
    after_word(one, "a step")
    one.send_signal(signal.SIGUSR1)
    one.send_signal(signal.SIGTERM)
    assert one.wait(timeout=60) == 75 and (made.kept(work, "checkpoint-1") / COMPLETE).is_file()
    one = started(words, TOLD.replace("0.05", "60"))
    after_word(one, "a step")
    one.send_signal(signal.SIGTERM)
    time.sleep(signals.ECHO + 0.1)
    one.send_signal(signal.SIGTERM)
    assert one.wait(timeout=20) == 128 + signal.SIGTERM
    assert [path.name for path in work.glob("*/checkpoint-*")] == [
        "checkpoint-1"
    ] and not out.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.spec.json", "work"]


def test_a_signal_while_the_finished_model_is_written_lets_it_be_finished(
    tmp_path, paths, spec, whole
):
    work, out = tmp_path / "work", tmp_path / "out"
    code = """
import os, signal
from postgrad.training import trainer
keep = trainer.store_result
def kept(*args):
    os.kill(os.getpid(), signal.SIGTERM)
    return keep(*args)
trainer.store_result = kept
"""
    one = started(made.arguments(spec, **paths, work=work, out=out), code)
    assert one.communicate(timeout=60) and one.returncode == 0
    assert weights(out) == weights(made.kept(work, "model")) == whole and not list(
        work.rglob("checkpoint-*")
    )


def test_a_prediction_ends_at_once_and_shows_nothing(tmp_path, paths):
    model, out = tmp_path / "model", tmp_path / "out" / "dev.parquet"
    base = made.made_base(tmp_path / "floor", "linear")
    finetune.main(
        made.arguments(
            made.linear_spec(), base=base, data=paths["data"], work=tmp_path / "w", out=model
        )
    )
    words = made.arguments(
        made.predict_spec("linear", node="floor"),
        model=model,
        data=["moods/dev", paths["data"]],
        work=tmp_path / "work",
        out=out,
    )
    code = """
import sys, time, predict
from postgrad.models import linear
linear.linear_logits = lambda *_: (print("here", file=sys.stderr, flush=True), time.sleep(60))
predict.run(predict.main)
"""
    one = subprocess.Popen(
        [sys.executable, "-c", code, *words],
        cwd=made.ROOT / "workflow/scripts",
        stderr=subprocess.PIPE,
        text=True,
    )
    after_word(one, "here")
    one.send_signal(signal.SIGTERM)
    assert one.wait(timeout=20) == 128 + signal.SIGTERM
    assert [path.name for path in out.parent.iterdir()] == ["dev.parquet.spec.json"]
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["floor", "model", "model.spec.json", "out", "w", "work"]
    assert list((tmp_path / "work/moods").iterdir()) == [], "no half of a result, and no lock"


def test_handlers_are_put_back_and_nothing_is_remembered():
    before = [signal.getsignal(number) for number in signals.SIGNALS]
    with signals.handle_stop_signals():
        signals.defer_stop_signals()
        assert not signals.is_stop_requested()
        os.kill(os.getpid(), signal.SIGUSR1)
        assert signals.is_stop_requested()
    assert [
        signal.getsignal(number) for number in signals.SIGNALS
    ] == before and not signals.is_stop_requested()
    with pytest.raises(SystemExit) as ended, signals.handle_stop_signals():
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(5)
    assert ended.value.code == 128 + signal.SIGUSR1


def test_a_launcher_passes_each_signal_on_and_waits(tmp_path):
    """What starts several ranks keeps the lock until they have ended, and ends with their code."""
    inner = """
import sys, time
from postgrad.runtime.signals import defer_stop_signals, exit_stopped
from postgrad.runtime.signals import handle_stop_signals, is_stop_requested
with handle_stop_signals():
    defer_stop_signals()
    print("here", file=sys.stderr, flush=True)
    while not is_stop_requested():
        time.sleep(0.01)
    time.sleep(0.3)
    exit_stopped("a checkpoint is written")
"""
    outer = """
import sys
from postgrad.runtime.launcher import run_ranks
from postgrad.runtime.locks import hold_lock
from postgrad.runtime.signals import handle_stop_signals
with handle_stop_signals(), hold_lock(sys.argv[1]):
    sys.exit(run_ranks([sys.executable, "-c", sys.argv[2]], 1))
"""
    work = tmp_path / "work"
    one = subprocess.Popen(
        [sys.executable, "-c", outer, work, inner],
        cwd=made.ROOT / "workflow/scripts",
        stderr=subprocess.PIPE,
        text=True,
    )
    after_word(one, "here")
    assert lock_folder(work).exists()
    one.send_signal(signal.SIGTERM)
    assert (
        one.communicate(timeout=20)[1] == "a checkpoint is written\n"
        and one.returncode == signals.STOPPED
    )
    assert not lock_folder(work).exists()
