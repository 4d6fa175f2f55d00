"""The tables on what pruning gains on hardware: names, records, keys, and what each column means."""

from dataclasses import dataclass

NONE, WEIGHTS, UNITS = PRUNINGS = ("none", "weights", "units")
DENSE = "dense"  # the form of an unpruned net run by torch

_NET = {
    "data": "data set",
    "data_id": "content id of the data set",
    "model": "spec of the net",
    "seed": "seed of the net",
}
_SETTING = {
    "pruning": "what was removed, in one shot. none: nothing; weights: the smallest in magnitude, by one threshold for "
    "all layers; units: those with the lowest scores, of every layer about the same share, each replaced by its mean",
    "sparsity_asked": "fraction of the prunable weights to remove; units are removed until no more weights are left "
    "than that leaves",
    "kept": "weights left, counted; of units removed, all between those left",
}
_FORM = (
    f"how the net is stored and run. {DENSE}: unpruned, by torch; masked: pruned weights are zeros, by torch; "
    "csr-torch, csr-scipy: compressed sparse rows, products by torch or scipy; shrunk: without the units that nothing "
    "enters or nothing leaves, by torch; onnx: the shrunk net exported, by ONNX Runtime"
)
_RUN = {
    "batch": "examples of a call",
    "threads": "threads within an operation; scipy's products take one",
}
_TIMES = {
    "rounds": "rounds that the forms were timed in, in turn; each gives one time, the median of its calls",
    "milliseconds": "{time} [ms]",
    "low": "lower end of its 95 % interval [ms]",
    "high": "upper end of its 95 % interval [ms]",
    "ratio": "{ratio}",
    "ratio_low": "lower end of its 95 % interval",
    "ratio_high": "upper end of its 95 % interval",
}

FORM_KEY = ("data", "model", "seed", "pruning", "sparsity_asked", "form")
FORM_COLUMNS = {
    **_NET,
    **_SETTING,
    "form": _FORM,
    "weights": "prunable weights of the unpruned net",
    "sparsity": "fraction of them removed, counted",
    "units": "units of each hidden layer that the form computes, first to last, joined by hyphens",
    "file_bytes": "size of the file that holds the form: safetensors, sparse ones with values, columns and row starts, "
    "or ONNX [bytes]",
    "flops": "floating-point operations of the form on one example, in linear layers and convolutions; zeros count "
    "where they are multiplied",
    "accuracy_percent": "accuracy of the pruned net on the test part; the same for all its forms [%]",
    "agreement_percent": "test examples on which the form predicts what the masked net does [%]",
}
TIME_KEY = (*FORM_KEY, "batch", "threads")
TIME_COLUMNS = {
    **_NET,
    **_SETTING,
    "form": _FORM,
    **_RUN,
    **_TIMES,
    "milliseconds": "seconds of one call, median over rounds; the interval is a bootstrap over rounds [ms]",
    "ratio": "the same in those of the unpruned net by torch in the same round, median over rounds",
    "difference": "largest difference of an output from the masked net's, on the batch",
}
LATENCY_KEY = ("data", "model", "pruning", "sparsity_asked", "form", "batch", "threads")
LATENCY_COLUMNS = {
    **{name: _NET[name] for name in ("data", "data_id", "model")},
    **_SETTING,
    "kept": "weights left, mean over nets",
    "form": _FORM,
    **_RUN,
    "nets": "nets behind the figures, one a seed",
    **_TIMES,
    "milliseconds": "median over rounds of one call, geometric mean over nets; the interval is a bootstrap over nets "
    "and, within each, over rounds [ms]",
    "ratio": "median over rounds of the time in that of the unpruned net by torch in the same round, geometric mean "
    "over nets; interval as before",
}
CROSSOVER_KEY = ("data", "model", "pruning", "form", "reference", "batch", "threads")
CROSSOVER_COLUMNS = {
    **{name: _NET[name] for name in ("data", "data_id", "model")},
    "pruning": _SETTING["pruning"],
    "form": _FORM,
    "reference": f"form of the unpruned net that it is to be faster than: {DENSE} or onnx",
    **_RUN,
    "nets": "nets behind the figures, one a seed",
    "crossover_percent": "sparsity from which on, as far as was measured, the form is faster than the reference, "
    "interpolated in the logarithm of the weights left; may be empty: at no sparsity measured [%]",
    "low": "lower end of its 95 % interval, a bootstrap over nets and rounds; may be empty: beyond what was measured "
    "[%]",
    "high": "upper end of its 95 % interval; may be empty: beyond what was measured [%]",
    "reached_percent": "share of the resamples in which the form becomes faster at all [%]",
    "smallest_percent": "smallest sparsity measured; a crossover there may lie lower [%]",
    "largest_percent": "largest sparsity measured [%]",
}
MEMORY_KEY = (*FORM_KEY, "batch", "threads")
MEMORY_COLUMNS = {
    **_NET,
    **_SETTING,
    "form": _FORM,
    **_RUN,
    "held_bytes": "what a fresh process holds more with the net and the batch at hand, in whole pages; may be empty: "
    "the system does not keep it [bytes]",
    "peak_bytes": "what it holds more at the most while it makes a call, both included; may be empty: likewise [bytes]",
}


@dataclass(frozen=True, kw_only=True)
class FormRow:
    """One row: one net, pruned in one way, in one form."""

    data: str
    data_id: str
    model: str
    seed: int
    pruning: str
    sparsity_asked: float
    kept: int
    form: str
    weights: int
    sparsity: float
    units: str
    file_bytes: int
    flops: int
    accuracy_percent: float
    agreement_percent: float


@dataclass(frozen=True, kw_only=True)
class Round:
    """One round of one form on one batch; what the tables of times are made of, itself not kept."""

    data: str
    data_id: str
    model: str
    seed: int
    pruning: str
    sparsity_asked: float
    kept: int
    sparsity: float
    form: str
    batch: int
    threads: int
    round: int
    seconds: float
    difference: float


@dataclass(frozen=True, kw_only=True)
class Memory:
    """One row: the memory of one form on one batch."""

    data: str
    data_id: str
    model: str
    seed: int
    pruning: str
    sparsity_asked: float
    kept: int
    form: str
    batch: int
    threads: int
    held_bytes: int | None
    peak_bytes: int | None
