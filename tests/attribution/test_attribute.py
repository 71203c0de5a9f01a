"""The one function for all methods: targets, batches, plans, progress, refusals."""

import pytest
import torch
from attribution.subjects import CLASSES, flat, gap, quick, some_images, subject
from torch import Tensor, nn

from cnnlab.attribution.attribution import attribute, attribution_steps, planned_passes
from cnnlab.attribution.batch import Request
from cnnlab.attribution.catalog import METHODS
from cnnlab.attribution.layers import choose_layer
from cnnlab.attribution.maps import upsampled
from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError, WorkError

CLASS = torch.tensor([0, 3, 1, 4])
EVERY = list(METHODS)


def every(model: nn.Module, images: Tensor, targets, **options):  # type: ignore[no-untyped-def]
    return attribute(model, images, targets, methods=quick(EVERY), **options)


def alike(a, b, tolerance: float = 1e-5) -> None:  # type: ignore[no-untyped-def]
    assert a.method == b.method
    for x, y in ((a.maps, b.maps), (a.per_channel, b.per_channel), (a.delta, b.delta), (a.scores, b.scores)):
        if x is not None:
            torch.testing.assert_close(x, y, rtol=1e-4, atol=tolerance * max(1.0, float(x.abs().max())), msg=a.method)


def test_scores_are_the_networks() -> None:
    model = gap().eval()
    with torch.no_grad():
        logits = model(some_images())
    for one in every(model, some_images(), CLASS):
        torch.testing.assert_close(one.scores, logits[torch.arange(4), CLASS])
        torch.testing.assert_close(one.probabilities, logits.softmax(1)[torch.arange(4), CLASS])
        assert one.targets is not None
        assert one.targets.tolist() == CLASS.tolist()
        assert one.maps.dtype == torch.float32
        kind = METHODS[one.method].kind
        assert tuple(one.maps.shape[1:]) == ((8, 8) if kind == "cam" else (16, 16))
        assert one.layers == (("relu2",) if kind == "cam" or one.method == "guided_gradcam" else ())


@pytest.mark.parametrize("make", [gap, flat])
def test_the_order_and_the_size_of_batches_are_no_matter(make) -> None:  # type: ignore[no-untyped-def]
    order = torch.tensor([2, 0, 3, 1])
    plain = every(make().eval(), some_images(), CLASS)
    small = every(make().eval(), some_images(), CLASS, max_batch=3)
    turned = every(make().eval(), some_images()[order], CLASS[order])
    for a, b, c in zip(plain, small, turned, strict=True):
        alike(a, b)
        torch.testing.assert_close(a.maps[order], c.maps, rtol=1e-4, atol=1e-5 * max(1.0, float(a.maps.abs().max())))


@pytest.mark.parametrize("make", [gap, flat])
def test_several_targets_are_each_as_if_alone(make) -> None:  # type: ignore[no-untyped-def]
    model = make().eval()
    targets = torch.stack([CLASS, (CLASS + 1) % CLASSES], 1)
    together = every(model, some_images(), targets)
    for column in range(2):
        for both, alone in zip(together, every(model, some_images(), targets[:, column]), strict=True):
            assert both.maps.shape[:2] == (4, 2)
            maps = both.maps[:, column]
            torch.testing.assert_close(maps, alone.maps, rtol=1e-4, atol=1e-5 * max(1.0, float(maps.abs().max())))
            torch.testing.assert_close(both.scores[:, column], alone.scores)
            if alone.per_channel is not None:
                torch.testing.assert_close(both.per_channel[:, column], alone.per_channel, rtol=1e-4, atol=1e-5)


def test_a_function_of_the_logits() -> None:
    """Picking a class by a function is asking for the class, but for methods that need probabilities or classes."""
    model = flat().eval()
    names = [n for n in EVERY if n not in ("cam", "finercam", "shapleycam", "rise")]
    by_class = attribute(model, some_images(), [2] * 4, methods=quick(names))
    by_function = attribute(model, some_images(), lambda z: z[:, 2], methods=quick(names))
    for a, b in zip(by_class, by_function, strict=True):
        alike(a, b)
        assert b.targets is None
        torch.testing.assert_close(b.probabilities, b.scores)


def test_one_logit_speaks_for_class_1_and_against_class_0() -> None:
    model = gap(classes=1).eval()
    one = attribute(model, some_images(), [1] * 4, methods=["gradcam"])[0]
    zero = attribute(model, some_images(), [0] * 4, methods=["gradcam"])[0]
    torch.testing.assert_close(one.maps, -zero.maps)
    torch.testing.assert_close(one.probabilities + zero.probabilities, torch.ones(4))
    with pytest.raises(RequestError, match="class 2 is asked of image 0, and the network has classes 0 to 1"):
        attribute(model, some_images(), [2] * 4, methods=["gradcam"])


@pytest.mark.parametrize("max_batch", [3, 64])
@pytest.mark.parametrize("make", [gap, flat])
def test_passes_are_as_planned(make, max_batch: int) -> None:  # type: ignore[no-untyped-def]
    model = make().eval()
    targets = torch.stack([CLASS, CLASS], 1)
    names = [name for name in EVERY if name != "cam" or make is gap]
    planned = planned_passes(Request(model, some_images(), targets, quick(names), max_batch=max_batch))
    found = attribute(model, some_images(), targets, methods=quick(names), max_batch=max_batch)
    for one in found:
        assert one.passes <= planned[one.method]
        if one.method not in ("scorecam", "ablationcam"):  # which leave dead channels out
            assert one.passes == planned[one.method], one.method


def test_progress_ends_where_it_said() -> None:
    names = [name for name in EVERY if name not in ("scorecam", "ablationcam", "integrated_gradients")]
    steps = attribution_steps(Request(gap(), some_images(), CLASS, quick(names), max_batch=3, smooth="aug"))
    *progress, result = steps
    assert isinstance(result, tuple)
    assert all(isinstance(fact, Advance) for fact in progress)
    assert progress[0] == Advance("passes", 0, progress[-1].total)
    assert [fact.done for fact in progress] == sorted(fact.done for fact in progress)
    assert progress[-1].done == progress[-1].total


def test_no_batch_is_larger_than_asked() -> None:
    model = flat().eval()
    rows: list[int] = []
    model.conv1.register_forward_pre_hook(lambda module, inputs: rows.append(len(inputs[0])))
    model.linear1.register_forward_pre_hook(lambda module, inputs: rows.append(len(inputs[0])))
    attribute(model, some_images(), CLASS, methods=quick(EVERY), max_batch=3, layers=choose_layer(flat(), (3, 16, 16)))
    assert max(rows) == 3


def test_randomness_is_the_seeds() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    a, b, c = (
        attribute(gap(), some_images(), CLASS, methods=quick(["smoothgrad", "rise"]), seed=seed) for seed in (1, 1, 2)
    )
    assert torch.equal(before, torch.get_rng_state())
    for x, y, z in zip(a, b, c, strict=True):
        assert torch.equal(x.maps, y.maps)
        assert not torch.equal(x.maps, z.maps)


def test_a_choice_of_layer_serves_again() -> None:
    model = gap().eval()
    choice = choose_layer(model, (3, 16, 16))
    auto = attribute(model, some_images(), CLASS, methods=["gradcam", "cam"])
    named = attribute(model, some_images(), CLASS, methods=["gradcam", "cam"], layers="relu2")
    assert all(torch.equal(a.maps, b.maps) for a, b in zip(auto, named, strict=True))
    again = attribute(model, some_images(), CLASS, methods=["gradcam", "cam"], layers=choice)
    for a, b in zip(auto, again, strict=True):
        alike(a, b)
        assert b.layers == ("relu2",)


class Finder(nn.Module):
    """Fires where the image has a bright red square; class 1 is that there is one."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 5, padding=2)
        self.relu = nn.ReLU()
        self.linear = nn.Linear(2, 2)
        with torch.no_grad():
            self.conv.weight.zero_()
            self.conv.weight[0, 0] = 1.0
            self.conv.weight[1, 2] = 1.0
            self.conv.bias.copy_(torch.tensor([-12.0, -12.0]))
            self.linear.weight.copy_(torch.tensor([[-1.0, 1.0], [4.0, -1.0]]))
            self.linear.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.relu(self.conv(x)).mean((2, 3)))


@pytest.mark.parametrize("method", [name for name in EVERY if name != "deconvnet"])
def test_maps_point_at_a_planted_patch(method: str) -> None:
    """A red patch, and a blue one that speaks for the other class; in each map the largest value is on the red one.

    Without a max pool whose switches it keeps, the deconvnet goes back to every place alike.
    """
    images = 0.05 * some_images(2, 24)
    images[0, 0, 3:9, 4:10] += 2.0
    images[0, 2, 15:19, 15:19] += 2.0
    images[1, 0, 14:20, 11:17] += 2.0
    options = {"rise": {"masks": 300}, "occlusion": {"window": 5, "stride": 2}}
    one = attribute(Finder(), images, [1, 1], methods=[{method: options.get(method, {})}])[0]
    sign = -1 if METHODS[method].against else 1
    maps = upsampled(sign * one.maps, (24, 24))
    for i, (rows, columns) in enumerate([(range(2, 10), range(3, 11)), (range(13, 21), range(10, 18))]):
        y, x = divmod(int(maps[i].flatten().argmax()), 24)
        assert y in rows
        assert x in columns


def refused(match: str, **changes) -> None:  # type: ignore[no-untyped-def]
    request = {"images": some_images(), "targets": CLASS, "methods": ["gradcam"], "layers": ["relu2"], **changes}
    with pytest.raises(RequestError, match=match):
        attribute(gap(), request.pop("images"), request.pop("targets"), **request)


def test_what_cannot_be_asked() -> None:
    refused(r"no method 'gradcan'. Did you mean 'gradcam'\? All of them: cnnlab list methods", methods=["gradcan"])
    refused("no method was asked for; known: gradcam, ", methods=[])
    refused("class 5 is asked of image 2, and the network has classes 0 to 4", targets=[0, 1, 5, 0])
    refused("class -1 is asked of image 0", targets=[-1, 1, 1, 0])
    refused(r"targets of shape \(3,\) for 4 images; expected \(4,\), a class for each, or \(4, t\)", targets=[0, 1, 2])
    refused("targets are torch.float32; expected whole numbers", targets=torch.zeros(4))
    refused(r"the target function gives torch.float32 \(\) for logits \(4, 5\)", targets=lambda z: z.sum())
    refused("there are no images; expected at least one", images=some_images()[:0], targets=CLASS[:0])
    refused("layers: there are none", layers=[])
    refused("max_batch: is 0, expected 1 or more", max_batch=0)


def test_answers_that_are_not_finite_are_an_error_of_the_work() -> None:
    model = gap()
    with torch.no_grad():
        model.linear.weight.fill_(float("nan"))
    with pytest.raises(WorkError, match="NaN or infinite"):
        attribute(model, some_images(), CLASS, methods=["gradcam"], layers=["relu2"])


@pytest.mark.parametrize("name", ["gap", "flat", "resnet10"])
def test_every_method_on_every_network_is_finite(name: str) -> None:
    model, layer, images, classes = subject(name)
    methods = [n for n in EVERY if n != "cam" or name != "flat"]
    if name == "resnet10":
        images = images[:, :, :40, :40]  # Score-CAM tries 512 channels
    found = attribute(model, images[:1], classes[:1], methods=quick(methods), layers=[layer])
    assert [one.method for one in found] == methods
    for one in found:
        assert bool(one.maps.isfinite().all())
        if not METHODS[one.method].signed and one.method != "scorecam":
            assert float(one.maps.min()) >= 0


def test_no_evidence_is_zero_and_said() -> None:
    model, layer, images, classes = subject("gap")
    with torch.no_grad():
        model.linear.weight.copy_(-model.linear.weight.abs())
    one = attribute(model, images, classes, methods=["gradcam"], layers=[layer])[0]
    assert float(one.maps.max()) <= 0
    assert float(one.maps.min()) < 0  # the raw map keeps what speaks against
    assert one.notes == ("no positive evidence in 3 of 3 maps (images 0, 1, 2)",)
