"""Training on what a proxy finds hardest: the proxy against torch's own steps, and stopping at every stage."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from cnnlab.config.config import Config, check_config
from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.core.yaml import parse
from cnnlab.fit.distributed.ranks import Ranks
from cnnlab.fit.fit import StepDone
from cnnlab.fit.hardest import Choices, kept
from cnnlab.network.session import Session
from cnnlab.runs.folder import Run
from cnnlab.training.events import Finished, ProxyDone, TrainingEvent
from cnnlab.training.proxy import choices_of
from cnnlab.training.run import TrainOptions, resume, train
from cnnlab.training.setup import set_up_training

HARDEST = """
data:
  dataset: {shapes: {train_count: 50, test_count: 10, size: 16}}
  augment: [flip]
model: [conv_bn_act: {channels: 4}, dropout: {probability: 0.2}, global_avg_pool, linear]
hardest: {proxy: [conv: {channels: 3}, relu, global_avg_pool, linear], keep: 0.5, skip: 3}
optimizer: {sgd: {lr: 0.5, momentum: 0.9}}
training: {epochs: 2, batch_size: 16}
logging: {histograms_every_epochs: 0, pictures: false, graph: false}
"""


def config_with(*changes: str) -> Config:
    return check_config(parse(HARDEST, "hard.yaml"), changes, default_name="hard", base=Path())


def options(runs: Path, **more) -> TrainOptions:
    return TrainOptions(Session(runs=runs, device_name="cpu"), report=False, **more)


def stopped_at(events, stop: list, when) -> list[TrainingEvent]:
    """The events, where `stop` is filled as soon as `when` is true of one."""
    seen = []
    for event in events:
        seen.append(event)
        if when(event):
            stop.append(True)
    return seen


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Run, list[TrainingEvent]]:
    runs = tmp_path_factory.mktemp("runs")
    return Run(runs / "hard"), list(train(config_with(), options(runs)))


def weights(run: Run) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(run.last_state, weights_only=True)["model"]
    return state


def test_the_proxy_learns_from_the_hardest_as_torch_would() -> None:
    proxy = set_up_training(config_with(), Session(device_name="cpu")).proxy
    twin = set_up_training(config_with(), Session(device_name="cpu")).proxy
    assert proxy is not None
    assert twin is not None
    before = torch.get_rng_state()
    *steps, found = choices_of(proxy, config_with().hardest, epochs=2)
    assert torch.equal(torch.get_rng_state(), before)
    assert isinstance(found, Choices)
    assert steps[-1] == Advance("the proxy chooses images", 6, 6)
    optimizer = torch.optim.SGD(twin.network.parameters(), lr=0.5, momentum=0.9)
    step = 0
    for epoch in range(2):
        for (begin, end), batch in zip(twin.batches.bounds, twin.batches.epoch(epoch), strict=True):
            optimizer.param_groups[0]["lr"] = 0.5 * twin.schedule(step / 6)
            logits = twin.network(batch.images)
            losses = F.cross_entropy(logits, batch.targets, reduction="none")
            hardest = losses.topk(kept(end - begin, 0.5)).indices.sort().values
            assert torch.equal(found.of(epoch, begin, end), hardest)
            step += 1
            optimizer.zero_grad()
            if step % 3:
                losses[hardest].mean().backward()
            optimizer.step()
    for mine, its in zip(twin.network.parameters(), proxy.network.parameters(), strict=True):
        torch.testing.assert_close(mine, its, rtol=1e-5, atol=1e-6)


def test_several_processes_are_refused() -> None:
    with pytest.raises(
        RequestError, match=r"^hard.yaml:6:1: hardest: .*, and 2 processes share each; start one process"
    ):
        set_up_training(config_with(), Session(device_name="cpu", ranks=Ranks(world=2)))


def test_the_network_sees_the_chosen_and_their_time_counts(whole) -> None:
    run, events = whole
    chosen = [event for event in events if isinstance(event, ProxyDone)]
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert [event.images for event in events if isinstance(event, StepDone)] == [8, 8, 4] * 2  # of 16, 16 and 8
    assert len(chosen) == 1
    assert "a proxy of 124 parameters has chosen the 50 % of each batch" in chosen[0].sentence
    assert 0 < chosen[0].seconds < finished.train_seconds
    assert finished.as_json()["proxy_seconds"] == round(chosen[0].seconds, 3)
    assert run.choices.stat().st_size < 4000


@pytest.mark.parametrize(
    "when",
    [
        lambda event: isinstance(event, Advance) and event.done == 2,
        lambda event: isinstance(event, ProxyDone),
        lambda event: isinstance(event, StepDone) and event.step == 2,
    ],
    ids=["while the proxy chooses", "before the first step", "in mid-epoch"],
)
def test_stopped_anywhere_it_goes_on_to_the_same_end(whole, tmp_path: Path, when) -> None:
    stop: list = []
    first = stopped_at(train(config_with(), options(tmp_path), stop), stop, when)  # a list is true once it is filled
    assert isinstance(first[-1], Finished)
    assert first[-1].status == "interrupted"
    second = list(resume(Run(tmp_path / "hard"), (), options(tmp_path)))
    assert sum(isinstance(event, ProxyDone) for event in [*first, *second]) == 1
    mine, its = weights(Run(tmp_path / "hard")), weights(whole[0])
    assert all(torch.equal(mine[name], its[name]) for name in its)


def test_epoch_by_epoch_and_what_cannot_go_on(whole, tmp_path: Path) -> None:
    *_, paused = train(config_with(), options(tmp_path, stop_after=1))
    assert isinstance(paused, Finished)
    run = Run(tmp_path / "hard")
    with pytest.raises(RequestError, match="has chosen images for 2 epochs; a training of more is a new run"):
        list(resume(run, ["training.epochs=3"], options(tmp_path, stretch_schedule=True)))
    kept_file = run.choices.read_bytes()
    run.choices.unlink()
    with pytest.raises(RequestError, match=r"hardest\.pt: is missing, and the run hard cannot go on without it"):
        list(resume(run, (), options(tmp_path)))
    run.choices.write_bytes(kept_file)
    *_, finished = resume(Run(tmp_path / "hard"), (), options(tmp_path))
    assert isinstance(finished, Finished)
    assert finished.proxy_seconds is not None
    mine, its = weights(run), weights(whole[0])
    assert all(torch.equal(mine[name], its[name]) for name in its)
