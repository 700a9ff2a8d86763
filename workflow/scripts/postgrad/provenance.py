"""What a rule's outputs depend on beside its inputs: the code behind it.

Snakemake sees neither an imported module nor a script called from `shell:`. So each rule carries
`code`: for cheap verbs a hash of the syntax tree (docstrings left out) of the script and every local
module that it imports; for expensive verbs the `VERSION` in the script, raised by hand when results
change, since a tidied module must not retrain a 72B model. A lock file holds the tree that each VERSION
was last confirmed for: `python -m postgrad.provenance`, in workflow/scripts, writes it.
"""

import ast
import hashlib
import json
from functools import cache
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1]
EXPENSIVE = ("pretrain", "finetune", "predict")
LOCK = SCRIPTS / "versions.json"


def syntax_tree(path):
    """The syntax tree of a Python file without docstrings."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                node.body = body[1:]
    return tree


def shape(tree):
    """A syntax tree as nested lists: like ast.dump, but without empty fields, whose names differ between Pythons."""
    if isinstance(tree, ast.AST):
        fields = [(name, shape(value)) for name, value in ast.iter_fields(tree) if value not in (None, [])]
        return [type(tree).__name__, *fields]
    return [shape(item) for item in tree] if isinstance(tree, list) else repr(tree)


def local_modules(tree):
    """Paths of the modules of `postgrad` that a tree imports, at any depth of the tree."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "postgrad":
            names.update([node.module, *(f"{node.module}.{alias.name}" for alias in node.names)])
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names if alias.name.startswith("postgrad"))
    paths = (SCRIPTS.joinpath(*name.split(".")).with_suffix(".py") for name in names)
    return {path for path in paths if path.exists()}


@cache
def code(verb):
    """The fingerprint of a verb's code.

    Raises ValueError where an expensive verb's script declares no VERSION.
    """
    return version(verb) if verb in EXPENSIVE else tree_hash(verb)


@cache
def parsed(path, changed):
    """(shape of a file's syntax tree as text, paths of the local modules that it imports).

    changed: the file's time of change. Most modules stand behind many verbs: to read each once saves 0.15 s a start.
    """
    tree = syntax_tree(path)
    return str(shape(tree)), local_modules(tree)


def modules(verb):
    """{path: shape of its syntax tree} of a verb's script and of every local module that it imports, at any depth."""
    found, todo = {}, [SCRIPTS / f"{verb}.py"]
    while todo:
        path = todo.pop()
        if path not in found:
            found[path], imported = parsed(path, path.stat().st_mtime_ns)
            todo += imported
    return found


def tree_hash(verb):
    """The hash of the syntax trees of all modules behind a verb, and of its templates."""
    digest = hashlib.sha256()
    for path, tree in sorted(modules(verb).items()):
        digest.update(f"{path.name}\n{tree}\n".encode())
        for template in sorted(path.parent.glob(f"{verb}.*.j2")):
            digest.update(template.read_bytes())
    return digest.hexdigest()[:16]


def version(verb):
    """The VERSION that an expensive verb's script declares."""
    for node in ast.parse((SCRIPTS / f"{verb}.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [getattr(t, "id", "") for t in node.targets] == ["VERSION"]:
            return f"version {ast.literal_eval(node.value)}"
    raise ValueError(f"{verb}.py declares no VERSION.")


def versions():
    """What the lock file should hold: {verb: {"version", "tree"}} of the expensive verbs."""
    return {verb: {"version": version(verb), "tree": tree_hash(verb)} for verb in EXPENSIVE}


def unconfirmed():
    """One sentence on the expensive verbs whose code changed while neither VERSION nor lock did, or None."""
    locked = json.loads(LOCK.read_text(encoding="utf-8"))
    verbs = sorted(
        verb
        for verb, now in versions().items()
        if now["tree"] != locked[verb]["tree"] and now["version"] == locked[verb]["version"]
    )
    if not verbs:
        return None
    whose = "their" if len(verbs) > 1 else "its"
    return (
        f"The code behind {' and '.join(verbs)} changed, {whose} VERSION did not, and nothing reruns for it: raise "
        "VERSION in the script if results change; then run `python -m postgrad.provenance` in workflow/scripts."
    )


if __name__ == "__main__":
    LOCK.write_text(json.dumps(versions(), indent=1) + "\n", encoding="utf-8")
