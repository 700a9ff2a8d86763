"""Which model stands for a base at a study's scale."""

from typing import Any

from postgrad.config.errors import ConfigError


def kind_at_scale(study: Any, base: str, where: str) -> str | None:
    """The kind of model that a base is at the study's scale.

    None where the scale says that there is none.
    """
    place = f"{study.root}/scales/{study.scale_name}.yaml: bases"
    if base not in study.scale["bases"]:
        raise ConfigError(
            f"{where}: {place} does not name {base!r}; add it there, with the model that stands for it, or null."
        )
    model = study.model_of(base)
    return study.bases.get(model, {}).get("kind") if model else None
