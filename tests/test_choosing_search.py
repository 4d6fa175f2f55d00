"""The search: what it finds is what brute force finds, with few evaluations; what cannot be met is said."""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from made_nets import examples, net
from properties import tries
from prunelab.choosing import (
    FAMILIES,
    Bench,
    Bounds,
    Family,
    ImpossibleError,
    Metric,
    Pruned,
    by_global,
    by_masks,
    by_name,
    choose,
    classification,
    search,
    verify,
)
from prunelab.choosing.bench import counted
from prunelab.choosing.bisection import spread
from prunelab.data import Split
from prunelab.measure import count, flops
from prunelab.pruning.thresholds import kept_at, order

TINY = net("mlp-4-3", shape=(1, 3, 3), double=False)
NET = net("mlp-8-6", double=False)  # 162 inputs: 1296 + 48 + 18 weights, 8 + 6 + 3 biases
WEIGHTS, BIASES = 1362, 17
INPUTS = examples(2, double=False).x
ASKED = ("max_parameters", "max_bytes", "max_flops", "min_pruned")


def split(count: int = 300, seed: int = 1) -> Split:
    drawn = examples(count, seed=seed, double=False)
    return Split(x=drawn.x, y=drawn.y)


def answered(part: Split) -> Split:
    """Take a net's own answers for the classes, so that it is always right and pruning can only break."""
    with torch.no_grad():
        return Split(x=part.x, y=NET(part.x).argmax(1))


class Worn(nn.Module):
    """Stands in for a net pruned to a level, with a weight for each level that is left."""

    def __init__(self, level: int, levels: int) -> None:
        super().__init__()
        self.level = level
        self.weight = nn.Parameter(torch.ones(1, levels + 1))
        with torch.no_grad():
            self.weight[:, :level] = 0


def worn(levels: int) -> tuple[nn.Module, Family]:
    """Make a family whose nets know their level and nothing else."""
    family = Family(
        name="worn",
        step="level",
        levels=levels,
        at=lambda level: Pruned(net=Worn(level, levels)),
        sketch=lambda level: Worn(level, levels),
    )
    return Worn(0, levels), family


def by_level(errors: Callable[[int], Sequence[float] | np.ndarray]) -> Metric:
    """Give errors that depend on nothing but a net's level."""
    return Metric(errors=lambda one: errors(int(one.level)))  # type: ignore[arg-type]


def broken(counts: Sequence[int], n: int) -> Metric:
    """Of n examples, all of them right at first, as many wrong at each level as its count says."""
    return by_level(lambda level: np.arange(n) < counts[level])


# --- what is counted ---


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("bound", ASKED)
@given(share=st.floats(0.05, 0.95))
@tries(6)
def test_the_least_pruning_that_meets_a_count_is_the_first_of_all_levels(family: str, bound: str, share: float) -> None:
    drawn = examples(40, shape=(1, 3, 3), double=False)
    path, inputs = by_name(family, TINY, Split(x=drawn.x, y=drawn.y)), drawn.x[:1]
    every = [counted(bound, path.sketch(level), TINY, inputs) for level in range(path.levels + 1)]
    limit = share if bound == "min_pruned" else math.floor(share * every[0])
    meets = [value >= limit if bound == "min_pruned" else value <= limit for value in every]
    bounds = Bounds(**{bound: limit})  # type: ignore[arg-type]
    if not any(meets):
        with pytest.raises(ImpossibleError, match=bound):
            choose(TINY, path, bounds, inputs=inputs)
        return
    choice = choose(TINY, path, bounds, inputs=inputs)

    assert choice.level == meets.index(True)
    assert choice.kept[0].value == every[choice.level]
    assert choice.kept[0].held
    assert choice.tested == ()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("share", [0.0, 0.31, 0.5, 0.999])
def test_a_share_that_may_be_pruned_at_most_alone_is_pruned_as_far_as_it_allows(family: str, share: float) -> None:
    path = by_name(family, NET, split(60))
    choice = choose(NET, path, Bounds(max_pruned=share))

    assert choice.sparsity <= share
    if choice.level < path.levels:
        assert counted("max_pruned", path.sketch(choice.level + 1), NET) > share


def test_counts_are_those_of_the_net_by_hand() -> None:
    level = 1000
    pruned = by_global(NET).at(level)
    kept = {name: int(mask.sum()) for name, mask in pruned.masks.items()}
    # Dense: 4 bytes a weight. CSR: 8 bytes a kept weight, 4 a row and 4 more. Each layer takes what is less.
    rows = {"fc1.weight": (8, 1296), "fc2.weight": (6, 48), "fc3.weight": (3, 18)}
    stored = sum(min(4 * size, 8 * kept[name] + 4 * (height + 1)) for name, (height, size) in rows.items())

    assert sum(kept.values()) == WEIGHTS - level
    assert counted("max_parameters", pruned.net, NET) == WEIGHTS - level + BIASES
    assert counted("max_bytes", pruned.net, NET) == stored + 4 * BIASES
    assert counted("max_flops", pruned.net, NET, INPUTS) == 2 * (WEIGHTS - level)
    assert counted("min_pruned", pruned.net, NET) == level / WEIGHTS


def test_counts_of_a_smaller_net_are_those_of_a_net_built_small() -> None:
    path = by_name("units", NET, split(60))
    choice = choose(NET, path, Bounds(max_flops=1000), inputs=INPUTS)
    a, b = (int((~gone).sum()) for gone in choice.pruned.removed.values())
    weights = 162 * a + a * b + 3 * b

    assert choice.kept[0].value == 2 * weights == flops(choice.pruned.net, (2, 9, 9))[-1].dense
    assert counted("max_parameters", choice.pruned.net, NET) == weights + a + b + 3
    assert counted("max_bytes", choice.pruned.net, NET) == 4 * (weights + a + b + 3)
    assert choice.sparsity == 1 - weights / WEIGHTS


def test_of_several_counts_the_one_that_takes_the_most_decides() -> None:
    bounds = {"max_parameters": 500, "max_bytes": 2000, "max_flops": 1200}
    levels = {name: choose(NET, by_global(NET), Bounds(**{name: v}), inputs=INPUTS).level for name, v in bounds.items()}
    choice = choose(NET, by_global(NET), Bounds(**bounds), inputs=INPUTS)

    assert choice.level == max(levels.values())
    assert [(kept.bound, kept.held) for kept in choice.kept] == [(name, True) for name in bounds]


def test_weights_that_are_zero_already_count_as_pruned() -> None:
    already = by_global(NET).at(700).net
    choice = choose(already, by_global(already), Bounds(max_parameters=500))

    assert choice.level == WEIGHTS + BIASES - 500
    assert choice.sparsity == choice.level / WEIGHTS
    assert choose(already, by_global(already), Bounds(min_pruned=0.5)).level == 0


# --- what is measured ---


@given(
    counts=st.lists(st.integers(0, 60), min_size=2, max_size=60).map(sorted),
    limit=st.floats(0.5, 20),
    confidence=st.sampled_from([0.5, 0.95, 0.999]),
)
@tries(60)
def test_where_the_drop_rises_with_the_level_the_largest_level_that_is_shown_is_found(
    counts: list[int], limit: float, confidence: float
) -> None:
    counts[0] = 0
    module, family = worn(len(counts) - 1)
    bench = Bench(module, family, metric=broken(counts, 300))
    tests = math.ceil(math.log2(len(counts)))
    alpha = (1 - confidence) / tests
    shown = [bench.rise(level, alpha).upper <= limit for level in range(len(counts))]
    expected = max((level for level in range(1, len(counts)) if shown[level]), default=0)
    if expected == 0:
        with pytest.raises(ImpossibleError, match="max_drop"):
            search(bench, Bounds(max_drop=limit), confidence=confidence, tests=tests)
        return
    choice = search(bench, Bounds(max_drop=limit), confidence=confidence, tests=tests)

    assert choice.level == expected
    assert len(choice.tested) <= tests
    assert choice.kept[0].upper == bench.rise(expected, alpha).upper


@pytest.mark.parametrize("family", FAMILIES)
def test_the_largest_pruning_of_a_real_net_is_that_of_brute_force_where_its_drop_is_monotone(family: str) -> None:
    data, scoring = (answered(part) for part in (split(400), split(60, seed=5)))
    path = by_name(family, NET, scoring)
    bench = Bench(NET, path, metric=classification(data))
    levels = spread(path.levels, 5)
    values = [bench.rise(level, None).value for level in levels]
    limit = 10.0
    choice = search(bench, Bounds(max_drop=limit), confidence=None, tests=5)

    assert choice.level in levels
    assert bench.rise(choice.level, None).value <= limit
    assert values[levels.index(choice.level) + 1] > limit
    if values == sorted(values):
        assert choice.level == max(level for level, value in zip(levels, values, strict=True) if value <= limit)


@given(top=st.integers(1, 10**7), tests=st.integers(1, 14))
def test_levels_are_spread_evenly_up_to_the_highest_as_many_as_the_tests_tell_apart(top: int, tests: int) -> None:
    levels = spread(top, tests)
    steps = np.diff([0, *levels])

    assert len(levels) == min(top, 2**tests - 1)
    assert levels[-1] == top
    assert levels == sorted(set(levels))
    assert steps.max() - steps.min() <= 1
    assert len(levels).bit_length() <= tests


def test_all_that_was_measured_is_kept_in_order_with_what_was_decided() -> None:
    module, family = worn(7)
    choice = choose(module, family, Bounds(max_drop=6), metric=broken([0, 0, 5, 9, 20, 40, 80, 150], 500))

    assert [one.level for one in choice.tested] == [4, 2, 3]
    assert [one.value for one in choice.tested] == pytest.approx([4.0, 1.0, 1.8])
    assert [one.held for one in choice.tested] == [False, True, True]
    assert [one.pruned for one in choice.tested] == [4 / 8, 2 / 8, 3 / 8]
    assert all(one.upper > one.value for one in choice.tested)
    assert (choice.level, choice.family, choice.levels) == (3, "worn", 7)


def test_searches_on_one_bench_measure_a_level_once() -> None:
    module, family = worn(100)
    seen: list[int] = []

    def errors(level: int) -> Sequence[float]:
        seen.append(level)
        return [0.0] * 1000

    bench = Bench(module, family, metric=by_level(errors))
    for limit in (5, 10, 20):
        search(bench, Bounds(max_drop=limit))

    assert len(seen) == len(set(seen)) == 8  # the whole net, and ceil(log2(101)) = 7 levels


def test_without_confidence_the_value_decides() -> None:
    module, family = worn(7)
    metric = broken([0, 1, 2, 3, 4, 5, 6, 7], 100)

    assert choose(module, family, Bounds(max_drop=5), metric=metric, confidence=None).level == 5
    with pytest.raises(ImpossibleError):
        choose(module, family, Bounds(max_drop=5), metric=metric)


def test_word_errors_of_utterances_are_searched_by_drawing_them_again() -> None:
    module, family = worn(15)
    generator = np.random.default_rng(0)
    words = generator.integers(3, 8, size=400)
    harder = generator.random((16, 400)) < np.arange(16)[:, None] / 60
    errors = np.cumsum(harder, axis=0) * 0.2  # word errors that rise with the level
    metric = Metric(errors=lambda one: errors[int(one.level)], sizes=words, name="WER rise")  # type: ignore[arg-type]
    bench = Bench(module, family, metric=metric)
    choice = search(bench, Bounds(max_drop=2.0))
    rates = 100 * (errors - errors[0]).sum(1) / words.sum()

    assert 0 < rates[choice.level] < 2.0
    assert bench.rise(choice.level + 1, 0.05 / 4).upper > 2.0
    assert choice.kept[0].value == pytest.approx(rates[choice.level])


@pytest.mark.parametrize("limit", [2.0, 5.0])
def test_the_drop_of_the_choice_exceeds_its_bound_no_more_often_than_the_confidence_allows(limit: float) -> None:
    # True drops rise with the level, and some examples are mended; each trial draws its own 800 of them.
    levels, n, trials, confidence = 63, 800, 400, 0.9
    worse, better = np.arange(levels + 1) / 500, np.arange(levels + 1) / 2500
    true_drop = 100 * (worse - better)
    module, family = worn(levels)
    generator = np.random.default_rng(7)
    failures, by_value = 0, 0
    for _ in range(trials):
        where, wrong = generator.random(n), generator.random(n) < 0.3
        errors = [flipped(wrong, where, *shares) for shares in zip(worse, better, strict=True)]
        bench = Bench(module, family, metric=by_level(errors.__getitem__))
        try:
            level = search(bench, Bounds(max_drop=limit), confidence=confidence).level
        except ImpossibleError:
            level = 0
        failures += true_drop[level] > limit
        with suppress(ImpossibleError):
            by_value += true_drop[search(bench, Bounds(max_drop=limit), confidence=None).level] > limit

    assert failures <= (1 - confidence) * trials
    assert by_value > 3 * (1 - confidence) * trials  # what deciding by the value alone would come to


def flipped(wrong: np.ndarray, where: np.ndarray, worse: float, better: float) -> np.ndarray:
    """Break a part of the examples that are right and mend one of those that are wrong, the same ones first."""
    broke, mended = where < worse / 0.7, where < better / 0.3
    return np.where(wrong, ~mended, broke)


def test_a_latency_is_met_by_the_least_pruning_and_the_timer_is_given_what_is_deployed() -> None:
    module, family = worn(7)
    timed: list[int] = []

    def timer(call: Callable[[], object]) -> list[float]:
        level = call()
        assert isinstance(level, int)
        timed.append(level)
        return [(100 - 10 * level + noise) / 1000 for noise in (-1, -0.5, 0, 0.5, 1) * 4]

    choice = choose(
        module,
        family,
        Bounds(max_latency_ms=65),
        inputs=torch.zeros(1, 1),
        timer=timer,
        deploy=lambda one: lambda _: one.level,
    )

    assert choice.level == 4  # 60 ms; at 3 it is 70
    assert choice.kept[0].value == pytest.approx(60)
    assert 60 < choice.kept[0].upper <= 61  # type: ignore[operator]
    assert len(timed) == len(set(timed)) <= 4
    assert all(one.bound == "max_latency_ms" for one in choice.tested)


def test_a_latency_that_fails_where_the_drop_allows_is_impossible_and_not_passed_over() -> None:
    module, family = worn(7)

    def timer(call: Callable[[], object]) -> list[float]:
        return [0.010 if call() == 7 else 0.001] * 30  # the highest level is slow for once

    with pytest.raises(ImpossibleError, match=r"max_latency_ms 5 ms: at level 7 of 7 .*, it is 10 ms") as refused:
        choose(
            module,
            family,
            Bounds(max_drop=50, max_latency_ms=5),
            metric=broken([0] * 8, 2000),
            inputs=torch.zeros(1, 1),
            timer=timer,
            deploy=lambda one: lambda _: one.level,
        )

    assert refused.value.bound == "max_latency_ms"


def test_a_latency_that_the_whole_net_meets_takes_no_pruning() -> None:
    module, family = worn(7)
    choice = choose(
        module,
        family,
        Bounds(max_latency_ms=5),
        inputs=torch.zeros(1, 1),
        timer=lambda _: [0.001] * 30,
        deploy=lambda one: lambda _: one,
    )

    assert choice.level == 0


def test_a_latency_that_pruning_does_not_change_is_impossible_and_says_what_was_reached() -> None:
    data = split(20)
    with pytest.raises(ImpossibleError) as refused:
        choose(NET, by_global(NET), Bounds(max_latency_ms=1), inputs=data.x[:1], timer=lambda _: [0.002] * 30)

    assert str(refused.value) == (
        "no global pruning meets max_latency_ms 1 ms: pruned as far as it goes, it comes to 2 ms"
    )
    assert (refused.value.bound, refused.value.limit, refused.value.value) == ("max_latency_ms", 1, 2)


# --- both, and what is impossible ---


def test_a_drop_and_a_share_allowed_at_most_choose_the_smaller_of_both() -> None:
    module, family = worn(9)
    metric = broken([0] * 7 + [300, 300, 300], 1000)

    assert choose(module, family, Bounds(max_drop=2, max_pruned=0.9), metric=metric).level == 6
    assert choose(module, family, Bounds(max_drop=2, max_pruned=0.35), metric=metric).level == 3
    assert choose(module, family, Bounds(max_drop=2, max_pruned=0.0), metric=metric).level == 0


def test_the_largest_pruning_within_a_drop_is_held_against_what_is_asked() -> None:
    module, family = worn(9)
    choice = choose(module, family, Bounds(max_drop=2, min_pruned=0.3), metric=broken([0] * 7 + [300] * 3, 1000))

    assert choice.level == 6  # the largest, though 3 would do
    assert [(kept.bound, kept.value, kept.held) for kept in choice.kept] == [
        ("max_drop", 0.0, True),
        ("min_pruned", 0.6, True),
    ]


def test_a_count_that_no_level_meets_names_the_bound_and_the_least_there_is() -> None:
    with pytest.raises(ImpossibleError) as refused:
        choose(NET, by_global(NET), Bounds(max_parameters=10))

    assert str(refused.value) == (
        "no global pruning meets max_parameters 10 parameters: pruned as far as it goes, it comes to 18 parameters"
    )
    assert (refused.value.value, refused.value.level) == (BIASES + 1, WEIGHTS - 1)


def test_a_drop_that_forbids_what_is_asked_says_how_far_it_goes_and_what_the_rest_would_cost() -> None:
    module, family = worn(9)
    with pytest.raises(ImpossibleError) as refused:
        choose(module, family, Bounds(max_drop=2, min_pruned=0.8), metric=broken([0] * 7 + [300] * 3, 1000))

    upper = Bench(module, family, metric=broken([0] * 7 + [300] * 3, 1000)).rise(8, 0.05 / 4).upper
    assert str(refused.value) == (
        "no worn pruning meets min_pruned 80 % of the weights pruned: it takes level 8 of 9 (80 % of the weights "
        f"pruned), with accuracy drop at most {upper:.3g} points; max_drop 2 points allows no more than level 6 of 9 "
        "(60 % of the weights pruned), with 60 % of the weights pruned"
    )
    assert (refused.value.bound, refused.value.value, refused.value.level) == ("min_pruned", 0.6, 6)


def test_a_share_allowed_that_is_less_than_a_count_asks_says_both() -> None:
    with pytest.raises(ImpossibleError, match="meets max_parameters") as refused:
        choose(NET, by_global(NET), Bounds(max_parameters=300, max_pruned=0.5))

    assert "level 1,079 of 1,361" in str(refused.value)
    assert "max_pruned 50 % of the weights pruned allows no more than level 681" in str(refused.value)
    assert refused.value.value == WEIGHTS - 681 + BIASES


def test_too_few_examples_to_show_a_drop_are_counted() -> None:
    module, family = worn(7)
    with pytest.raises(ImpossibleError) as refused:
        choose(module, family, Bounds(max_drop=0.5), metric=broken([0] * 8, 200))

    # Of 3 tests each may fail with 0.05 / 3, half of it on either side: ln(0.05 / 6) / ln(1 - 0.005) = 955.1.
    assert "at the lowest level tried, level 1 of 7" in str(refused.value)
    assert str(refused.value).endswith("; 200 examples, none made wrong or right, cannot show less: give 956 or more")
    assert refused.value.value == pytest.approx(100 * (1 - (0.05 / 6) ** (1 / 200)))


def test_a_net_pruned_further_than_is_allowed_is_refused() -> None:
    already = by_global(NET).at(700).net
    with pytest.raises(ImpossibleError, match=r"the net as given has 51\.4 % of the weights pruned already"):
        choose(already, by_global(already), Bounds(max_pruned=0.5))


# --- what is verified ---


def test_verifying_measures_every_bound_again_on_other_examples() -> None:
    data, other = split(400), split(500, seed=9)
    path = by_global(NET)
    bounds = Bounds(max_drop=80, max_parameters=600, max_bytes=5000, max_flops=1400, min_pruned=0.3, max_pruned=0.9)
    choice = choose(NET, path, bounds, metric=classification(data), inputs=INPUTS)
    again = verify(choice.pruned.net, NET, bounds, metric=classification(other), inputs=INPUTS)
    with torch.no_grad():
        right = [(one(other.x).argmax(1) == other.y).float().mean() for one in (NET, choice.pruned.net)]
    kept = count(choice.pruned.net)[-1].kept

    assert [one.bound for one in again] == list(bounds.given)
    assert again[0].value == pytest.approx(100 * float(right[0] - right[1]), abs=1e-4)
    assert again[0].upper is not None
    assert again[0].upper > again[0].value
    assert {one.bound: one.value for one in again[1:]} == {one.bound: one.value for one in choice.kept[1:]}
    assert again[1].value == kept + BIASES
    assert again[4].value == choice.sparsity


def test_verifying_says_what_no_longer_holds() -> None:
    module, _ = worn(4)
    (again,) = verify(Worn(3, 4), module, Bounds(max_drop=1), metric=broken([0, 0, 0, 30, 40], 1000))

    assert again.value == pytest.approx(3.0)
    assert not again.held


@pytest.mark.parametrize("bound", ["max_drop", "max_flops", "max_latency_ms"])
def test_what_a_bound_needs_is_asked_for(bound: str) -> None:
    bounds = Bounds(**{bound: 1})
    for measure in (lambda: choose(NET, by_global(NET), bounds), lambda: verify(NET, NET, bounds)):
        with pytest.raises(ValueError, match=f"{bound} needs"):
            measure()


# --- what cannot be asked ---


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({}, "at least one bound of max_drop, max_parameters"),
        ({"max_drop": -1}, "max_drop is a finite number, at least 0; got -1"),
        ({"max_bytes": math.inf}, "max_bytes is a finite number"),
        ({"min_pruned": 90}, r"in \[0, 1\); got 90; did you mean 0.9\?"),
        ({"max_pruned": 1.0}, r"in \[0, 1\); got 1.0"),
        ({"min_pruned": 0.9, "max_pruned": 0.8}, "min_pruned is at most max_pruned; got 0.9 and 0.8"),
    ],
)
def test_bounds_that_say_nothing_are_refused(limits: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Bounds(**limits)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"confidence": 95}, r"in \(0, 1\); got 95; did you mean 0.95\?"),
        ({"confidence": 1.0}, "got 1.0"),
        ({"tests": 0}, "at least 1 test; got 0"),
    ],
)
def test_settings_out_of_range_are_refused(setting: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        choose(NET, by_global(NET), Bounds(min_pruned=0.5), **setting)  # type: ignore[arg-type]


def test_prunings_that_are_not_nested_are_noticed() -> None:
    ranks = order({"fc1.weight": torch.arange(1296.0).view(8, 162)})
    backwards = by_masks(NET, lambda level: kept_at(ranks, 1296 - level), 1296)

    with pytest.raises(ValueError, match="a higher level of a family removes more; masks has"):
        choose(NET, backwards, Bounds(max_parameters=1000))


def test_operations_of_layers_that_are_not_counted_are_refused_in_one_line() -> None:
    module = net("conv-3k3-4-bn", double=False)
    with pytest.raises(ValueError, match="max_flops cannot be told of this net: operations are counted for"):
        choose(module, by_global(module), Bounds(max_flops=10), inputs=INPUTS)
    assert choose(module, by_global(module), Bounds(min_pruned=0.5), inputs=INPUTS).sparsity >= 0.5


def test_a_metric_without_examples_is_refused() -> None:
    with pytest.raises(ValueError, match="the split is empty"):
        classification(Split(x=torch.zeros(0, 1, 2, 2), y=torch.zeros(0, dtype=torch.int64)))


def test_accuracy_is_counted_in_batches_of_any_size_and_the_net_keeps_its_mode() -> None:
    data, module = split(50), net("conv-3k3-4-bn", double=False).train()
    found = [np.asarray(classification(data, batch_size=size).errors(module)) for size in (7, 50)]

    assert found[0].tolist() == found[1].tolist()
    assert module.training
    assert set(found[0]) <= {0.0, 1.0}
