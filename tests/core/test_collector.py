import gc
from contextlib import suppress

import pytest

from cnnlab.core import memory as collector


@pytest.mark.parametrize("was_on", [True, False])
def test_off_inside_and_afterwards_as_it_was_after_an_error_too(was_on: bool) -> None:
    if not was_on:
        gc.disable()
    try:
        with suppress(ImportError), collector.spared():
            assert not gc.isenabled()
            raise ImportError
        assert gc.isenabled() == was_on
    finally:
        gc.enable()


def test_objects_are_frozen_once_so_that_later_garbage_is_still_found() -> None:
    with collector.spared():
        pass
    frozen = gc.get_freeze_count()
    with collector.spared():
        pass
    assert 0 < gc.get_freeze_count() <= frozen


def test_the_collector_rests_and_is_then_as_it_was() -> None:
    for on in (True, False):
        (gc.enable if on else gc.disable)()
        try:
            with suppress(ValueError), collector.paused():
                assert not gc.isenabled()
                raise ValueError
            assert gc.isenabled() is on
        finally:
            gc.enable()
