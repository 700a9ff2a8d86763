"""base: where the files of a model come from, what is refused, and the tiny models made here."""

import json
import sys

import made
import pytest

import base
from postgrad.models import sources

MAKE = {"hidden": 16, "layers": 1, "heads": 2, "vocabulary": 600, "seed": 3, "length": 64}


def folder_with(path, config, weights=True):
    path.mkdir()
    (path / "config.json").write_text(json.dumps(config))
    (path / "tokenizer.json").write_text("{}")
    (path / "pytorch_model.bin").write_bytes(b"a pickle")
    (path / "inside").mkdir()
    if weights:
        (path / "model.safetensors").write_bytes(b"weights")
    return path


def refusal(spec, out):
    with pytest.raises((ValueError, FileNotFoundError)) as fault:
        base.main(made.arguments({"model": "m", "kind": "encoder"} | spec, out=out))
    assert not out.exists() and not list(out.parent.glob(".*")), (
        "nothing may be left under the final name"
    )
    return str(fault.value)


@pytest.mark.parametrize("kind", ["causal", "encoder"])
def test_a_made_model_is_whole_and_the_same_in_every_process(tmp_path, kind):
    import torch
    import transformers

    for out, seed in (("one", "1"), ("two", "2")):
        words = made.arguments({"model": "m", "kind": kind, "make": MAKE}, out=tmp_path / out)
        done = made.script("base", words, env={"PYTHONHASHSEED": seed, "PATH": "/usr/bin:/bin"})
        assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == [
        "config.json",
        "model.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), (
            name
        )

    model_class = transformers.AutoModelForCausalLM if kind == "causal" else transformers.AutoModel
    model, loading = model_class.from_pretrained(tmp_path / "one", output_loading_info=True)
    assert (
        not loading["missing_keys"]
        and not loading["unexpected_keys"]
        and not loading["mismatched_keys"]
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "one")
    ids = tokenizer("walking helps me")["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "walking helps me"
    assert len(ids) < 16 and max(ids) < model.config.vocab_size, "words are more than letters"
    assert torch.isfinite(model(torch.tensor([ids]))[0]).all()


def test_a_folder_is_taken_without_pickles_and_folders(tmp_path):
    source = folder_with(tmp_path / "source", {"model_type": "bert"})
    words = made.arguments(
        {"model": "m", "kind": "encoder", "folder": str(source)}, out=tmp_path / "out"
    )
    base.main(words)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"config.json", "tokenizer.json", "model.safetensors", "model.json"}
    facts = json.loads((tmp_path / "out" / "model.json").read_text())
    assert (
        facts["kind"] == "encoder"
        and facts["labels"] is None
        and "model.safetensors" in facts["files"]
    )
    base.main(words)  # again over itself
    assert (source / "model.safetensors").read_bytes() == b"weights"


@pytest.mark.parametrize(
    "config, weights, words",
    [
        ({"model_type": "qwen", "auto_map": {"AutoModel": "x.Y"}}, True, "use Qwen 1.5 or later"),
        ({"model_type": "new", "auto_map": {"AutoModel": "x.Y"}}, True, "never run"),
        ({"model_type": "bert"}, False, "no safetensors file"),
    ],
)
def test_folders_that_are_refused(tmp_path, config, weights, words):
    source = folder_with(tmp_path / "source", config, weights)
    assert words in refusal({"folder": str(source)}, tmp_path / "out")


def test_origins_that_do_not_exist_say_what_to_do(tmp_path):
    assert "does not exist" in refusal({"folder": str(tmp_path / "absent")}, tmp_path / "out")
    assert "pip install no-such-thing" in refusal(
        {"package": "no_such_thing/model"}, tmp_path / "out"
    )
    assert "give the commit" in refusal({"hub": "a/b"}, tmp_path / "out")
    assert "name one of" in refusal({}, tmp_path / "out")
    assert "name one of" in refusal({"hub": "a/b", "folder": "x"}, tmp_path / "out")


def test_a_package_is_found_without_being_imported(tmp_path, monkeypatch):
    package = tmp_path / "quiet_weights"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    folder_with(package / "model", {"model_type": "bert"})
    monkeypatch.syspath_prepend(tmp_path)
    assert sources.find_package_folder("quiet_weights/model") == package / "model"
    assert "quiet_weights" not in sys.modules
    with pytest.raises(FileNotFoundError, match="has no folder other"):
        sources.find_package_folder("quiet_weights/other")


def test_the_hub_is_asked_for_the_pinned_files_after_its_config_was_judged(tmp_path, monkeypatch):
    import huggingface_hub

    source, asked = folder_with(tmp_path / "source", {"model_type": "bert"}), []
    monkeypatch.setattr(
        huggingface_hub, "hf_hub_download", lambda name, file, revision: str(source / file)
    )
    monkeypatch.setattr(
        huggingface_hub,
        "snapshot_download",
        lambda name, **options: asked.append((name, options)) or str(source),
    )
    spec = {"model": "m", "kind": "encoder", "hub": "a/b", "revision": "0" * 40}
    base.main(made.arguments(spec, out=tmp_path / "out"))
    assert asked[0][0] == "a/b" and asked[0][1]["revision"] == "0" * 40
    assert (
        "*.safetensors" in asked[0][1]["allow_patterns"]
        and "*.bin" not in asked[0][1]["allow_patterns"]
    )
    (source / "config.json").write_text('{"model_type": "qwen"}')
    assert "Qwen 1" in refusal(spec, tmp_path / "other")
    assert len(asked) == 1, "no weights are fetched for a refused config"

    def offline(*_, **__):
        raise ConnectionError("no network")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", offline)
    assert "check its name, the revision and the network" in refusal(spec, tmp_path / "third")
