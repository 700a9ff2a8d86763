"""The house rules of the code.

Which module may import which, and what every verb and rule must have.
"""

import ast
import re
import tomllib

import pytest
import yaml
from tree import ROOT

from postgrad.graph.options import verb_names
from postgrad.verbs.registry import VERBS

SCRIPTS = {path.stem: path for path in sorted((ROOT / "workflow/scripts").glob("*.py"))}
POSTGRAD = ROOT / "workflow/scripts/postgrad"
# "corpus.cleaning": its file
LIBRARY = {
    f"{path.parent.name}.{path.stem}": path
    for path in sorted(POSTGRAD.glob("*/*.py"))
    if path.stem != "__init__"
}
RULE_FILES = sorted((ROOT / "workflow/rules").glob("*.smk"))

# From the ground up: a package imports from those before it, and from its own modules without a
# circle.
PACKAGES = (
    "records",
    "runtime",
    "corpus",
    "augmentation",
    "evaluation",
    "predictors",
    "models",
    "training",
    "llm",
    "demo",
    "report",
    "config",
    "graph",
    "verbs",
    "study",
)
READ_BY_SNAKEMAKE = ("config", "graph", "verbs", "study")  # light at import
WITHOUT_TORCH = (
    "records",
    "runtime",
    "corpus",
    "augmentation",
    "evaluation",
    "predictors",
    "demo",
    "report",
    *READ_BY_SNAKEMAKE,
)
MAKES_TINY_MODELS = "demo.tiny_models"
# Whose inputs can change in number or name while spec and code stay.
NAMES_WHAT_IT_READS = (*VERBS, "score")  # a report lists its files
HEAVY = {
    "torch",
    "transformers",
    "accelerate",
    "tokenizers",
    "pandas",
    "pyarrow",
    "numpy",
    "sklearn",
    "scipy",
    "matplotlib",
}
TORCH = {"torch", "transformers", "accelerate"}


def imports(path, at_import=False):
    """Return the dotted names that a file imports, `from a import b` as `a.b`.

    With `at_import`, the imports inside functions are left out.
    """
    nodes, found = [ast.parse(path.read_text())], set()
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        if not (at_import and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            nodes.extend(ast.iter_child_nodes(node))
    return found


def roots(path, at_import=False):
    return {name.split(".")[0] for name in imports(path, at_import)}


def local(path, at_import=False):
    """Modules of the library that a file imports."""
    parts = [name.split(".") for name in imports(path, at_import) if name.startswith("postgrad.")]
    return {".".join(part[1:3]) for part in parts if ".".join(part[1:3]) in LIBRARY}


def reach(path):
    """Everything that importing a file imports, through the library's modules."""
    found, todo, seen = set(), [path], set()
    while todo:
        file = todo.pop()
        if file not in seen:
            seen.add(file)
            found |= roots(file, at_import=True)
            todo.extend(LIBRARY[name] for name in local(file, at_import=True))
    return found


def rules():
    """{rule: its lines} of every rule file, blank lines and comments left out."""
    found = {}
    for path in RULE_FILES:
        name = None
        for line in path.read_text().splitlines():
            if match := re.match(r"(?:rule|checkpoint) (\w+):", line):
                name = match[1]
                assert name not in found, f"two rules are called {name}"
                found[name] = []
            elif re.match(r"[^\s#]", line):
                name = None
            if name and line.strip() and not line.strip().startswith("#"):
                found[name].append(line)
    return found


RULES = rules()


def test_something_is_tested():
    assert RULES and SCRIPTS
    assert LIBRARY.keys() >= {
        "records.posts",
        "records.predictions",
        "graph.graph",
        "study.fingerprints",
    }


def test_the_library_lies_in_its_packages():
    assert {path.name for path in POSTGRAD.iterdir() if path.name != "__pycache__"} == {
        "__init__.py",
        *PACKAGES,
    }
    assert {path.read_text() for path in POSTGRAD.rglob("__init__.py")} == {""}, (
        "an __init__ re-exports nothing"
    )


@pytest.mark.parametrize("name", LIBRARY)
def test_library_knows_neither_snakemake_nor_argparse_nor_scripts(name):
    assert not roots(LIBRARY[name]) & ({"snakemake", "argparse"} | set(SCRIPTS))


@pytest.mark.parametrize("path", [*SCRIPTS.values(), *LIBRARY.values()], ids=lambda path: path.stem)
def test_imports_are_absolute(path):
    """A fingerprint follows no other: see study/fingerprints."""
    relative = [node for node in ast.walk(ast.parse(path.read_text())) if getattr(node, "level", 0)]
    assert relative == []


@pytest.mark.parametrize("name", LIBRARY)
def test_a_package_imports_only_from_packages_below_it(name):
    package, _, _ = name.partition(".")
    below = PACKAGES[: PACKAGES.index(package) + 1]
    assert [
        other for other in sorted(local(LIBRARY[name])) if other.partition(".")[0] not in below
    ] == []
    named = {
        part[1]
        for part in (x.split(".") for x in imports(LIBRARY[name]))
        if part[0] == "postgrad" and part[1:]
    }
    assert named <= set(PACKAGES), "say from which package a module comes"


@pytest.mark.parametrize("package", PACKAGES)
def test_the_modules_of_a_package_import_each_other_without_a_circle(package):
    arrows = {
        n: {o for o in local(path) if o.startswith(f"{package}.")}
        for n, path in LIBRARY.items()
        if n.startswith(f"{package}.")
    }
    while free := {name for name, targets in arrows.items() if not targets & arrows.keys()}:
        arrows = {name: targets for name, targets in arrows.items() if name not in free}
    assert arrows == {}


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_import_the_library_and_never_each_other(name):
    assert "snakemake" not in roots(SCRIPTS[name])
    assert not roots(SCRIPTS[name]) & set(SCRIPTS)
    assert not {other.partition(".")[0] for other in local(SCRIPTS[name])} & set(READ_BY_SNAKEMAKE)


def functions(tree, prefix=""):
    """Each public function and method of a module as (dotted name, its node).

    What stands in a function is private.
    """
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not re.match(
            r"_[^_]", node.name
        ):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from functions(node, f"{prefix}{node.name}.")


def lacks_annotations(tree):
    """Dotted names of the public functions of a module that lack an annotation of a parameter or of
    the result.
    """
    found = []
    for name, node in functions(tree):
        given = [
            *node.args.posonlyargs,
            *node.args.args,
            *node.args.kwonlyargs,
            node.args.vararg,
            node.args.kwarg,
        ]
        is_method = "." in name and "staticmethod" not in [
            ast.unparse(item) for item in node.decorator_list
        ]
        bare = [arg for arg in given[is_method:] if arg is not None and arg.annotation is None]
        if bare or node.returns is None and not (name.endswith(".__init__") and given[1:]):
            found.append(name)
    return found


def test_lacking_annotations_are_found():
    for text in (
        "def f(a): ...",
        "def f(a) -> int: ...",
        "def f(a: int): ...",
        "def f(*a) -> int: ...",
        "def f(**a) -> int: ...",
        "def f(*, a) -> int: ...",
        "def f(): ...",
        "async def f(): ...",
        "class A:\n    def f(self): ...",
        "class A:\n    def __call__(self, a) -> int: ...",
        "class A:\n    @staticmethod\n    def f(a) -> int: ...",
    ):
        assert lacks_annotations(ast.parse(text)), text
    for text in (
        "def f(a: int, *b: int, c: int = 1, **d: int) -> int: ...",
        "def _f(a): ...",
        "class A:\n    def f(self, a: int) -> int: ...",
        "def f() -> int:\n    def g(a): ...",
    ):
        assert lacks_annotations(ast.parse(text)) == [], text


@pytest.mark.parametrize("name", LIBRARY)
def test_public_functions_have_annotations(name):
    assert lacks_annotations(ast.parse(LIBRARY[name].read_text())) == []


def test_types_of_the_library_are_checked():
    """In make lint, all of it, as strictly as annotations everywhere allow, and nothing is left
    out.
    """
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M)
    assert lint and re.search(r" mypy\b", lint[1])
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    strict = (
        "check_untyped_defs",
        "disallow_any_generics",
        "disallow_incomplete_defs",
        "disallow_untyped_defs",
    )
    assert settings["files"] == ["workflow/scripts"] and all(
        settings[key] is True for key in strict
    )
    assert not settings.keys() & {
        "exclude",
        "ignore_errors",
        "disable_error_code",
        "follow_imports",
    }
    others = {
        module.split(".")[0] for override in settings["overrides"] for module in override["module"]
    }
    assert not others & {"postgrad", "*", *SCRIPTS}
    files = [*SCRIPTS.values(), *LIBRARY.values()]
    assert [
        path.name for path in files if re.search(r"# *(type: *ignore|mypy:)", path.read_text())
    ] == []


@pytest.mark.parametrize(
    "name", [name for name in LIBRARY if name.partition(".")[0] in WITHOUT_TORCH]
)
def test_torch_stays_where_models_are(name):
    assert name == MAKES_TINY_MODELS or not roots(LIBRARY[name]) & TORCH


@pytest.mark.parametrize(
    "name", [name for name in LIBRARY if name.partition(".")[0] in READ_BY_SNAKEMAKE]
)
def test_what_snakemake_reads_is_light_at_import(name):
    assert not reach(LIBRARY[name]) & HEAVY


@pytest.mark.parametrize("verb", RULES)
def test_every_rule_is_a_verb_with_script_and_test(verb):
    assert verb in SCRIPTS, f"rule {verb} has no workflow/scripts/{verb}.py"
    assert (ROOT / f"tests/cli/test_{verb}.py").exists(), (
        f"rule {verb} has no tests/cli/test_{verb}.py"
    )
    assert f"workflow/scripts/{verb}.py" in "\n".join(RULES[verb])


@pytest.mark.parametrize("verb", SCRIPTS)
def test_every_script_is_a_verb_with_a_rule(verb):
    assert verb in RULES


def test_every_verb_of_a_recipe_has_a_rule_and_options():
    assert set(VERBS) < set(RULES)
    assert list(VERBS) == [*verb_names(), *VERBS.of_recipe]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "workflow/schemas").glob("*.yaml")), ids=lambda path: path.stem
)
def test_every_key_has_a_sentence(path):
    """Every described key.

    A comma in an unquoted sentence would cut it, and leave a key without a value.
    """
    todo, described = [(path.stem, yaml.safe_load(path.read_text()))], 0
    while todo:
        place, part = todo.pop()
        assert part is not None or place.endswith(".default"), place
        if isinstance(part, dict):
            todo += [(f"{place}.{key}", value) for key, value in part.items()]
            for group in ("properties", "options", "references"):
                for key, body in (
                    part.get(group, {}).items()
                    if path.stem == "verbs" or group == "properties"
                    else []
                ):
                    described += 1
                    assert "description" in body or "$ref" in body, f"{place}.{key} has no sentence"
    assert described > 1


@pytest.mark.parametrize("verb", RULES)
def test_every_rule_has_the_same_silhouette(verb):
    body = "\n".join(RULES[verb])
    for key in ("output", "log", "conda", "params", "shell"):
        assert re.search(rf"^    {key}:", body, re.M), f"rule {verb} has no {key}"
    for param in ("spec", "code"):
        assert re.search(rf"^        {param}=", body, re.M), f"rule {verb} has no param {param}"
    assert not re.search(r"^    (run|script):", body, re.M)
    reads = bool(re.search(r"^        reads=", body, re.M))
    assert reads or verb not in NAMES_WHAT_IT_READS, (
        f"rule {verb} has no param reads: see profiles/default"
    )
    assert len(RULES[verb]) - 1 - reads <= 30, f"rule {verb} has {len(RULES[verb]) - 1} lines"


@pytest.mark.parametrize("verb", RULES)
def test_shell_values_are_quoted(verb):
    shell = "\n".join(RULES[verb]).split("    shell:")[1]
    unquoted = [
        name for name in re.findall(r"(?<!\{)\{([^{}]+)\}", shell) if not name.endswith(":q")
    ]
    assert unquoted == [], f"rule {verb}: {unquoted} lack :q"


def is_docstring(node):
    """Whether a statement is a text alone."""
    return isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str)


@pytest.mark.parametrize("verb", SCRIPTS)
def test_scripts_can_be_read_in_one_sitting(verb):
    text = SCRIPTS[verb].read_text()
    statements = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.stmt) and not is_docstring(node)
    ]
    assert len(statements) <= 68  # the formatter decides how many lines they take
    assert f"workflow/scripts/{verb}.py" in (ast.get_docstring(ast.parse(text)) or ""), (
        "no example call in the docstring"
    )


WIDTH = 100  # columns, as ruff checks those of Python


def test_no_line_of_yaml_or_of_the_rules_is_wider_than_100_columns():
    folders = ("config", "envs", "profiles", "slurm", "tests", "workflow")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    files = [path for path in files if path.suffix in (".yaml", ".yml", ".smk")]
    files += [ROOT / "Snakefile", *ROOT.glob(".*.y*ml")]
    assert len(files) > 50
    wide = [
        f"{path.relative_to(ROOT)}, line {number}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > WIDTH
    ]
    assert wide == [], "write what does not fit one line in block style"


def told(path):
    """A file's code in words: docstrings and comments left out."""
    text = path.read_text()
    if path.suffix != ".py":
        return text if path.suffix == ".j2" else re.sub(r'""".*?"""|#[^\n]*', "", text, flags=re.S)
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def test_no_code_names_a_recipe():
    """A new system is a new file of config/recipes, and nothing else."""
    recipes = [path.stem for path in (ROOT / "config/recipes").glob("*.yaml")]
    files = [
        path
        for path in (ROOT / "workflow").rglob("*")
        if path.suffix in (".py", ".smk", ".j2", ".yaml")
    ]
    assert recipes and len(files) > 50
    named = re.compile(rf"\b({'|'.join(recipes)})\b", re.I)
    assert [path.name for path in [ROOT / "Snakefile", *files] if named.search(told(path))] == []


def test_no_id_of_a_node_is_taken_apart():
    """Name and axes stand beside an id wherever they are needed.

    Only records/names knows how an id is made.
    """
    files = [
        path for path in (ROOT / "workflow").rglob("*") if path.suffix in (".py", ".smk", ".j2")
    ]
    named = re.compile(r"""["']@["']|\b_?AT\b""")
    assert [path.name for path in files if named.search(told(path))] == ["names.py"]


STRUCTURAL = ("pretrain", "finetune", "predict")
NOUNS = (
    "label",
    "fold",
)  # verbs that are also terms of the field: a label of a post, the axis fold


def mentions(text, verb):
    """Whether a text mentions a verb in any form.

    Of a verb that is a noun as well, only its name in code.
    """
    if verb in NOUNS:
        found = re.search(
            rf"""verb\w* (==|!=|in|not in) \(?["']{verb}["']|verbs?\.{verb}\b|\["{verb}"\]\.""",
            text,
        )
    else:
        found = re.search(rf"\b{verb.removesuffix('e')}\w*", text)
    return bool(found)


def test_mentions_are_found():
    assert mentions('if node.verb == "label":', "label") and mentions(
        'verb in ("fold", "vote")', "fold"
    )
    assert mentions("# members of their votes", "vote") and mentions(
        "from postgrad.verbs.review import X", "review"
    )
    assert not mentions('label["name"] for label in task["labels"]', "label") and not mentions(
        "devote", "vote"
    )


def test_graph_and_study_mention_no_verb_that_a_recipe_can_do_without():
    files = [
        *POSTGRAD.glob("graph/*.py"),
        *POSTGRAD.glob("study/*.py"),
        ROOT / "workflow/rules/common.smk",
    ]
    verbs = [verb for verb in VERBS if verb not in STRUCTURAL]
    assert len(files) > 15 and len(verbs) > 5
    found = {
        (file.name, verb) for file in files for verb in verbs if mentions(file.read_text(), verb)
    }
    assert found == set()


def unsafe(tree):
    """What a syntax tree holds of pickles, remote code and shells: a list of words."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            found += [
                name
                for name in names
                if name.split(".")[0] in {"pickle", "dill", "cloudpickle", "marshal"}
            ]
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {
            "torch.load",
            "os.system",
            "joblib.load",
        }:
            found.append(ast.unparse(node))
        if isinstance(node, ast.keyword) and node.arg in {
            "trust_remote_code",
            "allow_pickle",
            "shell",
        }:
            found += [] if getattr(node.value, "value", True) is False else [node.arg]
        if isinstance(node, ast.keyword) and node.arg == "use_safetensors":
            found += [] if getattr(node.value, "value", False) is True else [node.arg]
    return found


def test_unsafe_finds_what_it_looks_for():
    for line in (
        "import pickle",
        "from pickle import loads",
        "torch.load(f)",
        "f(trust_remote_code=True)",
        "f(trust_remote_code=x)",
        "run(x, shell=True)",
        "f(use_safetensors=False)",
    ):
        assert unsafe(ast.parse(line)), line
    assert unsafe(ast.parse("f(trust_remote_code=False, use_safetensors=True, shell=False)")) == []


@pytest.mark.parametrize("folder", ["workflow", "tests", "docs"])
def test_no_pickles_no_remote_code_no_shell(folder):
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    assert {
        file.name: found for file in files if (found := unsafe(ast.parse(file.read_text())))
    } == {}


def test_no_posts_beside_the_code():
    """What holds posts or weights belongs in results/, work/ and the folder of a study's data."""
    kinds = {
        ".csv",
        ".tsv",
        ".xlsx",
        ".parquet",
        ".jsonl",
        ".zst",
        ".safetensors",
        ".bin",
        ".pt",
        ".zip",
    }
    folders = ("workflow", "config", "tests", "docs", "envs", "profiles", "slurm")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    assert len(files) > 20
    assert [path.name for path in files if path.suffix in kinds] == []


# Names that Snakemake hands to every rule file.
OF_SNAKEMAKE = {"workflow", "rules", "checkpoints", "logger"}
# What opens a block of a rule file. The body of a hook is Python; that of any other is arguments.
BLOCK = re.compile(r"(rule|checkpoint|module|use rule)\b.*:\s*$|[a-z_]+:(\s|$)")
HOOK = re.compile(r"(onstart|onsuccess|onerror):\s*$")


def python_of(rules):
    """The Python of a rule file, without what Snakemake adds to it: rules and its other blocks."""
    lines, skipped = [], False
    for line in rules.splitlines():
        if HOOK.match(line):
            lines, skipped = [*lines, "if True:"], False
        elif BLOCK.match(line) and not re.match(r"(try|else|finally):", line):
            skipped = True
        elif not skipped or re.match(r"[^\s#]", line):
            skipped = skipped and line[:1] in ")]}"
            lines += [] if skipped else [line]
    return "\n".join(lines)


def root(node):
    """The name with which a chain like `a.b[0].c` begins, or None where it begins with a call or a
    value.
    """
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def foreign(tree, known=()):
    """Names that stand for a module or a class of another library, or for an attribute of one."""
    found = set(known)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [(alias.asname or alias.name.split(".")[0], alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(alias.asname or alias.name, node.module) for alias in node.names]
        else:
            continue
        found |= {name for name, module in names if module.split(".")[0] != "postgrad"}
    pairs = [(node.targets[0], node.value) for node in ast.walk(tree)
             if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)]  # fmt: skip
    while (
        more := {
            target.id for target, value in pairs if root(value) in found and is_patchable(value)
        }
        - found
    ):
        found |= more
    return found


def is_patchable(value):
    """Whether a chain leads to an object of a library.

    A name, or attributes of one. An item of os.environ is none.
    """
    while isinstance(value, ast.Attribute):
        value = value.value
    return isinstance(value, ast.Name)


def patches(tree, known=()):
    """Each assignment to an attribute of another library, or to an item of one of its mappings, as
    source text.

    os.environ is the process's own, and its items may be set.
    """
    names, found = foreign(tree, known), []
    for node in ast.walk(tree):
        targets = [node] if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del) else []
        if isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "setattr",
            "delattr",
            "object.__setattr__",
        ):
            targets = node.args[:1]
            found += [
                ast.unparse(node)
                for target in targets
                if root(target) in names or is_class_of(target)
            ]
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and root(node.func) in names
        ):
            place, method = ast.unparse(node.func.value), node.func.attr
            if method in ("update", "setdefault", "pop", "__setattr__") and re.search(
                r"modules$|__dict__$", place
            ):
                found.append(ast.unparse(node))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            modules = [getattr(node, "module", ""), *(alias.name for alias in node.names)]
            found += (
                [ast.unparse(node)]
                if any(re.match(r"(unittest\.)?mock\b", name or "") for name in modules)
                else []
            )
        elif targets and isinstance(node, ast.Attribute | ast.Subscript):
            own = ast.unparse(node).startswith("os.environ[")
            inside = ast.walk(node) if isinstance(node, ast.Subscript) else [node]
            called = any(
                isinstance(part, ast.Call)
                and ast.unparse(part.func) in ("vars", "type")
                and part.args
                and root(part.args[0]) in names
                for part in inside
            )
            if not own and (
                root(node) in names or called or is_class_of(getattr(node, "value", None))
            ):
                found.append(ast.unparse(node))
    return found


def is_class_of(node):
    """Whether an expression is the class of an object: `type(x)` or `x.__class__`."""
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) == "type"
    return isinstance(node, ast.Attribute) and node.attr == "__class__"


def test_patches_are_found():
    for text in (
        "import sys\nsys.modules['deepspeed'] = None",
        "from sys import modules\nmodules['deepspeed'] = None",
        "import sys\nsys.modules.update(deepspeed=None)",
        "import subprocess\nsubprocess.Popen.__init__ = lambda self: None",
        "from subprocess import Popen\nPopen.__init__ = print",
        "import subprocess as s\ns.run = print",
        "def f():\n    import torch.nn as nn\n    nn.Module.forward = None",
        "import snakemake.common as c\nfrom functools import cache\nc.get = c.other = cache(c.get)",
        "import torch\nsetattr(torch.Tensor, 'half', None)",
        "import torch\ndel torch.Tensor.half",
        "import torch\ntensor = torch.Tensor\ntensor.half = None",
        "import torch\nx, torch.cuda.is_available = 1, print",
        "import torch\ntorch.x += 1",
        "import torch\ntorch.x: int = 1",
        "import torch\nfor torch.x in []: pass",
        "import torch\nvars(torch)['half'] = None",
        "import torch\ntorch.Tensor.__dict__['half'] = None",
        "type(model).forward = None",
        "model.__class__.forward = None",
        "import os\nos.environ = {}",
        "from unittest import mock",
        "import unittest.mock as m",
    ):
        assert patches(ast.parse(text)), text
    for text in (
        "workflow.scheduler.schedule = lambda: True",
        "onstart:\n    workflow.scheduler.schedule = lambda: True",
        "rule a:\n    output:\n        'a',\n    shell:\n        'b'\n\n\nplace = "
        "workflow.scheduler\nplace.x = 1",
        "from snakemake.persistence import PersistenceBase\n\n\nPersistenceBase._input = lambda "
        "self, job: []",
    ):
        assert patches(ast.parse(python_of(text)), OF_SNAKEMAKE), text


def test_what_is_no_patch_is_left_alone():
    for text in (
        "import torch\nmodel = torch.nn.Linear(1, 1)\nmodel.note = 1",
        "import numpy as np\nfound = np.zeros(3)\nfound[0] = 1",
        "import os\nos.environ['A'] = '1'\nos.environ.update(A='1')",
        "from postgrad.records import names\nself.names = names",
        "import gc\ngc.set_threshold(100)",
    ):
        assert patches(ast.parse(text)) == [], text


@pytest.mark.parametrize("folder", ["workflow", "docs"])
def test_no_attribute_of_another_library_is_assigned(folder):
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    assert {
        file.name: found for file in files if (found := patches(ast.parse(file.read_text())))
    } == {}


def test_no_rule_file_assigns_attributes_of_snakemake_or_of_another_library():
    """The rule files share their names, so one is read behind the other."""
    texts = [python_of(path.read_text()) for path in [*RULE_FILES, ROOT / "Snakefile"]]
    code = "\n".join(texts)
    assert len(re.findall("^def ", code, re.M)) > 10 and "log_upgrade()" in code, (
        "the rule files are read as Python"
    )
    assert patches(ast.parse(code), OF_SNAKEMAKE) == []
