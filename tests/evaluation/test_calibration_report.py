import pytest

from cnnlab.evaluation.report import sureness
from cnnlab.stats.calibration import Calibration, ReliabilityBin


@pytest.mark.parametrize(
    ("confidence", "accuracy", "n", "said"),
    [
        (0.902, 0.9, 10_000, "about as sure as it should be"),
        (0.95, 0.9, 10_000, "too sure by 5.0 points"),
        (0.85, 0.9, 10_000, "too unsure by 5.0 points"),
        (0.95, 0.9, 20, "as sure as it should be, as far as 20 images can tell"),  # 18 of 20 right: 70 to 97 %
        (0.9, 1.0, 20, "as sure as it should be, as far as 20 images can tell"),
        (0.99, 0.5, 20, "too sure by 49.0 points"),
    ],
)
def test_too_sure_only_where_the_images_can_tell(confidence: float, accuracy: float, n: int, said: str) -> None:
    bins = (ReliabilityBin(0.0, 1.0, n, confidence, accuracy),)
    assert sureness(Calibration(abs(confidence - accuracy), bins, confidence, accuracy)) == said
