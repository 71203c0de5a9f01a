"""What a network is made of, and what was understood of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from cnnlab.api.given import GivenData
from cnnlab.api.question import Questions, listed
from cnnlab.api.result import Result, plain
from cnnlab.check_model.report import check_json, check_report
from cnnlab.check_model.run import ModelCheck, check_model
from cnnlab.layers_lab.summary.report import Summary as SummaryFacts
from cnnlab.layers_lab.summary.report import summary_json, summary_report
from cnnlab.layers_lab.summary.run import summarize
from cnnlab.receptive_field.fields import Field
from cnnlab.receptive_field.study import FieldStudy, study_fields
from cnnlab.receptive_field.study_report import study_document, study_report
from cnnlab.view.blocks import Report


@dataclass(frozen=True, eq=False, repr=False)
class ReceptiveFields(Result):
    """What each layer sees of an image."""

    document_name: ClassVar[str] = "receptive-field.json"

    facts: FieldStudy
    depth: int | None = None
    """How deep the table goes into layers of layers."""
    draws_unit: bool = False
    """Whether the box of the unit is drawn."""

    @property
    def layers(self) -> tuple[Field, ...]:
        """The field of each layer, in the order in which they run: size, stride, padding in pixels."""
        return tuple(field for field in self.facts.inspection.fields.layers if field.name)

    def __getitem__(self, layer: str) -> Field:
        return self.facts.inspection.field(layer)

    @property
    def holds(self) -> bool:
        """Whether every claim holds, and every interval is proven where that was asked for."""
        return self.facts.holds

    @cached_property
    def report(self) -> Report:
        """The table, how the fields grow, and whether they fit the images."""
        return study_report(self.facts, depth=self.depth, draws_unit=self.draws_unit)

    def to_dict(self) -> dict[str, Any]:
        """Each layer's field, what the audit finds, and what was asked besides."""
        return plain(study_document(self.facts))


@dataclass(frozen=True, eq=False, repr=False)
class Summary(Result):
    """Shapes, parameters, multiply-accumulates, memory and receptive fields, layer by layer."""

    document_name: ClassVar[str] = "summary.json"

    facts: SummaryFacts
    name: str
    """Of the network."""
    depth: int | None = None
    explain: bool = False

    @property
    def parameters(self) -> int:
        """How many there are."""
        return self.facts.costs.parameters

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image, in evaluation mode."""
        return self.facts.costs.macs

    @property
    def inference_bytes(self) -> int:
        """Bytes of activations, the most that are alive at once, for one image."""
        return self.facts.costs.inference_bytes

    @cached_property
    def report(self) -> Report:
        """The table with its totals."""
        return summary_report(self.facts, name=self.name, depth=self.depth, explain=self.explain)

    def to_dict(self) -> dict[str, Any]:
        """The totals, and every layer with its costs and its field."""
        return plain(summary_json(self.facts, self.name))


@dataclass(frozen=True, eq=False, repr=False)
class Check(Result):
    """What was understood of a network, and what can be asked of it."""

    document_name: ClassVar[str] = "check.json"

    facts: ModelCheck

    @property
    def works(self) -> bool:
        """Whether every question will work, given images where it needs them."""
        return self.facts.works

    @cached_property
    def report(self) -> Report:
        """The ten lines, and the questions."""
        return check_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data."""
        return plain(check_json(self.facts))


class Layers(Questions):
    """What can be asked of a network's layers."""

    def receptive_fields(
        self,
        data: GivenData | None = None,
        *,
        layer: str | None = None,
        unit: tuple[int, int] | None = None,
        what_if: str | Sequence[str] = (),
        claims: str | Sequence[str] = (),
        verify: bool = False,
        effective: int = 0,
        ignore_gates: bool = False,
        repairs: bool = True,
        depth: int | None = None,
    ) -> ReceptiveFields:
        """Tell what each layer sees of an image: exact for any network, with branches, gates and functions too.

        Arguments:
            data: as of `evaluate`, for `effective`.
            layer: the layer to measure and to change for; by default the last one with the largest field.
            unit: its unit, (row, column) from 0; where given, its box is drawn.
            what_if: changes to try, such as `conv1.stride=1` or `conv1=identity`.
            claims: such as `layer4.size>=224`; `holds` says whether they do.
            verify: whether every interval is proven on this network, by rows of NaN.
            effective: images over which the effective field is measured.
            ignore_gates: whether factors of one number per channel are left out.
            repairs: whether changes that mend what the audit finds are looked for.
            depth: how deep the table goes into layers of layers.

        Returns:
            The field of each layer in pixels, and what was asked besides.

        Raises:
            RequestError: where it cannot run at this size, and for a layer, unit, change or claim that is none.

        Example:
            >>> import cnnlab
            >>> net = cnnlab.open("torchvision:squeezenet1_1", size=64, device="cpu")
            >>> net.receptive_fields(repairs=False)["features.0"].size
            (3, 3)
        """
        with self._asked(data) as network:
            study = study_fields(
                network,
                self._session,
                layer=layer,
                unit=unit,
                changes=listed(what_if),
                claims=listed(claims),
                verify=verify,
                effective=effective,
                ignore_gates=ignore_gates,
                mend=repairs,
            )
            return ReceptiveFields(study, depth, draws_unit=unit is not None)

    def summary(self, *, depth: int | None = None, explain: bool = False) -> Summary:
        """Tell shapes, parameters, multiply-accumulates, memory and receptive fields, layer by layer.

        Arguments:
            depth: how deep the table goes into layers of layers.
            explain: whether the report has the formula of each output's size, and what sharing weights saves.

        Returns:
            The totals and every layer.

        Raises:
            RequestError: where it cannot run at this size.

        Example:
            >>> import cnnlab
            >>> round(cnnlab.open("torchvision:resnet18", size=224, device="cpu").summary().macs / 1e6)
            1814
        """
        with self._asked() as network:
            return Summary(summarize(network), network.name, depth, explain)

    def check(self) -> Check:
        """Tell what was understood of the network, and what can be asked of it.

        Returns:
            Its input, output, classes, preparation and layers for maps, whether an answer changes from one pass to the
            next, and for each command whether it will work.

        Raises:
            RequestError: where it does not run on images of its shape at all.

        Example:
            >>> import cnnlab
            >>> cnnlab.open("torchvision:squeezenet1_1", size=64, device="cpu").check().works
            True
        """
        with self._asked() as network:
            return Check(check_model(network))
