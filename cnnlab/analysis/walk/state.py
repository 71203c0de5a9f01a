"""What a run of a network must leave as it was: modes, attributes, buffers, the generator of random numbers."""

from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Eval mode, attention as its products; afterwards the model is as it was, also after an exception.

    That is each module's own mode, every attribute, the contents of lists, dictionaries and sets among them, and of
    tensors that are no parameters; torch's own generator too. A network that counts its calls does not count these.
    The fast path for attention would be one operation that hides its products.
    """
    modules = list(model.modules())
    attributes = [dict(module.__dict__) for module in modules]
    containers = [
        (value, _contents(value)) for saved in attributes for value in saved.values() if type(value) in _CONTAINERS
    ]
    held = [value for _, saved in containers if isinstance(saved, dict) for value in saved.values()]
    held += [value for saved in attributes for value in saved.values()]
    tensors = {id(t): (t, t._version, t.detach().clone()) for t in held if _is_changeable(t)}
    fast = torch.backends.mha.get_fastpath_enabled()
    try:
        with torch.random.fork_rng(devices=[]), sdpa_kernel(SDPBackend.MATH):
            model.eval()
            torch.backends.mha.set_fastpath_enabled(False)
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for module, saved in zip(modules, attributes, strict=True):
            _put_back(module.__dict__, saved)
        for container, contents in containers:
            _put_back(container, contents)
        with torch.no_grad():
            for tensor, version, values in tensors.values():
                if tensor._version != version:
                    tensor.copy_(values)


_CONTAINERS = (dict, OrderedDict, defaultdict, list, deque, set)


def _is_changeable(value: Any) -> bool:
    return isinstance(value, Tensor) and not isinstance(value, nn.Parameter) and not value.is_inference()


def _contents(container: Any) -> Any:
    if not container:
        return ()  # as most are: each module has a dozen dictionaries of hooks
    return dict(container) if isinstance(container, dict) else list(container)


def _put_back(container: Any, contents: Any) -> None:
    if len(container) == len(contents):
        if isinstance(contents, dict):
            same = all(container.get(key, container) is value for key, value in contents.items())
        else:
            same = all(a is b for a, b in zip(container, contents, strict=True))
        if same:
            return
    container.clear()
    if isinstance(container, dict | set):
        container.update(contents)
    else:
        container.extend(contents)
