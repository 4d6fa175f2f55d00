import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from made_data import write_set
from prunelab import data
from prunelab.data import images
from prunelab.data.raw import Part, Raw, content_id
from refusals import refused

# Frequencies of the ten digits as published with the sets: MNIST's two label files, and the digits' description
# in the UCI repository (its test part, which scikit-learn ships).
MNIST_TRAIN = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
MNIST_TEST = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
DIGITS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


@pytest.fixture(scope="module")
def digits():
    return data.load_images("digits")


@pytest.fixture(scope="module")
def mnist():
    if "PRUNELAB_DATA" not in os.environ or not Path(os.environ["PRUNELAB_DATA"], "mnist").is_dir():
        pytest.skip("PRUNELAB_DATA names no folder with mnist/")
    return data.load_images("mnist")


def counts(*splits):
    return sum(torch.bincount(split.y, minlength=10) for split in splits).tolist()


def raw_of(labels, pixels=None, **options):
    labels = np.asarray(labels, dtype=np.int64)
    pixels = np.arange(labels.size * 4).reshape(-1, 1, 2, 2).astype(np.uint8) if pixels is None else pixels
    return Raw(
        **{
            "name": "small",
            "classes": tuple(str(label) for label in range(int(labels.max()) + 1)),
            "scale": 255,
            "train": Part(pixels=pixels, labels=labels),
            "test": None,
        }
        | options
    )


def test_digits_has_its_1797_images_in_ten_classes(digits):
    assert counts(digits.train, digits.validation, digits.test) == DIGITS
    assert sum(DIGITS) == 1797
    assert digits.classes == tuple("0123456789")
    assert digits.inputs == 64


def test_digits_pixels_are_sixteenths_up_to_one(digits):
    levels = torch.cat([digits.train.x, digits.validation.x, digits.test.x]) * 16

    assert torch.equal(levels, levels.round())
    assert (levels.min(), levels.max()) == (0, 16)


def test_the_parts_of_digits_share_no_image_and_lose_none(digits):
    from sklearn.datasets import load_digits

    ours = torch.cat([part.x for part in (digits.train, digits.validation, digits.test)]).flatten(1).mul(16)
    theirs = load_digits().data

    assert sorted(map(tuple, ours.tolist())) == sorted(map(tuple, theirs.tolist()))


def test_digits_keeps_a_fifth_for_the_test_and_a_sixth_of_the_rest_for_validation(digits):
    assert (len(digits.train), len(digits.validation), len(digits.test)) == (1198, 240, 359)


def test_loading_twice_gives_the_same_parts(digits):
    again = data.load_images("digits")

    assert again.content_id == digits.content_id
    assert all(torch.equal(getattr(again, part).x, getattr(digits, part).x) for part in ("train", "validation", "test"))


def test_no_seed_moves_an_image_to_another_part(digits):
    torch.manual_seed(7)

    assert torch.equal(data.load_images("digits").validation.x, digits.validation.x)


def test_the_validation_share_leaves_the_test_part_and_the_id_alone(digits):
    half = data.load_images("digits", validation=0.5)

    assert torch.equal(half.test.x, digits.test.x)
    assert half.content_id == digits.content_id
    assert len(half.validation) == 719


def test_mnist_has_its_published_class_counts(mnist):
    assert counts(mnist.train, mnist.validation) == MNIST_TRAIN
    assert counts(mnist.test) == MNIST_TEST
    assert sum(MNIST_TRAIN) == 60_000


def test_mnist_sets_aside_ten_thousand_of_its_training_images_in_proportion(mnist):
    assert len(mnist.validation) == 10_000
    assert all(abs(count - whole / 6) < 1 for count, whole in zip(counts(mnist.validation), MNIST_TRAIN, strict=True))


def test_mnist_pixels_reach_exactly_one(mnist):
    assert (mnist.test.x.min(), mnist.test.x.max()) == (0.0, 1.0)
    assert mnist.test.x.shape == (10_000, 1, 28, 28)
    # The means of pixels that every recipe for MNIST normalises with, over all 60,000 training images.
    mean = (mnist.train.x.double().sum() + mnist.validation.x.double().sum()) / (60_000 * 784)
    assert float(mean) == pytest.approx(0.1307, abs=5e-5)


def test_mnist_verifies_with_the_sizes_of_its_source(mnist):
    verified = data.verify("mnist")

    assert (verified.train, verified.test, verified.shape) == (60_000, 10_000, (1, 28, 28))
    assert verified.content_id == mnist.content_id


class_sizes = st.lists(st.integers(2, 40), min_size=1, max_size=8)
fractions = st.floats(0.01, 0.99)


@given(class_sizes, fractions, st.randoms(use_true_random=False))
def test_every_class_gives_its_share_and_keeps_some(sizes, fraction, random):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    random.shuffle(labels)
    chosen = images.stratified(labels, fraction)

    for label, size in enumerate(sizes):
        count = int(chosen[labels == label].sum())
        assert 1 <= count <= size - 1
        assert abs(count - fraction * size) < 1 + 1e-9


@given(st.lists(st.integers(6, 60), min_size=1, max_size=8), st.floats(1 / 6, 5 / 6))
def test_the_shares_add_up_to_the_rounded_whole(sizes, fraction):
    labels = np.repeat(np.arange(len(sizes)), sizes)

    assert int(images.stratified(labels, fraction).sum()) == round(sum(sizes) * fraction)


def test_the_choice_is_spread_evenly_over_a_class():
    chosen = images.stratified(np.zeros(12, dtype=np.int64), 0.25)

    assert np.flatnonzero(chosen).tolist() == [2, 6, 10]


def test_a_class_with_one_image_cannot_be_divided():
    with pytest.raises(ValueError, match="class 1 has 1 image"):
        images.stratified(np.array([0, 0, 1]), 0.5)


@pytest.mark.parametrize(
    ("validation", "hint"),
    [(0, "got 0$"), (1, "got 1$"), (-0.1, "got -0.1$"), (float("nan"), "got nan$"), (20, "did you mean 0.2?")],
)
def test_a_validation_share_outside_the_open_unit_interval_is_refused(validation, hint):
    with pytest.raises(ValueError, match=r"in \(0, 1\); " + "got") as caught:
        data.load_images("digits", validation=validation)

    assert hint.rstrip("$") in str(caught.value)


def test_the_id_is_of_pixels_labels_and_their_order():
    base = raw_of([0, 1, 1])
    brighter = base.train.pixels.copy()
    brighter[0, 0, 0, 0] += 1
    others = [
        raw_of([0, 1, 0]),
        raw_of([0, 1, 1], brighter),
        raw_of([0, 1, 1], base.train.pixels[::-1]),
        raw_of([0, 1, 1], base.train.pixels.reshape(3, 1, 1, 4)),
        raw_of([0, 1, 1], scale=16),
        raw_of([0, 1, 1], test=base.train),
    ]

    assert len({content_id(raw) for raw in (base, *others)}) == 7
    assert content_id(raw_of([0, 1, 1], name="other", classes=("a", "b"))) == content_id(base)
    assert len(content_id(base)) == 12


def test_the_id_does_not_depend_on_how_the_array_lies_in_memory():
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 3, 2, 2)
    turned = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)

    assert content_id(raw_of([0, 1], turned)) == content_id(raw_of([0, 1], pixels))


def test_moving_to_a_device_moves_all_three_parts(digits):
    moved = digits.to("meta")

    assert {part.x.device.type for part in (moved.train, moved.validation, moved.test)} == {"meta"}
    assert {part.y.device.type for part in (moved.train, moved.validation, moved.test)} == {"meta"}
    assert moved.inputs == 64


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (torch.zeros(3, 8, 8), torch.zeros(3, dtype=torch.int64)),
        (torch.zeros(3, 1, 8, 8, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64)),
        (torch.zeros(3, 1, 8, 8), torch.zeros(2, dtype=torch.int64)),
        (torch.zeros(3, 1, 8, 8), torch.zeros(3)),
    ],
    ids=["no channel", "bytes", "a label short", "float labels"],
)
def test_a_split_of_wrong_shapes_cannot_be_made(x, y):
    with pytest.raises(ValueError, match=r"int64 labels|float32"):
        data.Split(x=x, y=y)


@pytest.mark.parametrize(
    ("pixel", "label", "message"),
    [
        (0.5, -100, "at least 0; got -100"),
        (float("nan"), 0, "a finite number"),
        (float("inf"), 0, "a finite number"),
        (float("-inf"), 0, "a finite number"),
    ],
)
def test_a_split_with_a_label_or_pixel_that_training_would_swallow_cannot_be_made(pixel, label, message):
    x = torch.full((2, 1, 3, 3), 0.5)
    x[1, 0, 2, 0] = pixel  # one among good ones

    with pytest.raises(ValueError, match=message):
        data.Split(x=x, y=torch.tensor([0, label]))


def test_a_misspelt_name_gets_the_right_one_suggested():
    with pytest.raises(ValueError, match="did you mean 'mnist'"):
        data.load_images("minst")


def test_a_folder_named_without_its_dot_gets_a_path_suggested(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ValueError, match=r"did you mean '\./photos'"):
        data.load_images("photos")


def test_a_path_to_nothing_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(FileNotFoundError, match=f"photos: no such folder or archive in {tmp_path}"):
        data.load_images("./photos")


def test_a_folder_of_idx_files_is_loaded_by_its_path(tmp_path):
    loaded = data.load_images(str(write_set(tmp_path / "shapes")), validation=0.25)

    assert loaded.name == "shapes"
    assert (len(loaded.train), len(loaded.validation), len(loaded.test)) == (9, 3, 6)


def test_a_folder_called_mnist_must_hold_mnist(tmp_path):
    write_set(tmp_path / "mnist")

    with refused(r"train-images-idx3-ubyte.gz: not MNIST's"):
        data.load_images(str(tmp_path / "mnist"))


def test_a_class_too_small_for_three_parts_is_named(tmp_path):
    with pytest.raises(ValueError, match="shapes: class '1' has too few images"):
        data.load_images(str(write_set(tmp_path / "shapes", train=[0, 0, 1], test=[0, 1])))


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("gpu", r"^a device is 'cpu', 'cuda' or one GPU of several, as 'cuda:1'; got 'gpu'$"),
        ("cuda:99", r"^device 'cuda:99' needs a GPU that torch can use, and there are \d+; take 'cpu', or install"),
    ],
)
def test_a_device_that_is_none_or_not_there_is_refused_with_a_fix(device, message):
    with pytest.raises(ValueError, match=message):
        data.load_images("digits", device=device)
