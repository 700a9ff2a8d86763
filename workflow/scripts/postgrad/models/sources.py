"""Bases.

Where a model's files come from, and which of them are taken. No remote code and no pickle, ever.
"""

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

from postgrad.records.files import link


@dataclass(frozen=True, kw_only=True)
class BaseOptions:
    """A base as config/bases.yaml describes it.

    One of hub, folder, package and make says where it comes from.
    """

    model: str  # its name
    kind: str  # linear, encoder or causal
    hub: str | None = None
    revision: str | None = None  # of hub
    folder: str | None = None
    package: str | None = None  # package_name/folder/in/it
    make: dict[str, int] | None = None  # sizes and seed of a tiny model

    @property
    def origins(self) -> list[str]:
        """Which of hub, folder, package and make it names."""
        return [
            key for key in ("hub", "folder", "package", "make") if getattr(self, key) is not None
        ]


WANTED = ["*.safetensors", "*.json", "*.txt", "*.model", "*.tiktoken", "*.jinja"]


def base_folder(base: BaseOptions) -> Path:
    """The folder that holds a base's files: from the hub, from an installed package, or from disk.

    Errors say what to do.
    """
    if base.hub is not None:
        return hub_folder(base.hub, base.revision)
    if base.package is not None:
        return package_folder(base.package)
    folder = Path(base.folder or "").expanduser()
    if base.folder is None or not folder.is_dir():
        raise FileNotFoundError(
            f"base {base.model}: folder {folder} does not exist; mend its path in bases.yaml"
        )
    return folder


def hub_folder(name: str, revision: str | None) -> Path:
    """A snapshot of hub model `name` at `revision`, downloaded now.

    Its config is judged before the weights come.
    """
    if not revision:
        raise ValueError(
            f"hub model {name} has no revision: pin the commit, so that the same base comes tomorrow"
        )
    import huggingface_hub

    try:
        config = huggingface_hub.hf_hub_download(name, "config.json", revision=revision)
    except OSError as fault:
        raise missing(name, revision, fault) from fault
    refuse(name, Path(config))
    try:  # "*/*" leaves out subfolders: they hold the same weights in other formats
        return Path(huggingface_hub.snapshot_download(
            name, revision=revision, allow_patterns=WANTED, ignore_patterns=["*/*"]
        ))  # fmt: skip
    except OSError as fault:
        raise missing(name, revision, fault) from fault


def missing(name: str, revision: str, fault: OSError) -> ValueError:
    """The one sentence for a download that failed; every error of the hub is an OSError."""
    return ValueError(
        f"hub model {name} at {revision} did not come ({type(fault).__name__}): "
        "check its name, the revision and the network, or give a local folder"
    )


def package_folder(path: str) -> Path:
    """A folder inside an installed Python package, found without importing it."""
    package, _, inside = path.partition("/")
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError(
            f"package {package} is not installed: run pip install {package.replace('_', '-')}"
        )
    folder = Path(next(iter(found.submodule_search_locations))) / inside
    if not folder.is_dir():
        raise FileNotFoundError(
            f"package {package} has no folder {inside}: mend the path in bases.yaml"
        )
    return folder


def refuse(model: str, config: Path) -> None:
    """Nothing.

    ValueError for a config.json that needs code from outside or a class that does not exist.
    """
    if not config.is_file():
        raise FileNotFoundError(
            f"base {model}: {config} is missing; give a folder with config.json and safetensors"
        )
    facts = json.loads(config.read_text(encoding="utf-8"))
    if facts.get("model_type") == "qwen":
        raise ValueError(
            f"base {model} is a Qwen 1, which transformers has no class for: use Qwen 1.5 or later"
        )
    if "auto_map" in facts:
        raise ValueError(
            f"base {model} needs code from its author (auto_map), and none is run: use another model"
        )


def take_files(model: str, source: Path | str, target: Path | str) -> dict[str, str]:
    """Link (or copy, on another disk) a base's files from `source` to `target`: {file name:
    SHA-256}.

    ValueError without a safetensors file: weights as pickles may hold code, and are not read.
    """
    source, target = Path(source), Path(target)
    refuse(model, source / "config.json")
    if not any(source.glob("*.safetensors")):
        raise ValueError(
            f"base {model}: {source} has no safetensors file; convert its weights, pickles are not read"
        )
    for path in sorted(
        {path for pattern in WANTED for path in source.glob(pattern)} - {source / "model.json"}
    ):
        link(path.resolve(), target / path.name)
    return file_digests(target)


def file_digests(folder: Path | str) -> dict[str, str]:
    """{file name: SHA-256} of a folder's files."""
    digests = {}
    for path in sorted(Path(folder).iterdir()):
        with path.open("rb") as file:
            digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests
