"""Which table decides which claim on pruning functions, subject by subject."""

import itertools

import pandas as pd
import pytest

import made_kinds
from prunelab import claims
from prunelab.studies import functions

WHERE = {
    "kinds": "kinds-report/tables/kinds.csv",
    "threshold-choices": "functions-report/tables/threshold-choices.csv",
    "times": "functions-report/tables/times.csv",
}
NET = {"data": "mnist", "model": "lenet-300-100-relu"}


def choices(seeds: int = 3) -> pd.DataFrame:
    """Searches for a count and for a share, all of them met and tight."""
    usual = {"decided_by": "count", "confidence": None, "found": True, "family": "global", "asked": "some"}
    limits = {"max_parameters": (100.0, 90.0, 110.0), "min_pruned": (0.8, 0.81, 0.79)}
    return pd.DataFrame(
        [
            {
                **NET,
                **usual,
                "seed": seed,
                "kind": kind,
                "bound": kind,
                "limit": limit,
                "again": again,
                "beside": beside,
            }
            for seed in range(seeds)
            for kind, (limit, again, beside) in limits.items()
        ]
    )


def times(shrunk: float = 0.5, seeds: int = 3) -> pd.DataFrame:
    """Times (ms) of an unpruned net of 2, a masked one of as much and one without units, for a call of 1 and of 256."""
    kinds = {("none", "dense"): 1.0, ("weights", "masked"): 1.0, ("units", "shrunk"): shrunk}
    rows = []
    for seed, batch, ((pruning, form), share) in itertools.product(range(seeds), (1, 256), kinds.items()):
        sparsity, kept = (0.0, 1000) if pruning == "none" else (0.9, 100)
        measured = {"milliseconds": 2.0 * share * (1 + 0.01 * seed), "ratio": share * (1 + 0.01 * seed)}
        named = {"pruning": pruning, "form": form, "sparsity_asked": sparsity, "kept": kept, "batch": batch}
        rows.append({**NET, "seed": seed, "threads": 1, **named, **measured})
    return pd.DataFrame(rows)


def decided(tables: dict[str, pd.DataFrame]) -> dict[str, claims.Verdict]:
    return {entry.id: entry for entry in functions.verdicts(tables, where=WHERE)}


def test_every_claim_of_the_study_is_decided_from_its_table() -> None:
    found = decided({"kinds": made_kinds.kinds(), "threshold-choices": choices(), "times": times()})

    assert {name: entry.verdict for name, entry in found.items()} == {
        "kinds": "reproduced",
        "threshold-choice": "reproduced",
        "structured-or-not": "reproduced",
    }
    assert {name: entry.table for name, entry in found.items()} == {
        "kinds": WHERE["kinds"],
        "threshold-choice": WHERE["threshold-choices"],
        "structured-or-not": WHERE["times"],
    }


def test_subjects_are_nets_looked_at_in_one_way() -> None:
    found = decided({"kinds": made_kinds.kinds(), "threshold-choices": choices(), "times": times()})
    net = "lenet-300-100-relu on mnist"

    assert [case.case for case in found["kinds"].cases] == [f"{net}, one-shot", f"{net}, retrained"]
    assert [case.case for case in found["threshold-choice"].cases] == [f"{net}, max_parameters", f"{net}, min_pruned"]
    assert [case.case for case in found["structured-or-not"].cases] == [
        f"{net}, batch 1, 1 thread",
        f"{net}, batch 256, 1 thread",
    ]


def test_other_scopes_are_named_and_the_order_of_rows_plays_no_part() -> None:
    both = pd.concat([made_kinds.kinds(), made_kinds.kinds().assign(scope="layer")])
    cases = decided({"kinds": both.sample(frac=1, random_state=0)})["kinds"].cases

    assert sorted(case.case.partition(", ")[2] for case in cases) == [
        "one-shot",
        "one-shot, layer",
        "retrained",
        "retrained, layer",
    ]


def test_a_net_that_gains_nothing_by_losing_units_refutes_its_claim() -> None:
    assert decided({"times": times(shrunk=1.5)})["structured-or-not"].verdict == "not-reproduced"


def test_a_claim_without_its_table_is_left_out_and_one_without_what_it_needs_stays_open() -> None:
    some = made_kinds.kinds()
    found = decided({"kinds": some[some["kind"] != "random"]})

    assert list(found) == ["kinds"]
    assert found["kinds"].verdict == "inconclusive"
    assert "random" in found["kinds"].reason


@pytest.mark.parametrize(
    ("tables", "where", "message"),
    [
        ({"kind": choices()}, {"kind": "x"}, r"the rules read the tables .*; got 'kind'"),
        ({"times": times()}, {}, r"no place given for \['times'\]"),
        ({"times": times().drop(columns="batch")}, WHERE, r"need the columns .*missing: \['batch'\]"),
        ({"times": times()[:0]}, WHERE, "times has no rows"),
    ],
    ids=["misspelt", "no place", "no column", "no rows"],
)
def test_tables_that_cannot_decide_are_refused(
    tables: dict[str, pd.DataFrame], where: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        functions.verdicts(tables, where=where)


def test_a_claim_without_a_rule_is_refused() -> None:
    claim = claims.Claim(study="functions", id="new", statement="s", published=None, rule="r")

    with pytest.raises(ValueError, match="every claim of functions has a rule; 'new' has none"):
        functions.verdicts({"times": times()}, where=WHERE, known=[claim])


def test_verdicts_need_a_run() -> None:
    with pytest.raises(ValueError, match="kinds, choices and hardware are all empty"):
        functions.decide()
