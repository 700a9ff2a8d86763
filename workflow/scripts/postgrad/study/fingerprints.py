"""What a rule's outputs depend on beside its inputs: the code behind it.

Snakemake sees neither an imported module nor a script called from `shell:`. So each rule carries
`code`: for cheap verbs a hash of the syntax tree (docstrings left out) of the script and every
local module that it imports; for expensive verbs the `VERSION` in the script, raised by hand when
results change, since a tidied module must not retrain a 72B model. A lock file holds the tree that
each VERSION was last confirmed for: `python -m postgrad.study.fingerprints`, in workflow/scripts,
writes it.
"""

import ast
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from postgrad.verbs.registry import VERBS

SCRIPTS = Path(__file__).resolve().parents[2]
EXPENSIVE = VERBS.that("expensive")
LOCK = SCRIPTS / "versions.json"
FINDER = "pkgutil"


def shape(tree: Any, words: list[str], imported: set[str]) -> None:
    """Append a syntax tree as words, and the dotted names of `postgrad`, and pkgutil, that it
    imports.

    Raises ValueError for a relative import, since which module it names depends on where the file
    lies. Docstrings are left out, and so are empty fields, whose names differ between Pythons, and
    `ctx`, which follows from the place.
    """
    if isinstance(tree, list):
        words.append("[")
        for item in tree:
            shape(item, words, imported)
        words.append("]")
    elif isinstance(tree, ast.AST):
        if isinstance(tree, ast.ImportFrom) and tree.level:
            raise ValueError(
                f"line {tree.lineno}: a relative import; write `from postgrad.<package> import <module>`."
            )
        if (
            isinstance(tree, ast.ImportFrom)
            and tree.module
            and tree.module.split(".")[0] == "postgrad"
        ):
            imported.update([tree.module, *(f"{tree.module}.{alias.name}" for alias in tree.names)])
        elif isinstance(tree, ast.Import):
            imported.update(
                name.name
                for name in tree.names
                if name.name.startswith("postgrad") or name.name == FINDER
            )
        words.append(type(tree).__name__)
        for name in tree._fields:
            value = getattr(tree, name, None)
            if name == "body" and isinstance(value, list) and value and _is_docstring(value[0]):
                value = value[1:]
            if value is not None and value != [] and name != "ctx":
                words.append(name)
                shape(value, words, imported)
    else:
        words.append(repr(tree))


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


@cache
def code(verb: str) -> str:
    """The fingerprint of a verb's code.

    Raises ValueError where an expensive verb's script declares no VERSION.
    """
    return version(verb) if verb in EXPENSIVE else tree_hash(verb)


@cache
def parsed(path: Path, changed: int) -> tuple[str, set[Path]]:
    """(shape of a file's syntax tree as text, paths of the local modules that it imports and of
    their packages).

    A module that imports pkgutil looks for modules in its own package, so all of them count as
    imported. changed: the file's time of change. Most modules stand behind many verbs: to read each
    once saves 0.15 s a start.
    """
    words: list[str] = []
    imported: set[str] = set()
    shape(ast.parse(path.read_text(encoding="utf-8")), words, imported)
    paths = set(path.parent.glob("*.py")) if FINDER in imported else set()
    for parts in (name.split(".") for name in imported):
        for depth in range(1, len(parts) + 1):
            place = SCRIPTS.joinpath(*parts[:depth])
            paths |= {place.with_suffix(".py"), place / "__init__.py"}
    return " ".join(words), {path for path in paths if path.exists()}


def modules(verb: str) -> dict[Path, str]:
    """{path.

    Shape of its syntax tree} of a verb's script and of every local module that it imports, at any
    depth.
    """
    found: dict[Path, str] = {}
    todo = [SCRIPTS / f"{verb}.py"]
    while todo:
        path = todo.pop()
        if path not in found:
            found[path], imported = parsed(path, path.stat().st_mtime_ns)
            todo += imported
    return found


def tree_hash(verb: str) -> str:
    """The hash of the syntax trees of all modules behind a verb, and of its templates."""
    digest = hashlib.sha256()
    for path, tree in sorted(modules(verb).items()):
        digest.update(f"{path.relative_to(SCRIPTS).as_posix()}\n{tree}\n".encode())
        for template in sorted(path.parent.glob(f"{verb}.*.j2")):
            digest.update(template.read_bytes())
    return digest.hexdigest()[:16]


def version(verb: str) -> str:
    """The VERSION that an expensive verb's script declares."""
    for node in ast.parse((SCRIPTS / f"{verb}.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [getattr(t, "id", "") for t in node.targets] == [
            "VERSION"
        ]:
            return f"version {ast.literal_eval(node.value)}"
    raise ValueError(f"{verb}.py declares no VERSION.")


def versions() -> dict[str, dict[str, str]]:
    """What the lock file should hold: {verb: {"version", "tree"}} of the expensive verbs."""
    return {verb: {"version": version(verb), "tree": tree_hash(verb)} for verb in EXPENSIVE}


def unconfirmed() -> str | None:
    """One sentence on the expensive verbs whose code changed while neither VERSION nor lock did, or
    None.
    """
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
        "VERSION in the script if results change; then run `python -m postgrad.study.fingerprints` in workflow/scripts."
    )


if __name__ == "__main__":
    LOCK.write_text(json.dumps(versions(), indent=1) + "\n", encoding="utf-8")
