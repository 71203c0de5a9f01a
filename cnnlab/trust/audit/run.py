"""`cnnlab audit`: whether a network's answers rest on the object or on borders, corners and backgrounds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from cnnlab.attribution.attribution import Attribution
from cnnlab.attribution.catalog import METHODS, Asked, chosen, chosen_methods, methods_for_head, unasked
from cnnlab.attribution.layers import LayerChoice, choose_layer
from cnnlab.attribution.maps import at_image_size, positive_scaled
from cnnlab.attribution.measures.location import border_region, corner_region
from cnnlab.attribution.run import Explanation, Images, explain, pixel_range
from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.core.files import write_whole
from cnnlab.core.registry import Component
from cnnlab.network.network import Network
from cnnlab.network.session import Session
from cnnlab.trust.audit.evidence import (
    ImageEvidence,
    evidence_by_group,
    judge_limits,
    locate,
    most_suspicious,
    summarize_evidence,
)
from cnnlab.trust.audit.facts import AuditedImage, EvidenceFacts, MeanEvidence, Suspect, evidence_document
from cnnlab.trust.audit.report import MOST_GROUPS, MOST_SUSPECTS, evidence_report
from cnnlab.trust.sample import Sample, sample_of
from cnnlab.view import files, json
from cnnlab.view.blocks import Report
from cnnlab.view.drawings import tile

AUTO: Literal["auto"] = "auto"


@dataclass(frozen=True)
class AuditOptions:
    """What is audited, how, and the limits."""

    split: Literal["train", "validation"] | None = None
    """None for validation, or train where no validation part was kept."""
    count: int = 500
    """Images at most."""
    by: str | None = None
    """`class`, `group` or a regular expression on the path: limits hold for each of these groups, too."""
    method: Sequence[Asked] | Literal["auto"] = AUTO
    """One method, with its options. By itself gradient × input, and with a layer the map that fits the head.

    Gradient × input takes two passes, and has no cell of a coarse map that smears a mark: two networks of four
    convolutions on `shapes` of 16 px had 71 % of it in the frame with a mark planted in a corner, 23 % without.
    Grad-CAM at their last layer (4 × 4) had 31 % and 34 %, and missed the mark.
    """
    layer: str = AUTO
    max_border: float | None = None
    """Largest mean share of the evidence in the outer frame; None for what evidence spread evenly has there."""
    min_inside: float | None = None
    """Least mean share on the object, likewise; without masks there is none."""


@dataclass(frozen=True, eq=False)
class EvidenceAudit:
    """The facts, the report on them, and the folder it was written to."""

    facts: EvidenceFacts
    report: Report
    folder: Path

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        return evidence_document(self.facts) | {"report": str(self.folder)}


def audit(
    network: Network, session: Session, options: AuditOptions, *, out: Path | None = None
) -> Iterator[Advance | EvidenceAudit]:
    """Tell whether a network's answers rest on the object or on borders and corners.

    Arguments:
        network: opened for images.
        session: the seed, and how many images pass at a time; of several processes each makes a share of the maps,
            and the first has the facts.
        options: what is audited, how, and the limits.
        out: the folder, in place of the usual one.

    Yields:
        How far the maps are, and at last the audit, written to `RUN/reports/audit-SPLIT`, or to
        `RUNS/audit/NAME-SPLIT` of a network that has no run.

    Raises:
        RequestError: for what cannot be asked (a method, a layer, a part, masks that are not there).
        WorkError: where no map has positive evidence.

    Example:
        network = open_run("quickstart", session)
        *_, found = audit(network, session, AuditOptions(max_border=0.3))
        print(found.facts.broken)
    """
    for step in audit_facts(network, session, options):
        if isinstance(step, Advance):
            yield step
            continue
        report = evidence_report(step)
        without_run = f"audit/{network.file_name}-{step.split}"
        folder = session.folder(f"audit-{step.split}", network.run, out=out, without_run=without_run)
        files.save(report, folder)
        made = EvidenceAudit(step, report, folder)
        write_whole(folder / "audit.json", json.text(made.as_json()) + "\n")
        yield made


def audit_facts(network: Network, session: Session, options: AuditOptions) -> Iterator[Advance | EvidenceFacts]:
    """The facts of `audit`; nothing is written.

    Arguments:
        network, session, options: as `audit`.

    Yields:
        How far the maps are, and at last the facts.

    Raises:
        RequestError: for what cannot be asked.
        WorkError: where no map has positive evidence.
    """
    if options.method != AUTO:
        _only(options.method)
    sample = sample_of(network, session, split=options.split, count=options.count, purpose="audit", by=options.by)
    masks = sample.images.masks
    if options.min_inside is not None and (masks is None or not bool(masks.any())):
        raise RequestError(
            f"`min_inside` {options.min_inside:g} needs masks of the objects, and the data set {sample.images.name} "
            "has none; `max_border` needs none"
        )
    method, choice, reason = _method(sample, options)
    found: Attribution | None = None
    notes: tuple[str, ...] = ()
    ranks, size = session.ranks, session.max_batch
    part = slice(*(end * size for end in ranks.share.part(-(-len(sample.inputs) // size))))
    images = Images(
        sample.inputs[part],
        tuple(f"{sample.split}/{number}" for number in sample.numbers[part]),
        tuple(sample.images.labels[part].tolist()),
        pixels=pixel_range(network.preparation.statistics),
    )
    mine = explain(network, images, session, methods=(method,), layers=choice or AUTO) if images.names else ()
    for fact in mine:
        if isinstance(fact, Advance):
            yield Advance("maps", fact.done, fact.total)
        elif isinstance(fact, Explanation):
            (found,), notes = fact.attributions, (*fact.plan.cautions, *fact.notes)
    maps, _ = ranks.joined([found.maps] if found else [])
    notes = tuple(note for some in ranks.gathered(notes) for note in some)
    ranks.leave_to_first()
    assert found is not None
    found = replace(found, maps=maps)
    coarse = coarse_notes((found.maps.shape[-2], found.maps.shape[-1]), sample.size)
    yield _facts(sample, session, options, found, reason, tuple(dict.fromkeys([*notes, *coarse])))


def _only(asked: Sequence[Asked]) -> Component:
    """The only method that is named.

    Raises: RequestError for more than one, and for what is none.
    """
    found = chosen_methods(asked)
    if len(found) > 1:
        raise RequestError(f"an audit goes by one method, and {' and '.join(one.name for one in found)} are asked for")
    return found[0]


def _method(sample: Sample, options: AuditOptions) -> tuple[Component, LayerChoice | None, str]:
    """The method, the layer that it looks at, and why this method."""
    asked = None if options.method == AUTO else _only(options.method)
    if asked is not None and not METHODS[asked.name].uses_layer:
        if options.layer != AUTO:
            raise RequestError(f"`layer` {options.layer}: {METHODS[asked.name].label} maps pixels, not a layer")
        return asked, None, "asked for"
    if asked is None and options.layer == AUTO:
        (pixels,) = chosen_methods(unasked("audit"))
        return pixels, None, "single pixels: the cells of a layer's map are coarse, and see beyond themselves"
    wanted = None if options.layer == AUTO else options.layer
    choice = choose_layer(sample.network.model, sample.network.shape, layer=wanted)
    if asked is not None:
        return asked, choice, "asked for"
    return chosen(methods_for_head(choice.head.kind)[0]), choice, choice.head.sentence


def _facts(
    sample: Sample,
    session: Session,
    options: AuditOptions,
    found: Attribution,
    reason: str,
    notes: tuple[str, ...],
) -> EvidenceFacts:
    images, seed = sample.images, session.seed
    maps = found.maps[:, 0].cpu()
    located = locate(maps, size=sample.size, masks=images.masks, seed=seed)
    if not any(one.evident for one in located):
        raise WorkError(
            f"{METHODS[found.method].label} finds no positive evidence in any of {len(located)} maps; try another "
            "`method`, such as integrated_gradients"
        )
    audited = tuple(_image(sample, index, one) for index, one in enumerate(located))
    areas = [one.area for one in located if one.area is not None]
    groups = evidence_by_group(located, sample.groups, seed=seed) if sample.groups else ()
    return EvidenceFacts(
        run=sample.network.name,
        split=sample.split,
        method=found.method,
        options=found.options,
        layers=found.layers,
        reason=reason,
        seed=seed,
        trained=sample.network.trained,
        accuracy=float((sample.answers == images.labels).double().mean()),
        images=audited,
        summary=summarize_evidence(located, seed=seed),
        even={
            "inside": fmean(areas) if areas else None,
            "border": float(border_region(*sample.size).double().mean()),
            "corner": float(corner_region(*sample.size).double().mean()),
        },
        by=options.by,
        groups=groups,
        limits=judge_limits(
            located,
            size=sample.size,
            max_border=options.max_border,
            min_inside=options.min_inside,
            groups=sample.groups,
            seed=seed,
        ),
        means=_means(maps, located, sample, tuple(group.name for group in groups)),
        suspects=_suspects(maps, located, audited, sample),
        notes=notes,
    )


def _image(sample: Sample, index: int, evidence: ImageEvidence) -> AuditedImage:
    images, classes, answer = sample.images, sample.network.classes, int(sample.answers[index])
    return AuditedImage(
        number=sample.numbers[index],
        name=sample.names[index],
        group=sample.groups[index] if sample.groups else None,
        truth=classes[int(images.labels[index])],
        predicted=classes[answer],
        probability=float(sample.probabilities[index, answer]),
        evidence=evidence,
    )


def _density(map_: Float[Tensor, "h w"], size: tuple[int, int]) -> Float[Tensor, "H W"]:
    """The positive evidence at the image's size, divided by its mean; 0 where there is none."""
    evidence = positive_scaled(at_image_size(map_[None], size))[0].double()
    mean = float(evidence.mean())
    return evidence / mean if mean > 0 else evidence


def _means(
    maps: Float[Tensor, "n h w"], located: tuple[ImageEvidence, ...], sample: Sample, groups: tuple[str, ...]
) -> tuple[MeanEvidence, ...]:
    """Over all images, and over those of each of the first groups."""
    sums = {name: torch.zeros(sample.size, dtype=torch.float64) for name in (None, *groups[:MOST_GROUPS])}
    counts = dict.fromkeys(sums, 0)
    for one in located:
        if not one.evident:
            continue
        density = _density(maps[one.index], sample.size)
        for name in (None, sample.groups[one.index]) if sample.groups else (None,):
            if name in sums:
                sums[name] += density
                counts[name] += 1
    return tuple(
        MeanEvidence("all" if name is None else name, counts[name], (total / counts[name]).numpy())
        for name, total in sums.items()
        if counts[name]
    )


def _suspects(
    maps: Float[Tensor, "n h w"],
    located: tuple[ImageEvidence, ...],
    audited: tuple[AuditedImage, ...],
    sample: Sample,
) -> tuple[Suspect, ...]:
    masks = sample.images.masks
    return tuple(
        Suspect(
            audited=audited[one.index],
            image=tile(sample.images.images[one.index]),
            density=_density(maps[one.index], sample.size).numpy(),
            mask=None if masks is None else masks[one.index].cpu().numpy(),
        )
        for one in most_suspicious(located, count=MOST_SUSPECTS)
    )


def coarse_notes(grid: tuple[int, int], size: tuple[int, int]) -> list[str]:
    """What to know of maps of `grid` cells (rows, columns) of images of `size` pixels, if a cell exceeds the frame."""
    height, width = grid
    sides = zip(size, grid, ("high", "wide"), strict=True)
    found = [(side / cells, max(1, side / 8), way) for side, cells, way in sides]
    cell, frame, way = max(found, key=lambda one: one[0] / one[1])
    if cell <= frame:
        return []
    return [
        f"a cell of these {height} × {width} maps is {cell:g} px {way}, and the outer frame {frame:g} px: evidence "
        "beside the frame counts in part as in it, and a small mark may be missed, since each cell sees beyond itself; "
        f"an earlier layer, or the method {unasked('audit')[0]}, looks closer"
    ]
