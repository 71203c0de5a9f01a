"""`cnnlab export`: a network is written, read back, run on images and compared, and only then is there a file."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cnnlab.core.errors import CnnlabError, RequestError, WorkError
from cnnlab.core.files import append_line, place_whole, remove_file
from cnnlab.deploy.export.agreement import Agreement, agreement
from cnnlab.deploy.export.formats import Format, format_named
from cnnlab.deploy.export.images import Compared, compared_images
from cnnlab.deploy.export.leaving import leaving
from cnnlab.network.exported.metadata import Metadata
from cnnlab.network.exported.opened import exported_reader
from cnnlab.network.network import Network
from cnnlab.network.session import Session
from cnnlab.runs.folder import EXPORTS


@dataclass(frozen=True)
class Exported:
    """What was written, and how it was tried."""

    path: Path
    to: str
    """The format's name."""
    format: Format
    bytes: int
    """Of all files."""
    metadata: Metadata
    source: str
    """The images on which it was compared, in words."""
    real: bool
    """Whether they are no made ones."""
    agreement: Agreement
    use: str
    """How it is used, in words."""
    remarks: tuple[str, ...]
    """What is to be known of it, in sentences without an end."""

    def document(self) -> Mapping[str, Any]:
        """What `--json` prints."""
        found = self.agreement
        return {
            "path": str(self.path),
            "format": self.to,
            "bytes": self.bytes,
            "images": self.source,
            "images_are_real": self.real,
            "largest_difference": found.difference,
            "tolerance": found.tolerance,
            "answers_equal": found.answers,
            "answers": found.images,
            "passes": [vars(one) for one in found.passes],
            "metadata": self.metadata.as_json(),
            "remarks": list(self.remarks),
            "use": self.use,
        }


def export(
    network: Network, session: Session, *, to: str = "onnx", out: Path | None = None, overwrite: bool = False
) -> Exported:
    """Write a network as a file or a folder for other programs.

    Arguments:
        network: opened for images.
        session: where its images lie.
        to: the format, of `FORMATS`.
        out: the file or the folder; by default below the reports of the run, or among the runs.
        overwrite: whether what lies there may be replaced.

    Returns:
        What was written: it has been read back and run on batches of 1, 2 and 5 images, and its logits are within 1e-4
        of the network's, its answers equal.

    Raises:
        RequestError: for another format, a place that is taken, a network that cannot be exported, and where a library
            is missing.
        WorkError: where what was written computes something else; then there is no file.
    """
    kind = format_named(to)
    path = out or session.folder("export", network.run) / f"{network.file_name}{kind.ending}"
    _check_place(path, kind, overwrite)
    kind.check()
    images = compared_images(network, session)
    made = leaving(network, session)
    with tempfile.TemporaryDirectory(prefix="cnnlab-export-") as folder:
        written = Path(folder) / f"model{kind.ending}"
        kind.write(made, written)
        found = agreement(made.model, kind.read(made, written), made.network.preparation.inputs(images.pixels))
        _check_agrees(found, kind, network.name, images)
        size = sum(file.stat().st_size for file in ([written] if written.is_file() else written.iterdir()))
        for name in kind.files if path.is_dir() else ():
            if not (written / name).exists():
                remove_file(path / name)
        place_whole(written, path)
    use = kind.use(made).format(path=path)
    done = Exported(path, to, kind, size, made.metadata, images.source, images.real, found, use, made.remarks)
    if network.run is None or out is not None:  # what is asked for elsewhere leaves the run as it was
        return done
    try:
        when = datetime.now(UTC).isoformat(timespec="seconds")
        append_line(network.run.path / EXPORTS, json.dumps({"when": when, **done.document()}))
    except CnnlabError as error:
        note = f"the page of the run will not tell of this export: {error}"
        return replace(done, remarks=(*done.remarks, note))
    return done


def _check_place(path: Path, kind: Format, overwrite: bool) -> None:
    """Raises: RequestError for a place where something lies that may not, or cannot, be replaced."""
    if kind.ending and path.is_dir():
        raise RequestError(
            f"{path}: is a folder, and {kind.label} is a file; name it, such as {path / 'model'}{kind.ending}"
        )
    if not path.exists():
        return
    if not overwrite:
        raise RequestError(f"{path}: is there already; name another place with `out`, or replace it with `overwrite`")
    if not kind.ending and not (path.is_dir() and exported_reader(str(path)) is not None):
        raise RequestError(f"{path}: is no folder that was exported, and is not replaced; name another with `out`")


def _check_agrees(found: Agreement, kind: Format, name: str, images: Compared) -> None:
    """Raises: WorkError where what was written computes something else."""
    if not found.finite:
        raise WorkError(f"{name} itself puts out NaN or infinite logits on {images.source}; nothing was written")
    if not found.holds:
        raise WorkError(
            f"the {kind.label} of {name} computes something else: its logits differ by up to {found.difference:.3g} "
            f"({found.tolerance:.3g} allowed), {found.answers} of {found.images} answers are equal, on "
            f"{images.source}; nothing was written"
        )
