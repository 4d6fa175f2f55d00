"""The rule on kinds of pruning function, on hand-made tables: each verdict, and why.

Curves are linear through (0, dense), (0.5, first) and (0.9, second), so that the accuracy averaged over sparsity is
100 - (0.25 (dense + first) + 0.2 (first + second)) / 0.9. With three seeds that differ by -sway, 0 and +sway, Student's
t makes the half-width of an interval 4.3027 / sqrt(3) = 2.4841 sways.
"""

import pandas as pd
import pytest

import made_kinds as made
from prunelab.decisions import NotCoveredError
from prunelab.studies.kinds import rules
from prunelab.studies.kinds.ranking import areas

HALF = 2.4841


def area(first: float, second: float, dense: float = made.DENSE) -> float:
    return 100 - (0.25 * (dense + first) + 0.2 * (first + second)) / 0.9


def rows(errors: dict[str, tuple[float, float]] | None = None, **settings: object) -> pd.DataFrame:
    return made.kinds(errors or dict(made.ERRORS), ways=(False,), **settings)  # type: ignore[arg-type]


def test_the_area_is_the_accuracy_averaged_over_sparsity() -> None:
    found = areas(rows(sway=0.0), ["magnitude", "random"])

    assert list(found.index) == [0, 1, 2]
    assert found["magnitude"].tolist() == pytest.approx([area(4, 20)] * 3)
    assert found["random"].tolist() == pytest.approx([area(40, 90)] * 3)


def test_a_net_that_never_errs_has_an_area_of_one_hundred() -> None:
    perfect = rows({"magnitude": (0.0, 0.0)}, sway=0.0).assign(dense_error_percent=0.0)

    assert areas(perfect, ["magnitude"])["magnitude"].tolist() == pytest.approx([100.0] * 3)


def test_a_word_error_rate_above_one_hundred_has_an_area_below_zero() -> None:
    assert areas(rows({"random": (400.0, 600.0)}), ["random"]).to_numpy().max() < 0


def test_kinds_that_all_beat_random_reproduce_the_claim_by_the_least_favourable() -> None:
    found = rules.kinds(rows())
    # The sway moves both errors: 0.25 · sway + 0.4 · sway over 0.9.
    half = HALF * 0.5 * 0.65 / 0.9

    assert found.verdict == "reproduced"
    assert found.effect.value == pytest.approx(area(10, 60) - area(40, 90))
    assert (found.effect.low, found.effect.high) == pytest.approx(
        (found.effect.value - half, found.effect.value + half), abs=1e-3
    )
    assert found.reason.startswith("worst of 4, gradient: ")


def test_the_reason_ranks_all_kinds_and_says_what_saliency_gains() -> None:
    reason = rules.kinds(rows()).reason

    assert f"saliency - random: {area(6, 40) - area(40, 90):.4g} points" in reason
    assert "mean accuracy (%) by kind: l1 " in reason
    ranking = [part.split()[0] for part in reason.rpartition("by kind: ")[2].split(", ")]
    assert ranking == [
        "l1",
        "l2",
        "magnitude",
        "saliency-abs",
        "saliency",
        "units-mrs-abs",
        "gradient-abs",
        "gradient",
        "units-norm",
        "random",
    ]


@pytest.mark.parametrize(
    ("gradient", "sway", "verdict"),
    [
        ((70.0, 95.0), 0.5, "not-reproduced"),
        ((39.0, 89.0), 10.0, "inconclusive"),
        ((40.0, 90.0), 0.0, "not-reproduced"),
    ],
    ids=["worse than random", "within the noise", "exactly as random"],
)
def test_one_kind_that_does_not_beat_random_decides(gradient: tuple[float, float], sway: float, verdict: str) -> None:
    found = rules.kinds(rows(dict(made.ERRORS) | {"gradient": gradient}, sway=sway))

    assert found.verdict == verdict
    assert "gradient" in found.reason.rpartition("; beside")[0]


def test_saliency_and_units_decide_nothing() -> None:
    bad = dict.fromkeys(("gradient-abs", "saliency", "saliency-abs", "units-norm", "units-mrs-abs"), (95.0, 99.0))
    found, plain = rules.kinds(rows(dict(made.ERRORS) | bad)), rules.kinds(rows())

    assert (found.verdict, found.effect) == (plain.verdict, plain.effect)


def test_one_seed_leaves_the_claim_open() -> None:
    found = rules.kinds(rows(seeds=1))

    assert found.verdict == "inconclusive"
    assert "at least two seeds" in found.reason


@pytest.mark.parametrize("kind", ["magnitude", "l1", "l2", "gradient", "random"])
def test_a_kind_that_was_not_measured_is_not_covered(kind: str) -> None:
    table = rows()
    with pytest.raises(NotCoveredError, match=f"kind {kind}"):
        rules.kinds(table[table["kind"] != kind])


def test_a_kind_that_lacks_a_seed_or_a_budget_is_not_covered() -> None:
    table = rows()
    for column, value in (("seed", 2), ("sparsity_asked", 0.9)):
        with pytest.raises(NotCoveredError, match="kind l2"):
            rules.kinds(table[(table["kind"] != "l2") | (table[column] != value)])


def test_other_kinds_measured_at_fewer_or_more_budgets_are_left_out_or_cut() -> None:
    table = rows()
    fewer = table[(table["kind"] != "saliency") | (table["sparsity_asked"] == 0.5)]
    extra = table[(table["kind"] == "units-norm") & (table["sparsity_asked"] == 0.9)].assign(sparsity_asked=0.95)
    found = rules.kinds(pd.concat([fewer, extra], ignore_index=True))

    assert found.effect == rules.kinds(table).effect
    assert "saliency - random" not in found.reason
    assert "saliency " not in found.reason.rpartition("by kind: ")[2]
    assert "units-norm" in found.reason.rpartition("by kind: ")[2]


def test_the_order_of_the_rows_plays_no_part() -> None:
    table = rows()

    assert rules.kinds(table.sample(frac=1, random_state=0)) == rules.kinds(table)


def test_rows_of_two_subjects_or_two_runs_are_refused() -> None:
    table = rows()
    with pytest.raises(ValueError, match="the rows hold several"):
        rules.kinds(made.kinds())
    with pytest.raises(ValueError, match="say different things"):
        rules.kinds(pd.concat([table, table.assign(error_percent=1.0)]))


def test_a_row_said_twice_counts_once() -> None:
    table = rows()

    assert rules.kinds(pd.concat([table, table])) == rules.kinds(table)
