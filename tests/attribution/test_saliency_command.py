"""`cnnlab saliency` from the command line."""

from typing import Any

import numpy as np
import pytest

PIXEL = (
    "gradient", "gradient_x_input", "smoothgrad", "integrated_gradients", "guided_backprop", "deconvnet",
    "guided_gradcam", "occlusion", "rise", "fullgrad",
)  # fmt: skip


@pytest.fixture(scope="module")
def every(trained: Any) -> Any:
    """Every pixel method on two images."""
    result = trained.place(
        "saliency", "tiny", "--split", "validation", "--count", "2", "--method", ",".join(PIXEL), "--json"
    )
    assert result.code == 0, result.err
    return result


def test_every_method_gives_a_map_of_the_image_s_size(trained: Any, every: Any) -> None:
    images = every.json()["images"]
    assert [one["method"] for one in images[: len(PIXEL)]] == list(PIXEL)
    for one in images:
        raw = np.load(trained.place.folder / one["raw"])
        assert (raw.dtype, raw.shape) == (np.float32, (16, 16))
        assert np.isfinite(raw).all()
        assert one["layer"] == ("conv_bn_act2" if one["method"] == "guided_gradcam" else None)
        if one["raw_channels"] is not None:
            channels = np.load(trained.place.folder / one["raw_channels"])
            assert channels.shape == (3, 16, 16)
            summed = one["method"] in ("gradient_x_input", "integrated_gradients")
            expected = channels.sum(0) if summed else np.abs(channels).max(0)
            np.testing.assert_allclose(raw, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("nothing_is_drawn")
def test_the_same_seed_gives_the_same_maps(trained: Any) -> None:
    def maps(seed: int, out: str) -> list[np.ndarray]:
        words = (
            "saliency",
            "tiny",
            "photos.txt",
            "--method",
            "smoothgrad",
            "--seed",
            str(seed),
            "--out",
            out,
            "--json",
        )
        result = trained.place(*words)
        assert result.code == 0, result.err
        return [np.load(trained.place.folder / one["raw"]) for one in result.json()["images"]]

    from PIL import Image

    pixels = np.random.default_rng(5).integers(0, 255, (20, 20, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(trained.place.folder / "photos.txt", format="PNG")
    first, again, other = maps(1, "s1"), maps(1, "s1"), maps(2, "s2")
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert all((a != b).any() for a, b in zip(first, other, strict=True))


def test_it_lies_beside_the_other_reports(trained: Any, every: Any) -> None:
    folder = trained.run / "reports" / "saliency"
    assert {"index.html", "maps.png", "explanations.json"} <= {path.name for path in folder.iterdir()}
    assert every.err.startswith("passes through the network, of at most 64 images each: gradient")


def test_a_map_of_a_layer_is_the_other_command_s(trained: Any) -> None:
    result = trained.place("saliency", "tiny", "--split", "validation", "--method", "gradcam")
    assert result.code == 2
    assert result.err == "error: Grad-CAM maps a layer, not pixels: cnnlab gradcam --method gradcam\n"


@pytest.mark.usefixtures("nothing_is_drawn")
def test_the_options_of_methods_are_used_and_told(trained: Any) -> None:
    """Given in one option or in several; every option is in the document, and those of the methods on the page."""
    words = ("saliency", "tiny", "--split", "validation", "--count", "1", "--out", "chosen", "--json")
    asked = "integrated_gradients:steps=8,baseline=black,occlusion:window=5,stride=3"
    result = trained.place(*words, "--method", asked, "--method", "rise:masks=12", "--method", "smoothgrad:samples=2")
    assert result.code == 0, result.err
    document = result.json()
    assert {one["name"]: one["options"] for one in document["methods"]} == {
        "integrated_gradients": {
            "baseline": "black", "steps": 8, "quadrature": "gauss_legendre", "tolerance": None, "max_steps": 512
        },
        "occlusion": {"window": 5, "stride": 3, "baseline": "zero"},
        "rise": {"masks": 12, "cells": 7, "keep": 0.5, "centred": True},
        "smoothgrad": {"samples": 2, "noise": 0.15},
    }  # fmt: skip
    assert {one["name"]: one["passes"] for one in document["methods"]} == document["provenance"]["passes"]
    assert document["provenance"]["passes"]["rise"] == 2
    assert "with 8 steps the values add up" in document["methods"][0]["notes"][0]
    page = (trained.place.folder / "chosen" / "index.html").read_text()
    assert "occlusion: window 5, stride 3, baseline zero; RISE: masks 12, cells 7, keep 0.5, centred true" in page
    raw = np.load(trained.place.folder / document["images"][0]["raw"])
    again = trained.place(*words, "--method", asked.replace("black", "zero"), "--method", "occlusion:window=5,stride=3")
    assert (raw != np.load(trained.place.folder / again.json()["images"][0]["raw"])).any()
