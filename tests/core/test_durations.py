"""Times as people write them."""

import jsonschema
import pytest
from pydantic import TypeAdapter, ValidationError

from cnnlab.core.durations import Duration, seconds_of

TIMES = {"90": 90.0, "90s": 90.0, "10m": 600.0, "1.5 h": 5400.0, "0": None, "0m": None, "-3": None, "9000h": None}
READ = TypeAdapter(Duration)


@pytest.mark.parametrize("text", TIMES)
def test_a_time_is_read_and_what_is_none_is_refused(text: str) -> None:
    assert seconds_of(text) == TIMES[text]
    if TIMES[text] is None:
        with pytest.raises(ValidationError, match=f"'{text}' is no time within a year, expected one such as 90s"):
            READ.validate_python(text)
    else:
        assert READ.validate_python(text) == TIMES[text]


def test_a_number_is_seconds_and_the_schema_says_the_same() -> None:
    assert READ.validate_python(2.5) == 2.5
    for wrong in (0, 1e9, "ten minutes", True, [3]):
        assert not jsonschema.Draft202012Validator(READ.json_schema()).is_valid(wrong)
        if not isinstance(wrong, bool):
            with pytest.raises(ValidationError):
                READ.validate_python(wrong)
    assert jsonschema.Draft202012Validator(READ.json_schema()).is_valid("1.5h")
