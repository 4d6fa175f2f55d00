"""The tables on kinds of pruning function."""

from typing import Annotated as A

from prunelab.tables import Table


class Net(Table):
    """What nets of one spec were trained on."""

    data: A[str, "data set, or source of the recordings"]
    data_id: A[str, "content id of the data"]
    model: A[str, "spec of the net"]


class Kind(Table):
    """The pruning function."""

    kind: A[str, "pruning function: what the net is trained with, and what is ranked"]


class Removal(Table):
    """What a kind removes."""

    removes: A[str, "single weights, or whole units"]
    ranks_by: A[str, "what is smallest in what goes first: w weight, g gradient of the loss, a activation, ā its mean"]


class Scope(Table):
    """What is ranked together."""

    scope: A[str, "global (all layers are ranked together) or layer (the same fraction of each layer)"]


class Way(Table):
    """One-shot or retrained."""

    retrained: A[bool, "whether the weights left were trained on after the pruning"]


class Budget(Table):
    """How much is removed."""

    sparsity_asked: A[float, "fraction of the weights to be removed"]


class Kinds(Budget, Way, Scope, Kind, Net, key="data model kind retrained scope sparsity_asked seed"):
    """One net, pruned and measured once."""

    seed: A[int, "seed of the net, of its retraining and of random scores"]
    strength: A[float, "of the penalty that the net was trained with, chosen on the validation part; 0 without one"]
    weights: A[int, "prunable weights"]
    kept: A[int, "of these, left"]
    sparsity: A[float, "fraction removed, counted; of whole units as near to that asked as they allow"]
    removed_squares_percent: A[float, "what the removed weights had of the sum of all squared weights [%]"]
    validation_error_percent: A[float, "error on the validation part; of speech, word error rate [%]"]
    error_percent: A[float, "the same on the test part [%]"]
    dense_validation_error_percent: A[float, "error of the same net unpruned on the validation part [%]"]
    dense_error_percent: A[float, "error of the same net unpruned on the test part [%]"]


class Tried(Net, key="data model penalty strength seed"):
    """One strength of a penalty tried."""

    penalty: A[str, "l1 (per unit of summed |w|) or l2 (per unit of half the summed w²), weights only"]
    strength: A[float, "strength tried"]
    seed: A[int, "seed of the one net tried"]
    validation_error_percent: A[
        float, "error on the validation part, one-shot, mean over budgets; the lowest is chosen [%]"
    ]
    dense_validation_error_percent: A[float, "error of the same net unpruned on the validation part [%]"]
    chosen: A[bool, "whether all nets with this penalty are trained at this strength"]


class Weights(Budget, Scope, Kind, Net, key="data model kind scope sparsity_asked which left"):
    """The weights in one bin."""

    which: A[str, "removed, kept (both as they were before), or retrained (those kept, afterwards)"]
    left: A[float, "lower end of the bin [weight units]"]
    right: A[float, "upper end of the bin [weight units]"]
    share_percent: A[float, "weights in the bin, of all weights of the net, mean over seeds [%]"]


class KindsCosts(Removal, Kind, Net, key="data model kind"):
    """What a kind costs, in passes over the training part."""

    forward_passes: A[float, "passes over the training part without gradients, to rank or to replace"]
    gradient_passes: A[float, "passes over the training part with gradients, to rank"]
    training_passes: A[float, "passes of training with its penalty; 0 where a net trained without one is pruned"]
    choosing_passes: A[float, "passes of training more, to choose the strength of the penalty"]
    retraining_passes: A[float, "passes of training after the pruning, where nets are retrained"]


class KindsSummary(Kind, Way, Scope, Net, key="data model scope retrained kind"):
    """A kind in the ranking of one net, one-shot or retrained."""

    rank: A[int, "by area, 1 is best"]
    area: A[float, "accuracy averaged over sparsity from 0 to the largest budget, mean over seeds [%]"]
    low: A[float, "lower end of its 95 % t interval over seeds; may be empty"]
    high: A[float, "upper end of its 95 % t interval over seeds; may be empty"]
    to_random: A[float, "area minus that of random, mean of paired differences; may be empty [points]"]
    to_random_low: A[float, "lower end of its 95 % t interval over seeds; may be empty"]
    to_random_high: A[float, "upper end of its 95 % t interval over seeds; may be empty"]
    to_magnitude: A[float, "area minus that of magnitude, mean of paired differences; may be empty [points]"]
    to_magnitude_low: A[float, "lower end of its 95 % t interval over seeds; may be empty"]
    to_magnitude_high: A[float, "upper end of its 95 % t interval over seeds; may be empty"]
    largest_sparsity: A[float, "the largest budget, where the area ends"]
    error_percent: A[float, "test error at the largest budget, mean over seeds [%]"]
    dense_error_percent: A[float, "test error of the same nets unpruned, mean over seeds [%]"]
    seeds: A[int, "nets behind it"]


class Label(Table):
    """What a kind is called."""

    name: A[str, "the kind in words"]


class KindsGuide(Removal, Label, Kind, key="kind"):
    """What a kind needs, what that costs, and where it won."""

    needs: A[str, "what must be at hand beside the trained net"]
    cost: A[
        str,
        "passes over the training part to rank or to train with its penalty, smallest to largest of the nets; "
        "retraining is not counted, it is the same for all",
    ]
    best_one_shot: A[str, "nets where its area is the largest, one-shot; may be empty"]
    best_retrained: A[str, "nets where its area is the largest, retrained; may be empty"]
    above_random: A[
        str, "of the nets compared one-shot and retrained, those with an interval of its area above random's"
    ]
