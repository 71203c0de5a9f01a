from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.summary.writer.record_writer import RecordWriter
from torch import Tensor, nn

from cnnlab.core.errors import WriteError
from cnnlab.runs.events import EventFile, EventLog


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    return events


class Untraceable(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        raise RuntimeError("not with me")


def test_scalars_and_resuming(tmp_path: Path) -> None:
    with EventLog(tmp_path) as log:
        for step in range(1, 6):
            log.scalars({"loss": float(step), "missing": None}, step)
    with EventLog(tmp_path, step=3) as log:
        log.scalars({"loss": 40.0}, 4)
    events = read(tmp_path)
    assert events.Tags()["scalars"] == ["loss"]
    assert [(point.step, point.value) for point in events.Scalars("loss")] == [(1, 1), (2, 2), (3, 3), (4, 40)]


def test_histograms_of_what_has_bins(tmp_path: Path) -> None:
    """A training that diverges goes through values that are finite, and beyond TensorBoard's last bin."""
    with EventLog(tmp_path) as log:
        log.histogram("some", torch.tensor([1.0, 2.0, 3e20, float("nan")]), 1)
        log.histogram("none", torch.tensor([3e20, -float("inf")]), 1)
        log.histogram("empty", torch.zeros(0), 1)
    events = read(tmp_path)
    assert events.Tags()["histograms"] == ["some"]
    (point,) = events.Histograms("some")
    assert (point.histogram_value.num, point.histogram_value.max) == (2, 2)


def experiment_of(folder: Path) -> Any:
    """What TensorBoard's table of runs is made from, by its own code."""
    from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
    from tensorboard.context import RequestContext
    from tensorboard.plugins.base_plugin import TBContext
    from tensorboard.plugins.hparams.backend_context import Context

    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    context = Context(TBContext(data_provider=MultiplexerDataProvider(multiplexer, str(folder))))
    found = context.hparams_metadata(RequestContext(), "")
    return context.experiment_from_metadata(RequestContext(), "", True, found, [])


def test_hyperparameters_lie_in_the_same_run_and_the_table_has_those_of_every_run(tmp_path: Path) -> None:
    with EventLog(tmp_path / "one") as log:
        log.hyperparameters({"lr": 0.1, "optimizer": "sgd", "nesterov": True}, {"final/accuracy": 0.5}, step=7)
    with EventLog(tmp_path / "two") as log:
        log.hyperparameters({"lr": 0.1, "optimizer": "adamw", "beta": 0.9}, {"final/accuracy": 0.5}, step=7)
    assert [path.is_file() for path in (tmp_path / "one").iterdir()] == [True]
    assert [(p.step, p.value) for p in read(tmp_path / "one").Scalars("final/accuracy")] == [(7, 0.5)]
    experiment = experiment_of(tmp_path)
    differs = {info.name: info.differs for info in experiment.hparam_infos}
    assert differs == {"lr": False, "optimizer": True, "nesterov": False, "beta": False}
    assert [info.name.tag for info in experiment.metric_infos] == ["final/accuracy"]


def test_charts_of_several_curves(tmp_path: Path) -> None:
    with EventLog(tmp_path) as log:
        log.layout({"both": {"loss": ("train/loss", "validation/loss")}})
    (event,) = read(tmp_path).Tensors("custom_scalars__config__")
    (group,) = Layout.FromString(event.tensor_proto.string_val[0]).category
    assert (group.title, [chart.title for chart in group.chart]) == ("both", ["loss"])
    assert list(group.chart[0].multiline.tag) == ["train/loss", "validation/loss"]


def test_graph(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2).eval(), nn.Dropout())
    with EventLog(tmp_path) as log:
        log.graph(model, torch.ones(1, 1, 4, 4))
    assert [module.training for module in model] == [True, False, True]
    assert read(tmp_path).Graph().node
    assert capsys.readouterr().out == ""


def test_a_network_that_cannot_be_traced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with EventLog(tmp_path) as log:
        log.graph(nn.Sequential(Untraceable()), torch.ones(1, 1, 4, 4))
    assert "graph/text_summary" in read(tmp_path).Tags()["tensors"]
    assert capsys.readouterr().out == ""


def test_what_the_disk_refuses_names_the_file(tmp_path: Path) -> None:
    """/dev/full takes nothing, as a full disk does; torch's own writer says so in a thread, with a traceback."""
    file = EventFile(tmp_path)
    with open("/dev/full", "wb", buffering=0) as full:
        file.records = RecordWriter(full)
        with pytest.raises(WriteError) as caught:
            file.add_event(Event(step=1))
    file.close()
    assert str(caught.value).startswith(f"{file.path}: cannot be written: No space left on device; make room on that")
    assert len(list(tmp_path.iterdir())) == 1
