"""Which keys of a space mattered: shares of the variance of what was found."""

from collections.abc import Sequence
from typing import Any

import numpy as np

LEAST = 4
"""Complete trials, below which nothing is said."""


def importances(study: Any, keys: Sequence[str]) -> tuple[dict[str, float], str]:
    """The importance of each key over the complete trials of a study.

    Arguments:
        study: of Optuna.
        keys: of the space.

    Returns:
        Shares that sum to 1, the largest first, and the name of the method: fANOVA (Hutter et al. 2014) where
        scikit-learn is there. Nothing with few trials, or where all found the same.
    """
    trials = [one for one in study.get_trials(deepcopy=False) if one.state.name == "COMPLETE"]
    found = np.array([one.value for one in trials], dtype=float)
    if len(trials) < LEAST or np.ptp(found) == 0:
        return {}, ""
    try:
        import sklearn  # type: ignore[import-untyped]  # noqa: F401  (Optuna's evaluator needs it)
        from optuna.importance import FanovaImportanceEvaluator, get_param_importances
    except ImportError:
        columns = {key: [one.params[key] for one in trials] for key in keys}
        return explained(columns, found), "the share of the variance between groups of values"
    known = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
    return {key: float(value) for key, value in known.items()}, "fANOVA"


def explained(columns: dict[str, list[Any]], found: "np.ndarray[Any, Any]") -> dict[str, float]:
    """Of each key the share of the variance that lies between groups of its values, scaled to sum to 1.

    Numbers are grouped by their thirds; each choice is a group.

    Arguments:
        columns: the values of each key, one for each trial.
        found: what each trial found.

    Example:
        >>> explained({"a": ["x", "x", "y", "y"], "b": ["x", "y", "x", "y"]}, np.array([0.1, 0.1, 0.9, 0.9]))
        {'a': 1.0, 'b': 0.0}
    """
    shares = {}
    for key, values in columns.items():
        groups = np.array(values, dtype=str) if isinstance(values[0], str) else _thirds(np.array(values, dtype=float))
        between = sum(
            (groups == one).sum() * (found[groups == one].mean() - found.mean()) ** 2 for one in np.unique(groups)
        )
        shares[key] = float(between / (len(found) * found.var()))
    total = sum(shares.values()) or 1.0
    return {key: share / total for key, share in sorted(shares.items(), key=lambda pair: -pair[1])}


def _thirds(values: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    return np.searchsorted(np.quantile(values, [1 / 3, 2 / 3]), values)
