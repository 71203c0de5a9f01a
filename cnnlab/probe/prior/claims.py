"""What is said of the assumptions of a convolution, judged by what was learned with them and without."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cnnlab.data.pairs import most_by_adding
from cnnlab.probe.prior.facts import Cell, Entrant
from cnnlab.probe.prior.tasks import FAR, PERMUTED, PLAIN, Task
from cnnlab.stats.claim import Claim, claim_above, claim_below
from cnnlab.stats.known import less, mean_of_known

SECTION = "19.1"


@dataclass(frozen=True)
class Outcome:
    """The accuracies of all trainings."""

    cells: Sequence[Cell]
    sizes: tuple[int, ...]

    def of(self, task: Task, network: Entrant, images: int) -> tuple[float | None, ...]:
        """Of one network at one number of images, one for each repeat."""
        return next(
            one.accuracies
            for one in self.cells
            if (one.task, one.network, one.images) == (task.key, network.name, images)
        )

    def lead(self, task: Task, first: Entrant, second: Entrant, images: int) -> tuple[float | None, ...]:
        """The accuracy of `first` less that of `second`, one for each repeat."""
        return less(self.of(task, first, images), self.of(task, second, images))

    def mean_lead(self, task: Task, first: Entrant, second: Entrant) -> tuple[float | None, ...]:
        """Likewise, the mean over all numbers of images."""
        leads = [self.lead(task, first, second, images) for images in self.sizes]
        return tuple(
            None if any(value is None for value in row) else sum(value or 0.0 for value in row) / len(row)
            for row in zip(*leads, strict=True)
        )


def claims_of(networks: Sequence[Entrant], tasks: Sequence[Task], outcome: Outcome, gap: int | None) -> Iterator[Claim]:
    """The sentences of which these networks can say something.

    Arguments:
        networks: the first of each kind is taken.
        tasks: that were learned.
        outcome: of the trainings.
        gap: pixels between the marks of the far task; None without it.

    Yields: the claims, in the order of the chapter.
    """
    first = {one.kind: one for one in reversed(networks)}
    shared, local, dense = (first.get(kind) for kind in ("convolutional", "locally connected", "dense"))
    if shared and dense and PLAIN in tasks:
        yield from _few_and_many(shared, dense, outcome)
    if local and dense and PLAIN in tasks:
        yield claim_above(
            "Local windows alone help, without shared weights",
            SECTION,
            f"accuracy of {local.name} less that of {dense.name}, mean over the numbers of images",
            mean_of_known(outcome.mean_lead(PLAIN, local, dense)),
            form=".1%",
        )
    if shared and local and PLAIN in tasks:
        yield claim_above(
            "To share the weights helps beyond local windows",
            SECTION,
            f"accuracy of {shared.name} less that of {local.name}, mean over the numbers of images",
            mean_of_known(outcome.mean_lead(PLAIN, shared, local)),
            form=".1%",
        )
    if shared and dense and PERMUTED in tasks:
        yield from _permuted(shared, dense, outcome, beside=PLAIN in tasks)
    if shared and dense and FAR in tasks and gap is not None:
        yield from _far(shared, dense, outcome, gap)


def _few_and_many(shared: Entrant, dense: Entrant, outcome: Outcome) -> Iterator[Claim]:
    few, many = outcome.sizes[0], outcome.sizes[-1]
    yield claim_above(
        "From few images a convolution learns more than a dense network",
        SECTION,
        f"accuracy of {shared.name} less that of {dense.name}, {few:,} images",
        mean_of_known(outcome.lead(PLAIN, shared, dense, few)),
        form=".1%",
    )
    if few < many:
        shrunk = less(outcome.lead(PLAIN, shared, dense, many), outcome.lead(PLAIN, shared, dense, few))
        yield claim_below(
            "More images make its lead smaller",
            SECTION,
            f"the lead of {shared.name} over {dense.name} with {many:,} images less that with {few:,}",
            mean_of_known(shrunk),
            form=".1%",
        )


def _permuted(shared: Entrant, dense: Entrant, outcome: Outcome, *, beside: bool) -> Iterator[Claim]:
    there = outcome.mean_lead(PERMUTED, shared, dense)
    if beside:
        yield claim_below(
            "Where neighbours mean nothing, a convolution loses its lead",
            SECTION,
            f"the lead of {shared.name} over {dense.name} on permuted pixels less that on images as they are",
            mean_of_known(less(there, outcome.mean_lead(PLAIN, shared, dense))),
            form=".1%",
        )
    yield claim_below(
        "There a dense network is better",
        SECTION,
        f"accuracy of {shared.name} less that of {dense.name} on permuted pixels, mean over the numbers of images",
        mean_of_known(there),
        form=".1%",
    )


def _far(shared: Entrant, dense: Entrant, outcome: Outcome, gap: int) -> Iterator[Claim]:
    """Only where no unit of the convolution sees parts of both marks."""
    if shared.field is None or shared.field > gap + 1:
        return
    many = outcome.sizes[-1]
    seen = f"which sees {shared.field} px where {gap} px lie between the marks, {many:,} images"
    yield claim_above(
        "Locality is an assumption: a relation across the image needs more than a shallow convolution sees",
        SECTION,
        f"accuracy of {dense.name} less that of {shared.name}, {seen}",
        mean_of_known(outcome.lead(FAR, dense, shared, many)),
        form=".1%",
    )
    yield claim_below(
        f"Who adds up what is seen at single places is right in {100 * most_by_adding():.0f} % of such cases at most",
        "two marks, worked out",
        f"accuracy of {shared.name}, {seen}",
        mean_of_known(outcome.of(FAR, shared, many)),
        than=most_by_adding(),
        form=".1%",
    )
