"""What torch's exporters and readers say on the way, which an error says better."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout


@contextmanager
def quiet() -> Iterator[None]:
    """Inside, nothing that torch logs, warns of or prints is seen."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            open(os.devnull, "w") as null,
            redirect_stdout(null),
            redirect_stderr(null),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
