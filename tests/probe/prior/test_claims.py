"""Claims, judged by accuracies that are given."""

from cnnlab.probe.prior.claims import Outcome, claims_of
from cnnlab.probe.prior.facts import Cell, Entrant
from cnnlab.probe.prior.tasks import FAR, PERMUTED, PLAIN
from cnnlab.stats.claim import Finding

DENSE, LOCAL = Entrant("d", "dense", 100), Entrant("l", "locally connected", 50)
CONV = Entrant("c", "convolutional", 10, field=9)
SIZES = (100, 1000)


def cells(task: str, of: dict[str, tuple[float, float]]) -> list[Cell]:
    """Three repeats around each accuracy."""
    return [
        Cell(task, network, size, (value - 0.01, value, value + 0.012))
        for network, values in of.items()
        for size, value in zip(SIZES, values, strict=True)
    ]


def findings(networks: list[Entrant], made: list[Cell], gap: int | None = None) -> dict[str, Finding]:
    tasks = [task for task in (PLAIN, PERMUTED, FAR) if any(one.task == task.key for one in made)]
    return {one.sentence: one.finding for one in claims_of(networks, tasks, Outcome(made, SIZES), gap)}


def test_what_the_chapter_says_of_images_that_are_as_it_says() -> None:
    plain = cells("images", {"d": (0.2, 0.5), "l": (0.3, 0.55), "c": (0.5, 0.6)})
    swapped = cells("permuted", {"d": (0.2, 0.5), "c": (0.15, 0.3)})
    found = findings([DENSE, LOCAL, CONV], plain + swapped)
    assert len(found) == 6
    assert set(found.values()) == {Finding.SUPPORTED}


def test_the_same_sentences_are_contradicted_by_the_contrary() -> None:
    plain = cells("images", {"d": (0.5, 0.5), "l": (0.4, 0.4), "c": (0.1, 0.2)})
    swapped = cells("permuted", {"d": (0.2, 0.3), "c": (0.6, 0.7)})
    found = findings([DENSE, LOCAL, CONV], plain + swapped)
    assert len(found) == 6
    assert set(found.values()) == {Finding.CONTRADICTED}


def test_one_repeat_tells_nothing_and_a_diverged_one_is_left_out() -> None:
    alone = [
        Cell("images", "d", 100, (0.1, None)),
        Cell("images", "d", 1000, (0.2, 0.2)),
        Cell("images", "c", 100, (0.5, 0.6)),
        Cell("images", "c", 1000, (0.5, 0.6)),
    ]
    assert set(findings([DENSE, CONV], alone).values()) == {Finding.OPEN}


def test_a_far_relation_says_something_of_who_cannot_see_across_alone() -> None:
    made = cells("far", {"d": (0.7, 0.95), "c": (0.5, 0.55)})
    assert set(findings([DENSE, CONV], made, gap=19).values()) == {Finding.SUPPORTED}
    assert findings([DENSE, CONV], made, gap=7) == {}
