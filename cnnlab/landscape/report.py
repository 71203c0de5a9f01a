"""The report on the loss around weights: surfaces, the rise along random directions, the path, the claims."""

from cnnlab.landscape.facts import Landscape, NetworkLandscape, PathFacts
from cnnlab.network.asked_data import counted
from cnnlab.stats.confidence import mean_interval
from cnnlab.view.blocks import (
    Block,
    Column,
    Figure,
    Number,
    Numbers,
    Report,
    Table,
    Text,
    ends_of,
    interval_text,
    shown,
)
from cnnlab.view.claims import claims_section
from cnnlab.view.drawings import Curves, Relief, Series, Surface, Surfaces
from cnnlab.view.interactive import Turntable

LOSS = "loss (nats)"
NORMALISED = "1 moves each filter by its own length"
NAMED = 8
"""Epochs of a path whose number is written, at most."""

STATISTICS = {
    "retaken": "batch norm's running statistics are taken anew at each place, over the same images{}",
    "kept": "batch norm keeps the running statistics of the network, which fit its own weights alone",
    "none": "there is no batch norm",
}


def landscape_report(facts: Landscape) -> Report:
    """Surfaces first, then how fast the loss rises, the paths, the claims."""
    names = " and ".join(one.name for one in facts.networks)
    blocks: list[Block] = [_numbers(facts)]
    blocks += [
        Text(
            f"The loss of {one.name} is that of a guess: this is not the landscape of a trained network.",
            "caution",
        )
        for one in facts.networks
        if one.learned_little
    ]
    blocks.append(_surfaces(facts))
    blocks += [_turntable(one, number) for number, one in enumerate(facts.networks)]
    blocks += [_rises(facts), _table(facts)]
    for number, one in enumerate(facts.networks):
        if one.path is not None:
            blocks.append(_path(one, one.path, number))
        elif one.is_run and not one.has_path:
            words = (
                f"{one.name} kept no weights of its epochs, so that there is no path; train with "
                "logging.snapshots_every_epochs=1 to see it."
            )
            blocks.append(Text(words, "note"))
    blocks.append(claims_section(facts.claims))
    lead = (
        f"Mean cross-entropy over {counted(facts.images, facts.split)}, without augmentation, around the weights "
        f"({'; '.join(f'{one.name}: {one.weights}' for one in facts.networks)}). Directions are filter-normalised "
        f"(Li et al. 2018), seed {facts.seed}."
    )
    return Report(f"Loss landscape of {names}", tuple(blocks), lead)


def _numbers(facts: Landscape) -> Numbers:
    found = []
    for one in facts.networks:
        detail = STATISTICS[one.statistics].format(", augmented as in its training" if one.augmented else "")
        if one.statistics == "retaken":
            detail = f"with its own running statistics {shown(one.own_loss, '.4f')}; {detail}"
        found.append(Number(f"loss of {one.name} at the centre", one.centre, ".4f", "nats", detail))
    return Numbers(tuple(found))


def _surface(one: NetworkLandscape) -> Surface:
    grid = one.surface
    return Surface(grid.across, grid.along, grid.losses, "first random direction", "second random direction", one.name)


def _surfaces(facts: Landscape) -> Figure:
    return Figure(
        "surface",
        "The loss over two random directions",
        Surfaces(tuple(_surface(one) for one in facts.networks), LOSS),
        f"The star is the network; {NORMALISED}. Colours follow the logarithm of the loss"
        + (", and are the same for all." if len(facts.networks) > 1 else "."),
    )


def _turntable(one: NetworkLandscape, number: int) -> Turntable:
    return Turntable(
        f"turning-{number + 1}",
        f"The surface of {one.name} as a body",
        Relief(_surface(one), LOSS),
        caption="The same losses; the upright axis follows their logarithm.",
    )


def _rises(facts: Landscape) -> Figure:
    series = []
    for number, one in enumerate(facts.networks):
        means = [mean_interval(one.rises(distance)) for distance in one.distances]
        series.append(
            Series(
                one.name,
                (0.0, *one.distances),
                (0.0, *(mean.mean for mean in means)),
                low=(0.0, *(ends_of(mean)[0] for mean in means)),
                high=(0.0, *(ends_of(mean)[1] for mean in means)),
                colour=number,
            )
        )
    draws = len(facts.networks[0].lines)
    return Figure(
        "rise",
        "How fast the loss rises",
        Curves(tuple(series), "distance (1 moves each filter by its own length)", "rise of the loss (nats)"),
        f"Mean over {draws} random directions, both ways; the band is its 95 % interval.",
    )


def _table(facts: Landscape) -> Table:
    columns = (
        Column("network"),
        Column("distance", align="right", form="g"),
        Column("rise of the loss", "nats", "right"),
        Column("steepest direction", "nats", "right", ".3f"),
        Column("flattest direction", "nats", "right", ".3f"),
    )
    rows = tuple(
        (
            one.name,
            distance,
            interval_text(mean_interval(one.rises(distance)), ".3f"),
            max(one.rises(distance)),
            min(one.rises(distance)),
        )
        for one in facts.networks
        for distance in one.distances
    )
    return Table("Rise of the loss along random directions, with the 95 % interval of its mean", columns, rows,
                 name="rises")  # fmt: skip


def _path(one: NetworkLandscape, path: PathFacts, number: int) -> Figure:
    across, along = path.shares
    step = -(-len(path.epochs) // NAMED)
    labels = tuple(
        str(epoch) if place % step == 0 or place == len(path.epochs) - 1 else ""
        for place, epoch in enumerate(path.epochs)
    )
    surface = Surface(
        path.grid.across,
        path.grid.along,
        path.grid.losses,
        f"first component ({shown(across, '.1%')} of the path)",
        f"second component ({shown(along, '.1%')})",
        path=path.places,
        path_labels=labels,
    )
    return Figure(
        f"path-{number + 1}",
        f"The way of {one.name} through its own plane",
        Surfaces((surface,), LOSS),
        f"Dots are epochs, 0 before any training, the star the network. The plane holds {shown(across + along, '.1%')} "
        "of the squared distances from it; axes are in the unit of the weights. Biases and norms stay those of the "
        "network, so that a dot's height is not that epoch's own loss.",
    )
