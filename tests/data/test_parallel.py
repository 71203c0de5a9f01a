import threading

import pytest
import torch

from cnnlab.data.parallel import in_parallel


def test_results_come_in_order_and_the_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    assert list(in_parallel(lambda n: n * n, range(100))) == [n * n for n in range(100)]
    assert torch.get_num_threads() == before


def test_an_error_ends_the_work_and_no_thread_stays() -> None:
    def work(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    before = set(threading.enumerate())
    with pytest.raises(ValueError, match="three"):
        list(in_parallel(work, range(1000)))
    assert set(threading.enumerate()) <= before
