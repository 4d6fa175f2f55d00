"""The rows and columns of the tables on removed activations."""

from dataclasses import dataclass

from prunelab.studies.lenet_settings import SETTING_COLUMNS, SETTING_KEY, Setting

REMOVAL_KEY = (*SETTING_KEY, "removed", "treatment", "seed")
REMOVAL_COLUMNS = {
    **SETTING_COLUMNS,
    "seed": "seed of the net, and of the order of the examples when it is trained here",
    "removed": "hidden activation replaced by the identity: none, first, last or both",
    "treatment": "as trained (weights kept), retrained (trained on after the removal) or from scratch (without it)",
    "error_percent": "error on the test part [%]",
    "baseline_error_percent": "error of the same net with nothing removed, as trained [%]",
    "drop_points": "error minus that with nothing removed under the same treatment [points]",
}

DROP_KEY = (*SETTING_KEY, "treatment", "removed")
DROP_COLUMNS = {
    **{name: SETTING_COLUMNS[name] for name in SETTING_KEY},
    "treatment": "as trained, retrained or from scratch",
    "removed": "hidden activation replaced by the identity: first, last or both",
    "seeds": "nets measured",
    "error_percent": "error on the test part, mean over seeds [%]",
    "drop_points": "error minus that with nothing removed under the same treatment, mean over seeds [points]",
    "drop_low": "lower end of its 95 % t interval; may be empty [points]",
    "drop_high": "upper end of its 95 % t interval; may be empty [points]",
}


@dataclass(frozen=True, kw_only=True)
class RemovalRow(Setting):
    """One net without one of its activations, or two, after one treatment."""

    seed: int
    removed: str
    treatment: str
    error_percent: float
    baseline_error_percent: float
    drop_points: float


@dataclass(frozen=True, kw_only=True)
class Drop:
    """What one removal costs one kind of net after one treatment."""

    data: str
    recipe: str
    mode: str
    budget: str
    model: str
    target: str
    treatment: str
    removed: str
    seeds: int
    error_percent: float
    drop_points: float
    drop_low: float
    drop_high: float
