"""Feature maps found whatever the order of their dimensions: every reader against the same network in the usual one."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from networks import unchanged
from torch import Tensor, nn
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.swin_transformer import (
    PatchMerging,
    PatchMergingV2,
    SwinTransformer,
    SwinTransformerBlock,
    SwinTransformerBlockV2,
)
from walk.zoo import Function

from cnnlab.attribution.attribution import attribute
from cnnlab.attribution.layers import choose_layer
from cnnlab.core.errors import RequestError
from cnnlab.inside.dream.maximise import Channel, score
from cnnlab.inside.features.feature_maps import feature_maps
from cnnlab.inside.patches.search import top_units
from cnnlab.network.penultimate import penultimate_features
from cnnlab.receptive_field.effective.field import locate, summed_influence
from cnnlab.receptive_field.fields import receptive_fields
from cnnlab.receptive_field.reading import boxes_of
from cnnlab.walk.layout import Layout
from cnnlab.walk.layouts import layouts_of

SHAPE = (3, 8, 6)
METHODS = (
    "gradcam", "layercam", "eigencam", "scorecam", "ablationcam", "reciprocam", "shapleycam", "guided_gradcam",
    "fullgrad",
)  # fmt: skip
"""One for each way of reading a layer, and of putting maps back into it."""
ORDERS = {
    "channels last": (0, 2, 3, 1),
    "turned": (0, 1, 3, 2),
    "columns, batch, rows, channels": (3, 0, 2, 1),
}


class Permuted(nn.Module):
    """An inner layer that is handed, and hands on, its maps in another order."""

    def __init__(self, inner: nn.Module, order: tuple[int, ...]) -> None:
        super().__init__()
        self.inner, self.order = inner, order

    def forward(self, x: Tensor) -> Tensor:
        back = [self.order.index(dim) for dim in range(4)]
        return self.inner(x.permute(back)).permute(self.order)


class Net(nn.Module):
    """Maps of 6 × 4 × 3 units with 4 channels, as many as rows: between its layers in another order."""

    def __init__(self, order: tuple[int, ...] = (0, 1, 2, 3)) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.order = order
            self.first = Permuted(nn.Conv2d(3, 5, 3, padding=1), order)
            self.act = Permuted(nn.ReLU(), order)
            self.second = Permuted(nn.Conv2d(5, 4, 3, stride=2, padding=1), order)
            self.last = Permuted(nn.Tanh(), order)
            self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.last(self.second(self.act(self.first(x.permute(self.order)))))
        back = [self.order.index(dim) for dim in range(4)]
        return self.head(x.permute(back).mean((2, 3)))


def images(n: int = 2) -> Tensor:
    return torch.randn(n, *SHAPE, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("order", ORDERS)
def test_every_reader_gives_what_it_gives_for_the_usual_order(order: str) -> None:
    plain, other, x = Net().eval(), Net(ORDERS[order]).eval(), images()
    sizes = {"first": (5, 8, 6), "act": (5, 8, 6), "second": (4, 4, 3), "last": (4, 4, 3)}
    a, b = choose_layer(plain, SHAPE), choose_layer(other, SHAPE)
    assert {name: b.layouts.of(name).size for name in sizes} == sizes
    assert (a.name, a.candidates, a.head) == (b.name, b.candidates, b.head)
    assert (a.channels, a.height, a.width, a.post_activation) == (4, 4, 3, True)

    maps = [attribute(net, x, [0, 1], methods=METHODS, layers=choice) for net, choice in ((plain, a), (other, b))]
    for one, two in zip(*maps, strict=True):
        torch.testing.assert_close(one.maps, two.maps, msg=one.method)
        assert one.passes == two.passes

    for name in ("first", "last"):
        one, two = (feature_maps(net, x, [name])[0] for net in (plain, other))
        torch.testing.assert_close(one.maps, two.maps)
        top, same = (list(top_units(net, [(x, torch.arange(2), 0)], name, k=2))[-1] for net in (plain, other))
        assert top.size == same.size
        assert all(torch.equal(getattr(top, part), getattr(same, part)) for part in ("images", "rows", "columns"))
        for unit in (None, (1, 2)):
            here, there = (
                locate(net, x, layer=name, unit=unit, layouts=layouts)
                for net, layouts in ((plain, a.layouts), (other, b.layouts))
            )
            assert (here.position, here.layout.size) == (there.position, there.layout.size)
            torch.testing.assert_close(summed_influence(plain, x, here), summed_influence(other, x, there))
        scores = [score(net, x, Channel(name, 3)) for net in (plain, other)]
        torch.testing.assert_close(*scores)
        with pytest.raises(RequestError, match=f"channel of layer '{name}' {sizes[name][0]}: there are"):
            score(other, x, Channel(name, sizes[name][0]))

    usual, fields = receptive_fields(plain, SHAPE), receptive_fields(other, SHAPE)
    for name in sizes:
        for part in ("size", "stride", "padding", "shortest", "box", "centre"):
            assert getattr(usual[name], part) == getattr(fields[name], part)
        ends = []
        for one, of in ((usual, a.layouts), (fields, b.layouts)):
            output, layout = one.walk.output(name), of.of(name)
            assert output is not None
            assert output.tag is not None
            ends.append(boxes_of(output.tag, layout))
        assert ends[0].rows.tolist() == ends[1].rows.tolist()
        assert ends[0].columns.tolist() == ends[1].columns.tolist()


def test_nothing_is_changed() -> None:
    network = Net(ORDERS["channels last"])
    with unchanged(network):
        layouts_of(network, SHAPE)
        attribute(network, images(), [0, 1], methods=["gradcam", "ablationcam", "fullgrad"], layers=["first"])


def size_of(function: Callable[[Tensor], Tensor], shape: tuple[int, int, int] = SHAPE) -> tuple[int, ...] | str:
    """Channels, rows and columns of what the function makes of a convolution's maps, or why there are none."""
    first = nn.Conv2d(shape[0], shape[0], 3, padding=1)
    found = layouts_of(nn.Sequential(first, Function(function)), shape).found["1"]
    return (*found.size, *found.places) if isinstance(found, Layout) else found


def windows(x: Tensor) -> Tensor:
    """(n, 3, 8, 6) as windows of 2 × 2 in the batch, channels last."""
    return x.unflatten(2, (4, 2)).unflatten(4, (3, 2)).permute(0, 2, 4, 3, 5, 1).flatten(0, 2)


GRID = torch.linspace(-1, 1, 6)[None, :, None, None].expand(2, 6, 7, 2)
KINDS: dict[str, tuple[Callable[[Tensor], Tensor], tuple[int, ...] | str]] = {
    "a map of its own for each dimension": (lambda x: x.mean(1), (1, 8, 6, 1, 2)),
    "two dimensions of channels": (lambda x: torch.stack([x, x], 3), (6, 8, 6, 2, 4)),
    "its mirror image beside it": (lambda x: torch.cat([x, x.flip(3)], 1), (6, 8, 6, 2, 3)),
    "the same, channels last": (lambda x: torch.cat([x, x.flip(3)], 1).permute(0, 2, 3, 1), (6, 8, 6, 1, 2)),
    "patches as channels": (lambda x: F.pixel_unshuffle(x, 2), (12, 4, 3, 2, 3)),
    "one row": (lambda x: F.adaptive_avg_pool2d(x, (1, 6)), (3, 1, 6, 2, 3)),
    "one row, channels last": (lambda x: x.amax(2, keepdim=True).permute(0, 2, 3, 1), (3, 1, 6, 1, 2)),
    "one column, turned": (lambda x: x.mean(3, keepdim=True).transpose(2, 3), (3, 8, 1, 3, 2)),
    "one place, channels last": (lambda x: x.mean((2, 3), keepdim=True).permute(0, 2, 3, 1), (3, 1, 1, 1, 2)),
    "normalised over all places": (lambda x: F.group_norm(x, 1), (3, 8, 6, 2, 3)),
    "a large window, every unit of which is clipped": (
        lambda x: F.conv2d(x, torch.ones(2, 3, 17, 13), padding=(8, 6)).permute(0, 3, 2, 1), (2, 8, 6, 2, 1)
    ),
    "values looked up where the values say": (
        lambda x: F.grid_sample(x, GRID + x.mean(), align_corners=False), (3, 6, 7, 2, 3)
    ),
    "one number everywhere, by an operation on planes": (
        lambda x: F.interpolate(x.mean((2, 3), keepdim=True), size=(8, 6)), (3, 8, 6, 2, 3)
    ),
    "features": (lambda x: x.mean((2, 3)), "(3,) for an image, without height and width"),
    "flattened": (lambda x: x.flatten(1), "(144,) for an image, without height and width"),
    "tokens": (lambda x: x.flatten(2).transpose(1, 2), (3, 8, 6, 1)),
    "tokens as an image": (lambda x: x.flatten(2)[:, None], (3, 8, 6, 3)),
    "tokens column by column": (lambda x: x.mT.flatten(2), (3, 8, 6, 2)),
    "tokens of one row": (lambda x: x[:, :, 2], (3, 1, 6, 2)),
    "some of the tokens": (lambda x: x.flatten(2)[:, :, :20], "20 tokens in a row, 20 of which stand at 20 places"),
    "tokens at two resolutions": (
        lambda x: torch.cat([x.flatten(2), F.avg_pool2d(x, 2).flatten(2)], 2),
        "(3, 60) for an image, 60 tokens in a row, 60 of which stand at",
    ),
    "windows in the batch": (windows, "which has windows of the image in its batch"),
    "channels in the batch": (
        lambda x: F.conv2d(x.flatten(0, 1)[:, None], torch.ones(2, 1, 3, 3)), "channels or copies of the image"
    ),
    "twice in the batch": (lambda x: torch.cat([x, -x]), "channels or copies of the image"),
    "windows as a dimension": (lambda x: windows(x).unflatten(0, (-1, 12)).flatten(2, 3), (3, 8, 6, 1, 2)),
    "windows as tokens": (lambda x: windows(x).unflatten(0, (-1, 12)).flatten(2), (12, 4, 3, 1)),
    "one channel of windows": (lambda x: windows(x).unflatten(0, (-1, 12))[..., 0], (1, 8, 6, 1, 2, 3)),
    "rows added up": (lambda x: x.sum(2), "(3, 6) for an image, which adds up over rows: places are columns"),
    "columns mixed": (lambda x: (x @ torch.ones(6, 6)).permute(0, 2, 3, 1), "over columns: places are rows"),
    "images mixed": (lambda x: x.mean(0, keepdim=True).expand(2, -1, -1, -1), "the images of a batch are mixed"),
    "a constant": (lambda x: torch.ones(2, 3, 8, 6), "does not depend on the image"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_a_feature_map(kind: str) -> None:
    function, expected = KINDS[kind]
    found = size_of(function)
    assert expected in found if isinstance(expected, str) else found == expected, found


def test_windows_in_the_batch_name_the_layer_that_puts_them_together() -> None:
    """As the attention of a Swin transformer has them."""
    back = Function(lambda x: x.unflatten(0, (2, 4, 3)).permute(0, 5, 1, 3, 2, 4).reshape(2, 3, 8, 6))
    block = nn.Sequential(Function(windows), nn.Sequential(nn.Linear(3, 3)), back)
    found = layouts_of(nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), block, nn.ReLU()), SHAPE)
    assert found.of("1").size == (3, 8, 6)
    with pytest.raises(RequestError, match=r"layer '1\.1\.0' .* take '1' \(3 x 8 x 6\), which puts them together"):
        found.of("1.1.0")


def test_sizes_say_nothing() -> None:
    """As many channels as rows as columns, and an image of one row."""
    for size in (4, 7):
        shape = (size, size, size)
        assert size_of(lambda x: x.permute(0, 2, 3, 1), shape) == (*shape, 1, 2)
        assert size_of(lambda x: x.permute(0, 3, 1, 2), shape) == (*shape, 3, 1)
    assert size_of(lambda x: x, (2, 1, 9)) == (2, 1, 9, 2, 3)
    assert size_of(lambda x: x.permute(0, 3, 2, 1), (9, 9, 1)) == (9, 9, 1, 2, 1)
    # the rows of an image laid into the channels leave one row of units
    assert size_of(lambda x: F.pixel_unshuffle(x, 4), (2, 4, 16)) == (32, 1, 4, 2, 3)


def test_maps_and_back() -> None:
    layout = layouts_of(nn.Sequential(Function(lambda x: torch.stack([x, x], 3).permute(0, 4, 2, 1, 3))), SHAPE).of("0")
    output = torch.randn(5, 6, 8, 3, 2)
    maps = layout.maps(output)
    assert maps.shape == (5, 6, 8, 6)
    assert torch.equal(maps[:, 3], output[:, :, :, 1, 1].transpose(1, 2))
    assert torch.equal(layout.output(maps), output)
    with pytest.raises(RequestError, match="elsewhere"):
        layout.maps(output[0])


class Attention(nn.Module):
    """softmax(q kᵀ) v over all places without a way around it: a unit stands where its query stands."""

    def forward(self, x: Tensor) -> Tensor:
        n, h, w, c = x.shape
        tokens = x.flatten(1, 2)
        mixed = (tokens @ tokens.transpose(1, 2)).softmax(2) @ tokens
        return mixed.reshape(n, h, w, c)


def test_a_place_survives_attention() -> None:
    assert size_of(lambda x: Attention()(x.permute(0, 2, 3, 1))) == (3, 8, 6, 1, 2)


def test_refusals_name_the_nearest_layer() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), Function(lambda x: x.permute(0, 2, 3, 1)), Function(lambda x: x[:, 0, 0]))
    for layer, words in (("2", r"'2' puts out \(4,\) .*is '1' \(4 x 6 x 4\)"), ("3", "no layer '3'")):
        with pytest.raises(RequestError, match=words):
            attribute(model, images(), [0, 1], methods=["gradcam"], layers=[layer])
    model = nn.Sequential(Function(lambda x: x.flatten(2)[:, :, :20]), Function(lambda x: x.mean(2)))
    with pytest.raises(RequestError, match=r"20 tokens in a row.*no layer has feature maps"):
        attribute(model, images(), [0, 1], methods=["gradcam"], layers=["0"])


def test_features_that_enter_the_head_are_averaged_over_places() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 3, 1),
        Function(lambda x: x.permute(0, 2, 3, 1)),
        nn.Linear(3, 2),
        Function(lambda x: x.mean((1, 2))),
    )
    (found,) = penultimate_features(model, [(images(), torch.zeros(2), 0)], layer="2")
    with torch.no_grad():
        torch.testing.assert_close(found.features, model[0](images()).mean((2, 3)))


def swin(block: Callable[..., nn.Module], merging: Callable[..., nn.Module]) -> nn.Module:
    """torchvision's own, tiny: its last maps are as high as they have channels."""
    return SwinTransformer(
        [4, 4], 2, [2, 2], [1, 2], [2, 2], num_classes=4, block=block, downsample_layer=merging
    )  # fmt: skip


TORCHVISION: dict[str, tuple[Callable[[], nn.Module], tuple[int, int, int], tuple[int, int]]] = {
    "swin": (lambda: swin(SwinTransformerBlock, PatchMerging), (3, 32, 48), (54, 3)),
    "swin v2": (lambda: swin(SwinTransformerBlockV2, PatchMergingV2), (3, 32, 48), (54, 3)),
    "convnext": (
        lambda: ConvNeXt([CNBlockConfig(8, 8, 1), CNBlockConfig(8, None, 1)], num_classes=4),
        (3, 32, 48),
        (10, 21),
    ),
}  # fmt: skip
"""The network, its images, and how many of its layers put out maps channels last and first."""


@pytest.mark.parametrize("name", TORCHVISION)
def test_grad_cam_of_torchvision_by_hand(name: str) -> None:
    """Σ_k (mean of the gradient over places)_k · A_k of every layer that puts out (n, h, w, c), by torch's autograd."""
    make, shape, counts = TORCHVISION[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = make().double().eval()
    found = layouts_of(model, shape)
    last = [layer for layer in found.last if (at := found.at(layer)) and at.places == (1, 2)]
    first = [layer for layer in found.last if (at := found.at(layer)) and at.places == (2, 3)]
    assert (len(last), len(first)) == counts
    x = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0)).double()
    kept: dict[str, Tensor] = {}

    def keep(layer: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: object, output: Tensor) -> None:
            kept[layer] = output
            output.retain_grad()

        return hook

    handles = [model.get_submodule(layer).register_forward_hook(keep(layer)) for layer in last]
    logits = model(x)
    logits[torch.arange(2), torch.tensor([1, 3])].sum().backward()
    for handle in handles:
        handle.remove()
    for layer in (last[0], last[len(last) // 2], last[-1]):
        gradient = kept[layer].grad
        assert gradient is not None
        by_hand = (gradient.mean((1, 2), keepdim=True) * kept[layer]).sum(3).detach().float()
        (cam,) = attribute(model, x, [1, 3], methods=["gradcam"], layers=[layer], layouts=found)
        assert by_hand.shape[1] != by_hand.shape[2]
        torch.testing.assert_close(cam.maps, by_hand, rtol=1e-5, atol=1e-6 * float(by_hand.abs().max()))
