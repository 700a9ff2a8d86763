"""Which model stands for a base at a study's scale."""

from typing import Any

from postgrad.config.errors import ConfigError


def kind_at_scale(study: Any, base: str, where: str) -> str | None:
    """Return the kind of model that stands for a base at the study's scale.

    Parameters
    ----------
    study
        The study.
    base
        A base of config/bases.yaml.
    where
        The place in the recipe that names the base, for messages.

    Returns
    -------
    str or None
        The kind, or None if the scale has no model for the base.

    Raises
    ------
    ConfigError
        If the scale does not name the base.
    """
    place = f"{study.root}/scales/{study.scale_name}.yaml: bases"
    if base not in study.scale["bases"]:
        raise ConfigError(
            f"{where}: {place} does not name {base!r}; add it there, with the model that stands "
            "for it, or null."
        )
    model = study.model_of(base)
    return study.bases.get(model, {}).get("kind") if model else None
