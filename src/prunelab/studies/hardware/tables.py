"""The tables on what pruning gains on hardware."""

from typing import Annotated as A

from prunelab.tables import Table

NONE, WEIGHTS, UNITS = "none", "weights", "units"
DENSE = "dense"  # the form of an unpruned net run by torch

_FORM = "data model seed pruning sparsity_asked form"
_CALL = f"{_FORM} batch threads"


class Net(Table):
    """What nets of one spec were trained on."""

    data: A[str, "data set"]
    data_id: A[str, "content id of the data set"]
    model: A[str, "spec of the net"]


class Seed(Table):
    """One of these nets."""

    seed: A[int, "seed of the net"]


class Pruning(Table):
    """What was removed."""

    pruning: A[
        str,
        "what was removed, in one shot. none: nothing; weights: the smallest in magnitude, by one threshold for "
        "all layers; units: those with the lowest scores, of every layer about the same share, each replaced by its "
        "mean",
    ]


class Pruned(Pruning):
    """How much was removed."""

    sparsity_asked: A[
        float,
        "fraction of the prunable weights to remove; units are removed until no more weights are left than that leaves",
    ]


class Kept(Table):
    """What a net has left."""

    kept: A[int, "weights left, counted; of units removed, all between those left"]


class KeptByNets(Table):
    """What nets have left."""

    kept: A[float, "weights left, mean over nets"]


class Form(Table):
    """How a net is stored and run."""

    form: A[
        str,
        f"how the net is stored and run. {DENSE}: unpruned, by torch; masked: pruned weights are zeros, by torch; "
        "csr-torch, csr-scipy: compressed sparse rows, products by torch or scipy; shrunk: without the units that "
        "nothing enters or nothing leaves, by torch; onnx: the shrunk net exported, by ONNX Runtime",
    ]


class Reference(Table):
    """What a form is held against."""

    reference: A[str, f"form of the unpruned net that it is to be faster than: {DENSE} or onnx"]


class Call(Table):
    """What is timed."""

    batch: A[int, "examples of a call"]
    threads: A[int, "threads within an operation; scipy's products take one"]


class FormOfNet(Form, Kept, Pruned, Seed, Net, key=_FORM):
    """One net, pruned in one way, in one form."""


class CallOfNet(Call, FormOfNet, key=_CALL):
    """The same, called on one batch."""


class Nets(Table):
    """How many nets are behind a row."""

    nets: A[int, "nets behind the figures, one a seed"]


class Timed(Table):
    """Times over rounds, and in those of the unpruned net."""

    rounds: A[int, "rounds that the forms were timed in, in turn; each gives one time, the median of its calls"]
    milliseconds: A[float, "seconds of one call, median over rounds; the interval is a bootstrap over rounds [ms]"]
    low: A[float, "lower end of its 95 % interval [ms]"]
    high: A[float, "upper end of its 95 % interval [ms]"]
    ratio: A[float, "the same in those of the unpruned net by torch in the same round, median over rounds"]
    ratio_low: A[float, "lower end of its 95 % interval"]
    ratio_high: A[float, "upper end of its 95 % interval"]


class Forms(FormOfNet):
    """What one form takes."""

    weights: A[int, "prunable weights of the unpruned net"]
    sparsity: A[float, "fraction of them removed, counted"]
    units: A[str, "units of each hidden layer that the form computes, first to last, joined by hyphens"]
    file_bytes: A[
        int,
        "size of the file that holds the form: safetensors, sparse ones with values, columns and row starts, or ONNX "
        "[bytes]",
    ]
    flops: A[
        int,
        "floating-point operations of the form on one example, in linear layers and convolutions; zeros count where "
        "they are multiplied",
    ]
    accuracy_percent: A[float, "accuracy of the pruned net on the test part; the same for all its forms [%]"]
    agreement_percent: A[float, "test examples on which the form predicts what the masked net does [%]"]


class Rounds(CallOfNet, key=f"{_CALL} round"):
    """One round of one form on one batch; what the tables of times are made of, itself not kept."""

    sparsity: A[float, "fraction of the prunable weights removed, counted"]
    round: A[int, "number of the round"]
    seconds: A[float, "median of its calls [s]"]
    difference: A[float, "largest difference of an output from the masked net's, on the batch"]


class Times(Timed, CallOfNet, key=_CALL, varies=True):
    """The times of one net in one form."""

    difference: A[float, "largest difference of an output from the masked net's, on the batch"]


class Latency(
    Timed,
    Nets,
    Call,
    Form,
    KeptByNets,
    Pruned,
    Net,
    key="data model pruning sparsity_asked form batch threads",
    varies=True,
):
    """The times of one form over nets."""

    milliseconds: A[
        float,
        "median over rounds of one call, geometric mean over nets; the interval is a bootstrap over nets and, within "
        "each, over rounds [ms]",
    ]
    ratio: A[
        float,
        "median over rounds of the time in that of the unpruned net by torch in the same round, geometric mean over "
        "nets; interval as before",
    ]


class Crossovers(
    Nets, Call, Reference, Form, Pruning, Net, key="data model pruning form reference batch threads", varies=True
):
    """From which sparsity on a form is faster than the unpruned net."""

    crossover_percent: A[
        float | None,
        "sparsity from which on, as far as was measured, the form is faster than the reference, interpolated in the "
        "logarithm of the weights left; may be empty: at no sparsity measured [%]",
    ]
    low: A[
        float | None,
        "lower end of its 95 % interval, a bootstrap over nets and rounds; may be empty: beyond what was measured [%]",
    ]
    high: A[float | None, "upper end of its 95 % interval; may be empty: beyond what was measured [%]"]
    reached_percent: A[float, "share of the resamples in which the form becomes faster at all [%]"]
    smallest_percent: A[float, "smallest sparsity measured; a crossover there may lie lower [%]"]
    largest_percent: A[float, "largest sparsity measured [%]"]


class Memory(CallOfNet, varies=True):
    """The memory of one form on one batch."""

    held_bytes: A[
        int | None,
        "what a fresh process holds more with the net and the batch at hand, in whole pages; may be empty: the system "
        "does not keep it [bytes]",
    ]
    peak_bytes: A[
        int | None,
        "what it holds more at the most while it makes a call, both included; may be empty: likewise [bytes]",
    ]


class FormsSummary(Form, Pruned, Net, key="data model pruning sparsity_asked form"):
    """One form over the nets of one spec."""

    accuracy_percent: A[float, "accuracy of the pruned nets on the test part, mean over nets [%]"]
    low: A[float, "lower end of its 95 % t interval; may be empty"]
    high: A[float, "upper end of its 95 % t interval; may be empty"]
    file_kib: A[float, "size of the file that holds the form, mean over nets [KiB]"]
    flops_thousand: A[float, "operations of the form on one example, mean over nets [thousands]"]
    nets: A[int, "nets behind it, one a seed"]
