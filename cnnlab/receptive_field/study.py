"""All that may be asked of the receptive fields of a network at once: `receptive-field` puts it together."""

from collections.abc import Sequence
from dataclasses import dataclass

from cnnlab.network.network import Network
from cnnlab.network.session import Session
from cnnlab.receptive_field.effective.report import EffectiveFacts
from cnnlab.receptive_field.effective.run import MAX_BATCH, effective_fields
from cnnlab.receptive_field.probe import Verification, verification
from cnnlab.receptive_field.run import Claim, Inspection, claim, inspect, repairs, unit_box, unit_of, what_if
from cnnlab.receptive_field.what_if import Variant

AT_A_TIME = 16
"""Images of the proof that pass through the network at a time."""


@dataclass(frozen=True, eq=False)
class FieldStudy:
    """The fields of all layers, and what else was asked."""

    inspection: Inspection
    watched: str
    """The layer that is drawn, measured and changed for."""
    unit: tuple[int, int] | None
    """Its unit, row and column from 0; None for the central one."""
    claims: tuple[Claim, ...]
    trials: tuple[Variant, ...]
    """The network as it is, and with each change that was asked for; none where none was."""
    repairs: tuple[Variant, ...]
    """Likewise with changes that mend what the audit found."""
    proof: Verification | None
    effective: EffectiveFacts | None

    @property
    def holds(self) -> bool:
        """Whether every claim holds, and every interval is proven where that was asked for."""
        return all(one.holds for one in self.claims) and (self.proof is None or self.proof.proven)


def study_fields(
    network: Network,
    session: Session,
    *,
    layer: str | None = None,
    unit: str | tuple[int, int] | None = None,
    draws_unit: bool = False,
    changes: Sequence[str] = (),
    claims: Sequence[str] = (),
    verify: bool = False,
    effective: int = 0,
    ignore_gates: bool = False,
    mend: bool = True,
) -> FieldStudy:
    """Tell what each layer of a network sees, and what else is asked of it.

    Arguments:
        network: with its values for `verify` and `effective`.
        session: the seed, the images of a run, and how long work is followed.
        layer: the layer to measure and to change for; by default the last one with the largest field.
        unit: its unit as (row, column) from 0 or `3,4`; by default the central one.
        draws_unit: whether the box of the unit is to be drawn, for which the layer needs rows and columns.
        changes: such as `conv1.stride=1`, `conv1=identity`.
        claims: such as `layer4.size>=224`.
        verify: whether every interval is proven by rows of NaN.
        effective: images over which the effective field is measured; none for 0.
        ignore_gates: whether factors of one number per channel are left out.
        mend: whether changes that mend what the audit finds are looked for.

    Returns:
        The fields with all of it.

    Raises:
        RequestError: where the network cannot run at this size, and for a layer, unit, change or claim that is none.
    """
    inspection = inspect(network, ignore_gates=ignore_gates)
    watched = inspection.field(layer).name if layer else inspection.local.name
    claimed = tuple(claim(inspection, text) for text in claims)
    place = unit_of(unit) if isinstance(unit, str) else unit
    if place is not None or draws_unit:
        unit_box(inspection, watched, place)
    trials = tuple(what_if(inspection, changes, layer=watched, ignore_gates=ignore_gates))
    mended = tuple(session.track(repairs(inspection), "changes that mend it", 1)) if mend else ()
    proof: Verification | None = None
    if verify:
        passes = sum(2 * -(-side // AT_A_TIME) for side in network.shape[1:])
        proving = verification(network.model, inspection.fields.walk, max_batch=AT_A_TIME)
        *_, proof = session.track(proving, "proving", passes)
    facts: EffectiveFacts | None = None
    if effective:
        measured = effective_fields(inspection, session, layer=watched, unit=place, count=effective)
        *_, facts = session.track(measured, "effective field", -(-effective // MAX_BATCH))
    return FieldStudy(inspection, watched, place, claimed, trials, mended, proof, facts)
