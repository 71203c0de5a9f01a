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
    """Every pixel method on two pictures."""
    result = trained.place(
        "saliency", "tiny", "--split", "validation", "--count", "2", "--method", ",".join(PIXEL), "--json"
    )
    assert result.code == 0, result.err
    return result


def test_every_method_gives_a_map_of_the_picture_s_size(trained: Any, every: Any) -> None:
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
    assert every.err.startswith("passes through the network, of at most 64 pictures each: gradient")


def test_a_map_of_a_layer_is_the_other_command_s(trained: Any) -> None:
    result = trained.place("saliency", "tiny", "--split", "validation", "--method", "gradcam")
    assert result.code == 2
    assert result.err == "error: Grad-CAM maps a layer, not pixels: cnnlab gradcam --method gradcam\n"
