"""Work for a caller whose process is his own: nothing of it changes, and what fails is one of two errors."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from torch import nn

from cnnlab.core.errors import CnnlabError, RequestError, WorkError
from cnnlab.models.failure import LAYER_FAILURES, failure_of
from cnnlab.models.undisturbed import generators_kept, undisturbed


@contextmanager
def untouched(model: nn.Module | None = None) -> Iterator[None]:
    """While inside, `model` is in evaluation mode; after it everything is as before, also on an error.

    That is the network's modes, hooks, gradients and values, the random generators of torch, NumPy and Python, torch's
    settings and the filters of warnings.

    Raises:
        RequestError: for a request that is wrong, and for what the network's own code raises.
        WorkError: for work that failed.
    """
    look = nullcontext() if model is None else undisturbed(model, training=False)
    with told(), warnings.catch_warnings(), generators_kept(model), look:
        yield


@contextmanager
def told() -> Iterator[None]:
    """What is expected to fail inside is a RequestError or a WorkError, whatever kind of request it was."""
    try:
        yield
    except (RequestError, WorkError):
        raise
    except CnnlabError as error:
        raise _request(error) from error
    except LAYER_FAILURES as error:
        failure = failure_of(error)
        if failure is None:
            raise
        raise failure from error


def _request(error: CnnlabError) -> RequestError:
    request = RequestError(*error.args)
    request.details = error.details
    return request
