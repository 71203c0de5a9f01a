import pytest
import torch
from networks import small, unchanged
from torch import Tensor, nn

from cnnlab.core.errors import RequestError, WorkError
from cnnlab.trust.sanity.weights import LayerRandomized, WeightRandomization, randomize_weights

IMAGES = torch.randn(8, 3, 12, 12, generator=torch.Generator().manual_seed(0))
TARGETS = torch.arange(8) % 4


def gradient(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """The signed gradient of the target's logit, summed over the channels."""
    leaf = images.clone().requires_grad_()
    score = model(leaf).gather(1, targets[:, None]).sum()
    (found,) = torch.autograd.grad(score, leaf)
    return found.sum(1)


def the_image(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Looks at no weight at all."""
    return images.sum(1)


def image_with_a_sign(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """The strength from the image, the sign of each pixel from the gradient."""
    return images.sum(1).abs() * gradient(model, images, targets).sign()


def nothing(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    return torch.zeros(len(images), 3, 3)


def outcome(methods: dict[str, object], **options: object) -> tuple[list[LayerRandomized], WeightRandomization]:
    *steps, result = randomize_weights(small(), IMAGES, TARGETS, methods, seed=0, **options)  # type: ignore[arg-type]
    assert isinstance(result, WeightRandomization)
    return [step for step in steps if isinstance(step, LayerRandomized)], result


def test_verdicts() -> None:
    methods = {"gradient": gradient, "image": the_image, "signed": image_with_a_sign, "nothing": nothing}
    steps, result = outcome(methods)
    verdicts = {method.name: method.verdict for method in result.methods}
    assert {name: verdict and verdict.outcome for name, verdict in verdicts.items()} == {
        "gradient": "passes",
        "image": "fails",
        "signed": "passes in sign only",
        "nothing": "no maps",
    }
    assert verdicts["image"] is not None
    assert verdicts["image"].similarity.signed is not None
    assert verdicts["image"].similarity.signed.mean == pytest.approx(1)
    assert verdicts["image"].against == "all 4 layers randomised"
    assert [layer.name for layer in result.layers] == ["linear", "conv2", "norm1", "conv1"]
    assert [step.done for step in steps] == list(range(1, 21))
    assert steps[0].total == 20
    assert [step.depth for step in steps if step.method == "gradient"] == [0, 1, 2, 3, 4]


class Recorder:
    """A method that writes down the weights it is shown."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Tensor]] = []
        self.modes: list[bool] = []

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        self.seen.append({name: values.detach().clone() for name, values in model.state_dict().items()})
        self.modes.append(any(module.training for module in model.modules()))
        return images.sum(1)


def changed(first: dict[str, Tensor], second: dict[str, Tensor]) -> set[str]:
    return {
        name.rpartition(".")[0] for name in first if "num_" not in name and not torch.equal(first[name], second[name])
    }


def test_cascading_randomises_from_the_output_down() -> None:
    """norm1 has γ = 1 and β = 0 already; what changes of it are the statistics, and only once conv1 before it does."""
    recorder = Recorder()
    outcome({"x": recorder})
    first = recorder.seen[0]
    assert changed(first, small().state_dict()) == set()
    assert [changed(first, seen) for seen in recorder.seen] == [
        set(),
        {"linear"},
        {"linear", "conv2"},
        {"linear", "conv2", "norm1"},
        {"linear", "conv2", "norm1", "conv1"},
    ]
    # a layer keeps its fresh weights from then on
    assert torch.equal(recorder.seen[1]["linear.weight"], recorder.seen[4]["linear.weight"])
    assert recorder.modes == [False] * 5


def test_independent_randomises_one_layer_at_a_time() -> None:
    recorder = Recorder()
    _, result = outcome({"x": recorder}, mode="independent")
    assert [changed(recorder.seen[0], seen) for seen in recorder.seen] == [
        set(),
        {"linear"},
        {"conv2"},
        {"norm1"},
        {"norm1", "conv1"},
    ]
    assert result.methods[0].verdict is None
    cascading = Recorder()
    outcome({"x": cascading})
    assert torch.equal(cascading.seen[4]["conv1.weight"], recorder.seen[4]["conv1.weight"])


@pytest.mark.parametrize(
    ("depths", "expected"), [(1, [0, 4]), (2, [0, 2, 4]), (4, [0, 1, 2, 3, 4]), (9, [0, 1, 2, 3, 4])]
)
def test_fewer_depths_end_at_the_same_network(depths: int, expected: list[int]) -> None:
    few, every = Recorder(), Recorder()
    steps, _ = outcome({"x": few}, depths=depths)
    outcome({"x": every})
    assert [step.depth for step in steps] == expected
    assert steps[-1].done == steps[-1].total
    torch.testing.assert_close(few.seen[-1], every.seen[-1])


def test_nothing_depends_on_the_batch() -> None:
    (*_, whole), _ = outcome({"gradient": gradient}, max_batch=64)
    (*_, parts), _ = outcome({"gradient": gradient}, max_batch=8)
    torch.testing.assert_close(whole.maps, parts.maps)
    sizes: list[int] = []

    def counting(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        sizes.append(len(images))
        assert len(images) == len(targets)
        return gradient(model, images, targets)

    outcome({"x": counting}, max_batch=3)
    assert max(sizes) == 3
    assert sum(sizes) == 5 * 8


def test_the_model_is_untouched_also_by_a_method_that_fails() -> None:
    def fails(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        for parameter in model.parameters():
            parameter.data.zero_()
            parameter.requires_grad_(True)
        model.train()
        raise RuntimeError("cannot explain")

    model = small()
    with unchanged(model):
        list(randomize_weights(model, IMAGES, TARGETS, {"gradient": gradient}, seed=0))
    with unchanged(model), pytest.raises(RuntimeError, match="cannot explain"):
        list(randomize_weights(model, IMAGES, TARGETS, {"fails": fails}, seed=0))


def test_a_seed_is_a_result() -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    (_, first), (_, again) = (outcome({"gradient": gradient}) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert first == again
    *_, other = randomize_weights(small(), IMAGES, TARGETS, {"gradient": gradient}, seed=1)
    assert isinstance(other, WeightRandomization)
    assert other.methods != first.methods


def test_wrong_requests_are_told() -> None:
    with pytest.raises(RequestError, match="no image"):
        list(randomize_weights(small(), IMAGES[:0], TARGETS[:0], {}, seed=0))
    with pytest.raises(RequestError, match="3 targets for 8 images"):
        list(randomize_weights(small(), IMAGES, TARGETS[:3], {}, seed=0))
    with pytest.raises(RequestError, match=r"'odd' gives maps of shape \(12, 12\) for 8 images"):
        outcome({"odd": lambda model, images, targets: images[0, 0]})
    with pytest.raises(WorkError, match="8 of 8 maps"):
        outcome({"nan": lambda model, images, targets: images.sum(1) * float("nan")})
    with pytest.raises(ValueError, match="depths 0"):
        outcome({}, depths=0)
