"""What is said of taking over another network's weights, judged by what was learned with them and without."""

from collections.abc import Iterator, Mapping, Sequence

from cnnlab.probe.transfer.arms import HEAD, SCRATCH, TUNED, Arm
from cnnlab.stats.claim import Claim, claim_above, claim_below
from cnnlab.stats.known import less, mean_of_known

YOSINSKI = "Yosinski et al. 2014"
COURSE = "CS231n, Transfer learning"

Accuracies = Mapping[tuple[str, int], Sequence[float | None]]
"""By the key of an arm and the number of images of each class: one for each repeat."""


def claims_of(arms: Sequence[Arm], sizes: Sequence[int], known: Accuracies) -> Iterator[Claim]:
    """The sentences of which these trainings can say something.

    Arguments:
        arms: that were trained.
        sizes: images of each class, ascending.
        known: the accuracies.

    Yields: the claims, from few images to many.
    """
    few, many = sizes[0], sizes[-1]

    def lead(first: str, second: str, size: int) -> tuple[float | None, ...]:
        return less(known[first, size], known[second, size])

    tuned, scratch = TUNED.key, SCRATCH.key
    yield claim_above(
        "From few images a network learns more that begins with what another has learned",
        YOSINSKI,
        f"accuracy of {TUNED.words} less that {SCRATCH.words}, {few:,} images a class",
        mean_of_known(lead(tuned, scratch, few)),
        form=".1%",
    )
    yield claim_above(
        "With few images it is better to train the head alone than to tune all layers",
        COURSE,
        f"accuracy of head only less that of {TUNED.words}, {few:,} images a class",
        mean_of_known(lead(HEAD, tuned, few)),
        form=".1%",
    )
    if few < many:
        yield claim_below(
            "More images make the gain smaller",
            YOSINSKI,
            f"the gain of {TUNED.words} over {SCRATCH.words} with {many:,} images a class less that with {few:,}",
            mean_of_known(less(lead(tuned, scratch, many), lead(tuned, scratch, few))),
            form=".1%",
        )
        yield claim_above(
            "With many images a gain is left",
            YOSINSKI,
            f"accuracy of {TUNED.words} less that {SCRATCH.words}, {many:,} images a class",
            mean_of_known(lead(tuned, scratch, many)),
            form=".1%",
        )
    yield claim_below(
        "Where the images are many, to freeze all but the head costs accuracy",
        YOSINSKI,
        f"accuracy of head only less that of {TUNED.words}, {many:,} images a class",
        mean_of_known(lead(HEAD, tuned, many)),
        form=".1%",
    )
    if early := next((arm for arm in arms if arm.freeze and arm.key != HEAD), None):
        yield claim_above(
            "Early layers are more general than late ones: to freeze them costs less",
            YOSINSKI,
            f"accuracy of {early.words} less that of head only, {many:,} images a class",
            mean_of_known(lead(early.key, HEAD, many)),
            form=".1%",
        )
