import pytest

from cnnlab.core.errors import RequestError
from cnnlab.inside.channels import channels_of, checked_channels


@pytest.mark.parametrize(
    ("text", "channels"), [("3", (3,)), ("3,7", (3, 7)), ("12-15", (12, 13, 14, 15)), (" 2 , 0-2 ", (2, 0, 1))]
)
def test_numbers_and_ranges_each_once(text: str, channels: tuple[int, ...]) -> None:
    assert channels_of(text) == channels


@pytest.mark.parametrize("text", ["", "a", "3,", "-1", "5-3", "1.5", "1-2-3"])
def test_what_names_no_channels_is_told(text: str) -> None:
    with pytest.raises(RequestError, match="expected numbers from 0 such as 3,7 or 12-15"):
        channels_of(text)


def test_a_channel_out_of_range_is_told() -> None:
    assert checked_channels((0, 7), 8, "conv1") == (0, 7)
    with pytest.raises(RequestError, match="no channel 8 in layer 'conv1': it has 8, from 0 to 7"):
        checked_channels((0, 8), 8, "conv1")
