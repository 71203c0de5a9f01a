"""Types of numbers in a file and in a network."""

import pytest
import torch

from cnnlab.core.errors import RequestError
from cnnlab.network.weights.casts import cast

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.float8_e4m3fn, torch.float8_e5m2)


@pytest.mark.parametrize("given", FLOATS)
@pytest.mark.parametrize("own", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_floats_become_the_networks_own(given: torch.dtype, own: torch.dtype) -> None:
    numbers = torch.tensor([0.5, -2.0, 1.75])  # exact in every one of them
    found = cast({"w": numbers.to(given)}, {"w": torch.zeros(3, dtype=own)})
    assert found.values["w"].dtype == own
    assert found.values["w"].double().tolist() == [0.5, -2.0, 1.75]
    names = [str(one).removeprefix("torch.") for one in (given, own)]
    assert found.casts == (() if given == own else (f"{names[0]} weights cast to {names[1]} (1 tensor)",))
    assert found.notes == ()


@pytest.mark.parametrize(
    ("given", "own", "message"),
    [
        (torch.ones(2, dtype=torch.int8), torch.zeros(2), "w is int8, expected float32"),
        (torch.ones(2, dtype=torch.bool), torch.zeros(2), "w is bool, expected float32"),
        (torch.ones(2, dtype=torch.complex64), torch.zeros(2), "w is complex64, expected float32"),
        (torch.ones(2), torch.zeros(2, dtype=torch.complex64), "w is float32, expected complex64"),
        (
            torch.tensor([0.5]),
            torch.zeros(1, dtype=torch.int64),
            "w is float32 with numbers that do not",
        ),
        (torch.tensor([300]), torch.zeros(1, dtype=torch.int8), "w is int64 with numbers that do not fit"),
        (torch.ones(2).to_sparse(), torch.zeros(2), "w is sparse, expected plain float32"),
        (torch.ones(2, device="meta"), torch.zeros(2), r"w was saved without its values \(on meta\)"),
        (torch.quantize_per_tensor(torch.ones(2), 1.0, 0, torch.qint8), torch.zeros(2), "w is quantised, expected"),
    ],
)
def test_other_kinds_of_numbers_are_refused(given: torch.Tensor, own: torch.Tensor, message: str) -> None:
    with pytest.raises(RequestError, match=f"holds other numbers than the network's: {message}"):
        cast({"w": given}, {"w": own})


def test_many_wrong_ones_are_counted() -> None:
    whole = {f"w{number}": torch.ones(1, dtype=torch.int64) for number in range(11)}
    with pytest.raises(RequestError, match=r"w0 is int64.*; w7 is int64, expected float32 and 3 more$"):
        cast(whole, {name: torch.zeros(1) for name in whole})


def test_whole_numbers_are_cast_where_that_changes_none() -> None:
    own = {"index": torch.zeros(2, dtype=torch.int64), "n.num_batches_tracked": torch.tensor(0)}
    given = {"index": torch.tensor([3.0, 4.0]), "n.num_batches_tracked": torch.tensor(10.6)}
    found = cast(given, own)
    assert found.values["index"].tolist() == [3, 4]
    assert found.values["n.num_batches_tracked"].item() == 11  # the mean of several files' counts


def test_numbers_that_are_not_finite_are_told() -> None:
    own = {"a": torch.zeros(3), "b": torch.zeros(2, dtype=torch.float16), "c": torch.zeros(1)}
    given = {"a": torch.tensor([1.0, torch.nan, torch.inf]), "b": torch.tensor([1e9, 1.0]), "c": torch.ones(1)}
    assert cast(given, own).notes == ("2 of 3 tensors hold NaN or infinity (first a: 2 of 3 numbers)",)


def test_weights_that_are_all_alike_are_told() -> None:
    own = {"conv.weight": torch.zeros(2, 3, 3, 3), "conv.bias": torch.zeros(2), "head.weight": torch.zeros(4, 2)}
    (note,) = cast(dict(own), own).notes
    assert note.startswith("no weight differs from another of its tensor (first conv.weight: all 0)")
    assert cast({**own, "head.weight": torch.eye(4)[:, :2]}, own).notes == ()
