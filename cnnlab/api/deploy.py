"""A network as it leaves: files for other programs."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from cnnlab.api.question import Questions
from cnnlab.api.result import Result, plain
from cnnlab.deploy.export.report import export_report
from cnnlab.deploy.export.run import Exported as ExportedFacts
from cnnlab.deploy.export.run import export
from cnnlab.view.blocks import Report


@dataclass(frozen=True, eq=False, repr=False)
class Exported(Result):
    """A file or a folder that was written, read back and compared with the network."""

    document_name: ClassVar[str] = "export.json"

    facts: ExportedFacts

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.facts.path

    @property
    def largest_difference(self) -> float:
        """Between a logit of the network and of what was written."""
        return self.facts.agreement.difference

    @cached_property
    def report(self) -> Report:
        """The file, the passes on which it was compared, and its use."""
        return export_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """The file, the comparison, and the metadata."""
        return plain(self.facts.document())


class Departures(Questions):
    """What a network can be made into for other programs."""

    def export(
        self,
        path: str | Path | None = None,
        *,
        to: Literal["onnx", "pt2", "safetensors", "folder"] = "onnx",
        overwrite: bool = False,
    ) -> Exported:
        """Write it for other programs, with its classes and preparation, run and compared before it is kept.

        Arguments:
            path: the file or the folder; by default below the reports of the run, or among the runs.
            to: `onnx`, `pt2` (a program of torch.export), `safetensors` (weights with metadata), or `folder` (a hub's
                layout: a model card, config.json, model.safetensors).
            overwrite: whether what lies there may be replaced.

        Returns:
            What was written, and how far its logits lie from the network's on batches of 1, 2 and 5 images.

        Raises:
            RequestError: for a place that is taken, a network that cannot be exported, and where a library is missing.
            WorkError: where what was written computes something else; then there is no file.

        Example:
            >>> import cnnlab, tempfile
            >>> net = cnnlab.open("torchvision:squeezenet1_1", size=64, device="cpu")
            >>> net.export(tempfile.mkdtemp() + "/net.safetensors", to="safetensors").largest_difference < 1e-6
            True
        """
        place = None if path is None else Path(path).expanduser()
        with self._asked() as network:
            return Exported(export(network, self._session, to=to, out=place, overwrite=overwrite))
