"""CIFAR-10, as published and as JPEG: small sets stand in for both, with identities of their own."""

import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import made_data
from made_data import (
    BATCHES,
    everything_in,
    jpeg,
    known,
    member,
    publish_archive,
    records,
    row,
    spread,
    tarred,
    zipped,
)
from prunelab import data
from prunelab.data import cifar, own_images
from prunelab.data import images as data_images
from refusals import refused

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")  # labels 0 to 9


@pytest.fixture
def pictures(small_jpegs):
    return small_jpegs


@pytest.fixture
def batches():
    return made_data.batches()


def test_jpeg_images_come_by_part_class_and_number(pictures, own):
    zipped(own / "cifar10-jpeg.zip", dict(reversed(pictures.items())))
    raw = data_images.read("cifar10-jpeg")

    assert (raw.name, raw.classes) == ("cifar10-jpeg", ("bird", "cat", "dog"))
    assert (raw.train.labels.tolist(), raw.test.labels.tolist()) == (
        np.repeat(range(3), 6).tolist(),
        [0, 0, 1, 1, 2, 2],
    )
    decoded = [np.asarray(Image.open(io.BytesIO(content))).transpose(2, 0, 1) for content in pictures.values()]
    assert np.array_equal(np.concatenate([raw.train.pixels, raw.test.pixels]), np.stack(decoded))


def test_jpeg_images_are_what_a_folder_of_images_by_class_would_give(pictures, own, tmp_path):
    zipped(own / "cifar10-jpeg.zip", pictures)
    by_path = spread(tmp_path / "photographs", pictures)

    assert data.verify("cifar10-jpeg").content_id == data.verify(str(by_path)).content_id


def test_jpeg_images_sorted_by_class_are_divided_evenly(pictures, own):
    zipped(own / "cifar10-jpeg.zip", pictures)
    images = data.load_images("cifar10-jpeg")

    assert [torch.bincount(part.y).tolist() for part in (images.train, images.validation, images.test)] == [
        [5, 5, 5],
        [1, 1, 1],
        [2, 2, 2],
    ]


def test_a_path_called_like_a_data_set_must_hold_it(pictures, tmp_path):
    changed = {**pictures, "train/bird/5.jpg": jpeg(99)}
    good = zipped(tmp_path / "cifar10-jpeg.zip", pictures)
    assert data.load_images(str(good)).name == "cifar10-jpeg"
    for path in (
        zipped(good, changed),
        spread(tmp_path / "cifar10-jpeg", changed),
        zipped(tmp_path / "cifar10.zip", pictures),
    ):
        with pytest.raises(ValueError, match=r"not CIFAR-10"):
            data.load_images(str(path))
    with pytest.raises(FileNotFoundError, match=r"cifar10 has no cifar-10-binary.tar.gz.*remove or rename the folder"):
        data.load_images(str(spread(tmp_path / "cifar10", pictures)))

    assert data.load_images(str(spread(tmp_path / "photographs", changed))).name == "photographs"


def test_a_record_is_a_label_and_then_red_green_and_blue_row_by_row(batches, own, monkeypatch):
    pixels = np.zeros((3, 32, 32), dtype=np.uint8)
    pixels[0, 0, 1], pixels[1, 2, 0], pixels[2, 31, 31] = 7, 8, 9
    plain = bytearray(3072)
    plain[1], plain[1024 + 2 * 32], plain[3071] = 7, 8, 9
    batches["data_batch_1.bin"] = bytes([6]) + bytes(plain) + batches["data_batch_1.bin"]
    publish_archive(monkeypatch, tarred(own / "cifar-10-binary.tar.gz", batches))
    raw = data_images.read("cifar10")

    assert raw.classes == CLASSES
    assert raw.train.labels[0] == 6
    assert np.array_equal(raw.train.pixels[0], pixels)


def test_training_images_come_in_the_order_of_their_files(batches, own, monkeypatch):
    publish_archive(monkeypatch, tarred(own / "cifar-10-binary.tar.gz", dict(reversed(batches.items()))))
    raw = data_images.read("cifar10")
    whole = b"".join(
        bytes([label]) + image.tobytes()
        for part in (raw.train, raw.test)
        for label, image in zip(part.labels, part.pixels, strict=True)
    )

    assert whole == b"".join(batches[name] for name in BATCHES)


def test_cifar10_is_loaded_in_three_parts_of_all_classes(batches, own, monkeypatch):
    publish_archive(monkeypatch, tarred(own / "cifar-10-binary.tar.gz", batches))
    images = data.load_images("cifar10", validation=0.2)

    assert [torch.bincount(part.y).tolist() for part in (images.train, images.validation, images.test)] == [
        [8] * 10,
        [2] * 10,
        [1] * 10,
    ]
    assert (images.name, images.classes, images.inputs) == ("cifar10", CLASSES, 3072)
    assert images.content_id == data.verify("cifar10").content_id


def test_the_archive_may_stand_in_a_folder_of_the_sets_name_and_be_given_by_path(batches, own, monkeypatch):
    path = publish_archive(monkeypatch, tarred(own / "cifar-10-binary.tar.gz", batches))
    ids = {data.verify("cifar10").content_id, data.verify(str(path)).content_id}
    (own / "cifar10").mkdir()
    path.rename(own / "cifar10" / path.name)
    ids |= {data.verify("cifar10").content_id, data.verify(str(own / "cifar10")).content_id}

    assert len(ids) == 1
    assert data.get("cifar10") == own / "cifar10" / path.name


def test_unpacked_files_are_refused_since_nothing_says_that_they_are_the_published_ones(batches, own):
    spread(own / "cifar10" / "cifar-10-batches-bin", batches)

    with pytest.raises(FileNotFoundError, match=r"own/cifar10 has no cifar-10-binary.tar.gz.*cannot be verified"):
        data.load_images("cifar10")
    assert row("cifar10").where is None
    assert "cannot be verified" in row("cifar10").problem


@pytest.mark.parametrize("change", ["a byte", "an end"])
def test_another_archive_is_not_opened(change, batches, own, monkeypatch):
    path = publish_archive(monkeypatch, tarred(own / "cifar-10-binary.tar.gz", batches))
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content if change == "a byte" else content[:-1])
    monkeypatch.setattr(tarfile, "open", lambda *_, **__: pytest.fail("opened"))

    with pytest.raises(ValueError, match=r"not CIFAR-10's cifar-10-binary.tar.gz.*prunelab data get cifar10") as caught:
        data.load_images("cifar10")
    assert ("MD5" if change == "a byte" else "bytes, is") in str(caught.value)


def test_other_members_are_passed_over_and_nothing_is_unpacked(batches, own, monkeypatch, tmp_path):
    extra = [
        member("cifar-10-batches-bin/readme.html", b"words"),
        member("../data_batch_1.bin", b"x"),
        member("/tmp/data_batch_2.bin", b"x"),
        member("cifar-10-batches-bin/../data_batch_3.bin", b"x"),
        member("link", type=tarfile.SYMTYPE, linkname="/etc"),
    ]
    publish_archive(monkeypatch, tarred(own / "cifar-10-binary.tar.gz", batches, extra=extra))

    assert data.verify("cifar10").train == 100
    assert everything_in(tmp_path) == ["own", "own/cifar-10-binary.tar.gz"]


TEST = "cifar-10-batches-bin/test_batch.bin"


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ([], "no cifar-10-batches-bin/test_batch.bin in the archive"),
        ([member(TEST, type=tarfile.SYMTYPE, linkname="data_batch_1.bin")], "not a plain file"),
        ([member(TEST, type=tarfile.LNKTYPE, linkname="cifar-10-batches-bin/data_batch_1.bin")], "not a plain file"),
        ([member(TEST, type=tarfile.FIFOTYPE)], "not a plain file"),
        ([member(TEST, records(range(10)))] * 2, "there twice"),
        ([member(TEST, bytes(2**25 + 1))], "more than 33554432 bytes"),
        ([member(TEST, b"")], "test_batch.bin in .*: 0 bytes, not a whole number of records"),
        ([member(TEST, records([1])[:-1])], "3072 bytes, not a whole number of records"),
        ([member(TEST, records([1]) + b"x")], "3074 bytes, not a whole number of records"),
        ([member(TEST, records([1, 10]))], "label 10, but labels run from 0 to 9"),
    ],
)
def test_an_archive_that_does_not_hold_the_six_files_is_named(extra, said, batches, own, monkeypatch):
    del batches["test_batch.bin"]
    publish_archive(monkeypatch, tarred(own / "cifar-10-binary.tar.gz", batches, extra=extra))

    with refused(rf"{said}.*replace (it|the archive) with a fresh copy") as caught:
        data.load_images("cifar10")
    assert "own/cifar-10-binary.tar.gz" in str(caught.value)


def test_a_damaged_tar_archive_is_one_line(batches, own, monkeypatch):
    path = tarred(own / "cifar-10-binary.tar.gz", batches)
    whole = path.read_bytes()
    for content in (b"", b"<html>busy</html>", whole[: len(whole) // 2], whole[:9] + bytes(50) + whole[59:]):
        path.write_bytes(content)
        publish_archive(monkeypatch, path)
        with refused(r"cifar-10-binary.tar.gz: not a readable tar archive"):
            data.load_images("cifar10")


@given(labels=st.lists(st.integers(0, 255), min_size=1, max_size=5), cut=st.integers(0, 3073))
def test_a_file_is_read_whole_or_not_at_all(labels, cut):
    content = records(labels)[cut:]
    bad = len(content) % 3073 or not content or max(content[::3073]) > 9
    if bad:
        with pytest.raises(ValueError, match="replace the archive"):
            cifar.parse("test_batch.bin in archive", content, classes=10)
    else:
        part = cifar.parse("test_batch.bin in archive", content, classes=10)
        assert part.labels.tolist() == list(content[::3073])
        assert len(part.pixels) == len(part.labels)


REAL = Path(os.environ.get("PRUNELAB_DATA") or "/nowhere")


@pytest.fixture(scope="module")
def real():
    if not any((REAL / name).exists() for name in ("cifar10-jpeg.zip", "cifar10-jpeg")):
        pytest.skip("needs cifar10-jpeg in PRUNELAB_DATA")
    return data.load_images("cifar10-jpeg")


def test_the_real_jpeg_images_have_the_published_counts(real):
    assert real.classes == CLASSES
    assert torch.bincount(torch.cat([real.train.y, real.validation.y])).tolist() == [5000] * 10
    assert torch.bincount(real.test.y).tolist() == [1000] * 10
    assert real.test.x.shape == (10_000, 3, 32, 32)
    assert len(real.validation) == 8333


def test_the_real_jpeg_images_have_the_colours_of_cifar10(real):
    # Means of red, green and blue over the 50,000 training images, as recipes for CIFAR-10 normalise with.
    weighted = [part.x.mean(dim=(0, 2, 3)) * len(part) / 50_000 for part in (real.train, real.validation)]

    assert sum(weighted).tolist() == pytest.approx([0.4914, 0.4822, 0.4465], abs=1e-3)


def test_the_real_jpeg_images_come_in_the_order_of_images_by_class(real):
    path = next(path for path in (REAL / "cifar10-jpeg.zip", REAL / "cifar10-jpeg") if path.exists())
    found = cifar.PICTURES.open(path)
    tree = cifar._tree(known("cifar10-jpeg"), found.files)

    assert tree == own_images.by_class(path, {name: len(content) for name, content in found.files.items()})
