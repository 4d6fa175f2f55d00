import json
import math

import pytest
import yaml

from prunelab import claims, project
from prunelab.decisions import Outcome, all_of, decide, describe, undecided
from prunelab.stats import Interval

KNEE = claims.Claim(
    study="sparseness", id="abs-knee", statement="It collapses.", published={"to": [47.64, 73.91]}, rule="r"
)
LUNCH = claims.Claim(study="sparseness", id="abs-free-lunch", statement="It is free.", published=None, rule="r")


def effect(low, high, n=3):
    return Interval(value=(low + high) / 2, low=low, high=high, n=n, level=0.95, method="t")


def outcome(verdict, value=1.0, margin=0.0):
    return Outcome(
        verdict=verdict, effect=effect(value, value), unit="points", margin=margin, reason=f"{verdict} {margin}"
    )


def test_the_published_claims_are_all_read():
    content = yaml.safe_load((project.published() / "claims.yml").read_text(encoding="utf-8"))
    read = [(claim.study, claim.id) for claim in claims.load() if claim.study != "images"]  # sparseness once more

    assert read == [(study, entry["id"]) for study, entries in content.items() for entry in entries]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("s: [{id: a, statement: b}]", r"off by \['rule'\]"),
        ("s: [{id: a, statement: b, rule: c, verdict: d}]", r"off by \['verdict'\]"),
        ("s: [{id: a, statement: b, rule: c}, {id: a, statement: b, rule: c}]", "s: a is twice"),
    ],
)
def test_a_badly_formed_claim_is_refused(tmp_path, text, message):
    path = tmp_path / "claims.yml"
    path.write_text(text)

    with pytest.raises(ValueError, match=message):
        claims.load(path)


@pytest.mark.parametrize(
    ("side", "low", "high", "verdict"),
    [
        ("at most", 0.2, 0.9, "reproduced"),
        ("at most", 0.2, 1.0, "reproduced"),
        ("at most", 0.2, 1.1, "inconclusive"),
        ("at most", 1.1, 1.2, "not-reproduced"),
        ("below", 0.2, 1.0, "inconclusive"),
        ("below", 1.0, 1.2, "not-reproduced"),
        ("at least", 1.0, 1.2, "reproduced"),
        ("at least", 0.9, 1.2, "inconclusive"),
        ("at least", 0.8, 0.9, "not-reproduced"),
        ("above", 1.0, 1.2, "inconclusive"),
        ("above", 1.1, 1.2, "reproduced"),
    ],
)
def test_an_interval_decides_only_when_it_lies_on_one_side_of_the_bound(side, low, high, verdict):
    decided = decide(effect(low, high), side=side, bound=1.0, unit="points")

    assert decided.verdict == verdict
    assert f"claimed {side} 1" in decided.reason


def test_one_seed_decides_nothing_and_keeps_its_effect():
    single = Interval(value=0.5, low=math.nan, high=math.nan, n=1, level=0.95, method="t")

    decided = decide(single, side="at most", bound=1.0, unit="points")

    assert (decided.verdict, decided.effect.value, decided.margin) == ("inconclusive", 0.5, 0.5)
    assert "at least two seeds" in decided.reason


def test_an_effect_is_written_with_its_interval_and_seeds():
    assert describe(effect(5.9, 6.7, n=5), "points") == "6.3 points (95 % interval 5.9 to 6.7, 5 seeds)"


@pytest.mark.parametrize(
    ("parts", "joined"),
    [
        (["reproduced", "reproduced"], "reproduced"),
        (["reproduced", "inconclusive"], "inconclusive"),
        (["not-reproduced", "reproduced"], "not-reproduced"),
        (["not-reproduced", "inconclusive"], "not-reproduced"),
    ],
)
def test_a_claim_of_several_parts_needs_them_all(parts, joined):
    assert all_of(*parts) == joined


@pytest.mark.parametrize(
    ("verdicts", "joined"),
    [
        (["reproduced", "reproduced"], "reproduced"),
        (["not-reproduced", "not-reproduced"], "not-reproduced"),
        (["reproduced", "not-reproduced"], "partly"),
        (["reproduced", "not-reproduced", "inconclusive"], "partly"),
        (["partly"], "partly"),
        (["partly", "inconclusive"], "partly"),
        (["reproduced", "inconclusive"], "inconclusive"),
        (["not-reproduced", "inconclusive"], "inconclusive"),
        (["inconclusive"], "inconclusive"),
    ],
)
def test_the_verdicts_on_several_subjects_join_into_one(verdicts, joined):
    assert claims.combine(verdicts) == joined


def test_no_subject_is_no_verdict():
    with pytest.raises(ValueError, match="at least one subject"):
        claims.combine([])


def test_a_verdict_quotes_its_least_favourable_subject():
    outcomes = {
        "relu on digits": outcome("reproduced", 1.0, margin=9.0),
        "tanh on digits": outcome("not-reproduced", 2.0, margin=-1.0),
        "sigmoid on digits": outcome("not-reproduced", 3.0, margin=-4.0),
        "none on digits": undecided("too short", unit="points", n=3),
    }

    verdict = claims.verdict(KNEE, outcomes, table="threshold-sweep/tables/threshold-sweep.csv")

    assert (verdict.verdict, verdict.case, verdict.effect) == ("partly", "sigmoid on digits", 3.0)
    assert [case.case for case in verdict.cases] == list(outcomes)
    assert verdict.published == {"to": [47.64, 73.91]}


def test_of_open_subjects_the_one_without_an_effect_is_quoted():
    outcomes = {"relu": outcome("inconclusive", margin=-9.0), "tanh": undecided("too short", unit="points", n=3)}

    assert claims.verdict(KNEE, outcomes, table="t").case == "tanh"


def test_verdicts_come_back_from_their_file(tmp_path):
    verdicts = [
        claims.verdict(KNEE, {"a": outcome("reproduced")}, table="run/tables/t.csv"),
        claims.verdict(LUNCH, {"a": undecided("too short", unit="", n=2)}, table="run/tables/t.csv"),
    ]

    path = claims.save(verdicts, tmp_path)

    assert claims.read(path) == verdicts
    entry = json.loads(path.read_text())[1]
    assert list(entry)[:3] == ["study", "id", "verdict"]
    assert (entry["effect"], entry["low"], entry["n_seeds"], entry["reason"]) == (None, None, 2, "too short")


def test_a_run_decides_a_claim_once(tmp_path):
    verdict = claims.verdict(KNEE, {"a": outcome("reproduced")}, table="t")

    with pytest.raises(ValueError, match="abs-knee"):
        claims.save([verdict, verdict], tmp_path)

    assert not list(tmp_path.iterdir())


def test_a_file_of_something_else_is_no_verdict(tmp_path):
    (tmp_path / "claims.json").write_text('[{"id": "abs-knee"}]')

    with pytest.raises(ValueError, match="no verdict"):
        claims.read(tmp_path / "claims.json")


def test_findings_hold_both_sides_and_say_what_is_not_decided(tmp_path):
    published, build = tmp_path / "published", tmp_path / "build"
    for run, verdict in (("small", "reproduced"), ("large", "not-reproduced")):
        claims.save([claims.verdict(KNEE, {run: outcome(verdict)}, table=f"{run}/tables/t.csv")], published / run)

    found = claims.findings(published, build, [LUNCH, KNEE]).set_index("id")

    assert list(found["verdict_published"]) == [claims.NOT_YET, "partly"]  # two runs, one for and one against
    assert list(found["verdict_build"]) == [claims.NOT_YET, claims.NOT_YET]
    assert found.loc["abs-knee", "table_published"] == "large/tables/t.csv"
    assert found.loc["abs-knee", "source"] == '{"to": [47.64, 73.91]}'


def test_findings_list_every_published_claim(tmp_path):
    found = claims.findings(tmp_path, tmp_path)

    assert list(zip(found["study"], found["id"], strict=True)) == [(claim.study, claim.id) for claim in claims.load()]
    assert set(found["verdict_build"]) == {claims.NOT_YET}


def test_a_verdict_on_a_claim_nobody_knows_is_an_error(tmp_path):
    claims.save([claims.verdict(KNEE, {"a": outcome("reproduced")}, table="t")], tmp_path / "run")

    with pytest.raises(ValueError, match=r"abs-knee, which claims\.yml lacks"):
        claims.findings(tmp_path, tmp_path, [LUNCH])


def test_claims_held_against_other_networks_keep_their_rules_but_not_the_source_s_figures():
    known = claims.load()
    sources, transferred = ([claim for claim in known if claim.study == study] for study in ("sparseness", "images"))

    assert [(claim.id, claim.statement, claim.rule) for claim in transferred] == [
        (claim.id, claim.statement, claim.rule) for claim in sources
    ]
    assert {claim.published for claim in transferred} == {None}


@pytest.mark.parametrize("transfers", ["images: sparsness", "sparseness: sparseness"])
def test_a_transfer_of_no_study_or_under_a_study_s_own_name_is_refused(tmp_path, transfers):
    (tmp_path / "claims.yml").write_text("sparseness:\n  - {id: a, statement: b, rule: c}\n")
    (tmp_path / "transfers.yml").write_text(transfers)

    with pytest.raises(ValueError, match="a transfer gives a new name to a study"):
        claims.load(tmp_path / "claims.yml")
