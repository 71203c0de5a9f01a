"""The parts that train, on a network of some hundred weights and a few images."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cnnlab.config.config import read_config
from cnnlab.config.norms import NONE, norms_of, with_norm
from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.core.registry import component
from cnnlab.network.network import Network
from cnnlab.network.open import open_network
from cnnlab.network.session import Session
from cnnlab.probe.norm.course import LandscapeFacts
from cnnlab.probe.norm.lab import NormOptions
from cnnlab.probe.norm.ranges import RangeFacts, range_cells
from cnnlab.probe.norm.run import NormFacts, measured, norm_json, norm_report, planned
from cnnlab.probe.norm.short_training import short_training
from cnnlab.probe.norm.trainings import GROUP, WITH, WITHOUT, batch_trials
from cnnlab.runs.images import training_images
from cnnlab.stats.claim import Finding
from cnnlab.view import json as as_json

CONFIG = """\
name: tiny
data: {dataset: {shapes: {train_count: 50}}, validation: 0.2}
model:
  - conv_bn_act: {channels: 4, stride: 4}
  - conv_bn_act: {channels: 8, stride: 2}
  - global_avg_pool
  - linear
training: {epochs: 1, batch_size: 20}
optimizer: {sgd: {lr: 0.1}}
"""


FACTORS = (0.25, 1.0)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("norm")
    (folder / "tiny.yaml").write_text(CONFIG)
    return folder


@pytest.fixture(scope="module")
def session(place: Path) -> Session:
    return Session(runs=place / "runs", device_name="cpu")


@pytest.fixture(scope="module")
def network(place: Path, session: Session) -> Network:
    return open_network(str(place / "tiny.yaml"), session, for_images=True)


def facts_of(steps: Iterator[Advance | NormFacts]) -> NormFacts:
    *_, facts = steps
    assert isinstance(facts, NormFacts)
    return facts


@pytest.fixture(scope="module")
def trained(network: Network, session: Session, place: Path) -> NormFacts:
    options = NormOptions(train=True, parts=("batch-size",), epochs=1, steps=4, batch_sizes=(2, 20), factors=FACTORS)
    return facts_of(measured(planned(network, session, options, folder=place / "out")))


def test_twins_are_seen_at_the_start_and_after_their_epoch(trained: NormFacts) -> None:
    ours, theirs = trained["training"].courses
    assert [point.epoch for point in ours.points] == [0, 1]
    # two norms of 4 and 8 channels have 24 parameters, and the convolutions without them 12 biases
    assert ours.parameters - theirs.parameters == 12
    deviations = [layer.deviation for layer in ours.points[0].layers[:2]]
    assert deviations == pytest.approx([1, 1], abs=0.01)
    assert theirs.points[0].layers[1].deviation < 0.5
    gain = trained["training"].gain
    assert gain.n == 10
    assert gain.mean == pytest.approx(ours.accuracies[-1] - theirs.accuracies[-1])


def test_small_batches_have_both_norms_and_know_an_instance_norm(trained: NormFacts) -> None:
    found = trained["batch-size"]
    assert [(one.norm, one.size) for one in found.outcomes] == [
        ("batch norm", 2), ("group norm", 2), ("batch norm", 20), ("group norm", 20)
    ]  # fmt: skip
    assert found.groups == 4
    assert (found.instance_layers, found.layers) == (1, 2)
    assert set(found.differences) == {2, 20}
    for one in found.outcomes:
        assert one.accuracies[-1] == pytest.approx(one.accuracy.mean)  # validated after its last epoch


def test_everything_has_its_section_claims_and_one_document(trained: NormFacts) -> None:
    keys = [block.key for block in norm_report(trained).blocks if hasattr(block, "key")]
    assert keys == ["training", "landscape", "ranges", "batch-size", "claims"]
    document: dict[str, Any] = json.loads(as_json.text(norm_json(trained)))
    assert list(document["parts"]) == keys[:-1]
    assert "right" not in document["parts"]["batch-size"]["outcomes"][0]
    assert len(document["claims"]) == 9


def test_a_second_call_trains_nothing_again(
    trained: NormFacts, network: Network, session: Session, place: Path
) -> None:
    trainings = place / "out" / "trainings"
    before = {path: path.stat().st_mtime_ns for path in trainings.rglob("*") if path.is_file()}
    options = NormOptions(parts=("training", "ranges"), epochs=1, steps=4, factors=FACTORS)
    again = facts_of(measured(planned(network, session, options, folder=place / "out")))
    assert again["training"] == trained["training"]
    assert again["ranges"] == trained["ranges"]
    assert {path: path.stat().st_mtime_ns for path in trainings.rglob("*") if path.is_file()} == before


def test_small_batches_scale_the_rate_and_keep_the_seed(place: Path) -> None:
    config = read_config(place / "tiny.yaml")
    trials = batch_trials(config, sizes=[2, 20], groups=4, epochs=3)
    assert trials[GROUP, 2].config.optimizer.options["lr"] == pytest.approx(0.01)
    assert trials[GROUP, 20].config.optimizer.options["lr"] == pytest.approx(0.1)
    assert {one.name for one in norms_of(trials[GROUP, 2].config)} == {"group_norm"}
    assert {trial.config.seed for trial in trials.values()} == {config.seed}


def test_a_rate_that_is_too_large_does_not_train(place: Path, session: Session) -> None:
    config = with_norm(read_config(place / "tiny.yaml"), NONE)
    images = training_images(config, session.place)
    wild, _ = short_training(config, session, images, steps=8, rate=1e6)
    assert not wild.trains
    assert wild.last == math.inf or wild.last > wild.chance
    assert wild.chance == pytest.approx(math.log(10))
    assert replace(wild, first=2.4, last=2.0).trains
    assert not replace(wild, first=2.4, last=2.3).trains  # no more than noise below saying nothing


def test_cells_that_are_damaged_are_told(place: Path, session: Session, tmp_path: Path) -> None:
    config = read_config(place / "tiny.yaml")
    (tmp_path / "ranges.json").write_text("{")
    with pytest.raises(RequestError, match=r"ranges.json: damaged"):
        list(range_cells({WITH: config}, session, training_images(config, session.place), steps=1, folder=tmp_path))


def test_a_twin_on_a_plateau_is_not_called_smooth(trained: NormFacts) -> None:
    """After four steps nothing has been learned, and nothing is compared."""
    found: LandscapeFacts = trained["landscape"]
    assert found.compared == ()
    claims = [claim for claim in trained.claims if "Santurkar" in claim.source]
    assert [claim.finding for claim in claims] == [Finding.OPEN] * 3


def test_the_range_that_trains_is_counted(trained: NormFacts) -> None:
    found: RangeFacts = trained["ranges"]
    assert len(found.of(WITH, "scale")) == len(found.of(WITHOUT, "rate")) == 2
    one = found.cells[0]
    taught = replace(one, outcome=replace(one.outcome, first=3.0, last=1.0))
    assert taught.factor in replace(found, cells=(taught,)).trains(WITH, "scale")


def test_fine_tuning_begins_with_the_weights_of_the_run(trained: NormFacts, place: Path, session: Session) -> None:
    """By steps of no length the network answers as it does right after the swap."""
    network = open_network(str(place / "out" / "trainings" / "with-norms"), session, for_images=True)
    assert network.config is not None
    still = component("optimizer", "sgd", lr=1e-12)
    network = replace(network, config=network.config.model_copy(update={"optimizer": still}))
    found = facts_of(measured(planned(network, session, NormOptions(parts=("conversion", "fine-tuning"), steps=1))))
    assert [one.groups for one in found["conversion"].layers] == [4, 8]
    assert [one.is_instance for one in found["fine-tuning"].layers] == [True, False]
    assert found["fine-tuning"].tuned.mean == found["fine-tuning"].after.mean
    assert found["conversion"].before.mean == found["fine-tuning"].before.mean
    assert norm_report(found).blocks
