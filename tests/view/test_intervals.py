from cnnlab.stats.confidence import Interval, MeanInterval
from cnnlab.view.blocks import interval_text


def test_intervals_in_words() -> None:
    assert interval_text(None, "+.3f") == "–"
    assert interval_text(MeanInterval(-0.5, None, None, 1), "+.3f") == "−0.500"
    assert interval_text(MeanInterval(0.5, 0.1, Interval(-0.25, 0.75), 9), ".1f") == "0.5 [−0.2, 0.8]"
