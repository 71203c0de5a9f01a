"""Every way of training that a config can ask for: it trains, and goes on where it stopped."""

from pathlib import Path

import pytest
import torch

from cnnlab.fit.checkpoints import load_state

GROUPS = (
    "optimizer={adamw: {lr: 1e-3}}",
    "parameter_groups=[{match: [norms, biases], weight_decay: 0}, {match: ['linear*'], lr_scale: 0.1}]",
)
FROZEN = "parameter_groups=[{match: ['conv_bn_act1.*'], frozen: true}]"
CONSTANT = "schedule={constant: {warmup: 1}}"
WAYS = {
    "ema, accumulate, clipping by norm, nesterov, constant": [
        *("ema={decay: 0.9}", "training.accumulate=4", "clipping={norm: {}}"),
        *("optimizer={sgd: {nesterov: true, weight_decay: 5e-4}}", CONSTANT),
    ],
    "ema every 2, clipping adaptive, mixup, class weights, step": [
        *("ema={decay: 0.9, every: 2}", "clipping={adaptive: {}}", "data.augment=[mixup]"),
        *("loss={cross_entropy: {class_weights: balanced}}", "schedule={step: {milestones: [1]}}"),
    ],
    "cutmix, smoothing, adamw with groups, cosine, drop last": [
        *("data.augment=[crop, cutmix]", "loss={cross_entropy: {label_smoothing: 0.1}}", *GROUPS),
        *("schedule={cosine: {warmup: 0.5, floor: 0.1, every: epoch}}", "training.drop_last=true"),
    ],
    "augmentation of place, frozen, channels last, one cycle, deterministic": [
        "data.augment=[{crop: {padding: 2}}, {flip: {mode: alternate}}, vertical_flip, rotate, affine, resized_crop]",
        FROZEN,
        *("training.channels_last=true", "schedule=one_cycle", "training.deterministic=true"),
    ],
    "augmentation of pixels, bf16, triangular, no clean images": [
        "data.augment=[cutout, erase, color_jitter, grayscale, blur, noise]",
        *("training.precision=bf16", "schedule=triangular", "training.clean_train_pictures=0"),
    ],
    "grey, no validation, muon, a decoupled rest, a sum": [
        *("data.dataset={shapes: {train_count: 100, size: 16, channels: 1}}", "data.validation=0"),
        "optimizer={muon: {lr: 0.05, rest: {sgd: {lr: 0.5, nesterov: true, weight_decay: 0.01, decoupled: true}}}}",
        "loss={cross_entropy: {reduction: sum}}",
        "parameter_groups=[{match: [norm_biases], lr_scale: 64, until: 0.5, schedule: triangular}]",
    ],
}
"""Several at a time: what one of them does not keep is missing whatever else is on."""

FEW = ["data.dataset={shapes: {train_count: 100, size: 16}}", "logging.histograms_every_epochs=0"]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of TensorBoard's files is no matter here, so none waits for a second to pass."""
    monkeypatch.setattr("cnnlab.runs.events._wait_for_a_later_name", lambda folder: None)


def last(run: Path) -> dict:
    return load_state(run / "checkpoints" / "last.pt", torch.device("cpu"))


@pytest.mark.parametrize("way", WAYS)
def test_trains_and_resumes_to_the_same_end(cnnlab, no_report, way) -> None:
    changes = [*FEW, *WAYS[way]]
    whole = cnnlab("train", "tiny.yaml", *changes, "--name", "whole")
    assert whole.code == 0, whole.err
    assert cnnlab("train", "tiny.yaml", *changes, "--stop-after", 1, "--name", "parts").code == 0
    resumed = cnnlab("train", "--resume", "parts")
    assert resumed.code == 0, resumed.err
    one, other = (last(cnnlab.runs / name) for name in ("whole", "parts"))
    assert one["progress"]["epoch"] == other["progress"]["epoch"] == 2
    assert all(torch.equal(one["model"][name], other["model"][name]) for name in one["model"])
    assert all(value.isfinite().all() for value in one["model"].values())


def test_every_augmentation_optimizer_schedule_loss_and_clipping_is_among_them() -> None:
    from cnnlab.config.config import Config  # noqa: F401  (fills the registries)
    from cnnlab.core.registry import Registry

    words = " ".join(word for changes in WAYS.values() for word in changes) + " sgd flip cosine"
    kinds = ("augmentation", "optimizer", "schedule", "loss", "clipping")
    names = {
        entry.name for kind in kinds for entry in Registry.of(kind) if entry.factory.__module__.startswith("cnnlab.")
    }
    assert {name for name in names if name not in words} == set()


def test_a_group_without_decay_has_none_and_a_frozen_layer_stays(cnnlab, no_report) -> None:
    cnnlab("train", "tiny.yaml", *FEW, *GROUPS, "--name", "groups")
    groups = last(cnnlab.runs / "groups")["optimizer"]["param_groups"]
    assert {(group["weight_decay"], group["lr_base"]) for group in groups} == {(0.01, 1e-3), (0.0, 1e-3), (0.01, 1e-4)}
    for epochs in (1, 2):
        cnnlab("train", "tiny.yaml", *FEW, FROZEN, f"training.epochs={epochs}", "--name", f"frozen{epochs}")
    one, two = (last(cnnlab.runs / f"frozen{epochs}")["model"] for epochs in (1, 2))
    assert torch.equal(one["conv_bn_act1.conv.weight"], two["conv_bn_act1.conv.weight"])
    assert not torch.equal(one["conv_bn_act2.conv.weight"], two["conv_bn_act2.conv.weight"])


def test_warmup_starts_small_but_not_at_zero(cnnlab, no_report) -> None:
    import json

    cnnlab("train", "tiny.yaml", *FEW, CONSTANT)
    lines = (cnnlab.runs / "tiny" / "metrics.jsonl").read_text().splitlines()
    rates = [point["lr"] for point in map(json.loads, lines) if point["kind"] == "step"]
    assert rates == pytest.approx([0.001, 0.1 / 3, 0.2 / 3, 0.1, 0.1, 0.1])


def test_nothing_is_compiled_for_other_instructions(cnnlab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    result = cnnlab("train", "tiny.yaml", *FEW, "training.compile=true")
    assert result.code == 2
    assert "computes wrong gradients under ATEN_CPU_CAPABILITY=avx2; unset that variable" in result.err
    monkeypatch.delenv("ATEN_CPU_CAPABILITY")
    monkeypatch.setenv("CXX", "no-such-compiler")
    result = cnnlab("train", "tiny.yaml", *FEW, "training.compile=max-autotune")
    assert (result.code, result.err) == (
        2,
        "error: training.compile: torch's compiler needs a C++ compiler (no-such-compiler): install one, or name it in "
        "CXX; or train without training.compile\n",
    )
