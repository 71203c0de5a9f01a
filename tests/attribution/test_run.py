"""Images explained, on small networks: what is planned, chosen, computed and measured."""

from typing import Any

import pytest
import torch
from networks import network_of
from torch import Tensor, nn

from cnnlab.attribution.attribution import attribute
from cnnlab.attribution.run import Explanation, Images, Plan, explain
from cnnlab.attribution.target import explained_targets, target_caution
from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.network.network import Network
from cnnlab.network.session import Session
from cnnlab.stats.probabilities import class_probabilities

CLASSES = ("cat", "dog", "<b>emu</b>", "7")
N = 6


def network(*, flat: bool = False, seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        head: list[nn.Module] = (
            [nn.Flatten(), nn.Linear(6 * 64, 12), nn.ReLU(), nn.Linear(12, 4)]
            if flat
            else [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)]
        )
        return nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.ReLU(), *head).eval()


def named(model: nn.Module | None = None, *, trained: bool = True) -> Network:
    return network_of(model or network(), (3, 16, 16), trained=trained, classes=CLASSES)


def images(**more: Any) -> Images:
    inputs = torch.randn(N, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    return Images(inputs, tuple(f"p{i}" for i in range(N)), (0, 1, 2, 3, 0, 1), **more)


def explained(model: Network, **options: Any) -> tuple[Explanation, list[object]]:
    session = Session(device_name="cpu", max_batch=options.pop("max_batch", 64))
    facts = list(explain(model, options.pop("images", images()), session, **options))
    last = facts[-1]
    assert isinstance(last, Explanation)
    assert isinstance(facts[0], Plan)
    return last, facts


def test_the_maps_are_those_of_the_analysis() -> None:
    methods = ("gradcam", "layercam", "gradient")
    found, facts = explained(named(), methods=methods, target="top2", max_batch=4)
    expected = attribute(network(), images().inputs, found.targets, methods=methods, max_batch=4)
    for ours, theirs in zip(found.attributions, expected, strict=True):
        assert torch.equal(ours.maps, theirs.maps)
        assert ours.maps.shape[:2] == (N, 2)
    done = [fact for fact in facts if isinstance(fact, Advance) and fact.what == "passes"]
    assert [fact.done for fact in done] == sorted(fact.done for fact in done)
    assert done[-1].done == done[-1].total
    assert "Grad-CAM" in found.plan.announcement


def test_nothing_depends_on_the_size_of_a_batch() -> None:
    one, _ = explained(named(), methods=("gradcam", "occlusion"), max_batch=1)
    all_, _ = explained(named(), methods=("gradcam", "occlusion"), max_batch=64)
    for a, b in zip(one.attributions, all_.attributions, strict=True):
        torch.testing.assert_close(a.maps, b.maps, rtol=1e-4, atol=1e-6)


def names(explanation: Explanation) -> tuple[str, ...]:
    return tuple(one.name for one in explanation.plan.methods)


def test_methods_go_by_the_head() -> None:
    simple, _ = explained(named())
    assert names(simple) == ("gradcam",)
    assert simple.plan.cautions == ()
    flat, _ = explained(named(network(flat=True)))
    assert names(flat) == ("hirescam", "integrated_gradients")
    assert "weighs every place by itself" in flat.plan.reason
    asked, _ = explained(named(network(flat=True)), methods=("gradcam",))
    assert "no better than random ones" in asked.plan.cautions[0]
    mixed, _ = explained(named(network(flat=True)), layers=["0", "1"])
    assert names(mixed) == ("hirescam", "integrated_gradients")
    assert [choice.name for choice in mixed.plan.layers] == ["0", "1"]
    assert mixed.attributions[0].maps.shape[-2:] == (8, 8)


def test_pixel_methods_need_no_layer() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 256, 4)).eval()
    found, _ = explained(named(model), methods=("gradient",))
    assert found.plan.layers == ()
    assert torch.allclose(found.attributions[0].maps[0, 0].flatten(), weights_of(model, found).abs().amax(0).flatten())
    with pytest.raises(RequestError, match="use a pixel method"):
        explained(named(model))


def weights_of(model: nn.Sequential, found: Explanation) -> Tensor:
    weight: Tensor = model[1].weight  # type: ignore[assignment]
    return weight[int(found.targets[0, 0])].reshape(3, 16, 16)


def test_random_weights_are_said() -> None:
    found, _ = explained(named(trained=False))
    assert "weights are random" in found.plan.cautions[0]


def test_metrics_stand_beside_the_controls() -> None:
    masks = torch.zeros(N, 16, 16, dtype=torch.bool)
    masks[:, 4:10, 4:10] = True
    found, facts = explained(
        named(), images=images(masks=masks), methods=("gradcam", "gradient"), target="top2", metrics=True
    )
    assert len(found.comparisons) == 2
    for comparison in found.comparisons:
        assert [one.name for one in comparison.methods] == ["gradcam", "gradient"]
        assert [one.name for one in comparison.controls] == ["random", "centre", "edges"]
        assert len(comparison.verdicts) == 4
        assert comparison.object_area == pytest.approx(36 / 256)
    scored = [fact for fact in facts if isinstance(fact, Advance) and fact.what == "measuring"]
    assert [fact.done for fact in scored] == sorted(fact.done for fact in scored)
    assert scored[-1].done == scored[-1].total == 2 * 5 * N
    # 4 curves of 33 points, 2 images of the drop, 18 of ROAD
    assert found.plan.measured == (4 * 33 + 2 + 18) * 5 * N * 2
    plain, _ = explained(named())
    assert (plain.plan.measured, plain.comparisons) == (0, ())


def test_targets() -> None:
    logits = torch.tensor([[3.0, 1, 2, 0], [0, 0, 5, 1]])
    probabilities = class_probabilities(logits)

    def wanted(text: str, truths: tuple[int | None, ...] = (1, 3)) -> list[list[int]]:
        return explained_targets(text, probabilities, CLASSES, truths, ("a.png", "b.png")).tolist()

    assert wanted("predicted") == [[0], [2]]
    assert wanted("true") == [[1], [3]]
    assert wanted("dog") == [[1], [1]]
    assert wanted("<b>emu</b>") == [[2], [2]]
    assert wanted("7") == [[3], [3]], "a class of that name, not the number"
    assert wanted("1") == [[1], [1]]
    assert wanted("top2") == [[0, 2], [2, 3]]
    with pytest.raises(RequestError, match=r"the class of b\.png is not known"):
        wanted("true", (1, None))
    with pytest.raises(RequestError, match=r"no class 'dogg'; .* Did you mean 'dog'\?"):
        wanted("dogg")
    for text in ("top0", "top5"):
        with pytest.raises(RequestError, match="the network has 4 classes"):
            wanted(text)
    with pytest.raises(RequestError, match="no class '9'"):
        wanted("9")


def test_a_single_logit_speaks_for_two_classes() -> None:
    logits = torch.tensor([[2.0], [-1.0]])
    torch.testing.assert_close(
        class_probabilities(logits), torch.stack([1 - logits.sigmoid(), logits.sigmoid()], 1)[..., 0]
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1))
    found, _ = explained(named(model.eval()))
    assert found.classes == ("0", "1")
    assert torch.equal(found.targets[:, 0], found.probabilities.argmax(1))


def test_answers_that_are_nan_are_told() -> None:
    model = network()
    nn.init.constant_(model[0].weight, float("nan"))  # type: ignore[arg-type]
    with pytest.raises(WorkError, match="NaN or infinite"):
        explained(named(model))


class Deaf(nn.Module):
    """Looks, but lets no gradient through."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = network()

    def forward(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            logits: Tensor = self.inner(images)
            return logits


def test_a_network_without_gradients() -> None:
    with pytest.raises(RequestError, match="the score has no gradient"):
        explained(named(Deaf().eval()), methods=("gradcam",), layers=["inner.1"])
    found, _ = explained(named(Deaf().eval()), methods=("eigencam", "occlusion"))
    assert len(found.attributions) == 2


def test_of_two_meanings_of_a_target_one_is_said_to_win() -> None:
    classes = ("cat", "0", "predicted", "top2", "4")
    assert target_caution("0", classes) == "target 0 is the class of that name (number 1); class number 0 is 'cat'"
    assert target_caution("predicted", classes) == (
        "target predicted is the word; the class that is called 'predicted' has the number 2"
    )
    assert target_caution("top2", classes) == "target top2 is the class of that name (number 3), not the 2 likeliest"
    assert [target_caution(text, classes) for text in ("cat", "1", "true", "top3", "4", "nix")] == [None] * 6
    probabilities = torch.eye(5)[:1]
    for text, number in (("0", 1), ("predicted", 0), ("top2", 3)):
        assert explained_targets(text, probabilities, classes, (None,), ("a",)).tolist() == [[number]]
