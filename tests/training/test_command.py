"""`cnnlab train` from the command line to the files of its run."""

import json
import math
import re
from functools import wraps
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata as hparams_metadata

from cnnlab.fit.checkpoints import load_state as load
from cnnlab.training.progress import HEADER

FILES = {
    "config.yaml", "run.json", "metrics.jsonl", "checkpoints/last.pt", "checkpoints/last.safetensors",
    "checkpoints/best.safetensors", "reports/index.html", "reports/curves.png", "reports/epochs.csv",
    "reports/confusion.png", "reports/confusion.csv", "reports/reliability.png",
}  # fmt: skip


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def events_of(run: Path) -> EventAccumulator:
    sizes = {"scalars": 0, "tensors": 0, "images": 0, "histograms": 0}
    events = EventAccumulator(str(run / "tensorboard"), size_guidance=sizes)
    events.Reload()
    return events


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def weights(run: Path, which: str = "last") -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(run / "checkpoints" / f"{which}.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def assert_tensorboard_holds_the_metrics(run: Path) -> None:
    """Every number of metrics.jsonl is a point of the curve of its name, once, and the other way round."""
    events, expected = events_of(run), {}
    for point in lines(run / "metrics.jsonl"):
        names = [name for name in point if name not in ("kind", "step", "epoch", "seconds")]
        if point["kind"] == "epoch":
            names.remove("lr")  # that of the last step, which is there already
            expected.setdefault("epoch", []).append((point["step"], point["epoch"]))
        for name in names:
            if point[name] is not None:
                expected.setdefault(name, []).append((point["step"], point[name]))
    found = {
        tag: [(point.step, point.value) for point in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
        if not tag.startswith(("final/", "report/"))
    }
    assert found.keys() == expected.keys()
    for name, points in expected.items():
        assert [step for step, _ in found[name]] == [step for step, _ in points], name
        assert [value for _, value in found[name]] == pytest.approx([value for _, value in points], rel=1e-6), name


def test_json_is_one_document_with_what_is_promised(trained) -> None:
    document = trained.result.json()
    assert document["run"] == "runs/tiny"
    assert document["epochs"] == 2
    assert 0 <= document["val_accuracy"] <= 1
    assert 0 < document["train_seconds"] < document["wall_seconds"]
    assert document["status"] == "finished"
    assert (trained.place.folder / document["report"]).is_file()


def test_the_epoch_table_is_on_stderr_and_fits_80_columns(trained) -> None:
    printed = trained.result.err.splitlines()
    table = printed.index(HEADER)
    rows = printed[table + 1 : table + 3]
    assert [row.split()[0] for row in rows] == ["1/2", "2/2"]
    assert {len(row) for row in [HEADER, *rows]} == {79}
    assert any(line.startswith("verdict") for line in printed)
    assert [line.split(maxsplit=1) for line in printed[-2:]] == [
        ["report", "runs/tiny/reports/index.html"],
        ["report", "in full       cnnlab report runs/tiny"],
    ]


def test_without_json_the_conclusion_is_on_stdout(cnnlab, no_report) -> None:
    result = cnnlab("train", "tiny.yaml", "training.epochs=1")
    assert re.search(r"^validation accuracy +\d+\.\d\d% \(epoch 1, the best\)$", result.out, re.MULTILINE)
    assert re.search(r"^time +\d+\.\d s training, \d+\.\d s in all$", result.out, re.MULTILINE)
    assert HEADER in result.err


def test_without_a_report_nothing_is_drawn_and_the_verdict_stays(cnnlab, monkeypatch) -> None:
    monkeypatch.setattr("cnnlab.view.png.draw", None)
    result = cnnlab("train", "tiny.yaml", "training.epochs=1", "--no-report")
    assert result.code == 0, result.err
    run = cnnlab.runs / "tiny"
    assert not (run / "reports").exists()
    assert {"config.yaml", "run.json", "metrics.jsonl", "checkpoints/best.safetensors"} <= files(run)
    assert json.loads((run / "run.json").read_text())["outcome"]["diagnosis"] == "under-fitted"
    assert "\nverdict  " in result.out
    assert result.out.endswith("report in full       cnnlab report runs/tiny\n")
    assert "\nreport  " not in result.out


def test_the_run_folder_is_complete(trained) -> None:
    assert files(trained.run) >= FILES
    assert not [name for name in files(trained.run) if ".part" in name]


def test_the_record(trained) -> None:
    record = json.loads((trained.run / "run.json").read_text())
    document = trained.result.json()
    assert record["command"] == "cnnlab train tiny.yaml --device cpu --json"
    assert (record["name"], record["seed"], record["device"]) == ("tiny", 0, "cpu")
    assert (record["data"]["train"], record["data"]["validation"]) == (180, 20)
    assert {"torch", "torchvision", "cnnlab", "python"} <= record["versions"].keys()
    outcome = record["outcome"]
    assert (outcome["status"], outcome["epochs"], outcome["step"]) == ("finished", 2, 12)
    assert outcome["val_accuracy"] == document["val_accuracy"]
    assert outcome["diagnosis"] == document["verdict"]


def test_metrics_and_tensorboard_say_the_same(trained) -> None:
    tags = events_of(trained.run).Tags()["scalars"]
    promised = {
        "train/loss", "train/accuracy", "train/clean_accuracy", "validation/loss", "validation/accuracy", "lr",
        "gradient_norm", "images_per_second",
    }  # fmt: skip
    assert promised <= set(tags)
    assert_tensorboard_holds_the_metrics(trained.run)


def test_the_best_epoch_is_the_best(trained) -> None:
    epochs = [point for point in lines(trained.run / "metrics.jsonl") if point["kind"] == "epoch"]
    document = trained.result.json()
    assert document["val_accuracy"] == max(point["validation/accuracy"] for point in epochs)
    assert epochs[document["best_epoch"] - 1]["validation/accuracy"] == document["val_accuracy"]


def test_hyperparameters_and_final_metrics_lie_in_the_same_run(trained) -> None:
    assert len(list((trained.run / "tensorboard").iterdir())) == 1
    events = events_of(trained.run)
    assert hparams_metadata.SESSION_START_INFO_TAG in events.PluginTagToContent("hparams")
    (point,) = events.Scalars("final/best_validation_accuracy")
    assert (point.step, point.value) == (12, pytest.approx(trained.result.json()["val_accuracy"]))


def test_every_curve_of_the_charts_is_there(trained) -> None:
    from cnnlab.training.views import CHARTS

    events = events_of(trained.run)
    assert "custom_scalars__config__" in events.Tags()["tensors"]
    shown = {tag for group in CHARTS.values() for tags in group.values() for tag in tags}
    assert shown <= set(events.Tags()["scalars"])


def test_graph_images_and_histograms(trained) -> None:
    events = events_of(trained.run)
    tags = events.Tags()
    assert any("conv" in node.name for node in events.Graph().node)
    assert "pictures/augmented" in tags["images"]
    assert {"report/curves", "report/confusion"} <= set(tags["images"])
    for name in ("weights/conv_bn_act1.conv.weight", "activations/global_avg_pool1"):
        assert [point.step for point in events.Histograms(name)] == [12], tags["histograms"]


def test_histograms_at_the_chosen_pace(cnnlab, no_report) -> None:
    result = cnnlab("train", "tiny.yaml", "training.epochs=5", "logging.histograms_every_epochs=2")
    assert result.code == 0, result.err
    points = events_of(cnnlab.runs / "tiny").Histograms("weights/linear1.weight")
    assert [point.step for point in points] == [12, 24, 30]


def test_the_effective_field_is_logged_at_the_chosen_pace(cnnlab, no_report) -> None:
    result = cnnlab("train", "tiny.yaml", "training.epochs=3", "logging.effective_field_every_epochs=2")
    assert result.code == 0, result.err
    events = events_of(cnnlab.runs / "tiny")
    assert [point.step for point in events.Scalars("erf/side")] == [12, 18]
    # of the last layer that is not global: conv_bn_act2, whose field is 7 × 7
    sides, ratios = ([point.value for point in events.Scalars(f"erf/{what}")] for what in ("side", "ratio"))
    assert ratios == pytest.approx([side / 7 for side in sides])
    assert all(0 < side <= 7 for side in sides)
    assert [image.step for image in events.Images("erf/field")] == [12, 18]


def test_watching_the_effective_field_changes_nothing(cnnlab, no_report) -> None:
    for name, every in (("with", 1), ("without", 0)):
        changes = ("training.epochs=2", f"logging.effective_field_every_epochs={every}")
        assert cnnlab("train", "tiny.yaml", *changes, "--name", name).code == 0
    weights = [(cnnlab.runs / name / "checkpoints" / "last.safetensors").read_bytes() for name in ("with", "without")]
    assert weights[0] == weights[1]


def test_an_empty_body_is_a_layer_like_any_other(cnnlab, no_report) -> None:
    cnnlab.config(
        (cnnlab.folder / "tiny.yaml").read_text().replace("model:\n", "model:\n  - residual: {layers: [relu]}\n")
    )
    assert cnnlab("train", "tiny.yaml", "training.epochs=1", "logging.histograms_every_epochs=1").code == 0
    tags = events_of(cnnlab.runs / "tiny").Tags()["histograms"]
    assert [tag for tag in tags if tag.startswith("activations/residual1")]


def test_names(cnnlab, no_report) -> None:
    found = [cnnlab("train", "tiny.yaml", "training.epochs=1", "--json").json()["run"] for _ in range(3)]
    assert found == ["runs/tiny", "runs/tiny-2", "runs/tiny-3"]
    named = cnnlab("train", "tiny.yaml", "training.epochs=1", "--name", "mine", "--json")
    assert named.json()["run"] == "runs/mine"
    again = cnnlab("train", "tiny.yaml", "--name", "mine")
    assert again.code == 2
    assert again.err == "error: the run runs/mine exists; choose another --name, or --resume it\n"


def test_a_dry_run_leaves_nothing_and_reads_its_checkpoint(cnnlab, monkeypatch, tmp_path) -> None:
    import cnnlab.training.run as workflow

    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    read = []
    monkeypatch.setattr(workflow, "load_state", lambda *arguments: read.append(load(*arguments)) or read[-1])
    result = cnnlab("train", "tiny.yaml", "--dry-run")
    assert result.code == 0, result.err
    assert result.out.split()[:4] == ["dry", "run:", "everything", "works:"]
    assert [state["progress"]["step"] for state in read] == [2]
    assert not cnnlab.runs.exists()
    assert not list(temporary.glob("cnnlab*"))


def test_a_dry_run_notices_a_checkpoint_that_differs(cnnlab, no_report, monkeypatch) -> None:
    import cnnlab.training.run as workflow

    def spoiled(*arguments):
        state = load(*arguments)
        state["model"]["linear1.bias"] += 1
        return state

    monkeypatch.setattr(workflow, "load_state", spoiled)
    result = cnnlab("train", "tiny.yaml", "--dry-run")
    assert result.code == 1
    assert "error: the checkpoint does not read back: linear1.bias differs\n" in result.err


def test_a_dry_run_as_json_names_no_run(cnnlab, no_report) -> None:
    document = cnnlab("train", "tiny.yaml", "--dry-run", "--json").json()
    assert (document["run"], document["report"], document["epochs"]) == (None, None, 1)


def test_repeats(cnnlab, no_report) -> None:
    result = cnnlab("train", "tiny.yaml", "training.epochs=1", "seed=4", "--repeats", 2, "--json")
    document = result.json()
    assert [run["run"] for run in document["runs"]] == ["runs/tiny-seed4", "runs/tiny-seed5"]
    accuracies = [run["val_accuracy"] for run in document["runs"]]
    assert document["mean"] == pytest.approx(sum(accuracies) / 2)
    low, high = document["ci95"]
    assert low <= document["mean"] <= high
    again = cnnlab("train", "tiny.yaml", "training.epochs=1", "seed=3", "--repeats", 2)
    assert again.code == 2
    assert "the run runs/tiny-seed4 exists" in again.err
    assert not (cnnlab.runs / "tiny-seed3").exists()
    shown = cnnlab("train", "tiny.yaml", "training.epochs=1", "--repeats", 2).out
    assert re.search(r"2 runs: [\d.]+% ± [\d.]+% \(standard deviation\).*95 % interval of", shown, re.DOTALL)


def test_a_time_budget_ends_the_schedule_by_the_clock(cnnlab, no_report) -> None:
    changes = ("training.epochs=100000", "logging.histograms_every_epochs=0")
    asked = ("training.time_budget=1h", "--time-budget", "2s")  # the option goes before the config
    document = cnnlab("train", "tiny.yaml", *changes, *asked, "--json").json()
    assert document["status"] == "out-of-time"
    assert "time_budget: 2.0\n" in (cnnlab.runs / "tiny" / "config.yaml").read_text()
    assert load(cnnlab.runs / "tiny" / "checkpoints" / "last.pt", torch.device("cpu"))["progress"]["elapsed"] > 1.5
    rates = [point["lr"] for point in lines(cnnlab.runs / "tiny" / "metrics.jsonl") if point["kind"] == "step"]
    assert rates[0] > 0.09
    assert rates[-1] < 0.1 * rates[0]  # of the last step, which is long on a busy machine
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize("text", ["0", "-3", "10x", "ten minutes"])
def test_time_budgets_that_are_none(cnnlab, text) -> None:
    result = cnnlab("train", "tiny.yaml", f"--time-budget={text}")
    assert result.code == 2
    assert result.err == f"error: --time-budget is '{text}', expected a time such as 90s, 10m or 1.5h\n"


def test_early_stopping_stops_and_says_so(cnnlab, no_report) -> None:
    result = cnnlab("train", "tiny.yaml", "training.epochs=30", "early_stopping={patience: 2, minimum_gain: 0.9}")
    assert result.code == 0
    assert "stopped early        after epoch 3\n" in result.out
    record = json.loads((cnnlab.runs / "tiny" / "run.json").read_text())
    assert (record["outcome"]["status"], record["outcome"]["epochs"]) == ("stopped-early", 3)


def test_the_test_part_is_never_opened(cnnlab, no_report, monkeypatch) -> None:
    from cnnlab.data.registry import DATASETS

    parts = []
    entry = DATASETS["shapes"]
    factory = entry.factory

    @wraps(factory)
    def recorded(part, **options):
        parts.append(part)
        return factory(part, **options)

    monkeypatch.setitem(entry.__dict__, "factory", recorded)
    assert cnnlab("train", "tiny.yaml", "training.epochs=1").code == 0
    assert cnnlab("eval", "tiny").code == 0
    assert set(parts) == {"train"}
    assert cnnlab("eval", "tiny", "--split", "test").code == 0
    assert "test" in parts


def test_deterministic_training_is_the_same_twice_and_another_seed_is_not(cnnlab, no_report) -> None:
    for name, changes in (("a", ()), ("b", ()), ("c", ("training.deterministic=true",)), ("d", ("seed=1",))):
        result = cnnlab("train", "tiny.yaml", "training.epochs=1", *changes, "--name", name)
        assert result.code == 0, result.err
    a, b, c, d = (weights(cnnlab.runs / name) for name in "abcd")
    assert same(a, b)
    assert same(a, c)  # nothing on a CPU differs
    assert not same(a, d)


@pytest.mark.slow
def test_a_resumed_run_has_no_step_twice(cnnlab) -> None:
    paused = cnnlab("train", "tiny.yaml", "--stop-after", 1)
    assert paused.code == 0
    assert "paused               after epoch 1; to go on:\n" in paused.out
    command = re.search(r"^ +cnnlab (train --resume .*)$", paused.out, re.MULTILINE)[1].split()
    assert cnnlab(*command, "--json").json()["status"] == "finished"
    run = cnnlab.runs / "tiny"
    assert_tensorboard_holds_the_metrics(run)
    events = events_of(run)
    for tag in events.Tags()["scalars"]:
        steps = [point.step for point in events.Scalars(tag)]
        assert len(steps) == len(set(steps)), tag
    for tag in events.Tags()["histograms"]:
        assert [point.step for point in events.Histograms(tag)] == [12]
    assert math.isfinite(events.Scalars("final/train_loss")[-1].value)
