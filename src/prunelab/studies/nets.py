"""The dense image nets that several studies prune: trained over seeds, at a rate chosen on validation data."""

from collections.abc import Sequence
from dataclasses import dataclass

from pandas import DataFrame

from prunelab.data import Images, load_images
from prunelab.measure import evaluate
from prunelab.pruning import prunable
from prunelab.records import Value, to_frame
from prunelab.stats import t_interval
from prunelab.studies.stored_nets import Net
from prunelab.train import Recipe, check_seeds, train_seeds

DENSE_KEY = ("data", "model", "seed")
DENSE_COLUMNS = {
    "data": "data set",
    "data_id": "content id of the data set",
    "model": "spec of the net",
    "seed": "seed of initialisation and order",
    "learning_rate": "peak learning rate, chosen on the validation part",
    "weights": "prunable weights",
    "biases": "biases, never pruned",
    "weight_rms": "root mean square of all weights pooled",
    "validation_error_percent": "error on the validation part, last epoch [%]",
    "error_percent": "error on the test part, last epoch [%]",
    "loss": "mean cross-entropy on the test part, last epoch [nats]",
}
RATE_KEY = ("data", "model", "learning_rate")
RATE_COLUMNS = {
    "data": "data set",
    "data_id": "content id of the data set",
    "model": "spec of the net",
    "seed": "seed of the one net tried",
    "learning_rate": "peak learning rate tried",
    "validation_error_percent": "error on the validation part, last epoch [%]; the lowest is chosen",
}


@dataclass(frozen=True, kw_only=True)
class Dense:
    """One row of the table of dense nets."""

    data: str
    data_id: str
    model: str
    seed: int
    learning_rate: float
    weights: int
    biases: int
    weight_rms: float
    validation_error_percent: float
    error_percent: float
    loss: float


@dataclass(frozen=True, kw_only=True)
class Rate:
    """One row of the search for a learning rate."""

    data: str
    data_id: str
    model: str
    seed: int
    learning_rate: float
    validation_error_percent: float


def error_percent(accuracy: float) -> float:
    """Turn an accuracy in [0, 1] into an error in percent, without the rounding noise of 1 - accuracy."""
    return round(100 * (1 - accuracy), 10)


def train_nets(
    data: str,
    model: str,
    seeds: Sequence[int],
    *,
    epochs: int,
    learning_rates: Sequence[float],
    device: str = "cpu",
    progress: bool = True,
) -> tuple[list[Net], DataFrame, DataFrame]:
    """Train one kind of net from several seeds, at the learning rate that does best on the validation part.

    Each rate is tried with the first seed; the net trained at the chosen one is kept, the other seeds follow.

    Args:
        data: see `prunelab.data.load_images`.
        model: see `prunelab.models.parse`.
        seeds: distinct whole numbers.
        epochs: passes over the training part.
        learning_rates: peak rates to try.
        device: where to train.
        progress: show progress bars.

    Returns:
        The nets, the table of dense nets (one row a seed) and the table of rates tried.

    Raises:
        ValueError: no rate, seeds that are not distinct, or what loading and training refuse.
    """
    if not learning_rates:
        raise ValueError("training needs at least one learning rate to try; learning_rates is empty")
    check_seeds(seeds)
    images = load_images(data, device=device)
    first, *others = seeds
    tried = {}
    rates = []
    for rate in dict.fromkeys(learning_rates):
        recipe = Recipe(epochs=epochs, learning_rate=rate)
        tried[rate] = train_seeds(model, images, recipe, [first], progress=progress)[first]
        error = error_percent(evaluate(tried[rate], images.validation).accuracy)
        rates.append(
            Rate(
                data=images.name,
                data_id=images.content_id,
                model=model,
                seed=first,
                learning_rate=rate,
                validation_error_percent=error,
            )
        )
    best = min(rates, key=lambda row: row.validation_error_percent).learning_rate
    modules = {first: tried[best]}
    if others:
        recipe = Recipe(epochs=epochs, learning_rate=best)
        modules |= train_seeds(model, images, recipe, others, progress=progress)
    nets = [
        Net(data=images.name, data_id=images.content_id, model=model, seed=seed, module=module)
        for seed, module in modules.items()
    ]
    dense = to_frame([dense_row(net, images, best) for net in nets], DENSE_KEY)
    return nets, dense, to_frame(rates, RATE_KEY)


def dense_values(dense: DataFrame) -> dict[str, Value]:
    """Sum up the table of one kind of dense net for prose: accuracy over seeds and counts."""
    accuracy = t_interval(100 - dense["error_percent"].to_numpy())
    return {
        "test-accuracy": Value(value=accuracy.value, low=accuracy.low, high=accuracy.high, unit="%", n=accuracy.n),
        "weights": Value(value=float(dense["weights"].iloc[0]), digits=0),
        "biases": Value(value=float(dense["biases"].iloc[0]), digits=0),
        "learning-rate": Value(value=float(dense["learning_rate"].iloc[0]), digits=2),
    }


def dense_row(net: Net, images: Images, rate: float) -> Dense:
    """Measure a dense net on the validation and the test part."""
    test = evaluate(net.module, images.test)
    weights = prunable(net.module)
    biases = {name: value for name, value in net.module.named_parameters() if name not in weights}
    return Dense(
        data=net.data,
        data_id=net.data_id,
        model=net.model,
        seed=net.seed,
        learning_rate=rate,
        weights=sum(weight.numel() for weight in weights.values()),
        biases=sum(bias.numel() for bias in biases.values()),
        weight_rms=net.weight_rms,
        validation_error_percent=error_percent(evaluate(net.module, images.validation).accuracy),
        error_percent=error_percent(test.accuracy),
        loss=test.loss,
    )
