"""What repositories of a hub say of a network beside its weights: `preprocessor_config.json` and `config.json`."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cnnlab.core.errors import RequestError
from cnnlab.core.reading import read_file
from cnnlab.network.exported.metadata import said_by
from cnnlab.network.zoos import all_different, classes_of_timm, preparation_of_timm

IMAGES, NETWORK = "preprocessor_config.json", "config.json"
"""transformers' words on images; transformers' on the network, or timm's on both."""

BYTE = 255
"""Pixels that transformers rescales are 0 … 255; ours are 0 … 1."""

CONVNEXT_CUTS_BELOW = 384
"""Pixels of a side from which transformers stretches an image where it names a `crop_pct`."""

INTERPOLATIONS = {2: "bilinear", 3: "bicubic"}
"""By pillow's numbers."""

Said = dict[str, Any]
"""What is said, by the key of a preparation; under 'remarks' a sentence for each thing that cannot be done so."""


def hub_files(folder: Path) -> tuple[Path, ...]:
    """The files of that kind in `folder` that say something; that on images first."""
    found = (folder / IMAGES, folder / NETWORK)
    return tuple(path for path in found if path.is_file() and (path.name == IMAGES or _readable(path)))


def _readable(path: Path) -> bool:
    """Whether it is such a file: other programs call theirs config.json, too."""
    try:
        said_in(path)
    except RequestError:
        return False
    return True


def said_in(path: Path) -> Said:
    """What a file says of a network, not checked yet.

    Returns: values by the keys of a preparation, and sentences under 'remarks'.

    Raises: RequestError for a file that is no JSON, or of no kind that is known.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "config.json"
        >>> _ = path.write_text('{"model_type": "resnet", "id2label": {"0": "cat", "1": "dog"}}')
        >>> said_in(path)
        {'classes': ['cat', 'dog']}
    """
    try:
        own = json.loads(read_file(path, at_most=16_000_000))
    except OSError as error:
        raise RequestError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise RequestError(f"{path}: is no JSON: {error}") from None
    if isinstance(own, Mapping):
        for key, read in KINDS.items():
            if key in own:
                try:
                    return read(own)
                except (TypeError, ValueError, KeyError, ZeroDivisionError):
                    raise RequestError(
                        f"{path}: its numbers are none that transformers or timm write; say it in a preparation.yaml"
                    ) from None
    raise RequestError(f"{path}: is neither of transformers nor of timm: none of {', '.join(KINDS)} stands in it")


def _images_of_transformers(own: Mapping[str, Any]) -> Said:
    said: Said = {"remarks": []}
    scale = BYTE * (float(own.get("rescale_factor") or 1 / BYTE) if own.get("do_rescale", True) else 1)
    offset = 1 if own.get("rescale_offset") else 0
    means: tuple[float, ...] = (0.0,)
    stds: tuple[float, ...] = (1.0,)
    if own.get("do_normalize", True) and own.get("image_mean") is not None:
        means, stds = (_numbers(own[key]) for key in ("image_mean", "image_std"))
    said["mean"] = [round((mean + offset) / scale, 9) for mean in means]
    said["std"] = [round(std / scale, 9) for std in stds]
    said |= _size_of_transformers(own, "3," if len(means) == 3 else "")
    if (resample := own.get("resample")) is not None:
        said["interpolation"] = INTERPOLATIONS.get(int(resample), "bilinear")
        if int(resample) not in INTERPOLATIONS:
            said["remarks"].append(f"images are resized bilinearly, not by pillow's filter {resample} as it says")
    if own.get("do_flip_channel_order"):
        said["remarks"].append("the network takes its channels as blue, green, red, and gets red, green, blue")
    return said


def _size_of_transformers(own: Mapping[str, Any], channels: str) -> Said:
    """Size, fit and share; nothing where it resizes and cuts no image."""
    size, cut = own.get("size"), own.get("crop_size") if own.get("do_center_crop", True) else None
    resized = _sides(size) if own.get("do_resize", True) and size is not None else None
    keeps_ratio = "shortest_edge" in size if isinstance(size, Mapping) else cut is not None
    share = own.get("crop_pct")
    if cut is not None:
        sides = _sides(cut)
        said: Said = {"fit": "crop" if keeps_ratio or resized is None else "stretch"}
        if resized is not None:
            said["crop_share"] = min(1.0, sides[0] / resized[0])
    elif resized is None:
        return {}
    elif share is not None and resized[0] < CONVNEXT_CUTS_BELOW:
        sides, said = resized, {"fit": "crop", "crop_share": resized[0] / int(resized[0] / share)}
    else:
        sides, said = resized, {"fit": "crop" if keeps_ratio and share is None else "stretch"}
    return said | {"size": f"{channels}{sides[0]},{sides[1]}"}


def _sides(value: Any) -> tuple[int, int]:
    """(height, width) in pixels, of a number, two of them, or a mapping of transformers."""
    if isinstance(value, Mapping):
        value = [value["height"], value["width"]] if "height" in value else value["shortest_edge"]
    high, wide = value if isinstance(value, list) else (value, value)
    return int(high), int(wide)


def _numbers(value: Any) -> tuple[float, ...]:
    return tuple(map(float, value)) if isinstance(value, list) else (float(value),)


def _network_of_transformers(own: Mapping[str, Any]) -> Said:
    said: Said = {}
    names = own.get("id2label") or {}
    numbered = [names.get(str(number)) for number in range(len(names))]
    if numbered and all(isinstance(name, str) and name.strip() for name in numbered):
        made_up = all(name == f"LABEL_{number}" for number, name in enumerate(numbered))
        said |= {} if made_up else {"classes": all_different([str(name).strip() for name in numbered])}
    if own.get("problem_type") == "multi_label_classification":
        said["activation"] = "sigmoid"
    if own.get("image_size") is not None:
        sides = _sides(own["image_size"])
        said["size"] = f"{int(own.get('num_channels', 3))},{sides[0]},{sides[1]}"
    return said


def _of_timm(own: Mapping[str, Any]) -> Said:
    cfg = own.get("pretrained_cfg") or own
    made = preparation_of_timm(cfg)
    said: Said = {
        "size": ",".join(map(str, made.shape)),
        "mean": list(made.statistics.mean),
        "std": list(made.statistics.std),
        "fit": made.fit,
        "interpolation": made.interpolation,
    }
    if made.crop_share is not None:
        said["crop_share"] = made.crop_share
    names = own.get("label_names") or cfg.get("label_names")
    words = own.get("label_descriptions") or cfg.get("label_descriptions") or {}
    count = own.get("num_classes", cfg.get("num_classes"))
    if isinstance(names, list) and names:
        said["classes"] = all_different([str(words.get(name, name)) for name in names])
    elif known := classes_of_timm(count):
        said["classes"] = list(known)
    elif count:
        said["classes"] = int(count)
    return said


def _of_cnnlab(own: Mapping[str, Any]) -> Said:
    return said_by(own["cnnlab"])


KINDS: Mapping[str, Callable[[Mapping[str, Any]], Said]] = {
    "cnnlab": _of_cnnlab,
    "pretrained_cfg": _of_timm,
    "image_processor_type": _images_of_transformers,
    "feature_extractor_type": _images_of_transformers,
    "image_mean": _images_of_transformers,
    "do_resize": _images_of_transformers,
    "crop_pct": _of_timm,
    "id2label": _network_of_transformers,
    "model_type": _network_of_transformers,
}
"""How a file is read, by the first of these keys that stands in it."""
