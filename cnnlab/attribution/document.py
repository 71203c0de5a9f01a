"""How an explanation was made, in words for a page and as one JSON document: conventions, versions, seed, passes."""

import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import torch

from cnnlab import __version__
from cnnlab.attribution.catalog import METHODS, listed
from cnnlab.attribution.layers import LayerChoice
from cnnlab.attribution.measures.report import faithfulness_document
from cnnlab.attribution.report import MapEntry
from cnnlab.attribution.run import Explanation
from cnnlab.network.image_files import Unreadable
from cnnlab.network.network import Network

PROBABILITIES = {
    "softmax": "softmax",
    "sigmoid": "sigmoid, of each class by itself",
    "single": "sigmoid of the only logit, which speaks for class 1 of two",
}

CONVENTIONS = {
    "raw": "signed, as the method gives it, nothing brought to 0 … 1; of several fused layers scaled means of 0 … 1",
    "enlarging": "bilinear with half-pixel centres (align_corners=False), straight to the image's own size; the "
    "nearest cell for maps of pixels",
    "colours": "from 0 to the map's largest value, of pixel methods to the 99th percentile; below 0 only where a pixel "
    "method has a sign",
    "single precision": "all is worked out in float32, whatever the precision of training",
}


def provenance(network: Network, explanation: Explanation) -> dict[str, str]:
    """The provenance in words, for the page."""
    passes = sum(one.passes for one in explanation.attributions)
    chosen = [f"{METHODS[o.method].label}: {listed(o.options)}" for o in explanation.attributions if o.options]
    papers = ", ".join(f"{METHODS[o.method].label} ({METHODS[o.method].paper})" for o in explanation.attributions)
    found = {
        "network": network.name,
        "weights": network.weights,
        "images": network.preparation.sentence,
        "methods": papers,
        "options": "; ".join(chosen) or "none",
        "chosen because": explanation.plan.reason,
        "smoothing": explanation.smooth or "none",
        "seed": str(explanation.seed),
        "passes": f"{passes:,} of at most {explanation.plan.max_batch} images, shared ones counted for each method",
        "versions": ", ".join(f"{name} {number}" for name, number in _versions().items()),
    }
    return found | conventions(network)


def conventions(network: Network) -> dict[str, str]:
    """What scores, probabilities, maps and colours mean, in words."""
    activation = "single" if network.logits == 1 else network.activation
    before = "softmax" if activation == "softmax" else "the sigmoid"
    score = f"the logit of the class, before {before}; a single logit speaks for class 1"
    return {"score": score, "probability": PROBABILITIES[activation], **CONVENTIONS}


def _versions() -> dict[str, str]:
    found = {package: version(package) for package in ("torch", "torchvision")}
    return {"cnnlab": __version__, **found, "python": platform.python_version()}


def _layer_document(choice: LayerChoice) -> dict[str, Any]:
    facts = {name: fact for name, fact in vars(choice).items() if name not in ("layouts", "idle")}
    return facts | {
        "tokens": choice.tokens or None,
        "head": vars(choice.head) | {"sentence": choice.head.sentence},
    }


def explanation_document(
    network: Network,
    explanation: Explanation,
    entries: Sequence[MapEntry],
    unreadable: Sequence[Unreadable],
    target: str,
) -> dict[str, Any]:
    """The document of `--json`: every map, how it was made and what it was measured to be worth."""
    plan, preparation = explanation.plan, network.preparation
    state = next(network.model.parameters(), torch.empty(0))
    methods = [
        {
            "name": one.method,
            "label": METHODS[one.method].label,
            "value": METHODS[one.method].sentence,
            "paper": METHODS[one.method].paper,
            "signed": METHODS[one.method].signed,
            "options": one.options,
            "layers": list(one.layers),
            "passes": one.passes,
            "notes": list(one.notes),
        }
        for one in explanation.attributions
    ]
    return {
        "model": network.name,
        "weights": network.weights,
        "trained": network.trained,
        "target": target,
        "images": [entry.as_json() for entry in entries],
        "unreadable": [{"path": one.path, "reason": one.reason} for one in unreadable],
        "layers": [_layer_document(choice) for choice in plan.layers],
        "methods": methods,
        "reason": plan.reason,
        "faithfulness": [faithfulness_document(one) for one in explanation.comparisons],
        "cautions": list(plan.cautions),
        "notes": list(explanation.notes),
        "provenance": {
            "versions": _versions(),
            "device": str(state.device),
            "seed": explanation.seed,
            "smooth": explanation.smooth,
            "max_batch": plan.max_batch,
            "passes": plan.passes,
            "preparation": {"shape": list(preparation.shape), **preparation.as_json()},
            "conventions": conventions(network),
        },
    }  # fmt: skip
