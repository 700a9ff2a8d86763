"""Fingerprints of the code behind each rule, on which its outputs depend in addition to its inputs.

Snakemake sees neither an imported module nor a script that `shell:` calls. Therefore each rule has
a param `code`. For a cheap verb it is a hash of the syntax trees, without docstrings, of its script
and of every local module that the script imports. For an expensive verb it is the `VERSION` in the
script, which is raised by hand when results change, because a model of 72B parameters must not be
trained again for a tidied module. A lock file contains the tree for which each VERSION was last
confirmed. `python -m postgrad.study.fingerprints`, run in workflow/scripts, writes it.
"""

import ast
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from postgrad.verbs.registry import VERBS

SCRIPTS = Path(__file__).resolve().parents[2]
EXPENSIVE = VERBS.verbs_with_trait("expensive")
LOCK = SCRIPTS / "versions.json"
FINDER = "pkgutil"


def append_tree_words(tree: Any, words: list[str], imported: set[str]) -> None:
    """Append a syntax tree as words, and the modules that it imports.

    Docstrings are left out. So are empty fields, whose names differ between Python versions, and
    `ctx`, which follows from the place in the tree.

    Parameters
    ----------
    tree
        A node of a syntax tree, a list of nodes, or a value.
    words
        Gets the words of the tree.
    imported
        Gets the dotted names of imported modules of `postgrad`, and pkgutil.

    Raises
    ------
    ValueError
        For a relative import, because its meaning depends on the folder of the file.
    """
    if isinstance(tree, list):
        words.append("[")
        for item in tree:
            append_tree_words(item, words, imported)
        words.append("]")
    elif isinstance(tree, ast.AST):
        if isinstance(tree, ast.ImportFrom) and tree.level:
            raise ValueError(
                f"line {tree.lineno}: a relative import; "
                "write `from postgrad.<package> import <module>`."
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
                append_tree_words(value, words, imported)
    else:
        words.append(repr(tree))


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


@cache
def code_fingerprint(verb: str) -> str:
    """Return the VERSION of an expensive verb, or a hash of the code of a cheap one.

    Raise `ValueError` if the script of an expensive verb declares no VERSION.
    """
    return declared_version(verb) if verb in EXPENSIVE else tree_hash(verb)


@cache
def parse_module(path: Path, changed: int) -> tuple[str, set[Path]]:
    """Return the syntax tree of a file as text, and the local modules that it imports.

    Parameters
    ----------
    path
        The file.
    changed
        The time of its last change. Most modules are imported by many verbs: the cache, which reads
        each of them once, saves 0.15 s a start.

    Returns
    -------
    tree : str
    imported : set of Path
        The imported modules and their packages. A module that imports pkgutil looks for modules in
        its own package, so all of these count as imported.
    """
    words: list[str] = []
    imported: set[str] = set()
    append_tree_words(ast.parse(path.read_text(encoding="utf-8")), words, imported)
    paths = set(path.parent.glob("*.py")) if FINDER in imported else set()
    for parts in (name.split(".") for name in imported):
        for depth in range(1, len(parts) + 1):
            place = SCRIPTS.joinpath(*parts[:depth])
            paths |= {place.with_suffix(".py"), place / "__init__.py"}
    return " ".join(words), {path for path in paths if path.exists()}


def modules_of_verb(verb: str) -> dict[Path, str]:
    """Return the syntax trees, as text, of a verb's script and local modules, by path."""
    hashes: dict[Path, str] = {}
    todo = [SCRIPTS / f"{verb}.py"]
    while todo:
        path = todo.pop()
        if path not in hashes:
            hashes[path], imported = parse_module(path, path.stat().st_mtime_ns)
            todo += imported
    return hashes


def tree_hash(verb: str) -> str:
    """Return the hash of the syntax trees of all modules behind a verb, and of its templates."""
    digest = hashlib.sha256()
    for path, tree in sorted(modules_of_verb(verb).items()):
        digest.update(f"{path.relative_to(SCRIPTS).as_posix()}\n{tree}\n".encode())
        for template in sorted(path.parent.glob(f"{verb}.*.j2")):
            digest.update(template.read_bytes())
    return digest.hexdigest()[:16]


def declared_version(verb: str) -> str:
    """Return the VERSION that an expensive verb's script declares.

    `ValueError` if there is none.
    """
    for node in ast.parse((SCRIPTS / f"{verb}.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [getattr(t, "id", "") for t in node.targets] == [
            "VERSION"
        ]:
            return f"version {ast.literal_eval(node.value)}"
    raise ValueError(f"{verb}.py declares no VERSION.")


def versions_of_expensive_verbs() -> dict[str, dict[str, str]]:
    """Return what the lock file should contain.

    The VERSION and tree hash of each expensive verb.
    """
    return {
        verb: {"version": declared_version(verb), "tree": tree_hash(verb)} for verb in EXPENSIVE
    }


def unconfirmed_message() -> str | None:
    """Return a message about expensive verbs whose code changed without a new VERSION, or None."""
    locked = json.loads(LOCK.read_text(encoding="utf-8"))
    verbs = sorted(
        verb
        for verb, now in versions_of_expensive_verbs().items()
        if now["tree"] != locked[verb]["tree"] and now["version"] == locked[verb]["version"]
    )
    if not verbs:
        return None
    whose = "their" if len(verbs) > 1 else "its"
    return (
        f"The code behind {' and '.join(verbs)} changed, {whose} VERSION did not, and nothing "
        "reruns for it: raise VERSION in the script if results change; then run "
        "`python -m postgrad.study.fingerprints` in workflow/scripts."
    )


if __name__ == "__main__":
    LOCK.write_text(json.dumps(versions_of_expensive_verbs(), indent=1) + "\n", encoding="utf-8")
