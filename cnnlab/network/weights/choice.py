"""Which part of a file a network's weights are taken from, where it may hold several."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from cnnlab.core.characters import printable, shortened
from cnnlab.core.errors import RequestError, did_you_mean
from cnnlab.network.weights.expected import Expected
from cnnlab.network.weights.match import Match, matches, nearest
from cnnlab.network.weights.reading import Content, Foreign, whole_module
from cnnlab.network.weights.tensors import Tensors

TOP = "."
"""The key of the tensors that stand at the top of a file, where dicts beside them hold others."""


def check_holds_weights(tensors: Tensors, content: Content) -> None:
    """Raises: RequestError where there is no tensor by name, with what there is."""
    if tensors.twice:
        raise RequestError(f"two of its tensors have the name {printable(tensors.twice)}")
    value = content.value
    if any(tensors.by_name):
        return
    expected = "expected tensors by the names of a network's parameters"
    if isinstance(value, Mapping):
        for name, one in value.items():
            if isinstance(one, Foreign) and "numpy" not in one.name:
                raise RequestError(f"under '{printable(str(name))}' it {whole_module(one.name)}")
        if any(name.startswith("numpy.") for name in content.foreign):
            raise RequestError(f"holds arrays of NumPy, and no tensors: {expected}")
        held = ", ".join(printable(shortened(str(name), 40)) for name in list(value)[:6])
        raise RequestError(f"holds no weights ({f'but {held}' if held else 'an empty dict'}): {expected}")
    raise RequestError(f"holds no weights (but one {type(value).__name__}): {expected}")


def chosen(tensors: Tensors, expected: Expected, key: str | None) -> Match:
    """The part of a file that is the network's weights, or the nearest to them where none fits.

    Arguments:
        tensors: of the file.
        expected: by the network.
        key: the dict, or the children's names, that the part is to stand under; `.` for the top alone.

    Raises:
        RequestError: where several parts fit and differ, where a larger network's part does, where there is nothing
            under `key`, and for a quantised network.
    """
    if expected.packed:
        raise RequestError(
            f"is of no use here: the network is quantised ({expected.packed[0]} is packed), and takes no file of "
            "weights; load them before it is quantised"
        )
    if key == TOP:
        top = tensors.beside_dicts()
        if not any(top.by_name):
            raise RequestError(f"no tensors stand at the top of the file (`weights_key` {TOP}); {_parts(tensors)}")
        tensors, key = top, None
    if key is not None:
        _check_key(tensors, key)
    found = matches(tensors, expected, key or "")
    whole = [one for one in found if key is not None or len(one.beside) <= len(one.names)]
    if len(whole) > 1 and not all(whole[0].same_as(other) for other in whole[1:]):
        raise RequestError(
            f"holds the network's weights {len(whole)} times: {_offered(whole)}; choose by `weights_key`"
        )
    if whole:
        return whole[0]
    if found:
        raise RequestError(
            f"holds another network's weights, with this one's as the lesser part: {_offered(found)}; to take them "
            f"alone, give `weights_key` {found[0].prefix}"
        )
    return nearest(tensors, expected, key or "")


def _check_key(tensors: Tensors, key: str) -> None:
    """Raises: RequestError where no tensors stand under `key`."""
    if tensors.below(key):
        return
    is_one = "one tensor" if key in tensors.by_name else "no part of the file"
    near = did_you_mean(key, _dicts(tensors))
    raise RequestError(f"`weights_key` '{printable(key)}' is {is_one}; {_parts(tensors)}.{near}")


def _dicts(tensors: Tensors) -> Counter[str]:
    """The dicts in the file, with how many tensors each holds."""
    return Counter(name[:end] for name in tensors.by_name for end in _ends(name) if name[:end] in tensors.dicts)


def _parts(tensors: Tensors) -> str:
    listed = [f"{printable(one)} ({count} tensors)" for one, count in list(_dicts(tensors).items())[:12]]
    return f"it has {', '.join(listed) or f'no dicts but the top, {TOP}'}"


def _ends(name: str) -> Iterator[int]:
    return (place for place, letter in enumerate(name) if letter == ".")


def _offered(found: Iterable[Match]) -> str:
    return ", ".join(f"{printable(one.prefix) or TOP} ({len(one.names)} tensors)" for one in found)
