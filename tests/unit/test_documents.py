"""What the documents and comments say of the tree.

Paths, modules, packages and targets that they name exist.
"""

import re

import pytest
import yaml
from tree import ROOT

DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "config/README.md",
    *sorted(ROOT.glob("docs/*.md")),
]
FOLDERS = ("workflow", "config", "tests", "docs", "envs", "profiles", "slurm")
# Documents say "Write this as `...`", or "New file `...`:", or `make task` writes the files.
WRITTEN_BY_THE_READER = {
    name
    for document in DOCUMENTS
    for name in re.findall(r"(?:Write this as|New file) `([^`]+)`", document.read_text())
} | {
    f"config/{folder}/{task}.yaml"
    for document in DOCUMENTS
    for task in re.findall(r"^make task .*NAME=(\S+)", document.read_text(), re.M)
    for folder in ("tasks", "studies")
}
POSTGRAD = ROOT / "workflow/scripts/postgrad"
# What is read with its comments and docstrings.
CODE = [ROOT / "Snakefile", ROOT / "Makefile"] + [
    path
    for folder in ("workflow", "envs", "profiles", "slurm")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in (".py", ".smk", ".yaml", ".j2")
]


def named_paths(text):
    """Paths below one of FOLDERS that a text names, as code, in a link or in prose.

    Patterns with <...> left out.
    """
    found = re.findall(rf"(?<![\w/.<>-])(?:{'|'.join(FOLDERS)})/[\w./*<>-]*", text)
    return {path.rstrip(".") for path in found if "<" not in path}


def links(text):
    """Targets of the links and pictures of a Markdown text, without anchors.

    Addresses of other sites left out.
    """
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    return {target.partition("#")[0] for target in found if not re.match(r"#|\w+:", target)}


def code(text):
    """The blocks and spans of code of a Markdown text."""
    blocks = re.findall(r"^```.*?^```", text, re.S | re.M)
    return "\n".join(
        [*blocks, *re.findall(r"`[^`\n]+`", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M))]
    )


def anchors(text):
    """The anchors of a Markdown text's headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def packages_told():
    """{package: packages that it imports from} as the README's table says, in its order."""
    text = (ROOT / "README.md").read_text()
    _, _, table = text.partition("| package | what it holds | imports from |\n|---|---|---|\n")
    rows = [line.split("|") for line in table.partition("\n\n")[0].splitlines()]
    return {
        name.strip(" `"): set(re.findall(r"`(\w+)`", imported)) for _, name, _, imported, _ in rows
    }


def packages_imported():
    """{package: packages that its modules import from} on disk."""
    found = {path.parent.name: set() for path in POSTGRAD.glob("*/__init__.py")}
    for path in POSTGRAD.glob("*/*.py"):
        found[path.parent.name] |= set(
            re.findall(r"^\s*(?:from|import) postgrad\.(\w+)", path.read_text(), re.M)
        )
    return {name: imported - {name} for name, imported in found.items()}


def test_paths_links_and_code_are_found():
    text = (
        "See `config/a.yaml`, [b](docs/b.md#c), docs/d.md. "
        "Not results/docs/e, `tests/<verb>.py` or [f](https://g/docs/h)."
    )
    assert named_paths(text) == {"config/a.yaml", "docs/b.md", "docs/d.md"}
    assert links(text) == {"docs/b.md"}
    assert code("make nothing\n```sh\nmake a\n```\nand `make b`.").split("\n") == [
        "```sh",
        "make a",
        "```",
        "`make b`",
    ]
    assert anchors("# A b\n## `c`: d-e\n") == {"a-b", "c-d-e"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_paths_that_a_document_names_exist(document):
    paths = named_paths(document.read_text()) - WRITTEN_BY_THE_READER
    assert [path for path in sorted(paths) if not any(ROOT.glob(path.rstrip("/")))] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(document):
    text = document.read_text()
    assert [
        target for target in links(text) if target and not (document.parent / target).exists()
    ] == []
    for target, anchor in re.findall(r"\]\(([^)\s:#]*)#([^)\s]+)\)", text):
        other = document.parent / target if target else document
        assert anchor in anchors(other.read_text()), f"{target}#{anchor}"


def test_modules_and_tests_that_code_and_comments_name_exist():
    files = [
        path for folder in ("workflow", "tests", "docs") for path in (ROOT / folder).rglob("*.*")
    ]
    known = {"/".join(path.relative_to(ROOT).parts[-n:]) for path in files for n in range(1, 7)}
    named = {
        path: re.findall(r"(?<![\w/.{}-])\w[\w/]*\.(?:py|smk)\b", path.read_text()) for path in CODE
    }
    assert len(set(sum(named.values(), []))) > 20
    assert {
        path.name: wrong for path, names in named.items() if (wrong := set(names) - known)
    } == {}


def test_paths_are_named_at_all():
    assert sum(len(named_paths(document.read_text())) for document in DOCUMENTS) > 30


def test_the_table_of_packages_is_that_of_the_disk():
    told, found = packages_told(), packages_imported()
    assert told == found, "correct the table of packages in README.md"
    names = list(told)
    assert all(
        names.index(other) < names.index(name) for name, others in told.items() for other in others
    )


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_targets_of_make_exist(document):
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.M))
    assert {"demo", "test", "lint"} <= targets
    assert set(re.findall(r"\bmake ([a-z][a-z-]*)", code(document.read_text()))) <= targets


def test_the_citation_is_whole():
    """The keys that CFF 1.2.0 demands, with the version and the licence of the other files."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (
        citation["cff-version"] == "1.2.0"
        and citation["message"]
        and citation["type"] == "software"
    )
    assert (
        citation["title"] == "Postgrad"
        and f"# {citation['title']}\n" in (ROOT / "README.md").read_text()
    )
    licence = (ROOT / "LICENSE").read_text()
    assert licence.startswith(f"{citation['license']} License\n")
    assert [f" {author['name']}\n" in licence for author in citation["authors"]] == [True]
    versions = re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert citation["version"] == versions[0]


def test_the_catalog_is_told_how_the_workflow_is_deployed():
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert set(usage) == {"mandatory-flags", "software-stack-deployment", "report"}
    assert usage["mandatory-flags"]["desc"] and usage["mandatory-flags"]["flags"] == []
    assert usage["software-stack-deployment"] == {
        "conda": True,
        "apptainer": False,
        "apptainer+conda": False,
    }
    assert usage["report"] is False
