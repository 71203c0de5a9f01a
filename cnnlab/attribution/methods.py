"""The methods of attribution by name: what each is called, what it needs, and the paper it is from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cnnlab.attribution.capture import Want
from cnnlab.core.errors import RequestError, unknown

Kind: TypeAlias = Literal["cam", "pixel"]


@dataclass(frozen=True)
class Method:
    """One way to say what an answer rests on."""

    name: str
    label: str
    """As the field writes it."""
    kind: Kind
    """A map at a layer's own size, or one value for each pixel."""
    sentence: str
    """What a place's value is."""
    paper: str
    wants: Want | None = None
    """What it differentiates at the layer."""
    signed: bool = True
    """Whether a value below 0 speaks against the target."""
    of_class: bool = True
    """Whether the map depends on which class is asked for."""


_ALL = (
    Method("gradcam", "Grad-CAM", "cam", "channels weighted by their mean gradient", "arXiv:1610.02391", "score"),
    Method("gradcam++", "Grad-CAM++", "cam", "channels weighted by where their gradient is positive",
           "arXiv:1710.11063", "score"),
    Method("hirescam", "HiResCAM", "cam", "activation times gradient, place by place", "arXiv:2011.08891", "score"),
    Method("xgradcam", "XGrad-CAM", "cam", "channels weighted by their gradient where they are active",
           "arXiv:2008.02312", "score"),
    Method("layercam", "LayerCAM", "cam", "activation times positive gradient, place by place",
           "doi:10.1109/TIP.2021.3089943", "score", signed=False),
    Method("eigencam", "Eigen-CAM", "cam", "the pattern that most channels share, whatever the class",
           "arXiv:2008.00299", of_class=False),
    Method("eigengradcam", "Eigen-Grad-CAM", "cam", "the pattern that most channels' activation times gradient share",
           "arXiv:2008.00299", "score"),
    Method("scorecam", "Score-CAM", "cam", "channels weighted by the score of what they let through",
           "arXiv:1910.01279", signed=False),
    Method("ablationcam", "Ablation-CAM", "cam", "channels weighted by the share of the score that goes without them",
           "doi:10.1109/WACV45572.2020.9093360"),
    Method("reciprocam", "Recipro-CAM", "cam", "the score that one place of the layer gives alone", "arXiv:2209.14074"),
    Method("cam", "CAM", "cam", "channels weighted by the linear layer behind the global average",
           "arXiv:1512.04150", "score"),
    Method("finercam", "Finer-CAM", "cam", "Grad-CAM of the score less that of the nearest classes",
           "arXiv:2501.11309", "finer"),
    Method("shapleycam", "ShapleyCAM", "cam", "channels weighted by gradient less half of its curvature",
           "arXiv:2501.06261", "shapley"),
    Method("counterfactual_gradcam", "counterfactual Grad-CAM", "cam", "what speaks against the class",
           "arXiv:1610.02391", "score"),
    Method("fullgrad", "FullGrad", "pixel", "shares of the pixels and of every bias", "arXiv:1905.00780", signed=False),
    Method("gradient", "gradient", "pixel", "how steeply the score changes with the pixel", "arXiv:1312.6034",
           signed=False),
    Method("gradient_x_input", "gradient × input", "pixel", "the pixel's share of a linear score", "arXiv:1605.01713"),
    Method("smoothgrad", "SmoothGrad", "pixel", "the gradient averaged over noise", "arXiv:1706.03825", signed=False),
    Method("integrated_gradients", "integrated gradients", "pixel", "what the pixel adds to the score, against none",
           "arXiv:1703.01365"),
    Method("guided_backprop", "guided backpropagation", "pixel", "where only what helps passes back",
           "arXiv:1412.6806", signed=False),
    Method("deconvnet", "deconvnet", "pixel", "what made the activations, by reversing the network", "arXiv:1311.2901",
           signed=False),
    Method("guided_gradcam", "guided Grad-CAM", "pixel", "guided backpropagation where Grad-CAM points",
           "arXiv:1610.02391", "score", signed=False),
    Method("occlusion", "occlusion", "pixel", "how much of the score goes when the place is covered",
           "arXiv:1311.2901"),
    Method("rise", "RISE", "pixel", "how the probability goes along with seeing the place", "arXiv:1806.07421"),
)  # fmt: skip

METHODS: dict[str, Method] = {method.name: method for method in _ALL}
GRADIENT_CAMS = tuple(m.name for m in _ALL if m.kind == "cam" and m.wants is not None)
"""Those that one shared capture serves."""


def methods_of(names: Sequence[str]) -> tuple[Method, ...]:
    """The methods of these names, each once.

    Raises: RequestError for a name that is no method, and for none at all.
    """
    for name in names:
        if name not in METHODS:
            raise RequestError(unknown("method", name, METHODS))
    if not names:
        raise RequestError(f"no method was asked for; known: {', '.join(METHODS)}")
    return tuple(METHODS[name] for name in dict.fromkeys(names))


def uses_layer(method: Method) -> bool:
    """Whether it looks at a layer's feature maps."""
    return method.kind == "cam" or method.wants is not None
