"""Changes of layers: what they do to the copy, and that the network itself stays as it is."""

import pytest
import torch
from torch import nn

from cnnlab.core.errors import RequestError
from cnnlab.receptive_field.what_if import Edit, edited, parse_edit, without_values


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.MaxPool2d(2), nn.Conv2d(4, 4, (3, 5), padding=(1, 2)), nn.ReLU()
    )


def test_a_number_stands_for_both_axes() -> None:
    assert parse_edit("0.stride=1", network()) == Edit("0", "stride", (1, 1))
    assert parse_edit("2.dilation=2,1", network()) == Edit("2", "dilation", (2, 1))
    assert parse_edit("1=identity", network()) == Edit("1", None, ())


@pytest.mark.parametrize("text", ["0.stride=1", "2.dilation=2,1", "1=identity", "2.kernel=7", "0.padding=0"])
def test_an_edit_is_written_as_it_was_read(text: str) -> None:
    assert str(parse_edit(text, network())) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.stride", "expected LAYER.OPTION=VALUE"),
        ("9.stride=1", "no layer '9'"),
        ("0.strid=1", "Did you mean 'stride'?"),
        ("3.stride=1", "ReLU); it has none that can be changed"),
        ("0.stride=0", "expected a whole number from 1"),
        ("0.stride=1,1,1", "expected a whole number from 1"),
        ("0.stride=many", "'many' is no stride"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    with pytest.raises(RequestError) as error:
        parse_edit(text, network())
    assert message in str(error.value)


@pytest.mark.parametrize(("option", "value"), [("dilation", (2, 2)), ("kernel_size", (5, 7)), ("dilation", (3, 1))])
def test_a_wider_window_keeps_the_size_where_the_old_one_did(option: str, value: tuple[int, int]) -> None:
    twin = edited(network(), [Edit("2", option, value)])
    images = torch.empty(1, 3, 32, 32, device="meta")
    assert twin(images).shape == network()(torch.zeros(1, 3, 32, 32)).shape


def test_a_padding_that_did_not_keep_the_size_stays() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 3))
    twin = edited(model, [Edit("0", "kernel_size", (5, 5))])
    assert twin(torch.empty(1, 1, 16, 16, device="meta")).shape[-2:] == (12, 12)


def test_circular_padding_follows() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"))
    twin = edited(model, [Edit("0", "dilation", (2, 2))])
    assert twin(torch.empty(1, 1, 16, 16, device="meta")).shape[-2:] == (16, 16)


def test_the_network_itself_is_left_alone() -> None:
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    edited(model, [Edit("0", "stride", (1, 1)), Edit("1", None, ()), Edit("2", "kernel_size", (7, 7))])
    assert model[0].stride == (2, 2)
    assert isinstance(model[1], nn.MaxPool2d)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_shared_weights_stay_shared_without_values() -> None:
    one = nn.Linear(4, 4)
    two = nn.Linear(4, 4)
    two.weight = one.weight
    twin = without_values(nn.Sequential(one, two))
    assert twin[0].weight is twin[1].weight
    assert all(parameter.is_meta for parameter in twin.parameters())


def test_a_network_that_cannot_be_copied_says_so() -> None:
    class Locked(nn.Module):
        def __deepcopy__(self, memo: object) -> "Locked":
            raise TypeError("cannot pickle '_thread.lock' object")

    with pytest.raises(RequestError, match="cannot be copied to try changes on it"):
        without_values(nn.Sequential(Locked()))
