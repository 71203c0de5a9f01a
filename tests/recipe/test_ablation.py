"""`cnnlab ablate`: paired by seeds, resumed, planned, and what is said of ingredients."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import cnnlab
from cnnlab.config import QUICKSTART
from cnnlab.config.config import read_config
from cnnlab.recipe.facts import Ablation, Repeat, VariantFacts, epochs_saved, first_at, paired
from cnnlab.recipe.ingredients import claims_of
from cnnlab.recipe.report import ablation_report
from cnnlab.stats.claim import Finding
from cnnlab.stats.confidence import mean_interval
from cnnlab.view.blocks import figures

SMALL = (
    "data.dataset={shapes: {train_count: 96, size: 16}}",
    "data.validation=0.25",
    "model=[{conv_bn_act: {channels: 4}}, global_avg_pool, linear]",
    "training.batch_size=32",
    "training.epochs=1",
    "training.clean_train_pictures=20",
)
WORDS = ("quickstart.yaml", *SMALL, "--vary", "norm=none", "--device", "cpu")


def repeat(seed: int, accuracy: float | None, *, gap: float = 0.1, epochs: int | None = 2) -> Repeat:
    clean = None if accuracy is None else accuracy + gap
    curve = (accuracy,)
    return Repeat("r", seed, "finished", accuracy, accuracy, clean, epochs, 1.0, 2.0, 10, "good", curve)


def variant(label: str, *accuracies: float | None, gap: float = 0.1, epochs: int | None = 2) -> VariantFacts:
    repeats = (repeat(seed, one, gap=gap, epochs=epochs) for seed, one in enumerate(accuracies))
    return VariantFacts(label, tuple(repeats))


def test_differences_are_those_of_the_same_seeds() -> None:
    ours, theirs = variant("a", 0.8, None, 0.7, 0.9), variant("b", 0.7, 0.9, 0.65)
    assert paired(ours, theirs, lambda one: one.accuracy) == mean_interval([0.8 - 0.7, 0.7 - 0.65])
    same = paired(variant("a", 0.5, 0.5), variant("b", 0.25, 0.25), lambda one: one.accuracy)
    assert same is not None
    assert (same.mean, same.interval) == (0.25, None)
    assert paired(variant("a", None), theirs, lambda one: one.accuracy) is None


@pytest.mark.parametrize(
    ("curve", "epoch"), [((0.5, 0.7), 2), ((0.8, 0.1), 1), ((None, 0.9), 2), ((0.6,), None), ((), None)]
)
def test_the_first_epoch_at_a_threshold(curve: tuple[float | None, ...], epoch: int | None) -> None:
    assert first_at(curve, 0.7) == epoch


def ablation(*variants: VariantFacts) -> Ablation:
    return Ablation("some", "shapes", 90, 10, variants, variants[0].label, 0.7, len(variants[0].repeats))


def test_each_ingredient_is_judged_by_the_pair_with_and_without_it() -> None:
    configs = {
        "base": read_config(QUICKSTART),
        "no augment": read_config(QUICKSTART, ["data.augment=[]"]),
        "smooth": read_config(QUICKSTART, ["loss={cross_entropy: {label_smoothing: 0.1}}"]),
        "lr": read_config(QUICKSTART, ["optimizer.lr=0.1"]),
        "bare": read_config(QUICKSTART, ["data.augment=[]", "schedule=constant"]),
    }
    facts = ablation(
        variant("base", 0.80, 0.81, 0.82),
        variant("no augment", 0.79, 0.801, 0.812, gap=0.3),
        variant("smooth", 0.80, 0.82, 0.81),
        variant("lr", 0.1, 0.1, 0.1),
        variant("bare", 0.6, 0.61, 0.625),
    )
    found = {claim.sentence.split(",")[0]: claim.finding for claim in claims_of(facts, configs)}
    assert found == {
        "Augmentation raises validation accuracy": Finding.SUPPORTED,
        "Augmentation is worth several points": Finding.CONTRADICTED,
        "Augmentation narrows the gap between training and validation": Finding.OPEN,
        "Label smoothing raises validation accuracy": Finding.OPEN,
        "The recipe counts: the same network without it loses many points": Finding.SUPPORTED,
    }
    one_seed = ablation(*(replace(one, repeats=one.repeats[:1]) for one in facts.variants))
    assert {claim.finding for claim in claims_of(one_seed, configs)} == {Finding.OPEN}
    assert [figure.name for figure in figures(ablation_report(facts))] == ["differences"]


def test_networks_at_the_level_of_a_guess_tell_nothing() -> None:
    configs = {"base": read_config(QUICKSTART), "no augment": read_config(QUICKSTART, ["data.augment=[]"])}
    facts = ablation(variant("base", 0.10, 0.11, 0.12), variant("no augment", 0.05, 0.061, 0.07))
    assert Finding.SUPPORTED in {claim.finding for claim in claims_of(facts, configs)}
    guessed = replace(facts, chance=0.1)
    assert {claim.finding for claim in claims_of(guessed, configs)} == {Finding.OPEN}
    assert "far above a guess" in str(ablation_report(guessed).blocks[0])


def test_who_never_comes_to_the_threshold_takes_an_epoch_more_than_all_at_least() -> None:
    fast, never = variant("a", 0.8, 0.8, epochs=1), variant("b", 0.5, 0.5, epochs=None)
    for ours, theirs, saved in ((never, fast, 1.0), (fast, never, -1.0)):
        found = epochs_saved(ours, theirs)
        assert found is not None
        assert found.mean == saved
    assert epochs_saved(never, never) is None


@pytest.fixture(scope="module")
def place(place_of: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    place = place_of(tmp_path_factory.mktemp("ablation"))
    place.config(QUICKSTART.read_text(), "quickstart.yaml")
    first = place("ablate", *WORDS, "--repeats", "1", "--json")
    assert first.code == 0, first.err
    return place


def test_more_repeats_take_what_is_there_and_pair_the_rest(place: Any) -> None:
    folder = place.runs / "ablation" / "quickstart"
    before = {path: path.stat().st_mtime_ns for path in folder.glob("trainings/*/run.json")}
    assert {path.parent.name for path in before} == {"as-it-is-seed0", "norm-none-seed0"}
    planned = place("ablate", *WORDS, "--repeats", "2", "--plan", "--json").json()
    assert (planned["there"], planned["missing"]) == (2, 2)
    assert planned["seconds"] > 0
    assert len(planned["so_far"]["variants"][0]["trainings"]) == 1
    found = place("ablate", *WORDS, "--repeats", "2", "--json").json()
    assert {path: path.stat().st_mtime_ns for path in before} == before
    ours, theirs = found["variants"]
    assert [one["seed"] for one in theirs["trainings"]] == [0, 1]
    differences = [b["accuracy"] - a["accuracy"] for a, b in zip(ours["trainings"], theirs["trainings"], strict=True)]
    assert theirs["difference"]["mean"] == pytest.approx(sum(differences) / 2)
    assert ours["parameters"] - theirs["parameters"] == 4
    assert found["complete"] is True
    assert {Path(path).name for path in found["pictures"]} == {"differences.png"}
    assert (folder / "variants.csv").exists()
    assert (folder / "trainings.csv").read_text().count("finished") == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("training.epochs=2", "--vary", "norm=none"), "was trained with training.epochs 1, and now it is 2"),
        (("--vary", "norm=none", "--baseline", "norm=nine"), "Did you mean 'norm=none'?"),
        (("--vary", "norm=none", "--threshold", "70"), "--threshold is 70, expected an accuracy between 0 and 1"),
        (("--vary", "norm=none", "--together"), "--together joins several switches"),
        ((), "name a switch with --vary"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(place: Any, words: tuple[str, ...], said: str) -> None:
    result = place("ablate", "quickstart.yaml", *SMALL, *words, "--device", "cpu")
    assert result.code == 2
    assert said in " ".join(result.err.split())


def test_from_python_it_is_the_same(place: Any) -> None:
    found = cnnlab.ablate(
        place.folder / "quickstart.yaml",
        vary={"norm": ["none"]},
        overrides=SMALL,
        repeats=2,
        runs=place.runs,
        device="cpu",
    )
    assert list(found.differences) == ["norm=none"]
    assert found.facts.complete
