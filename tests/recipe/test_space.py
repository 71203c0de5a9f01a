"""The space of a sweep: ranges read, bad ones refused, and values inside of them."""

from collections.abc import Sequence

import numpy as np
import pytest

from cnnlab.config import QUICKSTART
from cnnlab.config.config import Config, read_config
from cnnlab.core.errors import CnnlabError
from cnnlab.recipe.importances import explained
from cnnlab.recipe.space import config_at, dimension_of, space_of


def make(changes: Sequence[str]) -> Config:
    return read_config(QUICKSTART, changes)


def test_each_kind_of_range_is_read() -> None:
    texts = ["optimizer.lr=log(1e-3, 1)", "ema.decay=uniform(0.9,0.99)", "training.epochs=int(1,5)",
             "norm=choice(none, {group_norm: {groups: 8}})"]  # fmt: skip
    found = space_of(texts, make)
    assert [one.text for one in found] == [
        "log(0.001,1.0)", "uniform(0.9,0.99)", "int(1,5)", "choice(none,{group_norm: {groups: 8}})"
    ]  # fmt: skip
    config = config_at(make, {"optimizer.lr": 1e-05, "training.epochs": 3, "norm": "none"})
    assert (config.optimizer.options["lr"], config.training.epochs) == (1e-05, 3)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([], "the space is empty"),
        (["optimizer.lr"], "expected KEY=log(1e-3,1)"),
        (["optimizer.lr=lag(1,2)"], "Did you mean 'log'?"),
        (["optimizer.lr=log(0,1)"], "0 has no logarithm"),
        (["optimizer.lr=uniform(2,1)"], "2 is not below 1"),
        (["optimizer.lr=uniform(1)"], "expected two numbers"),
        (["optimizer.lr=uniform(a,1)"], "'a' is no number"),
        (["optimizer.lr=uniform(0.1,inf)"], "'inf' is not finite"),
        (["training.epochs=int(1,2.5)"], "expected two whole numbers"),
        (["schedule=choice(cosine)"], "expected two choices or more"),
        (["optimizer.lrr=log(1e-3,1)"], "Did you mean 'lr'?"),
        (["training.epochs=int(0,3)"], "training.epochs"),
        (["schedule=choice(cosine,cosmic)"], "cosmic"),
        (["optimizer.lr=log(0.1,1)", "optimizer.lr=log(0.1,2)"], "names optimizer.lr twice"),
        (["seed=int(0,5)"], "seeds are what"),
    ],
)
def test_what_is_no_space_is_one_sentence(texts: list[str], said: str) -> None:
    with pytest.raises(CnnlabError) as raised:
        space_of(texts, make)
    assert said in str(raised.value)


def test_numbers_are_suggested_within_their_range() -> None:
    optuna = pytest.importorskip("optuna")
    trial = optuna.trial.FixedTrial({"a": 0.5, "b": 3, "c": "y"})
    asked = [dimension_of(text) for text in ("a=log(0.1,1)", "b=int(1,5)", "c=choice(x,y)")]
    assert [one.suggest(trial) for one in asked] == [0.5, 3, "y"]
    assert {name: one.to_internal_repr(1) for name, one in trial.distributions.items() if name == "b"} == {"b": 1}
    assert (trial.distributions["a"].low, trial.distributions["a"].high, trial.distributions["a"].log) == (0.1, 1, True)


def test_without_scikit_learn_the_share_of_the_variance_tells_what_mattered() -> None:
    drawn = np.random.default_rng(0)
    strong, weak = drawn.uniform(size=60), drawn.uniform(size=60)
    found = explained({"weak": list(weak), "strong": list(strong)}, strong + 0.01 * weak)
    assert list(found) == ["strong", "weak"]
    assert found["strong"] > 0.8
    assert sum(found.values()) == pytest.approx(1)
