"""A network as it leaves: files for other programs."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from torch import nn

from cnnlab.api.question import Questions, last
from cnnlab.api.result import Result, plain
from cnnlab.api.values import path_or_none
from cnnlab.deploy.export.report import export_report
from cnnlab.deploy.export.run import Exported as ExportedFacts
from cnnlab.deploy.export.run import export
from cnnlab.deploy.fuse.report import fuse_json, fuse_report
from cnnlab.deploy.fuse.run import REPEATS, FuseFacts, as_proven, fuse_network
from cnnlab.models.fusing.fuse import Step
from cnnlab.stats.repeats import Repeats
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


@dataclass(frozen=True, eq=False, repr=False)
class Fused(Result):
    """The same network with fewer layers."""

    document_name: ClassVar[str] = "fuse.json"

    facts: FuseFacts

    @property
    def model(self) -> nn.Module:
        """The fused network, in evaluation mode."""
        return self.facts.fusion.model

    @property
    def path(self) -> Path | None:
        """The new run, or the file of weights; None where nothing was written."""
        return self.facts.path

    @property
    def steps(self) -> tuple[Step, ...]:
        """What was fused."""
        return self.facts.fusion.steps

    @property
    def difference(self) -> float:
        """The largest between two logits in double precision, as a share of the largest logit."""
        return max(one.difference for one in self.facts.proofs)

    @property
    def gain(self) -> Repeats:
        """How many times faster one image passes."""
        return self.facts.speeds[0].gain

    @cached_property
    def report(self) -> Report:
        """The numbers, the comparison, what was fused and what stays."""
        return fuse_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data."""
        return plain(fuse_json(self.facts))


class Departures(Questions):
    """What a network can be made into for other programs."""

    def export(
        self,
        path: str | Path | None = None,
        *,
        to: Literal["onnx", "pt2", "safetensors", "folder"] = "onnx",
        overwrite: bool = False,
        fuse: bool = False,
    ) -> Exported:
        """Write it for other programs, with its classes and preparation, run and compared before it is kept.

        Arguments:
            path: the file or the folder; by default below the reports of the run, or among the runs.
            to: `onnx`, `pt2` (a program of torch.export), `safetensors` (weights with metadata), or `folder` (a hub's
                layout: a model card, config.json, model.safetensors).
            overwrite: whether what lies there may be replaced.
            fuse: whether batch norms are folded and branches merged before, as `fuse` does.

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
        place = path_or_none("path", path)
        with self._asked() as network:
            leaving = as_proven(network, self._session) if fuse else network
            return Exported(export(leaving, self._session, to=to, out=place, overwrite=overwrite))

    def fuse(self, path: str | Path | None = None, *, repeats: int = REPEATS) -> Fused:
        """Fold batch norms into convolutions, merge summed branches, and show that the network computes the same.

        Arguments:
            path: of a run the folder of a new run; of another network a file of weights, `.safetensors`, which
                `weights` of `cnnlab.open` takes with the same network. Without one nothing is written.
            repeats: passes of both networks that are timed, in turn.

        Returns:
            What was fused layer by layer, the differences, how many times faster it is, and the module itself.

        Raises:
            RequestError: for a network that is fused already or in which nothing can be, and a place that is taken.
            WorkError: where a logit differs by more than 1e-10 of the largest in double precision.

        Example:
            >>> import cnnlab
            >>> net = cnnlab.open("torchvision:resnet18", size=32, device="cpu", max_batch=1)
            >>> found = net.fuse(repeats=1)
            >>> len(found.steps), found.difference < 1e-10, net.summary().parameters - found.facts.parameters[1]
            (20, True, 4800)
        """
        place = path_or_none("path", path)
        with self._asked() as network:
            write = place is not None
            return Fused(last(fuse_network(network, self._session, out=place, repeats=repeats, write=write)))
