"""The one list of kinds of pruning."""

from typing import get_args

import pytest
import torch

from prunelab.pruning.kinds import KINDS, Kind, Role, check_names, find, named

ROLES: tuple[Role, ...] = get_args(Role)


@pytest.mark.parametrize("role", ROLES)
def test_every_kind_is_told_apart_by_its_name_its_looks_and_its_words(role: Role) -> None:
    kinds = KINDS[role]

    assert len({kind.look for kind in kinds}) == len({kind.label for kind in kinds}) == len(kinds)
    assert list(named(role)) == [kind.name for kind in kinds]
    assert all(find(role, kind.name) is kind for kind in kinds)
    check_names(role, list(named(role)))


def test_labels_of_compared_kinds_can_stand_in_lists() -> None:
    assert not any("," in kind.label for kind in KINDS["kind"])


def test_a_penalty_has_one_kind_of_its_name() -> None:
    penalised = [kind for kind in KINDS["kind"] if kind.penalty != "none"]

    assert [kind.name for kind in penalised] == [kind.penalty for kind in penalised]


def test_units_are_ranked_by_a_score_of_the_list() -> None:
    kinds = [kind for role in ROLES for kind in KINDS[role] if kind.units]

    assert len(kinds) > len(KINDS["score"])
    assert all(find("score", kind.units).score is kind.score for kind in kinds)


@pytest.mark.parametrize("role", ROLES)
def test_a_name_that_is_not_on_the_list_is_refused(role: Role) -> None:
    with pytest.raises(ValueError, match=rf"^a {role} is one of {KINDS[role][0].name}, .*; got 'largest'$"):
        find(role, "largest")


@pytest.mark.parametrize(
    ("names", "odd"), [([], r"\[\]"), (["abs", "abs"], r"\['abs', 'abs'\]"), (["abs", "all"], r"\['all'\]")]
)
def test_names_are_on_the_list_each_once(names: list[str], odd: str) -> None:
    with pytest.raises(ValueError, match=f"^signs are some of abs, positive, negative, none, each once; got {odd}$"):
        check_names("sign", names, also=("none",))


def test_a_kind_is_never_ranked_without_what_it_needs() -> None:
    weights = {"fc": torch.ones(2, 2)}
    with pytest.raises(ValueError, match="saliency needs gradients; given are weights"):
        find("kind", "saliency").scores({"weights": lambda: weights})


def test_only_what_is_needed_is_made() -> None:
    def never() -> dict[str, torch.Tensor]:
        raise AssertionError("not needed")

    scores = find("kind", "magnitude").scores({"weights": lambda: {"fc": -torch.ones(2)}, "gradients": never})

    assert scores["fc"].tolist() == [1, 1]


@pytest.mark.parametrize("kind", KINDS["kind"], ids=lambda kind: kind.name)
def test_examples_are_needed_for_gradients_and_for_the_means_of_units(kind: Kind) -> None:
    assert kind.backward == any("gradient" in need for need in kind.needs)
    assert kind.forward == (kind.backward or bool(kind.units))
