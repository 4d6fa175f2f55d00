"""The rules of the mean-replacement study, on hand-made tables: each verdict, and why.

Most values vary over three seeds by -sway, 0, +sway: their standard deviation is the sway, and Student's t with two
degrees of freedom, 4.3027 at 95 %, makes the half-width of their interval 4.3027 / sqrt(3) = 2.4841 sways.
"""

import itertools

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from properties import tries
from prunelab import claims
from prunelab.studies.units import rules
from prunelab.studies.units.trajectory import Choice, Penalty, Square
from prunelab.studies.units.tuning import FineTuned, Iterative

HALF = 2.4841  # sways
SEEDS = (0, 1, 2)
STEPS = (100, 200)  # the first is in the first half of the training, the second in the second
SCORES = ("random", "norm", "activation", "taylor-abs", "mrs", "mrs-abs")
PLACES = {name: f"some-run/tables/{name}.csv" for name in rules.RUNS}
NET = {"data": ("digits",), "model": ("tiny-conv",), "seed": SEEDS}
WAYS = ("none", "mean")
# What a layer's penalties and differences are multiplied by: 1 on average over single layers, and with all at once.
LAYERS = {"conv1": 0.5, "conv2": 1.5, "all": 1.0}


def table(column, value, **axes):
    """A row for each combination of the axes, with what `value` makes of it."""
    whole = NET | axes
    rows = [dict(zip(whole, cell, strict=True)) for cell in itertools.product(*whole.values())]
    return pd.DataFrame([row | {column: value(row)} for row in rows])


def off(row, sway):
    return sway * (row["seed"] - 1)


def decided(claim, **tables):
    """The verdict on one claim, from one table; its name's hyphen is written as an underscore."""
    whole = {name.replace("_", "-"): own for name, own in tables.items()}
    return next(verdict for verdict in rules.verdicts(whole, where=PLACES) if verdict.id == claim)


def summary(found, *cases):
    return {case.case: (case.verdict, case.effect) for case in found.cases if not cases or case.case in cases}


# --- tables as the source would have them ---


def penalties(differences=None, *, sway=0.0, layers=LAYERS, **axes):
    """Penalties whose difference, mean - none, is given by score, and moves by a sway from seed to seed."""
    differences = dict.fromkeys(SCORES, -0.2) if differences is None else differences

    def penalty(row):
        factor, difference = layers[row["layer"]], differences[row["score"]] + off(row, sway)
        return factor * (1.0 + row["step"] / 1000 + (difference if row["replacement"] == "mean" else 0.0))

    own = {"step": STEPS, "layer": layers, "score": differences, "replacement": WAYS, "part": ("train", "test")}
    return table("penalty", penalty, **(own | axes))


def tuned(differences=None, *, sway=0.0, rise=0.0, **axes):
    """Penalties after tuning, whose difference is given by tuning steps; `rise` moves the last alone."""
    differences = {0: 9.0, 10: -0.3, 100: -0.2, 500: -0.1} if differences is None else differences

    def penalty(row):
        last = row["tuning_steps"] == max(differences)
        difference = differences[row["tuning_steps"]] + off(row, sway) + (off(row, rise) if last else 0.0)
        return 1.0 + (difference if row["replacement"] == "mean" else 0.0)

    own = {"step": STEPS, "layer": ("conv1",), "score": SCORES, "replacement": WAYS, "tuning_steps": differences}
    return table("penalty", penalty, **(own | {"part": ("train",)} | axes))


def squares(scales, **axes):
    """Eleven units of 0 to 10 times a score's scale, so that their upper decile is 9 times that."""
    own = {"step": STEPS, "layer": ("conv2",), "score": scales, "unit": range(11)}
    return table("mean_square", lambda row: row["unit"] * scales[row["score"]], **(own | axes))


MRS_LARGE = {"random": 1.0, "norm": 1.0, "taylor-abs": 0.5, "mrs": 3.0, "mrs-abs": 2.0}


def choices(chosen=None, late=None, *, sway=0.0, draws=60, share=0.1, **axes):
    """Shares chosen by the last of many checkpoints; random is drawn, and the others keep their shares throughout."""
    chosen = {"random": 1.0} | dict.fromkeys(rules.GOOD, 0.3) | (chosen or {})
    late = {"random": 1.0} | dict.fromkeys(rules.GOOD, 0.2) | (late or {})

    def fraction(row):
        first = row["score"] == "random" and row["step"] < 100 * draws
        return share if first else chosen[row["score"]] + (off(row, sway) if row["score"] == "norm" else 0.0)

    own = {"step": range(100, 100 * draws + 1, 100), "layer": ("conv1", "conv2"), "score": chosen}
    whole = table("chosen_fraction", fraction, **(own | axes))
    # Before the first third has passed there is no late share.
    return whole.assign(late_fraction=whole["score"].map(late).where(whole["step"] > 100 * draws / 3))


def rounds(spreads=None, *, sway=0.0, **axes):
    """Losses of two scores, apart by twice the schedule's standard deviation times the share removed."""
    spreads = {"iterative": 0.1, "one shot": 0.5, "one shot, tuned": 0.2} if spreads is None else spreads

    def loss(row):
        half = spreads[row["schedule"]] + (off(row, sway) if row["schedule"] == "iterative" else 0.0)
        side = 1 if row["score"] == "norm" else -1
        return 5.0 + row["removed_percent"] * half * side

    own = {
        "schedule": spreads,
        "score": ("norm", "mrs"),
        "replacement": WAYS,
        "removed_percent": (0, 1, 3),
        "part": ("train", "test"),
    }
    return table("loss", loss, **(own | axes))


def source_account():
    """All five tables, as if everything the source says were so."""
    return {
        "penalties": penalties(),
        "choices": choices(),
        "squares": squares(MRS_LARGE),
        "fine-tuned": tuned(layer=("conv1", "all"), part=("train", "test")),
        "iterative": rounds(),
    }


def test_the_sources_account_reproduces_every_claim():
    verdicts = rules.verdicts(source_account(), where=PLACES)

    ways = [
        f"{part}, {pruned}" for part in ("test", "train") for pruned in ("all layers at once", "one layer at a time")
    ]
    assert [verdict.id for verdict in verdicts] == [claim.id for claim in claims.load() if claim.study == rules.STUDY]
    assert {verdict.id: verdict.reason for verdict in verdicts if verdict.verdict != "reproduced"} == {}
    assert {
        verdict.id: [case.case.removeprefix("tiny-conv on digits") for case in verdict.cases] for verdict in verdicts
    } == {
        "lowers-penalty": [f", {way}" for way in ways],
        "survives-fine-tuning": [f", {way}, {half} half of training" for way in ways for half in ("first", "second")],
        "profiles-improve": [", test", ", train"],
        "mrs-large-activations": [", conv2, mrs", ", conv2, mrs-abs"],
        "consistent-choices": [""],
        "layers-differ": [", test", ", train"],
        "iterative": [
            f", {part}, against {rival}" for part in ("test", "train") for rival in ("one shot", "one shot, tuned")
        ],
    }
    assert {verdict.id: verdict.table.split("/")[-1] for verdict in verdicts} == {
        "lowers-penalty": "penalties.csv",
        "survives-fine-tuning": "fine-tuned.csv",
        "profiles-improve": "penalties.csv",
        "mrs-large-activations": "squares.csv",
        "consistent-choices": "choices.csv",
        "layers-differ": "penalties.csv",
        "iterative": "iterative.csv",
    }


def test_one_seed_decides_nothing():
    tables = {name: table[table["seed"] == 0] for name, table in source_account().items()}

    verdicts = rules.verdicts(tables, where=PLACES)

    assert {verdict.verdict for verdict in verdicts} == {"inconclusive"}
    assert all("at least two seeds" in verdict.reason for verdict in verdicts)


@tries(5)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_rows_plays_no_part(seed):
    tables = source_account()
    tables["choices"] = choices(draws=12)
    tables["penalties"] = penalties({"norm": -0.2, "mrs": 0.1, "random": -0.02}, sway=0.01)
    mixed = {name: table.sample(frac=1, random_state=seed) for name, table in tables.items()}

    assert rules.verdicts(mixed, where=PLACES) == rules.verdicts(tables, where=PLACES)


@pytest.mark.parametrize(
    ("name", "claim", "row"),
    [
        ("penalties", "lowers-penalty", {"replacement": "mean", "part": "test", "layer": "conv2", "score": "norm"}),
        ("penalties", "profiles-improve", {"replacement": "mean", "part": "test", "layer": "conv2", "score": "norm"}),
        ("penalties", "layers-differ", {"replacement": "mean", "part": "test", "layer": "conv2", "score": "norm"}),
        ("fine-tuned", "survives-fine-tuning", {"tuning_steps": 500, "score": "norm", "part": "test", "layer": "all"}),
        ("squares", "mrs-large-activations", {"score": "norm", "step": 200}),
        ("choices", "consistent-choices", {"score": "norm", "step": 6000}),
        ("iterative", "iterative", {"schedule": "one shot", "score": "mrs", "part": "test", "removed_percent": 3}),
    ],
)
def test_a_seed_that_lacks_a_setting_leaves_its_claim_open_and_is_named(name, claim, row):
    whole = source_account()[name]
    lacking = (whole[list(row)] == pd.Series(row)).all(axis=1) & (whole["seed"] == 1)

    found = decided(claim, **{name.replace("-", "_"): whole[~lacking]})

    case = next(case for case in found.cases if case.verdict == "inconclusive")
    assert lacking.any()
    assert (found.verdict, case.effect, case.n_seeds) == ("inconclusive", None, 3)
    assert "seed 1" in case.reason


def test_what_is_no_scoring_function_plays_no_part():
    tables = source_account()
    exact = penalties({"exact": 5.0}).assign(layer="conv1").drop_duplicates([*NET, "step", "replacement", "part"])
    nothing = tuned().query("replacement == 'none' and score == 'norm'").assign(score="nothing", layer="none")
    odd = tables | {
        "penalties": pd.concat([tables["penalties"], exact]),
        "fine-tuned": pd.concat([tables["fine-tuned"], nothing]),
    }

    assert rules.verdicts(odd, where=PLACES) == rules.verdicts(tables, where=PLACES)
    found = decided("lowers-penalty", penalties=exact)
    assert (found.verdict, found.effect) == ("inconclusive", None)
    assert "no scoring function was measured, only exact" in found.reason


# --- lowers-penalty ---


@pytest.mark.parametrize(
    ("differences", "verdict", "effect", "named"),
    [
        ({"norm": -0.2, "random": -0.1}, "reproduced", -0.1, "worst of 2, random"),  # the least favourable is quoted
        ({"norm": -0.2, "random": 0.1}, "not-reproduced", 0.1, "fails: random"),
        ({"norm": -0.02, "random": -0.2}, "inconclusive", -0.02, "open: norm"),  # -0.045 to 0.005
        ({"norm": -0.02, "random": 0.1}, "not-reproduced", 0.1, "fails: random; open: norm"),
        ({"norm": 0.3, "random": 0.1}, "not-reproduced", 0.3, "fails: norm, random"),
    ],
)
def test_penalties_are_lower_where_every_score_gains(differences, verdict, effect, named):
    found = decided("lowers-penalty", penalties=penalties(differences, sway=0.01))

    assert found.verdict == verdict
    assert (found.effect, found.effect - found.low, found.high - found.effect) == pytest.approx(
        (effect, 0.01 * HALF, 0.01 * HALF), abs=1e-5
    )
    assert (found.unit, found.n_seeds) == ("nats", 3)
    assert named in found.reason


def test_checkpoints_and_layers_count_within_a_seed_and_not_as_samples():
    # In every seed the gain is 0.1 at one checkpoint and 0.3 at the other.
    whole = penalties({"norm": 0.0}, layers={"conv1": 1.0})
    whole.loc[whole["replacement"] == "mean", "penalty"] -= whole["step"].map({100: 0.1, 200: 0.3})

    found = decided("lowers-penalty", penalties=whole)

    assert (found.verdict, found.n_seeds) == ("reproduced", 3)
    assert (found.effect, found.low, found.high) == pytest.approx((-0.2, -0.2, -0.2))


def test_one_layer_and_all_layers_and_parts_are_decided_apart():
    whole = penalties()
    whole.loc[(whole["layer"] == "all") & (whole["replacement"] == "mean"), "penalty"] += 0.5
    whole.loc[(whole["part"] == "train") & (whole["replacement"] == "mean"), "penalty"] -= 1.0

    found = decided("lowers-penalty", penalties=whole)

    assert {case.removeprefix("tiny-conv on digits, "): verdict for case, (verdict, _) in summary(found).items()} == {
        "test, all layers at once": "not-reproduced",
        "test, one layer at a time": "reproduced",
        "train, all layers at once": "reproduced",
        "train, one layer at a time": "reproduced",
    }
    assert found.verdict == "partly"


def test_a_replacement_that_was_never_measured_leaves_it_open():
    found = decided("lowers-penalty", penalties=penalties(replacement=("none",)))

    assert (found.verdict, found.effect) == ("inconclusive", None)
    assert "no penalty for score activation, step 100, layer all, seed 0, replacement mean and " in found.reason


# --- survives-fine-tuning ---


@pytest.mark.parametrize(
    ("differences", "sways", "verdict", "effect"),
    [
        ((-0.3, -0.2, -0.1), (0.01, 0.0), "reproduced", -0.1),
        ((-0.3, -0.2, 0.1), (0.01, 0.0), "not-reproduced", 0.1),  # turned round
        ((-0.3, -0.2, 0.0), (0.0, 0.0), "not-reproduced", 0.0),  # gone
        ((-0.1, -0.2, -0.3), (0.01, 0.0), "not-reproduced", -0.1),  # there, and grows
        ((-0.3, -0.2, -0.25), (0.01, 0.0), "not-reproduced", -0.05),  # grows again at the end
        ((-0.3, -0.2, -0.02), (0.01, 0.0), "inconclusive", -0.02),  # -0.045 to 0.005
        ((-0.3, -0.2, -0.19), (0.0, 0.01), "inconclusive", 0.01),  # the last rise is 0.01 +- 0.025
        ((0.3, 0.2, 0.1), (0.0, 0.0), "not-reproduced", 0.1),  # a disadvantage shrinks
    ],
)
def test_the_advantage_shrinks_and_is_still_there(differences, sways, verdict, effect):
    sway, rise = sways
    differences = dict(zip((10, 100, 500), differences, strict=True))

    found = decided("survives-fine-tuning", fine_tuned=tuned({0: 9.0, **differences}, sway=sway, rise=rise))

    assert (found.verdict, found.effect) == (verdict, pytest.approx(effect))
    assert f"; after 10 steps: {differences[10]:g} nats" in found.reason


def test_halves_are_those_of_the_last_checkpoint_tuned_and_decided_apart():
    whole = tuned(step=(0, 150, 300, 500))
    whole.loc[(whole["step"] > 250) & (whole["replacement"] == "mean") & (whole["tuning_steps"] == 500), "penalty"] += 1

    found = decided("survives-fine-tuning", fine_tuned=whole)

    prefix = "tiny-conv on digits, train, one layer at a time, "
    assert summary(found) == {
        f"{prefix}first half of training": ("reproduced", pytest.approx(-0.1)),
        f"{prefix}second half of training": ("not-reproduced", pytest.approx(0.9)),
    }


def test_one_number_of_tuning_steps_shows_no_decrease():
    found = decided("survives-fine-tuning", fine_tuned=tuned({0: -0.3, 10: -0.2}))

    assert (found.verdict, found.effect) == ("inconclusive", None)
    assert "two or more numbers of tuning steps are compared; got [10]" in found.reason


# --- profiles-improve ---

WHOLE = st.integers(-20, 20)  # whole penalties and dyadic constants make thresholds exact
MEASUREMENTS = st.integers(1, 5).flatmap(
    lambda methods: st.lists(st.lists(WHOLE, min_size=methods, max_size=methods), min_size=1, max_size=6)
)


def test_profiles_of_one_measurement_are_where_the_methods_stand_between_worst_and_best():
    found = rules.reached([[3.0, 1.0, 5.0, 2.0]])

    np.testing.assert_allclose(found, [[0.5, 1.0, 0.0, 0.75]])
    np.testing.assert_allclose(
        rules.profile([[3.0, 1.0, 5.0, 2.0]], [0.0, 0.5, 0.75, 1.0]),
        [[1, 1, 1, 1], [1, 1, 0, 1], [0, 1, 0, 1], [0, 1, 0, 0]],
    )


@given(MEASUREMENTS)
def test_the_area_is_the_integral_of_the_sources_definition(rows):
    penalties, t = np.array(rows, dtype=float), (np.arange(1024) + 0.5) / 1024
    best, worst = penalties.min(axis=1), penalties.max(axis=1)
    thresholds = np.outer(t, best) + np.outer(1 - t, worst)  # (points, measurements)
    defined = (penalties[None] <= thresholds[:, :, None]).mean(axis=1)  # (points, methods)

    np.testing.assert_array_equal(rules.profile(penalties, t), defined)
    np.testing.assert_allclose(rules.reached(penalties).mean(axis=0), defined.mean(axis=0), atol=1 / 1024)


@given(MEASUREMENTS, st.integers(1, 100), st.integers(-100, 100))
def test_profiles_take_no_account_of_the_unit_nor_of_what_all_methods_share(rows, scale, shift):
    penalties = np.array(rows, dtype=float)

    np.testing.assert_allclose(rules.reached(penalties * scale + shift), rules.reached(penalties), atol=1e-12)
    assert (rules.profile(penalties, [0.0]) == 1).all()
    assert (rules.profile(penalties, [1.0]).sum() >= 1 - 1e-12).all()  # some method is the best


@pytest.mark.parametrize(
    ("penalties", "t", "message"),
    [
        ([1.0, 2.0], [0.5], r"shape \(measurements, methods\); got \(2,\)"),
        (np.empty((0, 3)), [0.5], r"got \(0, 3\)"),
        ([[1.0, np.inf]], [0.5], "finite penalties; got inf"),
        ([[1.0, 2.0]], [50.0], r"T in \[0, 1\]"),
    ],
)
def test_profiles_of_what_is_no_table_of_penalties_are_refused(penalties, t, message):
    with pytest.raises(ValueError, match=message):
        rules.profile(penalties, t)


@pytest.mark.parametrize(
    ("means", "verdict", "effect"),
    [
        # Without replacement norm costs 3 and random 5; with it, what is said: the area gains follow by hand.
        ((1.0, 3.0), "reproduced", 0.5),  # 0.5 to 1, and 0 to 0.5
        ((1.0, 5.0), "not-reproduced", 0.0),  # random does not gain
        ((4.0, 3.0), "not-reproduced", -0.5),  # norm falls from 1 to 0.5
    ],
)
def test_profiles_improve_where_every_score_gains_area(means, verdict, effect):
    costs = {("norm", "none"): 3.0, ("random", "none"): 5.0}
    costs |= dict(zip((("norm", "mean"), ("random", "mean")), means, strict=True))
    # Checkpoints differ in scale by a thousand: a profile does not see it.
    whole = table(
        "penalty",
        lambda row: costs[row["score"], row["replacement"]] * row["step"],
        step=(1, 1000),
        layer=("conv1", "all"),
        score=("norm", "random"),
        replacement=WAYS,
        part=("test",),
    )

    found = decided("profiles-improve", penalties=whole)

    assert (found.verdict, found.effect) == (verdict, pytest.approx(effect))
    assert (found.case, found.unit) == ("tiny-conv on digits, test", "of area under the profile")


def test_gains_in_area_that_differ_between_seeds_are_open():
    # Of two methods the better has area 1, the worse 0: gains of 1, 1 and -1.
    whole = penalties({"norm": -0.2})
    whole.loc[(whole["seed"] == 2) & (whole["replacement"] == "mean"), "penalty"] += 1.0
    low, high = scipy.stats.t.interval(0.95, 2, 1 / 3, scipy.stats.sem([1, 1, -1]))

    found = decided("profiles-improve", penalties=whole)

    assert found.verdict == "inconclusive"
    assert (found.effect, found.low, found.high) == pytest.approx((1 / 3, low, high))


# --- layers-differ ---


@pytest.mark.parametrize(
    ("factors", "sway", "verdict", "named"),
    [
        ({"conv1": 0.5, "conv2": 1.5, "fc1": 1.0}, 0.0, "reproduced", "penalty, conv2 - conv1: "),
        ({"conv1": 1.0, "conv2": 1.0, "fc1": 1.0}, 0.01, "not-reproduced", "fails: penalty, conv1 - conv2, gain, "),
    ],
)
def test_layers_differ_where_the_surest_pair_does(factors, sway, verdict, named):
    found = decided("layers-differ", penalties=penalties({"norm": -0.2}, layers=factors, sway=sway))

    assert found.verdict == verdict
    assert named in found.reason
    assert found.effect == pytest.approx(1.15 * (factors["conv2"] - factors["conv1"]))  # 1.1 and 1.2 at the checkpoints


def test_pairs_of_layers_are_held_to_bonferronis_level():
    # Three layers, three pairs: level 1 - 0.05 / 3. The gains of fc1 and conv1 are 0.6 and 0.2, the first swaying.
    whole = penalties({"norm": -0.2}, layers={"conv1": 1.0, "conv2": 2.0, "fc1": 3.0})
    moved = (whole["layer"] == "fc1") & (whole["replacement"] == "mean")
    whole.loc[moved, "penalty"] += 0.01 * (whole["seed"] - 1)
    half = scipy.stats.t.ppf(1 - 0.05 / 3 / 2, 2) * 0.01 / np.sqrt(3)

    found = decided("layers-differ", penalties=whole)

    expected = f"gain, fc1 - conv1: 0.4 nats (98.3333 % interval {0.4 - half:.4g} to {0.4 + half:.4g}, 3 seeds)"
    assert expected in found.reason


def test_a_noisy_pair_further_apart_does_not_hide_one_that_differs_for_sure():
    whole = penalties({"norm": -0.2}, layers={"conv1": 1.0, "conv2": 1.5, "fc1": 2.0})
    whole.loc[whole["layer"] == "fc1", "penalty"] += 3.0 * (whole["seed"] - 1)

    found = decided("layers-differ", penalties=whole)

    assert found.reason.startswith("penalty, conv2 - conv1: 0.575 nats")
    assert found.verdict == "reproduced"


def test_a_difference_between_layers_that_is_not_shown_is_open():
    whole = penalties({"norm": -0.2}, layers={"conv1": 1.0, "conv2": 1.5})
    whole.loc[whole["layer"] == "conv2", "penalty"] += 3.0 * (whole["seed"] - 1)

    found = decided("layers-differ", penalties=whole)

    assert found.verdict == "inconclusive"
    assert found.effect == pytest.approx(0.575)
    assert "open: penalty, conv2 - conv1" in found.reason


def test_a_gain_alike_in_all_layers_refutes_even_where_penalties_differ():
    whole = penalties({"norm": 0.0}, layers={"conv1": 0.5, "conv2": 1.5})

    found = decided("layers-differ", penalties=whole)

    assert (found.verdict, found.effect) == ("not-reproduced", 0.0)
    assert "fails: gain" in found.reason


@pytest.mark.parametrize(
    ("layers", "missing"),
    [({"conv1": 1.0, "all": 1.0}, "only conv1 was pruned"), ({"all": 1.0}, "no layers pruned one at a time")],
)
def test_one_layer_or_all_at_once_leave_their_difference_open(layers, missing):
    found = decided("layers-differ", penalties=penalties(layers=layers))

    assert (found.verdict, found.effect) == ("inconclusive", None)
    assert missing in found.reason


# --- mrs-large-activations ---


@pytest.mark.parametrize(
    ("scales", "verdict", "effect"),
    [
        ({"mrs": 3.0, "norm": 1.0, "random": 0.5}, "reproduced", 0.5),  # 27 against 9
        ({"mrs": 1.0, "norm": 3.0, "random": 0.5}, "not-reproduced", -0.5),
        ({"mrs": 1.0, "norm": 1.0, "random": 0.5}, "not-reproduced", 0.0),
        ({"mrs": 2.0, "norm": 0.0, "random": 0.0}, "reproduced", 1.0),  # others choose dead units
        ({"mrs": 0.0, "norm": 0.0, "random": 0.0}, "not-reproduced", 0.0),  # all choose dead units
    ],
)
def test_mrs_chooses_active_units_where_its_upper_decile_is_the_largest(scales, verdict, effect):
    found = decided("mrs-large-activations", squares=squares(scales))

    assert summary(found)["tiny-conv on digits, conv2, mrs"] == (verdict, pytest.approx(effect))


def test_upper_deciles_that_change_places_between_seeds_are_open():
    whole = squares({"mrs": 2.0, "norm": 1.0})
    whole.loc[(whole["score"] == "norm") & (whole["seed"] == 1), "mean_square"] *= 6
    contrasts = [1 / 3, -1 / 2, 1 / 3]
    low, high = scipy.stats.t.interval(0.95, 2, np.mean(contrasts), scipy.stats.sem(contrasts))

    found = decided("mrs-large-activations", squares=whole)

    case = next(case for case in found.cases if case.case.endswith(", mrs"))
    assert case.verdict == "inconclusive"
    assert (case.effect, case.low, case.high) == pytest.approx((np.mean(contrasts), low, high))
    assert "mean upper deciles: mrs 18, norm 24" in case.reason


def test_the_upper_decile_is_that_of_all_checkpoints_together():
    # Of 22 units 11 are 0 at the first checkpoint: numpy's decile of both together lies between units 8 and 9.
    whole = squares({"mrs": 1.0, "norm": 1.0})
    whole.loc[(whole["score"] == "norm") & (whole["step"] == 100), "mean_square"] = 0.0
    norm, mrs = (np.quantile([*own, *range(11)], 0.9) for own in ([0.0] * 11, range(11)))

    found = decided("mrs-large-activations", squares=whole)

    assert summary(found)["tiny-conv on digits, conv2, mrs"][1] == pytest.approx((mrs - norm) / (mrs + norm))


def test_signed_and_absolute_mrs_are_cases_and_not_held_against_each_other():
    found = decided("mrs-large-activations", squares=squares({"mrs": 9.0, "mrs-abs": 2.0, "norm": 1.0}))

    assert summary(found) == {
        "tiny-conv on digits, conv2, mrs": ("reproduced", pytest.approx(0.8)),
        "tiny-conv on digits, conv2, mrs-abs": ("reproduced", pytest.approx(1 / 3)),
    }


@pytest.mark.parametrize(
    ("scales", "missing"),
    [
        ({"mrs": 1.0, "norm": 0.5}, "no mean_square for step 100, seed 0, score mrs-abs and"),
        ({"mrs": 1.0, "mrs-abs": 0.5}, "held against those of other scores"),
    ],
)
def test_mrs_without_anything_to_hold_it_against_is_open(scales, missing):
    found = decided("mrs-large-activations", squares=squares(scales))

    case = next(case for case in found.cases if case.case.endswith("mrs-abs"))
    assert (case.verdict, case.effect) == ("inconclusive", None)
    assert missing in case.reason


# --- consistent-choices ---


@pytest.mark.parametrize(
    ("chosen", "late", "sway", "verdict", "effect"),
    [
        ({}, {}, 0.0, "reproduced", -0.7),
        ({"norm": 0.99}, {}, 0.001, "reproduced", -0.01),
        ({"norm": 0.99}, {}, 0.01, "inconclusive", -0.01),  # -0.035 to 0.015
        ({"norm": 1.0}, {}, 0.0, "not-reproduced", 0.0),  # norm chooses all, too
        ({}, {"mrs-abs": 0.3}, 0.0, "not-reproduced", 0.0),  # mrs-abs drops nothing
        ({"random": 0.9}, {}, 0.0, "not-reproduced", 0.9),  # 60 draws of a tenth should have chosen all
    ],
)
def test_good_scores_choose_few_units_fewer_later_and_random_all(chosen, late, sway, verdict, effect):
    found = decided("consistent-choices", choices=choices(chosen, late, sway=sway))

    assert (found.verdict, found.effect) == (verdict, pytest.approx(effect))


def test_too_few_draws_cannot_refute_that_random_chooses_all():
    # 1 - 0.9^12 = 0.718 is what random is expected to have chosen.
    found = decided("consistent-choices", choices=choices({"random": 0.7}, draws=12))
    fails = decided("consistent-choices", choices=choices({"random": 0.7, "norm": 0.8}, draws=12))

    assert (found.verdict, found.effect) == ("inconclusive", pytest.approx(0.7))
    assert "12 draws are expected to choose 0.718 and cannot show it; measure more checkpoints" in found.reason
    assert (fails.verdict, fails.effect) == ("not-reproduced", pytest.approx(0.1))  # whatever random does


def test_shares_are_averaged_over_layers_but_not_with_all_layers_at_once():
    whole = choices()
    whole.loc[(whole["layer"] == "conv2") & (whole["score"] == "norm"), "chosen_fraction"] = 0.9
    whole = pd.concat([whole, choices({"norm": 1.0}, layer=("all",))])

    found = decided("consistent-choices", choices=whole)

    assert (found.verdict, found.effect) == ("reproduced", pytest.approx(-0.4))  # (0.3 + 0.9) / 2 - 1


@pytest.mark.parametrize(
    ("kept", "missing"),
    [
        (lambda whole: whole["score"] != "norm", "no chosen_fraction for layer conv1, seed 0, step 6000, score norm"),
        (lambda whole: whole["score"] != "random", "step 6000, score random"),
        (lambda whole: (whole["step"] < 6000) | (whole["seed"] != 2), "seed 2, step 6000"),  # stopped early
    ],
)
def test_choices_without_random_or_a_good_score_are_open(kept, missing):
    whole = choices()

    found = decided("consistent-choices", choices=whole[kept(whole)])

    assert (found.verdict, found.effect) == ("inconclusive", None)
    assert missing in found.reason


def test_choices_before_the_first_third_have_no_late_share_and_are_open():
    whole = choices()

    found = decided("consistent-choices", choices=whole[whole["step"] <= 1000])

    assert (found.verdict, found.effect) == ("inconclusive", None)
    assert "no late_fraction" in found.reason


# --- iterative ---


@pytest.mark.parametrize(
    ("spreads", "sway", "verdicts"),
    [
        ((0.1, 0.5, 0.2), 0.01, ("reproduced", "reproduced")),
        ((0.3, 0.5, 0.2), 0.01, ("reproduced", "not-reproduced")),
        ((0.6, 0.5, 0.2), 0.01, ("not-reproduced", "not-reproduced")),
        ((0.1, 0.5, 0.11), 0.01, ("reproduced", "inconclusive")),  # -0.02 +- 0.05
        ((0.2, 0.5, 0.2), 0.0, ("reproduced", "not-reproduced")),
    ],
)
def test_methods_differ_less_in_rounds_where_their_spread_is_smaller(spreads, sway, verdicts):
    spreads = dict(zip(("iterative", "one shot", "one shot, tuned"), spreads, strict=True))

    found = decided("iterative", iterative=rounds(spreads, sway=sway))

    # Half the methods lie a spread above and half a spread below the middle; shares of 1 and 3 % double it on average.
    assert summary(found, *(case.case for case in found.cases if ", test, " in case.case)) == {
        f"tiny-conv on digits, test, against {rival}": (
            verdict,
            pytest.approx(2 * (spreads["iterative"] - spreads[rival])),
        )
        for rival, verdict in zip(("one shot", "one shot, tuned"), verdicts, strict=True)
    }
    assert "standard deviation over 4 methods" in found.reason


def test_only_shares_that_both_schedules_removed_are_compared():
    odd = rounds().query("schedule == 'iterative' and removed_percent == 3").assign(removed_percent=2, loss=7.0)

    assert decided("iterative", iterative=pd.concat([rounds(), odd])) == decided("iterative", iterative=rounds())


@pytest.mark.parametrize(
    ("whole", "missing"),
    [
        (rounds({"iterative": 0.1, "one shot": 0.2}), "iterative pruning and in one shot, tuned"),
        (rounds(removed_percent=(0,)), "no share of units was removed both by"),
        (rounds(score=("norm",), replacement=("mean",)), "a spread needs two methods"),
    ],
)
def test_a_spread_without_two_sides_or_two_methods_is_open(whole, missing):
    found = decided("iterative", iterative=whole)

    case = next(case for case in found.cases if case.case.endswith("against one shot, tuned"))
    assert (case.verdict, case.effect) == ("inconclusive", None)
    assert missing in case.reason


# --- tables ---


def test_nets_and_data_are_decided_apart():
    whole = pd.concat(
        [
            penalties({"norm": difference}, data=(data,), model=(model,), layers={"conv1": 1.0}, part=("test",))
            for data, model, difference in (("digits", "b", 0.1), ("digits", "a", -0.2), ("cifar-10", "b", -0.3))
        ]
    )

    found = decided("lowers-penalty", penalties=whole)

    assert summary(found) == {
        "b on cifar-10, test, one layer at a time": ("reproduced", pytest.approx(-0.3)),
        "a on digits, test, one layer at a time": ("reproduced", pytest.approx(-0.2)),
        "b on digits, test, one layer at a time": ("not-reproduced", pytest.approx(0.1)),
    }
    assert found.verdict == "partly"


def test_a_missing_table_leaves_its_claims_out():
    verdicts = rules.verdicts({"penalties": penalties()}, where=PLACES)

    assert [verdict.id for verdict in verdicts] == ["lowers-penalty", "profiles-improve", "layers-differ"]


def test_rows_that_two_runs_share_count_once():
    whole = choices()

    assert decided("consistent-choices", choices=pd.concat([whole, whole])) == decided(
        "consistent-choices", choices=whole
    )


def test_rows_that_say_two_things_about_one_setting_are_refused():
    whole = pd.concat([rounds(), rounds().assign(loss=7.0)])

    with pytest.raises(ValueError, match="two things about data=digits, model=tiny-conv, seed=0, schedule=iterative"):
        rules.verdicts({"iterative": whole}, where=PLACES)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"penalty": penalties()}, "no place given for"),
        ({"iterative": rounds().drop(columns=["loss", "part"])}, r"missing: \['part', 'loss'\]"),
        ({"iterative": rounds().head(0)}, "no rows"),
    ],
)
def test_tables_the_rules_cannot_read_are_refused(tables, message):
    with pytest.raises(ValueError, match=message):
        rules.verdicts(tables, where=PLACES)


def test_a_misspelt_table_is_refused():
    with pytest.raises(ValueError, match="'penalty'; is it misspelt"):
        rules.verdicts({"penalty": penalties()}, where={"penalty": "p.csv"})


def test_a_claim_without_a_rule_is_refused():
    odd = claims.Claim(study=rules.STUDY, id="odd", statement="", published=None, rule="")

    with pytest.raises(ValueError, match="'odd' has none"):
        rules.verdicts({}, where=PLACES, known=[odd])


# --- from the tables of runs ---

TABLES = (Penalty, Choice, Square, FineTuned, Iterative)
# What the rules do not read.
REST = {"data_id": "a", "units": 10, "removed": 1, "loss": 1.0, "accuracy_percent": 50.0}


def left(kind, whole, folder):
    """Write a table as a run leaves it."""
    rest = {column: cell for column, cell in REST.items() if column not in whole}
    kind.save(kind.frame(whole.assign(**rest)), folder=folder / "tables")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs that left the tables the source would have: run -> folder."""
    folder = tmp_path_factory.mktemp("runs")
    for kind, (name, whole) in zip(TABLES, source_account().items(), strict=True):
        left(kind, whole, folder / rules.RUNS[name])
    return {run: str(folder / run) for run in rules.RUNS.values()}


def test_verdicts_come_from_the_tables_of_three_runs(runs):
    measured, tuning, pruned = runs.values()

    verdicts = rules.decide_runs([measured], fine_tuning=[tuning], iterative=[pruned])

    assert {verdict.verdict for verdict in verdicts} == {"reproduced"}
    assert {verdict.id: verdict.table for verdict in verdicts} == {
        "lowers-penalty": "units-penalties/tables/penalties.csv",
        "survives-fine-tuning": "units-fine-tuning/tables/fine-tuned.csv",
        "profiles-improve": "units-penalties/tables/penalties.csv",
        "mrs-large-activations": "units-penalties/tables/squares.csv",
        "consistent-choices": "units-penalties/tables/choices.csv",
        "layers-differ": "units-penalties/tables/penalties.csv",
        "iterative": "units-iterative/tables/iterative.csv",
    }


def test_claims_whose_run_is_not_named_are_left_out_but_penalties_are_needed(runs):
    left = {"survives-fine-tuning", "iterative"}

    verdicts = rules.decide_runs([runs["units-penalties"]])

    assert {verdict.id for verdict in verdicts} == {
        claim.id for claim in claims.load() if claim.study == rules.STUDY and claim.id not in left
    }
    with pytest.raises(FileNotFoundError, match=r"-p penalties=\./results/quick/units-penalties"):
        rules.decide_runs([])


def test_a_run_that_kept_no_activations_has_no_say_on_them(runs, tmp_path):
    lean = tmp_path / "lean"
    left(Penalty, penalties(data=("other",)), lean)
    left(Choice, choices(data=("other",)), lean)

    alone = rules.decide_runs([str(lean)])
    both = rules.decide_runs([str(lean), runs["units-penalties"]])

    assert "mrs-large-activations" not in {verdict.id for verdict in alone}
    found = next(verdict for verdict in both if verdict.id == "mrs-large-activations")
    assert found.table == "units-penalties/tables/squares.csv"
    assert {case.case for case in found.cases} == {
        f"tiny-conv on digits, conv2, {score}" for score in ("mrs", "mrs-abs")
    }
