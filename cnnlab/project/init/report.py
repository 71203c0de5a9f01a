"""A folder of images on one page: what is in it, what was chosen and why, and what to look at first."""

from cnnlab.data.fitting import Fitting
from cnnlab.project.init import drawings
from cnnlab.project.init.facts import InitFacts
from cnnlab.training.cost import minutes
from cnnlab.view.blocks import Block, Cell, Column, Figure, Number, Numbers, Report, Section, Table, Text

LISTED = 200
"""Copies and unreadable files that a table lists."""


def init_report(facts: InitFacts) -> Report:
    """Numbers, cautions, the choices, classes, sizes, copies and unreadable files.

    Arguments:
        facts: of `init`; of the images those that are drawn are read again.
    """
    blocks: list[Block] = [_numbers(facts)]
    blocks += [Text(sentence, "caution", "note") for sentence in facts.cautions]
    blocks += [Text(f"cnnlab train {facts.out}", label="next")]
    sections = [_choices(facts), _classes(facts), _sizes(facts), *_copies(facts), *_unreadable(facts)]
    return Report(f"Images in {facts.source}", (*blocks, *sections), f"{facts.sentence}.")


def _numbers(facts: InitFacts) -> Numbers:
    copies = len(facts.twins.within) + len(facts.twins.across)
    return Numbers(
        (
            Number("images", len(facts.looked.seen), ",d"),
            Number("classes", len(facts.classes), ",d"),
            Number("cannot be read", len(facts.looked.unreadable), ",d"),
            Number("copies", copies, ",d", detail=f"{len(facts.twins.across):,} in two parts"),
            Number("parameters", facts.cost.parameters, ",d"),
            Number("training", minutes(facts.cost.seconds), detail=f"about, on {facts.cost.device}"),
        )
    )


def _choices(facts: InitFacts) -> Section:
    rows = tuple(
        (choice.key.removeprefix("data.dataset."), choice.value or "left out", choice.reason)
        for choice in facts.choices.all
    )
    table = Table("What is in the config", (Column("key"), Column("value"), Column("why")), rows, name="choices")
    return Section("Choices", (table,), "choices")


def _classes(facts: InitFacts) -> Section:
    counts = facts.counts
    columns = (Column("class"), *(Column(part, align="right", form=",d") for part in counts))
    rows: list[tuple[Cell, ...]] = [
        (label, *(of_part[label] for of_part in counts.values())) for label in facts.classes
    ]
    total: tuple[Cell, ...] = ("all", *(sum(of_part.values()) for of_part in counts.values()))
    size = facts.choices.size
    sheet = drawings.contact_sheet(facts.looked.of("train"), facts.classes, Fitting(size.size, size.fit))
    table = Table("Images of each class", columns, (*rows, total), "Those that can be read.", "counts")
    return Section("Classes", (table, drawings.class_bars(counts), sheet), "classes")


def _sizes(facts: InitFacts) -> Section:
    sizes, cut, size = facts.sizes, facts.choices.size.cut, facts.choices.size
    width, height, count = sizes.common[0]
    seen = facts.looked.seen
    rows = (
        ("commonest size", f"{width} × {height} ({count:,} images)"),
        ("different sizes", f"{len(sizes.common):,}"),
        ("shorter side", f"{sizes.shorter[0]:,.0f} to {sizes.shorter[2]:,.0f} px, median {sizes.shorter[1]:,.0f}"),
        ("width over height", f"{sizes.ratio[0]:.2f} to {sizes.ratio[2]:.2f}, median {sizes.ratio[1]:.2f}"),
        ("modes", ", ".join(f"{mode} {n:,}" for mode, n in facts.modes.items())),
        ("kinds of file", ", ".join(f"{kind} {n:,}" for kind, n in facts.kinds.items())),
        ("turned by EXIF", f"{facts.turned:,}, which are read upright"),
        ("a crop would cut off", f"{cut.mean:.1%} of the average image, {cut.worst:.1%} of the worst"),
    )
    table = Table(
        "Sizes and kinds",
        (Column("what"), Column("found")),
        rows,
        "Sizes of the training part in pixels, width × height as seen upright.",
        "sizes",
    )
    fitting = Fitting(size.size, size.fit)
    figures: tuple[Figure, ...] = (drawings.fits_figure(facts.looked.of("train"), fitting),)
    if not sizes.one_size:
        figures += (drawings.sides_figure(seen), drawings.sizes_figure(seen, tuple(facts.places)))
    return Section("Sizes", (table, *figures), "sizes")


def _copies(facts: InitFacts) -> list[Section]:
    twins, figure = facts.twins, drawings.twins_figure(facts.twins)
    if figure is None:
        return []
    rows = tuple(drawings.describe(pair) for pair in twins.pairs[:LISTED])
    table = Table(
        "Copies",
        (Column("image"), Column("its copy"), Column("which has")),
        rows,
        "Near copies are told by perceptual hash; images that merely look alike may be among them. "
        f"{twins.flat:,} images have too little contrast to be compared.",
        "copies",
    )
    counted = Table(
        "How many",
        (Column("where"), Column("the same pixels", align="right"), Column("nearly", align="right")),
        tuple(
            (where, twins.count(exact=True, across=across), twins.count(exact=False, across=across))
            for where, across in (("in two parts", True), ("in one part", False))
        ),
    )
    return [Section("Copies", (counted, figure, table), "copies")]


def _unreadable(facts: InitFacts) -> list[Section]:
    files = facts.looked.unreadable
    if not files:
        return []
    more = len(files) - LISTED
    note = f"{more:,} more are in the document of --json." if more > 0 else ""
    table = Table(
        "Files that cannot be read", (Column("file"),), tuple((one,) for one in files[:LISTED]), note, "unreadable"
    )
    return [Section("Cannot be read", (table,), "unreadable")]
