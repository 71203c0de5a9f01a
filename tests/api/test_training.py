"""Training from Python is the command's, to the bit, in a process that is the caller's own."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from command_line import TINY, Trained

import cnnlab
from cnnlab.api.asked_config import overrides_of
from cnnlab.config.config import read_config
from cnnlab.training.events import Finished, Started

CONFIG: dict[str, Any] = yaml.safe_load(TINY)
QUICK: dict[str, Any] = {"training.epochs": 1, "data.dataset": {"shapes": {"train_count": 100, "size": 16}}}


def weights(run: Path) -> bytes:
    return (run / "checkpoints" / "last.safetensors").read_bytes()


def test_a_run_is_the_commands_to_the_bit(trained: Trained, tmp_path: Path) -> None:
    random.seed(5)
    run = cnnlab.train(CONFIG, name="tiny", runs=tmp_path, device="cpu")
    assert weights(run.path) == weights(trained.run)
    assert (run.path / "reports" / "index.html").is_file()
    expected = trained.result.json()
    told = run.to_dict()
    assert {key: told[key] for key in ("epochs", "status", "val_accuracy", "verdict")} == {
        key: expected[key] for key in ("epochs", "status", "val_accuracy", "verdict")
    }
    net = run.open()
    assert net.classes == cnnlab.open(trained.run).classes
    assert "data:image/png" in run._repr_mimebundle_()["text/html"]


def test_every_way_to_say_a_config(tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    ways: list[Any] = [path, str(path), CONFIG, read_config(path)]
    runs = [
        cnnlab.train(way, epochs=1, overrides=QUICK, name=f"r{n}", runs=tmp_path, device="cpu", report=False)
        for n, way in enumerate(ways)
    ]
    assert len({weights(run.path) for run in runs}) == 1
    assert [len(run.epochs) for run in runs] == [1] * 4


def test_the_callers_random_numbers_and_settings_are_his_between_steps(tmp_path: Path) -> None:
    def drawn() -> list[Any]:
        return [torch.rand(1).item(), random.random(), np.random.rand()]

    def seeded() -> None:
        torch.manual_seed(3)
        random.seed(3)
        np.random.seed(3)

    dropout = {**CONFIG, "model": [*CONFIG["model"][:2], {"dropout": {"probability": 0.5}}, *CONFIG["model"][2:]]}
    options: dict[str, Any] = {"overrides": QUICK, "runs": tmp_path, "device": "cpu", "report": False}
    alone = cnnlab.train(dropout, name="alone", **options)
    seeded()
    expected = [drawn() for _ in range(4)]
    seeded()
    found, threads = [], torch.get_num_threads()
    last: object = None
    for step in cnnlab.training_steps(dropout, name="watched", **options):
        last = step
        if len(found) < 4:
            found.append(drawn())
        assert torch.get_num_threads() == threads
        assert not torch.are_deterministic_algorithms_enabled()
    assert isinstance(last, Finished)
    assert found == expected
    assert weights(alone.path) == weights(last.path)


def test_whoever_stops_iterating_ends_the_training(tmp_path: Path) -> None:
    options: dict[str, Any] = {"overrides": QUICK, "runs": tmp_path, "device": "cpu", "report": False}
    steps = cnnlab.training_steps(CONFIG, name="left", **options)
    state = torch.random.get_rng_state()
    assert isinstance(next(steps), Started)
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    assert torch.equal(state, torch.random.get_rng_state())
    assert '"status": "running"' not in (tmp_path / "left" / "run.json").read_text()


def test_a_paused_run_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    options: dict[str, Any] = {"runs": tmp_path, "device": "cpu", "report": False}
    whole = cnnlab.train(CONFIG, name="whole", **options)
    paused = cnnlab.train(CONFIG, name="paused", stop_after=1, **options)
    assert paused.status == "paused"
    resumed = cnnlab.train(resume="paused", **options)
    assert weights(resumed.path) == weights(whole.path)


def test_overrides_are_yaml_of_one_line() -> None:
    assert overrides_of({"a": 1e-5, "b": "1", "c": {"d": [1, "x: y"]}, "e": None, "f": True, "g": Path("h")}) == [
        "a=1.0e-05", 'b="1"', "c={d: [1, 'x: y']}", "e=null", "f=true", 'g="h"',
    ]  # fmt: skip
    assert overrides_of(["a.b=3"], training__epochs=2) == ["training.epochs=2", "a.b=3"]
    assert overrides_of((), training__epochs=None) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"config": {"trainin": {}}}, "trainin"),
        ({"config": CONFIG, "overrides": {"training.epochs": "many"}}, "many"),
        ({"config": 3}, "`config` is of type int"),
        ({"config": "nowhere.yaml"}, "nowhere.yaml"),
        ({"config": CONFIG, "resume": "tiny"}, "`resume` goes on with one run"),
        ({"config": CONFIG, "data": "x"}, "`data` is for `resume`"),
        ({"config": CONFIG, "name": "a/b"}, "`name`"),
        ({"resume": "nowhere"}, "nowhere"),
    ],
)
def test_wrong_trainings_are_requests(options: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(cnnlab.RequestError, match=words):
        cnnlab.train(**options, runs=tmp_path, device="cpu")
    assert list(tmp_path.iterdir()) == []
