"""One lock for all: every pin of the requirements and of envs/ is the one of constraints.txt."""

import ast
import re
import sys

import pytest
import yaml
from tree import ROOT

ENVS = sorted((ROOT / "envs").glob("*.yaml"))
PROVIDES = {
    "backports": "backports.zstd",
    "xdist": "pytest-xdist",
    "yaml": "pyyaml",
    "sklearn": "scikit-learn",
}  # import name -> distribution, where they differ


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lines):
    """{distribution: version} of `name==version` lines; a line of another form is an error."""
    found = {}
    for line in lines:
        line = line.split("#")[0].strip()
        if line:
            match = re.fullmatch(r"([A-Za-z0-9._-]+)==([0-9][A-Za-z0-9.]*)", line)
            assert match, f"not a pin: {line}"
            name = canonical(match[1])
            assert name not in found, f"pinned twice: {name}"
            found[name] = match[2]
    return found


def file_pins(name):
    return pins((ROOT / name).read_text().splitlines())


def env_pins(path):
    (pip,) = [
        entry["pip"]
        for entry in yaml.safe_load(path.read_text())["dependencies"]
        if isinstance(entry, dict)
    ]
    return pins(pip)


LOCK = file_pins("constraints.txt")


@pytest.mark.parametrize(
    "name", ["requirements.txt", "requirements-dev.txt", "requirements-slurm.txt"]
)
def test_requirements_are_locked_and_give_a_reason(name):
    found = file_pins(name)
    assert found and found.items() <= LOCK.items()
    for line in (ROOT / name).read_text().splitlines():
        assert line.startswith("#") or re.search(r"\S\s+# \w+", line), f"no reason given: {line}"


@pytest.mark.parametrize("path", ENVS, ids=lambda path: path.name)
def test_environments_equal_the_lock(path):
    assert env_pins(path).items() <= LOCK.items()
    assert "python=3.11" in yaml.safe_load(path.read_text())["dependencies"]


def test_train_holds_base():
    base, train = (env_pins(ROOT / "envs" / name) for name in ("base.yaml", "train.yaml"))
    assert base.items() < train.items()
    assert "torch" in train and "torch" not in base


def test_torch_is_pinned_without_a_build():
    assert LOCK["torch"] == "2.13.0"  # a `+cpu` pin cannot be found on PyPI


def third_party(folder):
    """Distributions that the Python files under `folder` import, without the standard library and
    our own.
    """
    files = list((ROOT / folder).rglob("*.py"))
    own = {
        file.stem
        for place in ("workflow", "tests", "docs")
        for file in (ROOT / place).rglob("*.py")
    } | {"postgrad"}
    names = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module.split(".")[0])
    return {
        canonical(PROVIDES.get(name, name)) for name in names - own - set(sys.stdlib_module_names)
    }


@pytest.mark.parametrize("folder, one", [("workflow", "pandas"), ("docs", "jinja2")])
def test_whatever_is_imported_is_required(folder, one):
    imported = third_party(folder)
    assert one in imported
    assert imported <= set(file_pins("requirements.txt"))


def test_whatever_the_tests_import_is_required():
    assert third_party("tests") - set(file_pins("requirements.txt")) <= set(
        file_pins("requirements-dev.txt")
    )
