"""Tests of the loading of models: which parts of a network are frozen."""

import made
import pytest

from postgrad.models.loading import freeze_parameters, load_model

LABELS = [label["name"] for label in made.LABELS]


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """One tiny base of three layers for each kind of network."""
    folder = tmp_path_factory.mktemp("bases")
    return {kind: made.made_base(folder / kind, kind, layers=3) for kind in ("encoder", "causal")}


def loaded(bases, kind):
    return load_model(bases[kind], kind, labels=LABELS if kind == "encoder" else None)


def trained_layers(model):
    """The layers of which some parameter is trained, by the number in the parameters' names."""
    return {
        int(part)
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
        for part in name.split(".")
        if part.isdigit()
    }


@pytest.mark.parametrize("kind", ["encoder", "causal"])
@pytest.mark.parametrize(
    ("frozen", "trained"),
    [([], {0, 1, 2}), (["layers 0-1"], {2}), (["layers 1-1"], {0, 2}), (["layers 0-2"], set())],
)
def test_a_range_of_layers_is_frozen_with_both_ends(bases, kind, frozen, trained):
    model = loaded(bases, kind)
    freeze_parameters(model, frozen)
    assert trained_layers(model) == trained
    assert model.get_input_embeddings().weight.requires_grad


@pytest.mark.parametrize("kind", ["encoder", "causal"])
def test_embeddings_and_layers_are_frozen_together_and_the_rest_is_trained(bases, kind):
    model = loaded(bases, kind)
    freeze_parameters(model, ["embeddings", "layers 0-0", "layers 2-2"])
    assert not model.get_input_embeddings().weight.requires_grad
    assert trained_layers(model) == {1}
    if kind == "encoder":
        assert model.classifier.weight.requires_grad


@pytest.mark.parametrize("kind", ["encoder", "causal"])
def test_a_range_beyond_the_model_is_refused_with_the_number_of_its_layers(bases, kind):
    with pytest.raises(ValueError, match="frozen: layers 0-3 .* 3 layers; write layers 0-2"):
        freeze_parameters(loaded(bases, kind), ["layers 0-3"])
    with pytest.raises(ValueError, match="frozen: layers 7-9 .* 3 layers; write layers 0-2"):
        freeze_parameters(loaded(bases, kind), ["layers 7-9"])


def test_an_unknown_part_is_refused(bases):
    with pytest.raises(ValueError, match="frozen: head .*; write embeddings or layers 0-5"):
        freeze_parameters(loaded(bases, "encoder"), ["head"])
