"""`cnnlab fuse`: norms are folded and branches merged; what comes of it is compared, timed, and only then written."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.core.files import failures_named, write_whole
from cnnlab.deploy.export.images import compared_images
from cnnlab.deploy.fuse.proof import TOLERANCE, Proof, proof
from cnnlab.fit.checkpoints import save_weights
from cnnlab.models.build import parameter_count
from cnnlab.models.fusing.fuse import Fusion
from cnnlab.models.tensors import copied
from cnnlab.network.exported.file_network import FileNetwork
from cnnlab.network.fused import FUSED, fused
from cnnlab.network.network import Network, RunNetwork
from cnnlab.network.session import Session
from cnnlab.network.speed import noise, pass_seconds
from cnnlab.rejection.kept import is_kept, kept
from cnnlab.runs.folder import CORRECTIONS, NETWORK
from cnnlab.runs.writer import RunWriter
from cnnlab.stats.repeats import Repeats

REPEATS = 30
"""Passes of both networks, where nothing else is said."""

RANDOM = 8
"""Images of noise on which both are compared."""

BATCHES = (1, 32)
"""Images of the passes that are timed."""

ENDING = ".safetensors"


@dataclass(frozen=True, eq=False)
class FusedSpeed:
    """Passes of both networks, in turn."""

    batch: int
    before: Repeats
    """Seconds."""
    after: Repeats

    @property
    def gain(self) -> Repeats:
        """How many times faster the fused network is, pass by pass."""
        return self.before.over(self.after)


@dataclass(frozen=True, eq=False)
class FuseFacts:
    """What was fused, that it computes the same, and what it gains."""

    network: Network
    fusion: Fusion
    """With the fused network, in single precision."""
    proofs: tuple[Proof, ...]
    speeds: tuple[FusedSpeed, ...]
    layers: tuple[int, int]
    """Layers that are made of no others, before and after."""
    parameters: tuple[int, int]
    """Before and after."""
    path: Path | None
    """The new run, or the file of weights; None where nothing was written."""

    @property
    def use(self) -> str:
        """MODEL and options by which every command takes it."""
        return str(self.path) if self.network.run is not None else f"{self.network.name} --weights {self.path}"


def fuse_network(
    network: Network, session: Session, *, out: Path | None = None, repeats: int = REPEATS, write: bool = True
) -> Iterator[Advance | FuseFacts]:
    """Fold batch norms, merge summed branches, take drop-outs away; prove that nothing else changed, time it, write it.

    Arguments:
        network: opened for images; it stays as it is.
        session: where its images lie, and the largest batch that is timed.
        out: the folder of the new run, or of another network the file of weights, `.safetensors`; by default
            `NAME-fused` beside the run, or a file below the runs' folder.
        repeats: passes that are timed.
        write: whether anything is written.

    Yields:
        How far the timing is; at last the facts.

    Raises:
        RequestError: for a network that is fused already or in which nothing can be, and a place that is taken.
        WorkError: where what was fused computes something else in double precision; nothing is written then.

    Example:
        >>> from cnnlab.network.open import open_network
        >>> session = Session(device_name="cpu", max_batch=1)
        >>> network = open_network("torchvision:resnet18", session, size="32", for_images=True)
        >>> *_, found = fuse_network(network, session, repeats=1, write=False)
        >>> len(found.fusion.steps), all(proof.holds for proof in found.proofs)
        (20, True)
    """
    path = _place(network, session, out) if write else None
    fusion, proofs = proven(network, session)
    singles = (network.model, fusion.model)
    speeds = []
    batches = [batch for batch in BATCHES if batch <= session.max_batch]
    for number, batch in enumerate(batches):
        yield Advance("timing", number, len(batches))
        times = pass_seconds(singles, noise(network.shape, singles[0], count=batch), repeats=repeats)
        speeds.append(FusedSpeed(batch, *times))
    yield Advance("timing", len(batches), len(batches))
    if path is not None:
        _write(network, fusion, path)
    yield FuseFacts(
        network=network,
        fusion=fusion,
        proofs=proofs,
        speeds=tuple(speeds),
        layers=(_layers(singles[0]), _layers(singles[1])),
        parameters=(parameter_count(singles[0]), parameter_count(singles[1])),
        path=path,
    )


def proven(network: Network, session: Session) -> tuple[Fusion, tuple[Proof, ...]]:
    """Fuse a copy of a network, and compare it with the network on noise and on images.

    Arguments:
        network: opened for images; it stays as it is.
        session: where its images lie.

    Returns:
        The copy with what was done, and the comparisons.

    Raises:
        RequestError, WorkError: as `fuse_network`.
    """
    if network.fused:
        raise RequestError(f"{network.name} is fused already")
    if isinstance(network.model, FileNetwork):
        raise RequestError(
            f"{network.name} is {network.model.kind}, whose layers are not at hand; give the network it is from"
        )
    doubles = [copied(network.model).cpu().double()]
    doubles.append(fused(copied(doubles[0]), network.shape).model)
    fusion = fused(copied(network.model), network.shape)
    singles = (network.model, fusion.model)
    if not fusion.steps:
        why = f": {fusion.kept[0].layer} stays, since {fusion.kept[0].why}" if fusion.kept else ""
        raise RequestError(f"there is nothing to fuse in {network.name}{why}")
    images = compared_images(network, session)
    random = noise(network.shape, doubles[0], count=RANDOM)
    inputs = network.preparation.inputs(images.pixels)
    proofs = (
        proof(doubles, singles, random, images="Gaussian noise"),
        proof(doubles, singles, inputs, images=images.source),
    )
    for one in proofs:
        if not one.holds:
            raise WorkError(
                f"{network.name} and what was fused of it compute something else: on {one.images} their logits differ "
                f"by {one.difference:.2g} of the largest in double precision, {TOLERANCE:g} allowed; nothing was "
                "written"
            )
    return fusion, proofs


def as_proven(network: Network, session: Session) -> Network:
    """The network with its layers fused, after it was compared with the network as it is; see `proven`.

    A rule of rejection that looks at logits alone holds for it, too.
    """
    fusion, _ = proven(network, session)
    rule = None
    if is_kept(network, session):
        with suppress(RequestError):  # one of other weights stays behind
            rule = kept(network, session)
    threshold = rule.as_metadata() if rule is not None and rule.of_logits else None
    return replace(network, model=fusion.model, fused=True, threshold=threshold)


def _layers(model: nn.Module) -> int:
    """Layers that are made of no others, those apart that pass their input on."""
    return sum(
        not any(True for _ in module.children()) and not isinstance(module, nn.Identity) for module in model.modules()
    )


def _place(network: Network, session: Session, out: Path | None) -> Path:
    """Where it is written.

    Raises: RequestError for a place that is taken, or a file of another kind.
    """
    if network.run is not None:
        path = out or session.runs / f"{network.run.name}-fused"
    else:
        path = out or session.folder("fuse") / f"{network.file_name}{ENDING}"
        if path.suffix != ENDING:
            raise RequestError(f"`out` is '{path}', expected a file of weights that ends with {ENDING}")
    if path.exists():
        raise RequestError(f"{path}: is there already; name another place with `out`")
    return path


def _write(network: Network, fusion: Fusion, path: Path) -> None:
    """The new run, or the file of weights, with where it came from."""
    weights = fusion.model.state_dict()
    if not isinstance(network, RunNetwork):
        save_weights(path, weights, {FUSED: {"network": network.name, "weights": network.weights}})
        return
    run, which = network.run, network.which
    _, facts = run.weights(which)
    corrections = run.path / CORRECTIONS
    inside = {place: place.read_bytes() for place in _files(run.path / NETWORK)}
    writer = RunWriter.create(
        path,
        replace(
            run.record,
            name=path.name,
            command=f"cnnlab fuse {run.path}",
            parameters=parameter_count(fusion.model),
        ),
        (run.path / "config.yaml").read_text(encoding="utf-8"),
        _files(run.path / "plugins"),
        {place.relative_to(run.path / NETWORK).as_posix(): content for place, content in inside.items()},
        corrections.read_bytes() if corrections.exists() else None,
    )
    metrics = run.path / "metrics.jsonl"
    with failures_named(path):
        if metrics.exists():
            write_whole(path / metrics.name, metrics.read_bytes())
        writer.save_weights("best", weights, {**facts, FUSED: _origin(network)})


def _origin(network: RunNetwork) -> Mapping[str, Any]:
    return {"run": str(network.run.path), "weights": network.weights}


def _files(folder: Path) -> Sequence[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
