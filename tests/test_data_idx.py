import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from made_data import encode, pictures, write_set
from prunelab.data import archive as data_archive
from prunelab.data import idx
from refusals import refused


def read(folder, **options):
    return idx.assemble(
        [idx.unpack(folder / f"{file}{'.gz' * (folder / f'{file}.gz').exists()}") for file in idx.FILES],
        name="small",
        **options,
    )


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=1, max_dims=3, max_side=6)))
def test_reading_returns_what_was_written(array):
    assert np.array_equal(idx.parse(Path("images"), encode(array), dimensions=array.ndim), array)


@given(st.data())
def test_no_shortened_or_lengthened_file_is_read(data):
    content = encode(pictures(2))
    changed = data.draw(
        st.one_of(
            st.integers(0, len(content) - 1).map(lambda length: content[:length]),
            st.binary(min_size=1, max_size=9).map(lambda more: content + more),
        )
    )

    with pytest.raises(ValueError, match="images"):
        idx.parse(Path("images"), changed, dimensions=3)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "starts with nothing"),
        (b"<html>not found</html>", "another kind of file"),
        (struct.pack(">BBBBII", 0, 0, 8, 2, 2, 2) + bytes(4), "mixed up"),
        (struct.pack(">BBBBIII", 0, 0, 13, 3, 1, 1, 1) + bytes(4), "unsigned bytes"),
        (struct.pack(">BBBBIII", 0, 0, 8, 3, 0, 28, 28), "none"),
        # 2^32 · 2^32 wraps to 0 in 64 bits, which an empty body would match.
        (struct.pack(">BBBBIII", 0, 0, 8, 3, 2**31, 2**31, 4), "truncated or damaged"),
    ],
    ids=["empty", "html", "matrix", "floats", "no images", "sizes that wrap"],
)
def test_a_file_of_another_kind_is_refused_in_one_line_that_names_it(content, rule, tmp_path):
    with refused(rule) as caught:
        idx.parse(tmp_path / "images", content, dimensions=3)
    assert str(tmp_path / "images") in str(caught.value)


def test_labels_in_the_place_of_images_are_noticed(tmp_path):
    with pytest.raises(ValueError, match="mixed up"):
        idx.parse(tmp_path / "images", encode(np.arange(5)), dimensions=3)


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        (lambda packed: packed[:-20], "ends too early"),
        (lambda packed: packed + b"more", "4 bytes follow"),
        (lambda packed: packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:], "damaged gzip"),
        (lambda packed: packed[:2], "ends too early"),
    ],
    ids=["truncated", "trailing bytes", "wrong checksum", "nothing but the magic number"],
)
def test_a_damaged_gzip_file_is_named(damage, rule, tmp_path):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(damage(gzip.compress(encode(pictures(9)))))

    with pytest.raises(ValueError, match=rule) as caught:
        idx.unpack(path)

    assert str(path) in str(caught.value)


def test_a_file_that_unpacks_to_an_absurd_size_is_not_unpacked_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(idx, "PIXEL_LIMIT", 1000)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(bytes(100_000)))

    with pytest.raises(ValueError, match="more than is read"):
        idx.unpack(path)


def test_a_large_file_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(data_archive, "PIXEL_LIMIT", 1000)
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(bytes(1001))

    with pytest.raises(ValueError, match="1001 bytes"):
        idx.unpack(path)


def test_a_set_is_read_with_one_channel_and_its_own_classes(tmp_path):
    raw = read(write_set(tmp_path))

    assert raw.train.pixels.shape == (12, 1, 5, 4)
    assert np.array_equal(raw.train.pixels[:, 0], pictures(12, 1))
    assert raw.classes == ("0", "1", "2")
    assert raw.test is not None
    assert raw.test.labels.tolist() == [0, 1, 2, 0, 1, 2]


def test_packing_makes_no_difference(tmp_path):
    packed = read(write_set(tmp_path / "packed"))
    plain = read(write_set(tmp_path / "plain", pack=bytes, suffix=""))
    misnamed = read(write_set(tmp_path / "misnamed", pack=bytes, suffix=".gz"))  # as a server may deliver it

    assert np.array_equal(packed.train.pixels, plain.train.pixels)
    assert np.array_equal(packed.train.pixels, misnamed.train.pixels)


@pytest.mark.parametrize("missing", idx.FILES)
def test_the_missing_one_of_four_files_is_named(missing, tmp_path):
    write_set(tmp_path)
    (tmp_path / f"{missing}.gz").unlink()

    with pytest.raises(FileNotFoundError, match=rf"has no {missing}.gz nor {missing}; a data set .* needs all four"):
        idx.load(tmp_path)


@pytest.mark.parametrize(
    ("options", "classes", "rule"),
    [
        ({"train": [0, 1, 2, 3]}, ("a", "b", "c"), "train-labels.*label 3, but labels run from 0 to 2"),
        ({"test": [0, 1, 2, 7]}, None, "t10k-labels.*label 7"),
        ({"train": [0, 2, 2, 0]}, None, "train-labels.*label 1 never occurs"),
        ({"test": [0, 1, 1]}, None, "t10k-labels.*label 2 never occurs"),
        ({"train": [0, 0, 0]}, None, "at least 2 classes"),
        (
            {"images": lambda count, seed: pictures(count + seed, seed)},
            None,
            "train-labels.*12 labels for the 13 images of train-images",
        ),
        (
            {"images": lambda count, seed: pictures(count, seed, (5, 3 + seed))},
            None,
            "t10k-images.*images of 5×5 pixels, the training images have 4×5",
        ),
    ],
    ids=["label too large", "in test", "unused label", "unused in test", "one class", "counts differ", "sizes differ"],
)
def test_files_that_do_not_belong_together_are_refused(options, classes, rule, tmp_path):
    with pytest.raises(ValueError, match=rule):
        read(write_set(tmp_path, **options), classes=classes)
