"""Fused networks against the networks that they come from, in float64, and what is refused."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from cnnlab.core.registry import component
from cnnlab.models.build import build
from cnnlab.models.fusing.arithmetic import norm_after
from cnnlab.models.fusing.fuse import Fusion, fuse
from cnnlab.models.tensors import copied

RELATIVE = 1e-10


def shaken(model: nn.Module, seed: int = 0) -> nn.Module:
    """In float64, with statistics of norms that are no defaults."""
    generator = torch.Generator().manual_seed(seed)
    model = model.double().eval()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for tensor, low, high in (
                (module.running_mean, -1.0, 1.0),
                (module.running_var, 0.3, 3.0),
                (module.weight, -1.5, 1.5),
                (module.bias, -1.0, 1.0),
            ):
                if tensor is not None:
                    drawn = torch.rand(tensor.shape, generator=generator, dtype=torch.float64)
                    tensor.data.copy_(low + (high - low) * drawn)
    return model


def checked(model: nn.Module, images: Tensor) -> Fusion:
    """The network fused: it computes the same."""
    found = fuse(copied(model), images[:1])
    with torch.no_grad():
        before, after = model(images), found.model(images)
    assert float((before - after).abs().max()) <= RELATIVE * float(before.abs().max())
    return found


def norms(model: nn.Module) -> int:
    return sum(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules())


def drawn_stack(seed: int) -> list[object]:
    """Layers of a config, drawn at random: convolutions, norms, sums, drop-outs and activations."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*among: object) -> object:
        return among[int(torch.randint(len(among), (), generator=generator))]

    def one(channels: int) -> dict[str, object]:
        kernel = draw(1, 3, 5)
        options = {"channels": channels, "kernel": kernel, "groups": draw(1, 2), "dilation": draw(1, 2),
                   "padding_mode": draw("zero", "reflect", "replicate", "circular")}  # fmt: skip
        return {str(draw("conv", "conv_bn_act")): options}

    def branch() -> list[object]:
        kernel = draw(1, 3, 5)
        words = {
            "channels": 8,
            "kernel": kernel,
            "activation": "none",
            "padding_mode": draw("zero", "zero", "circular"),
        }
        return list(draw([], ["batch_norm"], [{"conv_bn_act": words}], [{"conv": {"channels": 8, "kernel": kernel}}]))

    layers: list[object] = []
    for _ in range(5):
        layers.append(
            draw(
                one(8),
                "batch_norm",
                {"conv": {"channels": 8, "kernel": 3, "padding": draw(0, 1)}},
                {"parallel": {"join": draw("add", "add", "concat"), "branches": [branch(), branch(), branch()]}},
                {"conv": {"channels": 8}},
                {"residual": {"layers": [{"conv_bn_act": {"channels": 8, "activation": draw("none", "relu")}}]}},
                {"dropout": {"probability": 0.3}},
                "relu",
            )
        )
        if "parallel" in str(layers[-1]) and "concat" in str(layers[-1]):
            layers.append({"conv": {"channels": 8, "kernel": 1}})
    return [{"conv": {"channels": 8}}, *layers, "global_avg_pool", "batch_norm", "linear"]


def network(layers: list[object], side: int = 16) -> nn.Module:
    (block,) = [component("layer", "block", name="whole", layers=layers)]
    return build(block.options["layers"], (3, side, side), classes=4)


@pytest.mark.parametrize("seed", range(40))
def test_random_stacks_compute_the_same(seed: int) -> None:
    torch.manual_seed(seed)
    model = shaken(network(drawn_stack(seed)), seed)
    found = checked(model, torch.randn(3, 3, 16, 16, dtype=torch.float64))
    folded = [step for step in found.steps if "norm" in step.what or "merged" in step.what]
    assert norms(found.model) == len({one.layer for one in found.kept if "branches" not in one.why})
    assert norms(model) == 0 or folded or found.kept


def test_weights_are_those_of_torch() -> None:
    for layer, norm, theirs in (
        (nn.Conv2d(4, 6, 3, groups=2, bias=False), nn.BatchNorm2d(6), fuse_conv_bn_eval),
        (nn.Conv1d(4, 6, 3), nn.BatchNorm1d(6, affine=False), fuse_conv_bn_eval),
        (nn.Linear(5, 7), nn.BatchNorm1d(7), fuse_linear_bn_eval),
    ):
        shaken(layer), shaken(norm)
        ours, other = norm_after(layer, norm), theirs(layer, norm)  # type: ignore[operator]
        torch.testing.assert_close(ours.weight, other.weight, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(ours.bias, other.bias, rtol=1e-12, atol=1e-12)


def test_transposed_convolutions_and_norms_before_them() -> None:
    plain = shaken(nn.Sequential(nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2, output_padding=1), nn.BatchNorm2d(6)))
    assert norms(checked(plain, torch.randn(2, 4, 5, 5, dtype=torch.float64)).model) == 0
    before = shaken(nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 6, 3, groups=2), nn.ReLU()))
    found = checked(before, torch.randn(2, 4, 5, 5, dtype=torch.float64))
    assert [step.what for step in found.steps] == ["batch norm folded into the layer after it"]
    flat = shaken(nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 3)))
    assert norms(checked(flat, torch.randn(2, 4, dtype=torch.float64)).model) == 0


REPVGG = [
    {"conv_bn_act": {"channels": 8, "stride": 2}},
    {"parallel": {"join": "add", "branches": [
        ["batch_norm"],
        [{"conv_bn_act": {"channels": 8, "activation": "none"}}],
        [{"conv_bn_act": {"channels": 8, "kernel": 1, "activation": "none"}}],
    ]}},
    "relu",
    {"parallel": {"join": "add", "branches": [
        [{"conv_bn_act": {"channels": 8, "stride": 2, "activation": "none"}}],
        [{"conv_bn_act": {"channels": 8, "kernel": 1, "stride": 2, "activation": "none"}}],
    ]}},
    "relu", {"dropout": {"probability": 0.5}}, "global_avg_pool", "linear",
]  # fmt: skip


def test_branches_of_repvgg_become_one_convolution() -> None:
    model = shaken(network(REPVGG))
    found = checked(model, torch.randn(2, 3, 16, 16, dtype=torch.float64))
    kinds = [type(module).__name__ for name, module in found.model.named_children()]
    assert kinds == ["Sequential", "Conv2d", "ReLU", "Conv2d", "ReLU", "GlobalAvgPool2d", "Linear"]
    assert (norms(model), norms(found.model), found.kept) == (6, 0, ())
    merged = {step.layer: step.others for step in found.steps if "merged" in step.what}
    assert merged["parallel1"] == (
        "parallel1.branch1.batch_norm1", "parallel1.branch2.conv_bn_act1.conv", "parallel1.branch3.conv_bn_act1.conv",
    )  # fmt: skip
    assert found.steps[-1].others == ("dropout1",)


class Own(nn.Module):
    """Batch norms that stay, each for a reason of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.read_twice, self.norm_a = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.padded_norm, self.padded = nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, padding=1)
        self.called_twice, self.norm_c = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
        self.before_batch, self.of_batch = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4, track_running_stats=False)
        self.weight_read, self.norm_e = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
        self.in_place, self.norm_f = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
        self.spare = nn.BatchNorm2d(4)
        self.good, self.norm_g = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.read_twice(x)
        x = self.norm_a(x) + x
        x = self.padded(self.padded_norm(x.relu()))
        x = self.norm_c(self.called_twice(self.called_twice(x))).relu()
        x = self.of_batch(self.before_batch(x))
        x = self.norm_e(self.weight_read(x)) * self.weight_read.weight.mean()
        x = self.norm_f(self.in_place(x).relu_()).relu()
        return self.norm_g(self.good(x)).mean((2, 3))


def test_what_cannot_be_proven_stays_with_its_reason() -> None:
    model = shaken(Own())
    found = checked(model, torch.randn(2, 3, 6, 6, dtype=torch.float64))
    assert [step.layer for step in found.steps] == ["good"]
    said = {one.layer: one.why for one in found.kept}
    assert "what read_twice puts out is read by the network, too" in said["norm_a"]
    assert "padded after it is padded with zeros" in said["padded_norm"]
    assert "called_twice before it cannot take it in: it runs 2 times in a pass" in said["norm_c"]
    assert "by the statistics of each batch, in evaluation mode too" in said["of_batch"]
    assert "the code of the network reads its weights" in said["norm_e"]
    assert "what the code between layers makes" in said["norm_f"]
    assert said["spare"] == "it does not run"


def test_layers_that_are_shared_or_more_than_plain_stay() -> None:
    class Scaled(nn.Conv2d):
        def forward(self, input: Tensor) -> Tensor:
            return 2 * super().forward(input)

    shared = nn.Conv2d(3, 3, 1)
    model = nn.Sequential(shared, nn.BatchNorm2d(3), nn.ReLU(), shared, nn.BatchNorm2d(3), Scaled(3, 3, 1),
                          nn.BatchNorm2d(3), nn.ReLU())  # fmt: skip
    found = checked(shaken(model), torch.randn(2, 3, 4, 4, dtype=torch.float64))
    assert found.steps == ()
    assert [one.layer for one in found.kept] == ["1", "4", "6"]
    assert "it is one layer with 3" in found.kept[0].why
    assert "a Scaled" in found.kept[2].why


def test_an_unmergeable_sum_says_why() -> None:
    two = {"parallel": {"join": "add", "branches": [
        [{"conv": {"channels": 4, "kernel": 3, "padding_mode": "reflect"}}], [{"conv": {"channels": 4, "kernel": 5}}],
    ]}}  # fmt: skip
    found = checked(shaken(network([two, "global_avg_pool", "linear"])), torch.randn(1, 3, 16, 16, dtype=torch.float64))
    assert found.kept[0].why == "its branches stay apart: its convolutions are padded with zeros and reflect"
