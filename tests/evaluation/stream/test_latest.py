"""A slow network gets the latest frame, or every one where that is asked for; nothing is lost or comes twice."""

import time
from collections.abc import Iterator
from threading import Event

import pytest

from cnnlab.core.errors import RequestError
from cnnlab.evaluation.stream.latest import WAITING, arrivals
from cnnlab.network.image_files import Source

COUNT = 40


def frames(read: list[int] | None = None) -> Iterator[Source]:
    for number in range(COUNT):
        if read is not None:
            read.append(number)
        yield Source(str(number))


def test_the_latest_frame_is_answered_and_the_others_are_counted() -> None:
    everything_read, seen = Event(), []

    def until_read() -> Iterator[Source]:
        yield from frames()
        everything_read.set()

    for arrival in arrivals(until_read()):
        seen.append(arrival)
        assert everything_read.wait(5)
    assert [one.source.name for one in seen] == [str(one.frame) for one in seen]
    assert seen[-1].frame == COUNT - 1  # the last one of a stream is never dropped
    assert len(seen) + sum(one.dropped for one in seen) == COUNT
    assert len(seen) <= 3
    assert all(one.at <= time.perf_counter() for one in seen)


def test_every_frame_is_kept_and_only_some_wait() -> None:
    read: list[int] = []
    stream = arrivals(frames(read), every=True)
    first = next(stream)
    time.sleep(0.05)
    assert len(read) <= WAITING + 2
    rest = list(stream)
    assert [one.frame for one in (first, *rest)] == list(range(COUNT))
    assert not any(one.dropped for one in rest)


def test_what_the_stream_raises_comes_after_its_frames() -> None:
    def failing() -> Iterator[Source]:
        yield Source("0")
        raise RequestError("spoiled")

    stream = arrivals(failing(), every=True)
    assert next(stream).frame == 0
    with pytest.raises(RequestError, match="spoiled"):
        next(stream)
