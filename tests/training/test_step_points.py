import math
from types import SimpleNamespace
from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.fit.fit import StepDone
from cnnlab.training.loop import _is_recorded


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 100))
def test_every_so_many_steps_and_at_least_once_an_epoch(batches: int, accumulate: int, every: int) -> None:
    logging, training = SimpleNamespace(every_steps=every), SimpleNamespace(accumulate=accumulate)
    setup: Any = SimpleNamespace(
        config=SimpleNamespace(logging=logging, training=training), batches=SimpleNamespace(steps=batches)
    )
    nothing, per_epoch, step = torch.zeros(()), math.ceil(batches / accumulate), 0
    for epoch in range(1, 4):
        recorded = []
        for number in range(1, per_epoch + 1):
            step += 1
            fact = StepDone(step, epoch, min(batches, number * accumulate), 0.1, nothing, nothing, 1)
            if _is_recorded(fact, setup):
                recorded.append(step)
        due = [s for s in range(step - per_epoch + 1, step + 1) if s % every == 0]
        assert recorded == (due or [step])
