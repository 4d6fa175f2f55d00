import io
import os
import stat
import zipfile

import numpy as np
import pytest
from PIL import Image

from made_data import encode, spread, zipped
from prunelab import data
from prunelab.data import idx, own_images
from refusals import refused


def picture(shade, mode="L", size=(4, 3)):
    rng = np.random.default_rng(shade)
    shape = (size[1], size[0]) if mode in ("L", "I;16") else (size[1], size[0], len(mode))
    return Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8), mode=None)


def stored(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture(params=["folder", "zip"])
def place(request, tmp_path):
    """Lay members out as a folder and as an archive: both must behave alike."""
    if request.param == "zip":
        return lambda members: zipped(tmp_path / "set.zip", members)
    return lambda members: spread(tmp_path / "set", members)


def by_class(*classes, count=3, prefix="", seed=0):
    return {
        f"{prefix}{name}/{number}.png": stored(picture(seed + 100 * place + number))
        for place, name in enumerate(classes)
        for number in range(count)
    }


def test_a_layout_by_class_gives_one_training_part(place):
    raw = own_images.load(place(by_class("cat", "dog")))

    assert raw.name == "set"
    assert raw.classes == ("cat", "dog")
    assert raw.test is None
    assert raw.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert np.array_equal(raw.train.pixels[4, 0], np.asarray(picture(101)))


def test_a_layout_with_train_and_test_keeps_them_apart(place):
    members = by_class("cat", "dog", prefix="train/") | by_class("cat", "dog", prefix="test/", count=1, seed=50)
    raw = own_images.load(place(members))

    assert raw.test is not None
    assert (raw.train.labels.tolist(), raw.test.labels.tolist()) == ([0, 0, 0, 1, 1, 1], [0, 1])
    assert np.array_equal(raw.test.pixels[1, 0], np.asarray(picture(150)))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_an_image_is_read_as_viewers_show_it_however_the_camera_was_held(place, kind):
    turned = {  # orientation in EXIF -> what was done to the picture before it was stored
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    shown = Image.fromarray(np.kron([[255, 0, 0], [0, 0, 128]], np.ones((16, 16))).astype(np.uint8))
    members = {}
    for orientation, turn in turned.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        image = shown if turn is None else shown.transpose(turn)
        members[f"{'cat' if orientation % 2 else 'dog'}/{orientation}.{kind.lower()}"] = stored(
            image, kind, exif=exif, **({} if kind == "PNG" else {"quality": 100})
        )
    pixels = own_images.load(place(members)).train.pixels[:, 0].astype(int)

    assert pixels.shape == (8, 32, 48)
    assert np.abs(pixels - np.asarray(shown)).max() <= (0 if kind == "PNG" else 60)  # at the edges of blocks
    assert np.abs(pixels - np.asarray(shown)).mean() < 2


def test_images_of_one_size_only_as_they_are_stored_are_refused(place):
    exif = Image.Exif()
    exif[0x0112] = 6  # shown upright
    members = by_class("cat", "dog") | {"dog/9.png": stored(picture(9), exif=exif)}

    with refused("9.png in .*: 3×4 pixels, .* has 4×3; all images of a set need one size"):
        own_images.load(place(members))


def test_a_class_has_one_name_whether_its_accents_stand_apart_or_not(place):
    members = by_class("caf\u00e9", "dog", prefix="train/") | by_class("cafe\u0301", "dog", prefix="test/")
    raw = own_images.load(place(members))

    assert raw.classes == ("caf\u00e9", "dog")
    assert raw.test is not None


def test_a_pipe_among_the_images_is_refused_and_not_waited_for(tmp_path):
    folder = spread(tmp_path / "set", by_class("cat", "dog"))
    os.mkfifo(folder / "cat" / "live.png")

    with refused(r"live\.png: not a plain file; put the file itself there, or remove it"):
        own_images.load(folder)


def test_a_folder_around_everything_is_passed_over(place):
    members = by_class("cat", "dog", prefix="a/b/train/") | by_class("cat", "dog", prefix="a/b/test/")

    assert own_images.load(place(members)).classes == ("cat", "dog")


def test_classes_and_files_come_in_natural_order(place):
    members = by_class("10", "9", "1-2", "1", count=11)
    tree = own_images.by_class(own_images.Path("set"), dict.fromkeys(members, 0))

    assert own_images.load(place(members)).classes == ("1", "1-2", "9", "10")
    assert tree["train"]["9"] == [f"9/{number}.png" for number in range(11)]


def test_the_same_pixels_have_one_id_in_a_folder_an_archive_and_idx_files(tmp_path):
    members = by_class("0", "1", prefix="train/") | by_class("0", "1", prefix="test/", count=2)
    spread(tmp_path / "folder", members)
    zipped(tmp_path / "packed.zip", dict(reversed(members.items())))
    raw = own_images.load(tmp_path / "folder")
    assert raw.test is not None
    parts = (raw.train.pixels[:, 0], raw.train.labels, raw.test.pixels[:, 0], raw.test.labels)
    for name, array in zip(idx.FILES, parts, strict=True):
        (tmp_path / name).write_bytes(encode(array))

    ids = {data.verify(str(path)).content_id for path in (tmp_path / "folder", tmp_path / "packed.zip", tmp_path)}
    assert len(ids) == 1


def test_a_set_without_a_test_part_gets_a_fixed_stratified_one(place):
    path = place(by_class("cat", "dog", count=10))
    first, again = data.load_images(str(path)), data.load_images(str(path), validation=0.5)

    assert first.test.y.tolist() == [0, 0, 1, 1]
    assert first.test.x.equal(again.test.x)


def test_colour_images_keep_their_three_channels_in_order(place):
    images = {f"{name}/{n}.png": stored(picture(n, "RGB")) for name in ("a", "b") for n in range(3)}
    raw = own_images.load(place(images))

    assert raw.train.pixels.shape == (6, 3, 3, 4)
    assert np.array_equal(raw.train.pixels[2, 1], np.asarray(picture(2, "RGB"))[:, :, 1])


def test_one_colour_image_makes_the_whole_set_colour(place):
    raw = own_images.load(place(by_class("a", "b") | {"b/9.png": stored(picture(9, "RGB"))}))

    assert raw.train.pixels.shape == (7, 3, 3, 4)
    assert np.array_equal(raw.train.pixels[0], np.stack([np.asarray(picture(0))] * 3))


def test_transparent_pixels_lie_over_white(place):
    image = picture(3, "RGBA")
    raw = own_images.load(place({"a/1.png": stored(image), "b/1.png": stored(image)}))
    colour, alpha = np.asarray(image)[..., :3].astype(float), np.asarray(image)[..., 3:] / 255

    expected = colour * alpha + 255 * (1 - alpha)
    assert np.abs(raw.train.pixels[0].transpose(1, 2, 0) - expected).max() <= 1


@pytest.mark.parametrize("colours", [[0, 0, 0, 90, 90, 90], [0, 0, 0, 90, 80, 70]], ids=["grey", "colour"])
def test_palette_images_get_the_channels_their_colours_need(colours, place):
    image = Image.new("P", (2, 2))
    image.putpalette(colours)
    image.putpixel((1, 0), 1)
    raw = own_images.load(place({"a/1.png": stored(image), "b/1.png": stored(image)}))

    channels = colours[3:4] if len(set(colours[3:])) == 1 else colours[3:]
    assert raw.train.pixels[0, :, 0, 1].tolist() == channels
    assert raw.train.pixels.shape == (2, len(channels), 2, 2)


@pytest.mark.parametrize("mode", ["LA", "1"])
def test_grey_images_with_alpha_or_one_bit_stay_grey(mode, place):
    image = Image.new(mode, (2, 2), 1 if mode == "1" else (200, 255))
    raw = own_images.load(place({"a/1.png": stored(image), "b/1.png": stored(image)}))

    assert raw.train.pixels.shape == (2, 1, 2, 2)
    assert set(raw.train.pixels.ravel().tolist()) == {255 if mode == "1" else 200}


@pytest.mark.parametrize(("kind", "suffix"), [("BMP", "bmp"), ("TIFF", "tif"), ("PPM", "pgm"), ("PNG", "PNG")])
def test_lossless_kinds_of_files_give_the_same_pixels(kind, suffix, place):
    members = {f"{name}/1.{suffix}": stored(picture(1), kind) for name in ("a", "b")}

    assert np.array_equal(own_images.load(place(members)).train.pixels[0, 0], np.asarray(picture(1)))


GOOD = by_class("cat", "dog")
TRAIN = by_class("cat", "dog", prefix="train/")


@pytest.mark.parametrize(
    ("members", "rule"),
    [
        (GOOD | {"dog/7.png": stored(picture(1, size=(5, 3)))}, r"dog/7.png in .*set.*5×3 pixels, cat/0.png has 4×3"),
        (GOOD | {"dog/7.png": b"not an image"}, "dog/7.png in .*of no known image format"),
        (GOOD | {"dog/7.png": GOOD["dog/0.png"][:-20]}, "dog/7.png in .*not a readable image"),
        (GOOD | {"dog/7.png": GOOD["dog/0.png"].replace(b"IDATx", b"IDATy")}, "dog/7.png in .*not a readable image"),
        (GOOD | {"dog/7.png": b""}, "dog/7.png in .*not a readable image"),
        (GOOD | {"dog/7.png": stored(Image.new("I;16", (4, 3)))}, "dog/7.png in .*type I;16"),
        (GOOD | {"dog/7.heic": b"?"}, "dog/7.heic in .*not an image file"),
        (GOOD | {"eel/": b""}, "eel in .*without images"),
        (GOOD | {"loose.png": GOOD["dog/0.png"]}, "loose.png in .*outside the class folders"),
        (GOOD | {"dog/old/7.png": GOOD["dog/0.png"]}, "dog/old/7.png in .*outside the class folders"),
        (by_class("cat"), "found one class, 'cat'"),
        ({"1.png": GOOD["dog/0.png"]}, "outside the class folders"),
        ({"read.me": b"nothing"}, "no images"),
        (TRAIN | by_class("cat", prefix="test/"), "test/dog is missing"),
        (TRAIN | by_class("cat", "dog", "eel", prefix="test/"), "train/eel is missing"),
        (TRAIN | {"test/": b""}, "test in .*without images"),
        (TRAIN | by_class("cat", "dog", prefix="val/"), "train, val; only train and test are read"),
    ],
)
def test_an_unusable_set_is_refused_in_one_line_that_names_the_file(members, rule, place):
    with refused(rule) as caught:
        own_images.load(place(members))
    assert "0x" not in str(caught.value)


def test_what_operating_systems_and_people_leave_beside_the_classes_is_ignored(place):
    left = {"__MACOSX/cat/0.png": b"", ".git/1.png": b"", "cat/.DS_Store": b"", "dog/Thumbs.db": b"", "README": b"hi"}

    assert len(own_images.load(place(GOOD | left)).train.labels) == 6


@pytest.mark.parametrize("name", ["../cat/7.png", "/cat/7.png", "cat/../../7.png", "C:/cat/7.png", "cat\\..\\7.png"])
def test_a_name_that_leads_out_of_the_archive_is_refused(name, tmp_path):
    path = zipped(tmp_path / "set.zip", GOOD | {name: GOOD["dog/0.png"]})

    with pytest.raises(ValueError, match="leads out of the archive"):
        own_images.load(path)


def test_a_link_in_an_archive_is_refused(tmp_path):
    link = zipfile.ZipInfo("dog/7.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = zipped(tmp_path / "set.zip", GOOD)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")

    with pytest.raises(ValueError, match=r"dog/7.png in .*a symbolic link"):
        own_images.load(path)


def test_a_link_to_a_folder_is_refused_rather_than_passed_over(tmp_path):
    spread(tmp_path / "set", GOOD)
    (tmp_path / "set" / "eel").symlink_to(tmp_path / "set" / "dog")

    with pytest.raises(ValueError, match="eel: a link to a folder"):
        own_images.load(tmp_path / "set")


def test_a_member_that_stands_twice_is_refused(tmp_path):
    path = zipped(tmp_path / "set.zip", GOOD)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("dog/0.png", GOOD["dog/1.png"])

    with pytest.raises(ValueError, match=r"dog/0.png in .*there twice"):
        own_images.load(path)


def test_a_member_whose_checksum_is_wrong_is_named(tmp_path):
    path = zipped(tmp_path / "set.zip", GOOD)  # stored, so that the image's bytes can be found and changed
    content = path.read_bytes()
    position = content.index(GOOD["dog/1.png"]) + 20
    path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])

    with pytest.raises(ValueError, match=r"dog/1.png in .*CRC"):
        own_images.load(path)


def test_a_truncated_archive_is_named(tmp_path):
    path = zipped(tmp_path / "set.zip", GOOD)
    path.write_bytes(path.read_bytes()[:-30])

    with pytest.raises(ValueError, match=r"set.zip: neither a folder nor a readable zip"):
        own_images.load(path)


@pytest.mark.parametrize(
    ("limit", "rule"),
    [("_IMAGE_LIMIT", "an image file may have 40"), ("_TOTAL_LIMIT", "bytes of image files; a data set may have 40")],
)
def test_files_of_absurd_size_are_refused_before_they_are_read(limit, rule, place, monkeypatch):
    monkeypatch.setattr(own_images, limit, 40)

    with pytest.raises(ValueError, match=rule):
        own_images.load(place(GOOD))


def test_more_pixels_than_memory_holds_are_refused_before_they_are_decoded(place, monkeypatch):
    monkeypatch.setattr(own_images, "PIXEL_LIMIT", 3 * 6 * 12 - 1)
    monkeypatch.setattr(own_images, "_pixels", lambda image: pytest.fail("decoded"))

    with pytest.raises(ValueError, match="6 images of 4×3 pixels"):
        own_images.load(place(GOOD))


def test_an_image_that_claims_a_billion_pixels_is_refused(place, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)

    with pytest.raises(ValueError, match=r"cat/0.png in .*exceeds limit"):
        own_images.load(place(GOOD))
