"""The variants of an ablation: values taken apart, changes that are none, norms, and names of folders."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.config import QUICKSTART
from cnnlab.config.config import Config, read_config
from cnnlab.config.norms import norms_of
from cnnlab.core.errors import CnnlabError
from cnnlab.models.build import parameter_count
from cnnlab.network.fresh import new_network
from cnnlab.recipe.ingredients import decay_of_rate
from cnnlab.recipe.variants import AS_IT_IS, TOGETHER, Variant, file_stem, gathered, split_outside, variants_of


def make(changes: Sequence[str]) -> Config:
    return read_config(QUICKSTART, changes)


@settings(max_examples=25)
@given(st.lists(st.sampled_from(["1", "[]", "[a, b]", "{x: {y: 1, z: 2}}", "'a, b'", "[{crop: {padding: 2}}, flip]"])))
def test_values_are_what_was_joined(values: list[str]) -> None:
    assert split_outside(",".join(values)) == (values or [""])


@pytest.mark.parametrize("text", ["schedule", "=constant", "schedule=", "a=1,,2", "a=[1", "a=1]", "a='x"])
def test_what_is_no_switch_is_refused(text: str) -> None:
    with pytest.raises(CnnlabError, match=r"vary|bracket|quote"):
        gathered([text])


def test_each_variant_differs_from_the_config_in_its_switch_alone() -> None:
    vary = {"data.augment": ["[]"], "optimizer.sgd.weight_decay": ["0", "1e-3"], "schedule": ["constant"]}
    found = {one.label: one.config for one in variants_of(make, vary, together=True)}
    assert list(found) == [
        AS_IT_IS,
        "data.augment=[]",
        "optimizer.sgd.weight_decay=0",
        "optimizer.sgd.weight_decay=1e-3",
        "schedule=constant",
        TOGETHER,
    ]
    base, bare = found[AS_IT_IS], found[TOGETHER]
    assert bare.data.augment == []
    assert bare.optimizer.options["weight_decay"] == 0
    assert (decay_of_rate(base) > 0.9, decay_of_rate(bare)) == (True, 0)
    assert found["schedule=constant"].data == base.data


def test_without_norms_the_layers_have_their_biases_back() -> None:
    config = read_config(QUICKSTART)
    _, without = variants_of(make, {"norm": ["none"]})
    assert (len(norms_of(config)), norms_of(without.config)) == (5, ())
    before, after = (parameter_count(new_network(one, (3, 32, 32), 10)) for one in (config, without.config))
    channels = 16 + 32 + 64 + 64 + 64
    assert after == before - channels, "of two parameters per channel one stays: the bias"


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ({}, "nothing is varied"),
        ({"seed": ["1"]}, "seeds are what `repeats` is for"),
        ({"schedule": ["one_cycle"], "data.augment": ["[flip]"]}, "data.augment=[flip]: is what the config says"),
        ({"schedule": ["constant", "constant"]}, "is the same as schedule=constant"),
        ({"shedule": ["constant"]}, "Did you mean 'schedule'?"),
        ({"norm": ["relu"]}, "no norm 'relu'; known: none, batch_norm"),
        ({"norm": ["batch_norn"]}, "Did you mean 'batch_norm'?"),
        ({"training.epochs": ["0"]}, "training.epochs"),
    ],
)
def test_what_cannot_be_varied_is_one_sentence(vary: dict[str, list[str]], said: str) -> None:
    with pytest.raises(CnnlabError) as raised:
        variants_of(make, vary)
    assert said in str(raised.value)


def test_seeds_are_the_same_in_every_variant_and_names_are_not() -> None:
    variants = variants_of(make, {"norm": ["none"], "data.augment": ["[]"]})
    trials = [one.trials(3) for one in variants]
    assert [[trial.config.seed for trial in row] for row in trials] == [[0, 1, 2]] * 3
    assert len({trial.name for row in trials for trial in row}) == 9
    assert Variant(AS_IT_IS, make(["seed=4"])).trials(1)[0].name == "as-it-is-seed4"


@settings(max_examples=25)
@given(st.text(min_size=1), st.text(min_size=1))
def test_a_folders_name_can_be_one_and_tells_labels_apart(one: str, other: str) -> None:
    names = [file_stem(label) for label in (one, other)]
    assert all(name.isascii() and name[0].isalnum() and len(name) < 70 for name in names)
    assert names[0] != names[1] or one == other or {one, other} & {"a=b", "a b"}
