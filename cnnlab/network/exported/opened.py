"""What `cnnlab export` wrote, and ONNX files of other programs, opened as a network."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from torch import nn

from cnnlab.config.config import read_config
from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError
from cnnlab.core.reading import read_file
from cnnlab.network.described import shape_for
from cnnlab.network.description import KEYS, Description
from cnnlab.network.exported.file_network import inside_is_closed
from cnnlab.network.exported.metadata import ALIKE, said_by, weights_hash
from cnnlab.network.exported.onnx_network import OnnxNetwork
from cnnlab.network.exported.program_network import ProgramNetwork
from cnnlab.network.fresh import new_network
from cnnlab.network.fused import fused_for
from cnnlab.network.hub import NETWORK
from cnnlab.network.network import Network, Origin
from cnnlab.network.session import Session
from cnnlab.network.weights_file import load_weights_file
from cnnlab.network.zoos import ZOOS

MARK = "cnnlab"
"""The key of a folder's config.json under which its metadata stand."""

WEIGHTS, LAYERS = "model.safetensors", "network.yaml"
"""The files of a folder with the weights, and with the layers of a network that was written in YAML."""

MADE_BY = "made_by"
"""The key of what makes the network: the name of a zoo's, of a file with its layers, or of the user's Python."""

Found: TypeAlias = tuple[Network, Description]
"""A network, and what is said of it, by the file and by whoever names it."""

FILES: Mapping[str, tuple[type[OnnxNetwork | ProgramNetwork], Origin]] = {
    ".onnx": (OnnxNetwork, "onnx"),
    ".pt2": (ProgramNetwork, "pt2"),
}
"""Files that are run as a whole, by the endings of their names."""

Reader: TypeAlias = Callable[[Path, Description, Session, bool], Found]
"""Given the path, what is said of the network, the session, and False where layers alone are to be looked at."""


def exported_reader(what: str) -> Reader | None:
    """How what `what` names is opened; None where it is nothing that was exported."""
    path = Path(what).expanduser()
    if path.suffix.lower() in FILES:
        return _of_file
    return _of_folder if path.is_dir() and not (path / "run.json").exists() and _marked(path) is not None else None


def _marked(folder: Path) -> Mapping[str, Any] | None:
    """The metadata in a folder; None where there are none."""
    try:
        own = json.loads(read_file(folder / NETWORK, at_most=16_000_000))
    except (OSError, ValueError):
        return None
    found = own.get(MARK) if isinstance(own, Mapping) else None
    return found if isinstance(found, Mapping) else None


def _of_file(path: Path, said: Description, session: Session, values: bool) -> Found:
    """Raises: RequestError for a file that is no network of images, for one that does not take the size that is said,
    and for one that could run code, which nobody has allowed."""
    made, origin = FILES[path.suffix.lower()]
    if not values:
        raise RequestError(inside_is_closed(path, made.kind))
    if made.runs_code and not session.allow_plugins and path.exists():
        raise RequestError(
            f"{path}: {made.kind} can run code while it is read; allow that with `allow_plugins=True` if you trust it"
        )
    model = made(path)
    own = said_by(model.said)
    whole = _whole(path, said, own)
    threshold, remarks = _threshold(path, whole, own, model.said.get("threshold"))
    if whole.size is None and model.own_shape is not None:
        whole = _with(whole, {"size": ",".join(map(str, model.own_shape))}, {})
    shape = _shape(path, whole, model.sides[1])
    for side, wanted in zip(model.sides[1:], shape, strict=True):
        if isinstance(side, int) and side != wanted:
            taken, asked = (" × ".join(map(str, sides)) for sides in (model.sides[1:], shape))
            raise RequestError(f"{path}: takes images of {taken}, and `size` is {asked}")
    found = Network(
        name=str(path),
        origin=origin,
        model=model,
        shape=shape,
        trained=True,
        weights=f"the weights in {path}",
        weights_file=path,
        threshold=threshold,
        remarks=(*_lacking(path, whole), *remarks),
    )
    return found, whole


def _shape(path: Path, said: Description, channels: Any) -> Shape:
    """(channels, height, width) of its images, in pixels.

    Raises: RequestError where it is not said.
    """
    if said.size is None:
        raise RequestError(f"`size`: {path} does not tell what images it is for; give such as 3,224,224")
    return shape_for(said.size, (channels if isinstance(channels, int) else 3, 0, 0))


def _threshold(
    path: Path, whole: Description, own: Mapping[str, Any], said: Any
) -> tuple[Mapping[str, Any] | None, tuple[str, ...]]:
    """The rule of rejection in a file, where its images are prepared as it says; a remark where they are not.

    Raises: RequestError for one that is damaged.
    """
    if said is None:
        return None, ()
    if not isinstance(said, Mapping):
        raise RequestError(f"{path}: its metadata are damaged: 'threshold' is {said!r:.60}")
    other = [key for key in (*ALIKE, "size") if key in own and getattr(whole, key) != KEYS[key](own[key], path.parent)]
    if not other:
        return said, ()
    return None, (f"{path} has a threshold of rejection for images as it prepares them; `{other[0]}` is another",)


def _lacking(path: Path, said: Description) -> tuple[str, ...]:
    """A remark on class names that neither the file nor anybody tells."""
    if said.classes is not None:
        return ()
    return (f"{path} does not name its classes: they are numbered; `classes` names them",)


def _of_folder(path: Path, said: Description, session: Session, values: bool) -> Found:
    """Raises: RequestError for a folder whose network cannot be made from what it holds."""
    own = _marked(path)
    assert own is not None, "checked by exported_reader"
    whole = _whole(path / NETWORK, said, said_by(own))
    shape = _shape(path / NETWORK, whole, own.get("channels"))
    network = _made(path, own.get(MADE_BY), shape, _count(own), session)
    network = fused_for(network, path / WEIGHTS)
    load_weights_file(network.model, path / WEIGHTS)
    wanted = own.get("weights_sha256")
    if wanted is not None and wanted != weights_hash(network.model):
        raise RequestError(
            f"{path / WEIGHTS}: holds other weights than {NETWORK} was written for, and what that says of them may be "
            "wrong; export the network again"
        )
    return network, whole


def _count(own: Mapping[str, Any]) -> int | None:
    """How many logits it has."""
    names = own.get("class_names")
    return len(names) if isinstance(names, list) and names else None


def _made(path: Path, made_by: Any, shape: Shape, classes: int | None, session: Session) -> Network:
    """The network with random weights."""
    file = path / WEIGHTS
    facts = {"name": str(path), "trained": True, "weights": f"the weights in {file}", "weights_file": file}
    if made_by == LAYERS:
        config = read_config(path / LAYERS, allow_plugins=session.allow_plugins)

        def fresh(seed: int) -> nn.Module:
            return new_network(config.model_copy(update={"seed": seed}), shape, classes or 0)

        return Network(origin="folder", model=fresh(0), shape=shape, fresh=fresh, **facts)  # type: ignore[arg-type]
    zoo, colon, name = str(made_by).partition(":")
    if colon and zoo in ZOOS:
        standard = ZOOS[zoo](name, values=False)
        other = classes if classes != standard.logits else None
        offer = standard if other is None else ZOOS[zoo](name, values=True, classes=other)
        return Network(origin="folder", model=offer.model(True), shape=shape, fresh=offer.fresh, **facts)  # type: ignore[arg-type]
    raise RequestError(
        f"{path}: its network is made by Python code that is not in the folder ({made_by}); give "
        f"FILE.py:NAME with `weights` {path / WEIGHTS}"
    )


def _whole(path: Path, said: Description, own: Mapping[str, Any]) -> Description:
    """What is `said`, and where it is silent what stands in a file; what is said of a mean goes with its std.

    Raises: RequestError for a wrong value in the file.
    """
    found = {}
    for key, value in own.items():
        try:
            found[key] = KEYS[key](value, path.parent)
        except (TypeError, ValueError) as error:
            raise RequestError(f"{path}: its metadata are damaged: '{key}' is {error}") from None
    if said.fit is not None and said.fit != found.get("fit"):
        found.pop("crop_share", None)
    return _with(said, found, dict.fromkeys(found, str(path)))


def _with(said: Description, more: Mapping[str, Any], places: Mapping[str, str]) -> Description:
    """What is `said`, and `more` where it is silent."""
    given = {key: getattr(said, key) for key in said.said}
    places = {key: place for key, place in places.items() if key not in given} | dict(said.places)
    file = said.file or next((Path(place) for place in places.values()), None)
    return Description(**{**more, **given}, file=file, places=places, found=said.found, remarks=said.remarks)
