"""Class activation maps of tokens: the layer that is chosen, finite differences, and what stands beside the patches."""

from collections.abc import Callable

import pytest
import torch
from command_line import Place
from networks import unchanged
from PIL import Image
from token_networks import AttentionBetween, Columns, CutPatches, Encoder, Mixed, ViT, maxvit, seeded
from torch import Tensor, nn

from cnnlab.attribution.attribution import attribute
from cnnlab.attribution.layers import choose_layer
from cnnlab.core.errors import RequestError

WIDE = (3, 16, 40)
CHOSEN: dict[str, tuple[Callable[[], nn.Module], tuple[int, int, int], str, tuple[int, int], str]] = {
    "class token": (ViT, (3, 16, 16), "blocks.1.norm1", (4, 4), "1 class token left out"),
    "distilled": (lambda: ViT(first=2), (3, 16, 16), "blocks.1.norm1", (4, 4), "2 class or register tokens left out"),
    "registers": (lambda: ViT(registers=3), (3, 16, 16), "blocks.1.norm1", (4, 4), "4 class or register tokens"),
    "4 × 10": (lambda: ViT(WIDE), WIDE, "blocks.1.norm1", (4, 10), "1 class token left out"),
    "one row": (lambda: ViT((3, 4, 40)), (3, 4, 40), "blocks.1.norm1", (1, 10), "1 class token left out"),
    "patches that leave pixels over": (lambda: ViT((3, 18, 23)), (3, 18, 23), "blocks.1.norm1", (4, 5), "1 class"),
    "mean": (lambda: ViT(first=0), (3, 16, 16), "norm", (4, 4), ""),
    "mean with registers": (lambda: ViT(first=0, registers=1), (3, 16, 16), "norm", (4, 4), "1 class token left out"),
    "batch first": (lambda: Encoder(batch_first=True), (3, 16, 24), "encoder", (4, 6), ""),
    "tokens first": (lambda: Encoder(batch_first=False), (3, 16, 24), "encoder", (4, 6), ""),
    "cut out": (CutPatches, (3, 16, 24), "block", (4, 6), ""),
}
"""The network, its images, the layer that is chosen, its grid, and what is said of other tokens."""


def images(shape: tuple[int, ...]) -> Tensor:
    return torch.randn(2, *shape, generator=torch.Generator().manual_seed(1)).double()


@pytest.mark.parametrize("kind", CHOSEN)
def test_grad_cam_by_finite_differences(kind: str) -> None:
    """The layer that is chosen, and there Σ_k (mean over patches of ∂logit/∂A_k) · A_k by differences of logits."""
    make, shape, layer, (height, width), left_out = CHOSEN[kind]
    model, x = seeded(make).double(), images(shape)
    choice = choose_layer(model, shape)
    assert (choice.name, choice.height, choice.width) == (layer, height, width)
    assert choice.tokens.startswith(f"tokens of a grid of {height} × {width}")
    assert left_out in choice.tokens
    assert ("left out" in choice.tokens) == bool(left_out)
    (cam,) = attribute(model, x, [0, 2], methods=["gradcam"], layers=choice)

    kept: list[Tensor] = []
    changed = Tensor()

    def hook(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        kept[:] = [output]
        return output + changed if len(changed) else output

    tokens_first = kind == "tokens first"
    model.get_submodule(layer).register_forward_hook(hook)
    with torch.no_grad():
        model(x)
        output = kept[0].transpose(0, 1) if tokens_first else kept[0]
        first = model.count if isinstance(model, ViT) else 0
        patches = output[:, first : first + height * width]
        slopes = torch.zeros(2, patches.shape[2], dtype=torch.float64)
        for channel in range(patches.shape[2]):
            # of all patches at once: Grad-CAM needs the sum of their gradients
            step = torch.zeros_like(output)
            step[:, first : first + height * width, channel] = 1e-5
            logits = []
            for sign in (1, -1):
                changed = sign * (step.transpose(0, 1) if tokens_first else step)
                logits.append(model(x)[[0, 1], [0, 2]])
            slopes[:, channel] = (logits[0] - logits[1]) / 2e-5 / (height * width)
    by_hand = (patches * slopes[:, None]).sum(2).reshape(2, height, width)
    assert float(by_hand.abs().max()) > 1e-3
    torch.testing.assert_close(cam.maps.double(), by_hand, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layer", ["blocks", "norm", "blocks.1", "blocks.1.mlp.1"])
def test_patches_that_do_not_lead_to_the_logits(layer: str) -> None:
    model, shape = seeded(ViT), (3, 16, 16)
    x = images(shape).float()
    for method in ("gradcam", "hirescam", "ablationcam"):
        with pytest.raises(RequestError, match=rf"'{layer}' \(4 × 4\) .* only from its class token.*'blocks.1.norm1'"):
            attribute(model, x, [0, 1], methods=[method], layers=[layer])
    (cam,) = attribute(model, x, [0, 1], methods=["eigencam"], layers=[layer])
    assert cam.maps.shape == (2, 4, 4)
    assert not [one.name for one in choose_layer(model, shape).candidates if one.name == layer and one.leads]


def test_a_normalisation_takes_away_what_hirescam_sums() -> None:
    """LayerNorm does not see how large its input is: Σ_k g_k · A_k = 0 in front of it, so that it is not chosen."""
    model, shape = seeded(ViT).double(), (3, 16, 16)
    x = images(shape)
    before, behind = (
        attribute(model, x, [0, 1], methods=["hirescam"], layers=[layer])[0] for layer in ("blocks.0", "blocks.1.norm1")
    )
    assert float(before.maps.abs().max()) < 1e-5 < 1e-3 < float(behind.maps.abs().max())
    assert ["rounding" in note for note in before.notes] == [True]
    assert behind.notes == ()
    choice = choose_layer(model, shape)
    assert choice.name == "blocks.1.norm1"
    assert "'blocks.0'" in choice.reason


def test_a_last_layer_of_zeros_changes_no_choice() -> None:
    """As torchvision's transformers begin: nothing has a gradient then."""
    model = seeded(ViT)
    assert isinstance(model, ViT)
    nn.init.zeros_(model.head.weight)
    assert choose_layer(model, (3, 16, 16)).name == "blocks.1.norm1"
    assert bool((model.head.weight == 0).all())


class Squeezed(ViT):
    """Takes away every dimension of size 1: that of the classes, and that of a batch of one."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[:, :, None].squeeze()


def test_a_network_that_needs_two_images() -> None:
    assert choose_layer(seeded(Squeezed), (3, 16, 16)).name == "blocks.1.norm1"


def test_the_class_token_stays_when_maps_are_put_back() -> None:
    """Ablation-CAM by hand: a channel of the patches is set to 0, those of the class token stay."""
    model, shape, layer = seeded(ViT).double(), (3, 16, 16), "blocks.0"
    x = images(shape)
    (cam,) = attribute(model, x, [0, 2], methods=["ablationcam"], layers=[layer])
    kept: list[Tensor] = []
    channel = -1

    def hook(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        kept[:] = [output]
        output = output.clone()
        if channel >= 0:
            output[:, 1:, channel] = 0
        return output

    model.get_submodule(layer).register_forward_hook(hook)
    with torch.no_grad():
        whole, patches = model(x)[[0, 1], [0, 2]], kept[0][:, 1:]
        by_hand = torch.zeros(2, 16, dtype=torch.float64)
        for channel in range(8):
            lost = (whole - model(x)[[0, 1], [0, 2]]) / whole.abs()
            by_hand += lost[:, None] * patches[:, :, channel]
    torch.testing.assert_close(cam.maps.double(), by_hand.reshape(2, 4, 4), rtol=1e-5, atol=1e-6)


def test_every_block_can_be_named_and_the_network_stays() -> None:
    model = seeded(ViT)
    with unchanged(model):
        x = images((3, 16, 16)).float()
        for layer in ("patch", "blocks.0", "blocks.0.norm1", "blocks.0.qkv", "blocks.0.mlp.1", "blocks.1.norm1"):
            maps = attribute(model, x, [0, 1], methods=["gradcam", "scorecam", "reciprocam"], layers=[layer])
            assert {tuple(one.maps.shape) for one in maps} == {(2, 4, 4)}
            assert all(bool(one.maps.any()) for one in maps)


def test_attention_between_convolutions() -> None:
    """Its module puts the tokens out in a tuple: Grad-CAM there is that of the same tokens in a tensor."""
    model, shape = seeded(AttentionBetween).double(), (3, 16, 12)
    x = images(shape)
    assert choose_layer(model, shape).name == "after"
    (cam,) = attribute(model, x, [0, 2], methods=["gradcam"], layers=["attention"])
    tokens: list[Tensor] = []

    def hook(module: nn.Module, inputs: object, output: tuple[Tensor, None]) -> None:
        output[0].retain_grad()
        tokens.append(output[0])

    model.get_submodule("attention").register_forward_hook(hook)
    model(x)[[0, 1], [0, 2]].sum().backward()
    slope = tokens[0].grad
    assert slope is not None
    by_hand = (tokens[0] * slope.mean(1, keepdim=True)).sum(2).reshape(2, 8, 6)
    torch.testing.assert_close(cam.maps.double(), by_hand.detach(), rtol=1e-5, atol=1e-7)


def test_windows_beside_one_another_are_a_grid() -> None:
    """MaxViT's windows of 8 × 8, and its grids of places 8 apart: each token where torchvision puts it back."""
    model, shape = seeded(maxvit), (3, 64, 64)
    x = images(shape).float()
    choice = choose_layer(model, shape)
    assert (choice.name, choice.height, choice.head.kind) == ("blocks.1", 8, "gap_dense")
    for kind in ("window", "grid"):
        block = f"blocks.0.layers.0.layers.{kind}_attention"
        inner, outer = (
            attribute(model, x, [0, 1], methods=["layercam"], layers=[f"{block}.{layer}"], layouts=choice.layouts)[0]
            for layer in ("departition_swap", "departition_op")
        )
        assert inner.maps.shape == (2, 16, 16)
        torch.testing.assert_close(inner.maps, outer.maps)


@pytest.mark.parametrize(
    ("make", "layer", "words"),
    [
        (
            Columns,
            None,
            "no layer of the network has feature maps .* layer 'lstm' puts out a sequence, each step .* pixel",
        ),
        (
            Columns,
            "lstm",
            "layer 'lstm' puts out a sequence, each step of which has read others, .*; no layer has feature maps",
        ),
        (Mixed, "mix", r"layer 'mix' puts out \(3, 7\) for an image, without height and width"),
    ],
)
def test_what_has_no_grid(make: Callable[[], nn.Module], layer: str | None, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        choose_layer(seeded(make), (3, 16, 16), layer=layer)


def test_the_command_says_the_grid(cnnlab: Place) -> None:
    said = "tokens of a grid of 4 × 4, 1 class token left out"
    Image.new("RGB", (16, 16), "teal").save(cnnlab.folder / "a.png")
    arguments = ("gradcam", "token_networks:ViT", "a.png", "--input", "3,16,16", "--method", "gradcam")
    found = cnnlab(*arguments, "--json")
    assert found.code == 0, found.err
    (layer,) = found.json()["layers"]
    assert (layer["name"], layer["height"], layer["width"], layer["tokens"]) == ("blocks.1.norm1", 4, 4, said)
    assert said in " ".join(cnnlab(*arguments).out.split())
    refused = cnnlab(*arguments, "--layer", "blocks")
    assert (refused.code, "Traceback" in refused.err) == (2, False)
    assert "'blocks.1.norm1'" in refused.err
