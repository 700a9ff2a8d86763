"""What all scripts share: help on every flag, the spec, and the command that repeats a stage."""

import argparse
import importlib
import json
import shlex
import subprocess

import made
import pytest

from postgrad.runtime.cli import add_spec, parse_arguments, spec_path

SCRIPTS = sorted(path.stem for path in (made.ROOT / "workflow/scripts").glob("*.py"))
SPEC = {"model": "floor", "kind": "linear", "make": "20 °C, it's"}


class Parsed(Exception):
    """Raised where a script parses its command line, with its parser."""


@pytest.fixture(params=SCRIPTS)
def parser(request, monkeypatch):
    """The parser of a script."""

    def parsed(parser, words=None):
        raise Parsed(parser)

    script = importlib.import_module(request.param)
    monkeypatch.setattr(script, "parse_arguments", parsed)
    with pytest.raises(Parsed) as stop:
        script.main([])
    return stop.value.args[0]


def test_every_flag_has_a_help(parser):
    flags = {action.option_strings[0]: action for action in parser._actions}
    assert {"-h", "--spec", "--out"} <= set(flags)
    assert [flag for flag, action in flags.items() if not (action.help or "").strip()] == []
    assert "JSON file" in flags["--spec"].help and parser.format_help()


def repeated(text, folder):
    """The finished process of a command that a log begins with, run by a shell."""
    return subprocess.run(
        ["sh", "-c", text.splitlines()[0]], cwd=folder, capture_output=True, text=True
    )


def test_a_log_begins_with_the_command_that_repeats_the_stage(tmp_path):
    out = tmp_path / "a 'base' of $HOME"
    first = made.script("base", made.arguments({"model": "floor", "kind": "linear"}, out=out))
    assert first.returncode == 0, first.stderr
    facts = (out / "model.json").read_bytes()
    assert (
        json.loads(spec_path(out).read_text())
        == json.loads(facts)["spec"]
        == {"model": "floor", "kind": "linear"}
    )
    assert shlex.split(first.stdout.splitlines()[0])[-4:] == [
        "--spec",
        str(spec_path(out)),
        "--out",
        str(out),
    ]
    (out / "model.json").unlink()
    second = repeated(first.stdout, made.ROOT)
    assert second.returncode == 0, second.stderr
    assert (out / "model.json").read_bytes() == facts and second.stdout == first.stdout


def test_a_stage_that_fails_can_be_repeated_as_well(tmp_path):
    done = made.script("base", made.arguments(SPEC, out=tmp_path / "out"))
    assert done.returncode == 1 and done.stderr.startswith("base: ")
    again = repeated(done.stdout, made.ROOT)
    assert (again.returncode, again.stderr) == (1, done.stderr)


def parsed(spec, folder):
    """The options of `base` with this word after --spec."""
    parser = argparse.ArgumentParser()
    add_spec(parser, "a model")
    parser.add_argument("--out")
    return parse_arguments(parser, ["--spec", str(spec), "--out", str(folder / "out")])


def test_a_spec_is_json_or_a_file_and_is_kept_beside_the_result(tmp_path, capsys):
    (tmp_path / "spec.json").write_text(json.dumps(SPEC))
    for given in (
        json.dumps(SPEC),
        " \n" + json.dumps(SPEC),
        tmp_path / "spec.json",
        spec_path(tmp_path / "out"),
    ):
        assert parsed(given, tmp_path).spec == SPEC
        assert json.loads(spec_path(tmp_path / "out").read_text()) == SPEC
        assert shlex.split(capsys.readouterr().out)[-4:-2] == [
            "--spec",
            f"{tmp_path}/out.spec.json",
        ]


def test_a_number_is_kept_to_its_last_digit(tmp_path):
    spec = {"lr": 1.2345678901234567e-12, "c": 0.1 + 0.2, "k": 1, "epochs": 1.0}
    parsed(json.dumps(spec), tmp_path)
    assert (
        spec_path(tmp_path / "out").read_text() == json.dumps(spec, sort_keys=True, indent=1) + "\n"
    )


def test_a_rank_writes_and_prints_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("POSTGRAD_LAUNCHER", "1")
    assert parsed(json.dumps(SPEC), tmp_path).spec == SPEC
    assert capsys.readouterr().out == "" and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "given, sentence",
    [
        (
            "spec.jsn",
            "--spec spec.jsn: there is no such file; give JSON, which begins with {, or the path "
            "of a JSON",
        ),
        ("[1]", "--spec [1]: there is no such file; give JSON"),
        (
            '{"a": 1',
            "--spec is not valid JSON: Expecting ',' delimiter in line 1, column 8; quote it for "
            "the shell, or give",
        ),
        ("list.json", "list.json: expected a JSON object, which begins with {, found list"),
        ("half.json", "half.json is not valid JSON: Expecting value in line 2, column 1"),
    ],
)
def test_what_is_no_spec_is_refused(tmp_path, given, sentence):
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "half.json").write_text('{"a":\n')
    with pytest.raises(ValueError) as fault:
        parsed(tmp_path / given if given in ("list.json", "half.json") else given, tmp_path)
    assert sentence in str(fault.value)
    assert not spec_path(tmp_path / "out").exists()
