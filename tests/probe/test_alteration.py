"""A network that does something otherwise, against torch's own layers with those options."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.core.errors import RequestError
from cnnlab.models.layers.pooling import BlurPool2d
from cnnlab.probe.alteration import Alteration, alteration_of, altered, check_alters, check_on


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 4, 9, 12, generator=torch.Generator().manual_seed(0))


def run(model: nn.Module, images: Tensor, **changes: str) -> Tensor:
    with torch.no_grad(), altered(Alteration(**changes)):  # type: ignore[arg-type]
        found: Tensor = model(images)
    return found


@pytest.mark.parametrize("mode", ["circular", "reflect", "replicate"])
@pytest.mark.parametrize("stride", [1, 2])
def test_padding_is_as_torch_pads_in_that_mode(images: Tensor, mode: str, stride: int) -> None:
    conv = nn.Conv2d(4, 3, (3, 5), padding=(1, 2), stride=stride)
    other = nn.Conv2d(4, 3, (3, 5), padding=(1, 2), stride=stride, padding_mode=mode)
    other.load_state_dict(conv.state_dict())
    torch.testing.assert_close(run(conv, images, padding=mode), other(images).detach())


def test_padding_of_its_own_and_of_pools_is_taken_too(images: Tensor) -> None:
    around = F.pad(images, (1, 1, 1, 1), mode="circular")
    torch.testing.assert_close(
        run(nn.MaxPool2d(3, 2, padding=1), images, padding="circular"), F.max_pool2d(around, 3, 2)
    )
    torch.testing.assert_close(
        run(nn.AvgPool2d(3, 2, padding=1), images, padding="circular"), F.avg_pool2d(around, 3, 2)
    )
    for pad in (nn.ZeroPad2d(1), nn.ReflectionPad2d(1), nn.ReplicationPad2d(1)):
        torch.testing.assert_close(run(pad, images, padding="circular"), around)


def test_a_max_pool_becomes_zhangs(images: Tensor) -> None:
    expected = nn.Sequential(nn.MaxPool2d(2, stride=1), BlurPool2d(3, (2, 2), "reflect"))(images)
    torch.testing.assert_close(run(nn.MaxPool2d(2), images, pool="blur_pool"), expected)


def test_maps_lie_in_rows_as_the_pool_itself_puts_them_out(images: Tensor) -> None:
    for changes in ({"pool": "blur_pool"}, {"padding": "circular"}, {"pool": "blur_pool", "padding": "circular"}):
        for layer in (nn.MaxPool2d(3, 2, padding=1), nn.AvgPool2d(2), nn.Conv2d(4, 3, 3, stride=2, padding=1)):
            assert run(layer, images, **changes).is_contiguous()


def test_a_strided_convolution_reads_a_blurred_map(images: Tensor) -> None:
    conv = nn.Conv2d(4, 3, 3, padding=1, stride=2)
    expected = conv(BlurPool2d(3, (1, 1), "reflect")(images)).detach()
    torch.testing.assert_close(run(conv, images, pool="blur_pool"), expected)
    blur = BlurPool2d(3, (2, 2), "reflect")
    torch.testing.assert_close(run(blur, images, pool="blur_pool"), blur(images))


@pytest.mark.parametrize("stride", [2, 3])
@pytest.mark.parametrize("size", [9, 10, 12])
def test_no_map_gets_another_size(stride: int, size: int) -> None:
    images = torch.randn(1, 4, size, size)
    for layer in (nn.MaxPool2d(3, stride, padding=1), nn.AvgPool2d(2, stride), nn.Conv2d(4, 2, 3, stride, padding=1)):
        assert run(layer, images, pool="blur_pool", padding="circular").shape == layer(images).shape


def test_activations_let_all_pass_as_modules_functions_and_in_place(images: Tensor) -> None:
    class Net(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.gelu(F.relu(x.clone(), inplace=True)) + nn.ReLU6()(x) + nn.PReLU()(x) + F.silu(x)

    torch.testing.assert_close(run(Net(), images, activation="identity"), 4 * images)


def test_the_network_is_as_it_was() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, stride=2), nn.ReLU())
    images = torch.randn(1, 1, 8, 8)
    before = network(images)
    assert not torch.equal(run(network, images, padding="circular", pool="blur_pool"), before)
    torch.testing.assert_close(network(images), before, rtol=0, atol=0)


def test_a_change_that_changes_nothing_is_refused() -> None:
    with torch.no_grad(), altered(Alteration(padding="circular", pool="blur_pool")) as changed:
        nn.Conv2d(1, 1, 3, padding=1)(torch.zeros(1, 1, 4, 4))
    assert changed == {"padding": 1}
    check_alters(Alteration(padding="reflect"), changed, "net")
    with pytest.raises(RequestError, match="pool=blur_pool changes nothing: net subsamples nothing"):
        check_alters(alteration_of("pool=blur_pool"), changed, "net")


def test_a_change_of_one_layer_is_made_there_alone(images: Tensor) -> None:
    first, second = nn.Conv2d(4, 3, 3, padding=1, stride=2), nn.Conv2d(3, 3, 3, padding=1, stride=2)
    network = nn.Sequential(first, nn.ReLU(), nn.Sequential(second, nn.ReLU()))
    way = alteration_of("2=circular 0=blur_pool")
    assert (way.name, way.words) == ("2=circular 0=blur_pool", "circular padding in 2, blur pool in 0")
    with torch.no_grad(), altered(way, network) as changed:
        found = network(images)
    middle = F.relu(run(first, images, pool="blur_pool"))
    torch.testing.assert_close(found, F.relu(run(second, middle, padding="circular")))
    assert changed == {"0=blur_pool": 1, "2=circular": 1}
    assert not network[0]._forward_hooks
    assert not network[0]._forward_pre_hooks
    for text, message in (("1=blur_pool", "1 subsamples nothing"), ("3=circular", "no layer '3'")):
        with torch.no_grad(), pytest.raises(RequestError, match=message):
            check_on(alteration_of(text), network, lambda: network(images), "net")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pol=max_pool", "no change 'pol'.*Did you mean 'pool'"),
        ("pool=max_pool", "'max_pool' is no pool; expected blur_pool"),
        (" ", "expected a change such as pool=blur_pool"),
    ],
)
def test_what_is_no_change_is_refused(text: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        alteration_of(text)
