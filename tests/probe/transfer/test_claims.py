"""Claims, judged by accuracies that are given."""

from cnnlab.probe.transfer.arms import SCRATCH, TUNED, Arm
from cnnlab.probe.transfer.claims import claims_of
from cnnlab.stats.claim import Finding

EARLY, HEAD = Arm("frozen1", "1 layer frozen", 1, ("conv1",)), Arm("head", "head only", 3, ("conv1", "conv2"))
SIZES = (50, 500)


def findings(of: dict[Arm, tuple[float, float]], *, sizes: tuple[int, ...] = SIZES) -> list[Finding]:
    known = {
        (arm.key, size): (value - 0.01, value, value + 0.012)
        for arm, values in of.items()
        for size, value in zip(SIZES, values, strict=True)
    }
    return [one.finding for one in claims_of(list(of), sizes, known)]


def test_what_is_said_is_supported_where_it_is_so_and_contradicted_by_the_contrary() -> None:
    said = {SCRATCH: (0.4, 0.6), TUNED: (0.6, 0.7), EARLY: (0.6, 0.7), HEAD: (0.65, 0.6)}
    assert findings(said) == [Finding.SUPPORTED] * 6
    contrary = {SCRATCH: (0.6, 0.8), TUNED: (0.4, 0.7), EARLY: (0.4, 0.6), HEAD: (0.3, 0.75)}
    assert findings(contrary) == [Finding.CONTRADICTED] * 6


def test_one_number_of_images_says_nothing_of_more_and_no_early_arm_nothing_of_early_layers() -> None:
    said = {SCRATCH: (0.4, 0.6), TUNED: (0.6, 0.7), HEAD: (0.65, 0.6)}
    assert len(findings(said)) == 5
    assert len(findings(said, sizes=(50,))) == 3
