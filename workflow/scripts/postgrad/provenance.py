"""What a rule's outputs depend on beside its inputs: the code behind it.

Snakemake sees neither an imported module nor a script called from `shell:`. So each rule carries
`code`: for cheap verbs a hash of the syntax tree (docstrings left out) of the script and every local
module that it imports; for expensive verbs the `VERSION` in the script, raised by hand when results
change, since a tidied module must not retrain a 72B model.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1]
EXPENSIVE = ("pretrain", "finetune", "predict")


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
    script = SCRIPTS / f"{verb}.py"
    if verb in EXPENSIVE:
        return version(script)
    seen, todo = {}, [script]
    while todo:
        path = todo.pop()
        if path not in seen:
            tree = syntax_tree(path)
            seen[path] = ast.dump(tree)
            todo += local_modules(tree)
    digest = hashlib.sha256()
    for path in sorted(seen):
        digest.update(f"{path.name}\n{seen[path]}\n".encode())
        for template in sorted(path.parent.glob(f"{verb}.*.j2")):
            digest.update(template.read_bytes())
    return digest.hexdigest()[:16]


def version(script):
    """The VERSION that an expensive verb's script declares."""
    for node in ast.parse(Path(script).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [getattr(t, "id", "") for t in node.targets] == ["VERSION"]:
            return f"version {ast.literal_eval(node.value)}"
    raise ValueError(f"{Path(script).name} declares no VERSION.")
