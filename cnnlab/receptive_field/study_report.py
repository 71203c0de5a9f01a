"""The report and the document of `receptive-field`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnnlab.receptive_field.drawings import field_figure
from cnnlab.receptive_field.effective.report import effective_json, effective_section
from cnnlab.receptive_field.fields import Fields
from cnnlab.receptive_field.report import field_json, receptive_field_report
from cnnlab.receptive_field.run import audit_json, variant_json
from cnnlab.receptive_field.study import FieldStudy
from cnnlab.view.blocks import Block, Report


def study_report(
    study: FieldStudy, *, depth: int | None = None, image: Path | None = None, draws_unit: bool = False
) -> Report:
    """The whole report.

    depth: how deep the table goes into layers of layers; image: what the box of the unit is drawn on; draws_unit:
    whether it is drawn, image or not.
    """
    inspection, more = study.inspection, list[Block]()
    if study.effective is not None:
        more.append(effective_section(study.effective))
    if image is not None or draws_unit:
        more.append(field_figure(inspection, study.watched, study.unit, image, study.effective))
    return receptive_field_report(
        inspection.fields,
        inspection.audit,
        name=inspection.network.name,
        depth=depth,
        repairs=study.repairs,
        trials=study.trials,
        watched=study.watched,
        proof=study.proof,
        more=more,
    )


def study_document(study: FieldStudy, figures: Sequence[Path] = ()) -> dict[str, Any]:
    """The document of `--json`; `figures` are those that were written."""
    inspection, fields = study.inspection, study.inspection.fields
    return {
        "model": inspection.network.name,
        "input": fields.shape,
        "layers": [field_json(field) for field in fields.layers],
        "audit": audit_json(inspection.audit),
        "repairs": [variant_json(one) for one in study.repairs],
        "what_if": [variant_json(one) for one in study.trials],
        "effective": effective_json(study.effective) if study.effective else None,
        "claims": study.claims,
        "verification": study.proof,
        "verified": _verified(fields) if study.proof is not None else None,
        "differs": _differs(fields),
        "unknown_operations": [{"operation": name, "layer": place} for name, place in fields.walk.unknown],
        "on_values": fields.walk.on_values,
        "pictures": figures,
    }


def _verified(fields: Fields) -> dict[str, object]:
    """The size at which the probe ran, and the layers whose r it cannot have seen whole."""
    unseen = [field.name for field in fields.layers if field.name and not field.is_visible]
    return {"at": fields.shape[1:], "r_not_covered": unseen}


def _differs(fields: Fields) -> dict[str, object] | None:
    """From where on the network is another one on larger images."""
    if fields.differs is None:
        return None
    difference, sides = fields.differs
    return {"layer": difference.layer, "here": difference.here, "there": difference.there, "at": sides}
