import numpy as np
import pytest

from prunelab import audit, tables
from prunelab.audit import lenet, speech
from prunelab.audit.speech import half_unit


@pytest.fixture(scope="module")
def sparseness():
    return audit.read("connection-sparseness")


@pytest.fixture(scope="module")
def variants():
    return audit.read("lenet-variants")


@pytest.fixture(scope="module")
def found():
    return audit.findings()


def named(found, row, identity):
    """Return the one finding of an identity in a row."""
    (finding,) = found[(found["row"] == row) & found["identity"].str.startswith(identity)].to_dict("records")
    return finding


def failing(found):
    return set(found.loc[found["status"] == "fails", "row"])


SLIPS = {
    "group 17",
    "group 60",
    "group 35 and group 3",
    "300-200 dense, prose",
    "300-200 pruned",
    "300-200 pruned, prose",
}


def test_the_audit_names_every_slip_and_no_other_row(found):
    slips = audit.slips(found)

    assert set(slips.loc[slips["status"] == "fails", "row"]) == SLIPS
    assert set(slips.loc[slips["status"] == "doubtful", "row"]) == {"group 42 and group 43", "300-100 pruned"}


def test_group_17_has_the_sparsity_of_threshold_seven_hundredths(found):
    order = named(found, "group 17", "sparsity grows with the threshold")
    signs = named(found, "group 17", "positive + negative")

    assert "group 16 has this sparsity at threshold 0.07" in order["how"]
    assert order["implied"] == pytest.approx(26.6452 / 5)  # a fifth of the way to 0.05
    assert signs["implied"] == pytest.approx((6.8878 + 6.9676) * 0.01 / 0.025)
    assert signs["deviation"] > signs["tolerance"]
    assert named(found, "group 17", "one sparsity, one word error")["deviation"] == pytest.approx(0.01)


def test_the_layers_fall_short_by_what_one_of_two_equal_shares_lacks(found):
    parts = 11.4362 + 9.7697 + 4.5725 + 11.5901 + 5.5003 + 7.6499 + 9.7697
    total = named(found, "group 35 and group 3", "the layers add up")
    shared = named(found, "group 35 and group 3", "each layer has a sparsity")

    assert (total["printed"], total["implied"]) == (pytest.approx(parts), 63.4790)
    assert shared["implied"] == pytest.approx(9.7697 + 63.4790 - parts)


def test_group_60_is_out_of_proportion_and_fits_a_percentile_of_26(found):
    slip = named(found, "group 60", "percentile and sparsity")
    ratio = 22.8501 / 0.22 + (27.7733 / 0.2665 - 22.8501 / 0.22) * 0.02 / 0.0465

    assert slip["implied"] == pytest.approx(0.24 * ratio)
    assert slip["how"].endswith("they put this sparsity at 0.260")


def test_the_parts_of_300_200_make_one_weight_less_than_its_total(found):
    parts = named(found, "300-200 pruned", "parts add up")

    assert (parts["printed"], parts["implied"], parts["deviation"]) == (2663, 1102 + 835 + 725, 1)
    assert named(found, "300-200 pruned", "the stated percentage")["status"] == "holds"  # 0.896 % of 297200 = 2662.9


def test_the_prose_on_300_200_says_what_cannot_be(found):
    assert named(found, "300-200 pruned, prose", "the stated percentage")["implied"] == pytest.approx(1486)
    active = found[(found["row"] == "300-200 dense, prose") & (found["quantity"] == "fc1 active units")].iloc[0]
    assert (active["printed"], active["implied"]) == (303, 300)
    assert "the table below it gives 190" in active["how"]


@pytest.mark.parametrize(
    ("identity", "rows", "fails"),
    [
        ("a repeated row repeats its numbers", 27, 0),  # 20 in experiment 4, 7 in experiment 6
        ("sparsity grows with the threshold (abs)", 8, 1),
        ("sparsity grows with the threshold (positive)", 16, 0),
        ("sparsity grows with the threshold (negative)", 13, 0),
        ("sparsity grows with the threshold (percentile)", 11, 0),
        ("positive + negative = abs", 6, 1),  # 0.05, 0.07, 0.09 exactly; 0.01, 0.06, 0.08 by neighbours
        ("percentile and sparsity in proportion", 11, 1),
        ("parts add up to the total", 3, 1),
        ("accuracy is the share read correctly", 2, 0),
        ("the stated percentage leaves the printed weights", 4, 1),
    ],
)
def test_identities_that_hold_are_counted(found, identity, rows, fails):
    counts = audit.summary(found).set_index("identity").loc[identity]

    assert (counts["rows"], counts["fails"]) == (rows, fails)
    assert counts["holds"] + counts["fails"] + counts["doubtful"] == rows


def test_the_signs_of_one_threshold_add_up_to_the_last_digit(found):
    exact = found[
        (found["identity"] == "positive + negative = abs") & (found["row"].isin(["group 10", "group 16", "group 15"]))
    ]

    assert (exact["status"] == "holds").all()
    assert exact["deviation"].abs().max() == pytest.approx(0.0001)
    assert exact["tolerance"].max() == pytest.approx(0.00015)


def alter(table, column, value, **where):
    """Return the table with one column changed in the rows that match."""
    changed = table.copy()
    chosen = np.logical_and.reduce([changed[name] == cell for name, cell in where.items()])
    assert chosen.any()
    changed.loc[chosen, column] = value
    return changed


@pytest.mark.parametrize(
    ("where", "column", "value", "row", "identity"),
    [
        ({"group": "46"}, "sparsity_percent", "9.9459", "group 46", "sparsity grows"),
        ({"group": "25"}, "threshold", "0.0600", "group 25", "sparsity grows"),
        ({"group": "31"}, "sparsity_percent", "12.0000", "group 31", "sparsity grows"),
        ({"group": "15"}, "sparsity_percent", "43.9148", "group 15", "positive + negative"),
        ({"group": "9"}, "sparsity_percent", "36.0000", "group 9", "positive + negative"),
        ({"group": "58"}, "sparsity_percent", "14.3710", "group 58", "percentile and sparsity"),
        ({"group": "62"}, "threshold", "0.3893", "group 62", "percentile and sparsity"),
        ({"group": "55"}, "sparsity_percent", "10.9606", "group 55", "percentile and sparsity"),
        ({"group": "8", "experiment": "6"}, "wer_percent", "73.8955", "group 8 in experiment 6", "a repeated row"),
        (
            {"group": "28", "experiment": "4"},
            "sparsity_percent",
            "8.9858",
            "group 28 in experiment 4",
            "a repeated row",
        ),
        ({"group": "36"}, "sparsity_percent", "7.6499", "group 36 and group 2", "each layer"),
    ],
)
def test_an_altered_row_fails_and_takes_no_other_with_it(sparseness, where, column, value, row, identity):
    found = audit.findings(sparseness=alter(sparseness, column, value, **where))
    bad = found[(found["row"] == row) & found["identity"].str.startswith(identity)]

    assert "fails" in set(bad["status"])
    assert failing(found) - SLIPS - {"layers at 0.15"} == {row}


def test_a_table_set_right_has_no_failing_row(sparseness, variants):
    right = alter(sparseness, "sparsity_percent", "5.6000", group="17")
    right = alter(right, "sparsity_percent", "12.9603", group="35")
    right = alter(right, "threshold", "0.2600", group="60")
    right = right.sort_index()
    nets_right = alter(variants, "fc2_left", "836", net="300-200", stage="pruned")
    nets_right = alter(nets_right, "note", "", net="300-200", stage="dense")

    assert failing(audit.findings(right, nets_right)) == {
        "300-200 pruned, prose"
    }  # the heading's and the prose's percent


@pytest.mark.parametrize(
    ("column", "value", "where", "row"),
    [
        ("fc3_left", "571", {"net": "600-100", "stage": "pruned"}, "600-100 pruned"),
        ("test_accuracy_percent", "97.94", {"net": "1200-100"}, "1200-100 dense"),
        ("weights_left", "1614", {"net": "300-300"}, "300-300 pruned"),
        ("fc1_active", "151", {"net": "150-100"}, "150-100 dense"),
        ("fc3_left", "3001", {"net": "300-300"}, "300-300 pruned"),
    ],
)
def test_an_altered_net_fails(variants, column, value, where, row):
    assert failing(audit.findings(variants=alter(variants, column, value, **where))) - SLIPS == {row}


def test_one_weight_more_than_the_stated_percentage_leaves_is_found(variants):
    changed = alter(variants, "weights_left", "2658", net="600-100", stage="pruned")  # 0.5 % of 531,400 are 2,657

    assert named(audit.findings(variants=changed), "600-100 pruned", "the stated percentage")["status"] == "fails"


def test_known_nets_have_their_known_numbers_of_weights():
    # 266,200 weights (and 410 biases) is the published size of LeNet-300-100.
    assert sum(lenet.layer_sizes("300-100")) == 266_200
    assert lenet.layer_sizes("600-100") == [470_400, 60_000, 1_000]


@pytest.mark.parametrize(
    ("text", "half"),
    [("8.33", 0.005), ("8.3260", 0.00005), ("8.8600", 0.005), ("100.0000", 0.005), ("0.1", 0.05), ("97", 0.5)],
)
def test_rounding_is_read_off_the_digits_and_padding_is_no_precision(text, half):
    assert half_unit(text) == pytest.approx(half)


def test_a_net_printed_twice_is_one_net(sparseness):
    rows = speech.read(sparseness)

    assert (len(rows), len(speech.distinct(rows))) == (82, 55)
    assert [net.group for net in speech.distinct(rows)][:2] == ["10", "30"]


def test_an_unknown_table_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"other\.csv is missing"):
        audit.read("other", tmp_path)


def test_the_counts_for_prose_are_those_of_the_tables(found):
    (counted,) = audit.answer(found).to_dict("records")

    assert (counted["tables"], counted["slips"], counted["doubtful_rows"]) == (2, 6, 2)
    assert counted["checks"] == len(found)
    assert counted["checks_that_hold"] == (found["status"] == "holds").sum()
    assert counted["identities"] == len(audit.summary(found)) == 16


def test_every_table_of_the_audit_can_be_saved_and_read_back(found, tmp_path):
    for kind, table in (
        (audit.Finding, found),
        (audit.Identity, audit.summary(found)),
        (audit.Slip, audit.slips(found)),
        (audit.Answer, audit.answer(found)),
    ):
        kind.save(table, folder=tmp_path)
        assert len(tables.load(tmp_path / f"{kind.table_name}.csv")) == len(table)
