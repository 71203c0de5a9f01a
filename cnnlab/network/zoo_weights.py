"""Weights that a zoo offers for a network: found in torch's cache, or downloaded into it."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch

from cnnlab.core.errors import RequestError, first_line, unknown
from cnnlab.network.zoos import ZOOS, Offer, torchvision_preparation


def with_pretrained(zoo: str, text: str) -> tuple[Offer, Path]:
    """A zoo's network, prepared for as its weights want it, and the file of those.

    Arguments:
        zoo: `torchvision`; timm's own names of files are not known here.
        text: the network, or the network and its weights, such as `resnet18` or `resnet18:IMAGENET1K_V1`.

    Raises:
        RequestError: for a network or weights that are not there, with the nearest; and where they can neither be found
            nor downloaded, with what to put where.
    """
    name, _, wanted = text.partition(":")
    offer = ZOOS[zoo](name, values=True)
    if zoo != "torchvision":
        raise RequestError(f"{zoo}:{name}: only torchvision's weights are found by name; give a file of weights")
    from torchvision import models

    known = {one.name: one for one in models.get_model_weights(name)}
    if not known:
        raise RequestError(f"torchvision has no weights for {name}; give a file of weights")
    if wanted and wanted not in known:
        raise RequestError(unknown(f"weights of torchvision:{name}", wanted, known))
    chosen: Any = known[wanted] if wanted else models.get_model_weights(name).DEFAULT
    return replace(offer, preparation=torchvision_preparation(chosen)), fetched(f"torchvision:{name}", chosen.url)


def fetched(network: str, url: str) -> Path:
    """The file at `url` in torch's cache, downloaded where it is not there yet.

    Arguments:
        network: whose weights they are, for the error.
        url: of a file whose name ends with the beginning of its SHA-256, as torchvision's do.

    Raises:
        RequestError: where it can be neither found nor downloaded, with what to put where.
    """
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name
    if file.is_file():
        return file
    digits = file.stem.rpartition("-")[2] if "-" in file.stem else None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(file), digits, progress=False)
    except (OSError, RuntimeError) as error:
        raise RequestError(
            f"{network}: its weights are not in {file.parent} and cannot be downloaded ({first_line(error)}); put the "
            f"file of {url} there as {file.name}"
        ) from None
    return file
