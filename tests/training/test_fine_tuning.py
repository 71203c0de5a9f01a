"""Trainings that begin with weights of another: what is taken, what is frozen, and how fast the rest learns."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

import cnnlab.training.loop as workflow
from cnnlab.config.config import read_config
from cnnlab.core.errors import RequestError
from cnnlab.fit.checkpoints import load_state
from cnnlab.fit.freezing import Freezing, depths, is_covered
from cnnlab.fit.parameter_groups import learning_parameters
from cnnlab.layers_lab.summary.report import summary_report
from cnnlab.layers_lab.summary.run import summarize
from cnnlab.network.open import open_run
from cnnlab.network.session import Session
from cnnlab.runs.record import InheritedFacts
from cnnlab.training.events import Finished, Started
from cnnlab.training.loop import TrainOptions
from cnnlab.training.lr_find import find_learning_rate
from cnnlab.training.report import training_contribution
from cnnlab.training.run import resume, train
from cnnlab.training.setup import set_up_training
from cnnlab.view.blocks import Number, Text

CONFIG = """
name: tiny
data: {dataset: {shapes: {train_count: 96, size: 16}}}
model:
  - conv_bn_act: {channels: 4, stride: 2}
  - conv_bn_act: {channels: 6, stride: 2}
  - global_avg_pool
  - linear
training: {epochs: 1, batch_size: 32}
optimizer: {sgd: {lr: 0.05, momentum: 0.9}}
logging: {every_steps: 1, histograms_every_epochs: 0, pictures: false, graph: false}
"""


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A folder with a config and a run of it."""
    folder = tmp_path_factory.mktemp("origin")
    (folder / "tiny.yaml").write_text(CONFIG)
    session = Session(runs=folder / "runs", device_name="cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workflow, "write_training_report", lambda *arguments, **options: (None, None))
        list(train(read_config(folder / "tiny.yaml"), TrainOptions(session, report=False)))
    return SimpleNamespace(folder=folder, session=session, run=session.run("tiny"))


@pytest.fixture(autouse=True)
def _no_report(monkeypatch):
    monkeypatch.setattr(workflow, "write_training_report", lambda *arguments, **options: (None, None))


def config_of(origin, *overrides):
    return read_config(origin.folder / "tiny.yaml", overrides)


def weights_of(origin):
    return open_run(origin.run, origin.session).model.state_dict()


def test_a_run_gives_all_but_a_head_of_other_classes(origin):
    theirs = weights_of(origin)
    whole = set_up_training(config_of(origin, "init_from=tiny", "seed=7"), origin.session)
    assert all(torch.equal(value, theirs[name]) for name, value in whole.network.state_dict().items())
    assert whole.images.statistics == open_run(origin.run, origin.session).preparation.statistics
    assert whole.config.data.mean == list(origin.run.record.data.mean)
    ours = set_up_training(config_of(origin, "init_from=tiny", "new_head=true", "seed=7"), origin.session)
    other = [name for name, value in ours.network.state_dict().items() if not torch.equal(value, theirs[name])]
    assert other == ["linear1.weight", "linear1.bias"]
    assert "linear1.weight [10, 6] there, [10, 6] here" in " ".join(ours.remarks)


def test_a_file_for_other_classes_gives_all_but_the_head(origin, tmp_path):
    theirs = {name: value.clone() for name, value in weights_of(origin).items()}
    theirs["linear1.weight"], theirs["linear1.bias"] = torch.randn(3, 6), torch.randn(3)
    torch.save({"state_dict": theirs}, tmp_path / "w.pt")
    asked = f"init_from={tmp_path / 'w.pt'}"
    ours = set_up_training(config_of(origin, asked), origin.session)
    assert torch.equal(ours.network.conv_bn_act2.conv.weight, theirs["conv_bn_act2.conv.weight"])
    assert any("linear1.weight [3, 6] there, [10, 6] here" in remark for remark in ours.remarks)
    with pytest.raises(RequestError, match=r"new_head is false: its linear1.weight is \[3, 6\], .* \[10, 6\]"):
        set_up_training(config_of(origin, asked, "new_head=false"), origin.session)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "model.0.channels=5",
            r"conv_bn_act1\.conv\.weight is \[4, 3, 3, 3\], and the network's \[5, 3, 3, 3\]; weights fit",
        ),
        (
            "model=[conv: {channels: 4}, global_avg_pool, linear]",
            r"lacks 2 tensors \(conv1\.weight .*take the model of .*tiny/config.yaml, or leave init_from out",
        ),
        ("init_from=tinny", r"init_from is 'tinny': no file of weights, .* Did you mean 'tiny'"),
        ("freeze=[conv9]", r"freeze: 'conv9' covers no parameter; they are called conv_bn_act1"),
        ("unfreeze={2: [linear1]}", r"unfreeze: 'linear1' of epoch 2 covers nothing .* nothing is frozen"),
        ("freeze='*'", r"freeze: every parameter is frozen"),
        ("data.mean=[0.5]", r"data\.std is not given|data\.mean has 1"),
    ],
)
def test_what_does_not_fit_is_told(origin, override, message):
    with pytest.raises(RequestError, match=message):
        set_up_training(config_of(origin, "init_from=tiny", override), origin.session)


def test_frozen_parts_stay_to_the_bit_and_the_head_learns(origin):
    asked = config_of(origin, "name=froze", "init_from=tiny", "freeze=all but head")
    events = list(train(asked, TrainOptions(origin.session, report=False)))
    started = next(event for event in events if isinstance(event, Started))
    assert any("70 of 414 parameters learn: linear1.weight, linear1.bias" in one for one in started.remarks)
    record = origin.session.run("froze").record
    assert (record.trainable, record.trainable_ever, record.parameters) == (70, 70, 414)
    assert record.inherited == InheritedFacts("the run tiny", 14, 14)
    network = open_run("froze", origin.session)
    begun = record.inherited.sentence
    assert {"with the run tiny: 14 of 14 tensors", "of 414 parameters 70 of them learned"} == {
        block.text for block in summary_report(summarize(network), name="froze").blocks if isinstance(block, Text)
    }
    page = training_contribution([], None, train_seconds=1.0, wall_seconds=1.0, config="c.yaml", record=record).blocks
    assert Text(begun, label="begun") in page
    assert page[0].numbers[-1] == Number("parameters", 414, ",d", detail="70 of them learned")
    theirs, ours = weights_of(origin), network.model.state_dict()
    other = [name for name in ours if not torch.equal(ours[name], theirs[name])]
    assert other == ["linear1.weight", "linear1.bias"]  # the statistics of batch norm, too, are as they were


def test_a_training_that_stops_while_parts_thaw_ends_as_one_without_a_stop(origin):
    overrides = ("init_from=tiny", "freeze=conv_bn_act*", "unfreeze={3: [conv_bn_act2]}", "layer_decay=0.5")
    asked = config_of(origin, *overrides, "training.epochs=4")
    list(train(asked, TrainOptions(origin.session, name="whole", report=False)))
    for number, stop in enumerate((1, 3)):
        name = f"parts{number}"
        *_, end = train(asked, TrainOptions(origin.session, name=name, report=False, stop_after=stop))
        assert isinstance(end, Finished)
        list(resume(origin.session.run(name), (), TrainOptions(origin.session, report=False)))
        whole, parts = (load_state(origin.session.run(one).last_state, torch.device("cpu")) for one in ("whole", name))
        assert all(torch.equal(value, parts["model"][key]) for key, value in whole["model"].items())
    ours, theirs = open_run("whole", origin.session, "last").model.state_dict(), weights_of(origin)
    assert torch.equal(ours["conv_bn_act1.conv.weight"], theirs["conv_bn_act1.conv.weight"])
    assert not torch.equal(ours["conv_bn_act2.conv.weight"], theirs["conv_bn_act2.conv.weight"])


def test_the_range_test_leaves_frozen_parts_alone(origin, monkeypatch):
    setups = []
    monkeypatch.setattr(
        "cnnlab.training.lr_find.set_up_training",
        lambda *arguments: setups.append(set_up_training(*arguments)) or setups[-1],
    )
    asked = config_of(origin, "init_from=tiny", "freeze=conv_bn_act1")
    list(find_learning_rate(asked, origin.session, steps=4))
    ours, theirs = setups[0].network.state_dict(), weights_of(origin)
    other = {name.split(".")[0] for name in ours if not torch.equal(ours[name], theirs[name])}
    assert other == {"conv_bn_act2", "linear1"}


def test_rates_fall_with_depth():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 1),
        nn.BatchNorm2d(4),
        nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU()),
        nn.Flatten(),
        nn.Linear(4, 2),
    )
    assert depths(model) == {
        "0.weight": 2, "0.bias": 2, "1.weight": 2, "1.bias": 2,
        "2.0.weight": 1, "2.0.bias": 1, "4.weight": 0, "4.bias": 0,
    }  # fmt: skip
    groups = learning_parameters(model, layer_decay=0.5).groups(lr=0.1, weight_decay=0.0)
    assert [group["lr_base"] for group in groups] == pytest.approx([0.1, 0.05, 0.025])
    assert sum(len(group["params"]) for group in groups) == 8


def test_patterns_and_statistics():
    assert is_covered("conv_bn_act1.conv.weight", ["conv_bn_act1"], "linear1")
    assert not is_covered("conv_bn_act10.conv.weight", ["conv_bn_act1"], "linear1")
    for keeps in (True, False):
        model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
        freezing = Freezing(model, ["all but head"], {2: ["1"]}, statistics=keeps)
        for epoch, frozen in ((1, True), (2, False)):
            model.train()
            freezing.begin(epoch)
            assert model[1].training is not (frozen and keeps)
            assert model[1].weight.requires_grad is not frozen
            assert not model[0].weight.requires_grad
