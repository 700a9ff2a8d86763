"""Sources of bases: the hub, installed packages and folders, and the files taken from them.

Remote code is never run, and pickles are never read.
"""

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

from postgrad.records.files import link_or_copy


@dataclass(frozen=True, kw_only=True)
class BaseOptions:
    """A base of config/bases.yaml; one of hub, folder, package and make is its source."""

    model: str  # its name
    kind: str  # linear, encoder or causal
    hub: str | None = None
    revision: str | None = None  # of hub
    folder: str | None = None
    package: str | None = None  # package_name/folder/in/it
    make: dict[str, int] | None = None  # sizes and seed of a tiny model

    @property
    def origins(self) -> list[str]:
        """Those of hub, folder, package and make that are given."""
        return [
            key for key in ("hub", "folder", "package", "make") if getattr(self, key) is not None
        ]


MODEL_FILES = ["*.safetensors", "*.json", "*.txt", "*.model", "*.tiktoken", "*.jinja"]


def fetch_base(base: BaseOptions) -> Path:
    """Return the folder with a base's files, which are downloaded if the base is one of the hub.

    Raise `FileNotFoundError` if a folder or package does not exist, and `ValueError` if a download
    fails or the model cannot be used.
    """
    if base.hub is not None:
        return download_hub_model(base.hub, base.revision)
    if base.package is not None:
        return find_package_folder(base.package)
    folder = Path(base.folder or "").expanduser()
    if base.folder is None or not folder.is_dir():
        raise FileNotFoundError(
            f"base {base.model}: folder {folder} does not exist; correct its path in bases.yaml"
        )
    return folder


def download_hub_model(name: str, revision: str | None) -> Path:
    """Download a model of the hub at one revision and return its folder.

    Its config is checked before the weights are downloaded.

    Raises
    ------
    ValueError
        If there is no revision, the download fails, or the config cannot be used.
    """
    if not revision:
        raise ValueError(
            f"hub model {name} has no revision: give the commit, so that the base never changes"
        )
    import huggingface_hub

    try:
        config = huggingface_hub.hf_hub_download(name, "config.json", revision=revision)
    except OSError as fault:
        raise download_error(name, revision, fault) from fault
    check_config(name, Path(config))
    try:  # "*/*" leaves out subfolders, which hold the same weights in other formats
        folder = huggingface_hub.snapshot_download(
            name, revision=revision, allow_patterns=MODEL_FILES, ignore_patterns=["*/*"]
        )
    except OSError as fault:
        raise download_error(name, revision, fault) from fault
    return Path(folder)


def download_error(name: str, revision: str, fault: OSError) -> ValueError:
    """Return the error to raise for a failed download; every error of the hub is an OSError."""
    return ValueError(
        f"hub model {name} at {revision} could not be downloaded ({type(fault).__name__}): "
        "check its name, the revision and the network, or give a local folder"
    )


def find_package_folder(path: str) -> Path:
    """Return a folder inside an installed Python package, without importing the package.

    Parameters
    ----------
    path
        "package_name/folder/in/it".

    Raises
    ------
    FileNotFoundError
        If the package is not installed, or has no such folder.
    """
    package, _, inside = path.partition("/")
    module = importlib.util.find_spec(package)
    if module is None or not module.submodule_search_locations:
        raise FileNotFoundError(
            f"package {package} is not installed: run pip install {package.replace('_', '-')}"
        )
    folder = Path(next(iter(module.submodule_search_locations))) / inside
    if not folder.is_dir():
        raise FileNotFoundError(
            f"package {package} has no folder {inside}: correct the path in bases.yaml"
        )
    return folder


def check_config(model: str, config: Path) -> None:
    """Raise `ValueError` if a config.json needs remote code or a class that does not exist.

    Parameters
    ----------
    model
        The name of the base, for messages.
    config
        Path of config.json. Raise `FileNotFoundError` if it is missing.
    """
    if not config.is_file():
        raise FileNotFoundError(
            f"base {model}: {config} is missing; give a folder with config.json and safetensors"
        )
    facts = json.loads(config.read_text(encoding="utf-8"))
    if facts.get("model_type") == "qwen":
        raise ValueError(
            f"base {model} is a Qwen 1, for which transformers has no class: use Qwen 1.5 or later"
        )
    if "auto_map" in facts:
        raise ValueError(
            f"base {model} needs its author's code (auto_map), which is never run: "
            "use another model"
        )


def link_model_files(model: str, source: Path | str, target: Path | str) -> dict[str, str]:
    """Link a base's files into another folder, or copy them to another disk.

    Parameters
    ----------
    model
        The name of the base, for messages.
    source
        Folder of the files.
    target
        Folder for the links.

    Returns
    -------
    dict
        File name -> SHA-256.

    Raises
    ------
    ValueError
        If there is no safetensors file. Weights as pickles may contain code and are not read.
    """
    source, target = Path(source), Path(target)
    check_config(model, source / "config.json")
    if not any(source.glob("*.safetensors")):
        raise ValueError(
            f"base {model}: {source} has no safetensors file; convert its weights, "
            "because pickles are not read"
        )
    for path in sorted(
        {path for pattern in MODEL_FILES for path in source.glob(pattern)} - {source / "model.json"}
    ):
        link_or_copy(path.resolve(), target / path.name)
    return file_digests(target)


def file_digests(folder: Path | str) -> dict[str, str]:
    """Return the SHA-256 of each file of a folder, by file name."""
    digests = {}
    for path in sorted(Path(folder).iterdir()):
        with path.open("rb") as file:
            digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests
