"""What every format promises; a new file in the room is picked up by itself."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageFile, PngImagePlugin

from imgsvc import formats, operations
from imgsvc.errors import OutputTooLarge
from imgsvc.formats import Format, Picture
from imgsvc.formats._base import HEAD
from imgsvc.pipeline import Grammar
from tests.contracts.declarations import check_declaration
from tests.contracts.uses import example, variations
from tests.photos import picture

ALL = formats.registry()
MODES = ("L", "LA", "RGB", "RGBA")
SIZES = ((1, 1), (1, 37), (53, 1), (7, 5), (64, 48))

every = pytest.mark.parametrize("name", ALL)
in_every_mode = pytest.mark.parametrize("mode", MODES)


def source(size: tuple[int, int], mode: str, seed: int = 0) -> Image.Image:
    """A picture; where it has alpha, its left half is invisible and its right half solid."""
    made = picture(*size, mode="RGBA", seed=seed)
    made.putalpha(255)
    made.paste(0, (0, 0, size[0] // 2, size[1]))
    return made.convert(mode) if mode.endswith("A") else made.convert("RGB").convert(mode)


def encoded(format: Format, picture: Picture) -> bytes:
    file = io.BytesIO()
    format.encode(picture, file)
    return file.getvalue()


def opened(name: str, data: bytes) -> ImageFile.ImageFile:
    """The file, opened as nothing but what its format says it is."""
    image = Image.open(io.BytesIO(data), formats=ALL[name].pillow[:1])
    image.load()
    return image


def asked(name: str, **parameters: object) -> Format:
    return ALL[name].model_validate(parameters)


def default(name: str) -> Format:
    made = Grammar().parse(name).format
    assert isinstance(made, Format)
    return made


@every
def test_it_declares_what_grammar_docs_and_callers_need(name: str) -> None:
    check_declaration(ALL[name])
    kind = ALL[name]
    assert kind.media_type.startswith("image/")
    assert kind.extension.isalnum()
    assert 0 < kind.decode_bytes_per_pixel < 64
    assert 0 < kind.max_side <= 65535


@pytest.mark.parametrize("name", formats.endings())
def test_whatever_may_end_a_pipeline_declares_what_the_grammar_needs(name: str) -> None:
    check_declaration(formats.endings()[name])


def test_a_choice_of_formats_is_none_itself() -> None:
    assert set(formats.endings()) - set(ALL) == {"auto"}


@every
@pytest.mark.parametrize("quality", [None, 1, 80, 100])
def test_it_knows_what_a_quality_on_the_scale_of_jpeg_means(name: str, quality: int | None) -> None:
    made = ALL[name].wished(quality, None)
    assert type(made) is ALL[name]
    if quality in (None, 80):
        assert made == ALL[name]()


@every
def test_its_other_names_mean_it_and_nothing_else(name: str) -> None:
    taken = {*ALL, *operations.registry(testing=True)}
    taken |= {other for kind in ALL if kind != name for other in ALL[kind].other_names}
    assert taken.isdisjoint(ALL[name].other_names)
    for other in ALL[name].other_names:
        assert Grammar().parse(other).text == name


@every
@in_every_mode
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_it_encodes_every_mode_and_size(name: str, mode: str, size: tuple[int, int]) -> None:
    data = encoded(default(name), Picture((source(size, mode),)))
    made = opened(name, data)
    assert made.size == size
    assert made.format in ALL[name].pillow
    assert getattr(made, "n_frames", 1) == 1


@every
@in_every_mode
def test_what_it_shows_is_the_picture(name: str, mode: str) -> None:
    image = source((64, 48), mode)
    ground = Image.new("RGBA", image.size, "white")
    want = Image.alpha_composite(ground, image.convert("RGBA"))
    made = opened(name, encoded(default(name), Picture((image,)))).convert("RGBA")
    got = Image.alpha_composite(ground, made)
    assert np.abs(np.asarray(want, np.int16) - np.asarray(got, np.int16)).mean() < 6


@every
def test_it_works_at_the_ends_of_what_it_allows(name: str) -> None:
    for made in variations(ALL[name]):
        assert isinstance(made, Format)
        if getattr(made, "max_bytes", None) == 1:
            with pytest.raises(OutputTooLarge):
                encoded(made, Picture((source((16, 12), "RGB"),)))
            continue
        for mode in MODES:
            assert opened(name, encoded(made, Picture((source((16, 12), mode),)))).size == (16, 12)


@every
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_it_says_truly_whether_it_has_alpha(name: str, mode: str) -> None:
    image = source((64, 48), mode)
    made = opened(name, encoded(default(name), Picture((image,))))
    assert made.has_transparency_data is ALL[name].alpha
    if ALL[name].alpha:
        got = np.asarray(made.convert("RGBA").getchannel("A"), np.int16)
        assert np.abs(got - np.asarray(image.getchannel("A"), np.int16)).max() <= 8


@every
@in_every_mode
def test_it_says_truly_whether_it_moves(name: str, mode: str) -> None:
    frames = tuple(source((64, 48), mode, seed) for seed in range(4))
    times = (100, 40, 500, 70)
    made = opened(name, encoded(default(name), Picture(frames, times, 0)))
    if not ALL[name].animated:
        assert getattr(made, "n_frames", 1) == 1
        return
    assert made.n_frames == 4  # type: ignore[attr-defined]  # the plugins that know frames have it
    for index, (frame, time) in enumerate(zip(frames, times, strict=True)):
        made.seek(index)
        made.load()
        assert made.info["duration"] == time
        shown = np.asarray(made.convert("RGBA").convert("RGBa"), np.int16)
        assert np.abs(shown - np.asarray(frame.convert("RGBA").convert("RGBa"), np.int16)).mean() < 8


@every
@pytest.mark.parametrize("plays", [None, 0, 1, 2, 7])
def test_it_plays_as_often_as_it_is_told(name: str, plays: int | None) -> None:
    frames = tuple(source((16, 12), "RGB", seed) for seed in range(2))
    made = opened(name, encoded(default(name), Picture(frames, (50, 50), plays)))
    told = made.info.get("loop")
    if name == "gif":  # says how often it is repeated
        assert told == {None: None, 0: 0, 1: None, 2: 1, 7: 6}[plays]
    elif told is not None:
        assert told == (1 if plays is None else plays)


@every
@in_every_mode
def test_the_same_picture_gives_the_same_bytes(name: str, mode: str) -> None:
    image = source((64, 48), mode)
    assert encoded(default(name), Picture((image,))) == encoded(default(name), Picture((image.copy(),)))


@every
def test_nothing_that_came_with_the_source_gets_into_the_file(name: str) -> None:
    image = source((64, 48), "RGB")
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "SECRET")
    image.info = {
        "exif": b"Exif\0\0II*\0\x08\0\0\0\0\0SECRET",
        "comment": b"SECRET",
        "icc_profile": b"SECRET" * 30,
        "xmp": b"<x:xmpmeta>SECRET</x:xmpmeta>",
        "photoshop": {1: b"SECRET"},
        "adobe": 100,
        "dpi": (72, 72),
        "pnginfo": text,
        "Comment": "SECRET",
        "duration": 5000,
        "loop": 3,
    }
    frames = (image, source((64, 48), "RGB", 1))
    for shown in (Picture(frames[:1]), Picture(frames, (50, 50), 0)):
        data = encoded(default(name), shown)
        assert b"SECRET" not in data
        assert not {"exif", "comment", "icc_profile", "xmp", "dpi", "Comment"} & set(opened(name, data).info)


@every
def test_a_profile_and_copyright_get_in_where_they_are_given(name: str) -> None:
    from PIL import ImageCms  # noqa: PLC0415  # lcms is needed here alone

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x8298] = "Somebody"
    made = opened(
        name, encoded(default(name), Picture((source((16, 12), "RGB"),), icc=profile, exif=exif.tobytes()))
    )
    if name == "gif":  # it has room for neither
        assert "icc_profile" not in made.info
        return
    assert made.info["icc_profile"] == profile
    assert made.getexif()[0x8298] == "Somebody"


@every
def test_its_files_are_recognised_by_their_first_bytes_and_no_others_are(name: str) -> None:
    data = encoded(default(name), Picture((source((64, 48), "RGB"),)))
    assert [kind for kind in ALL if ALL[kind].recognises(data[:HEAD])] == [name]
    assert not ALL[name].recognises(b"")
    assert not ALL[name].recognises(b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    canvas = ALL[name].canvas(data[:HEAD])
    assert canvas is None or canvas == (64, 48)


LOSSY = [name for name in ALL if "quality" in ALL[name].model_fields]


def test_lossy_are_those_of_which_a_quality_can_be_asked() -> None:
    assert LOSSY == ["avif", "jpeg", "webp"]


@pytest.mark.parametrize("name", LOSSY)
@in_every_mode
def test_it_is_as_small_as_asked(name: str, mode: str) -> None:
    shown = Picture((source((64, 48), mode),))
    least, usual = (len(encoded(made, shown)) for made in (asked(name, quality=1), default(name)))
    most = (least + usual) // 2
    assert len(encoded(asked(name, max_bytes=most), shown)) <= most


@pytest.mark.parametrize("name", LOSSY)
@in_every_mode
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_it_finds_a_quality_for_every_picture(name: str, mode: str, size: tuple[int, int]) -> None:
    file = io.BytesIO()
    quality = asked(name, quality="auto").encode(Picture((source(size, mode),)), file)
    assert quality is not None
    assert opened(name, file.getvalue()).size == size


@pytest.mark.parametrize("name", [name for name in LOSSY if ALL[name].animated])
def test_an_animation_has_one_quality_and_is_as_small_as_asked(name: str) -> None:
    frames = tuple(source((64, 48), "RGBA", seed) for seed in range(3))
    shown = Picture(frames, (50,) * 3, 0)
    found = encoded(asked(name, quality="auto"), shown)
    assert opened(name, found).n_frames == 3  # type: ignore[attr-defined]  # the plugins that know frames have it
    small = encoded(asked(name, quality="auto", max_bytes=len(found) - 1), shown)
    assert len(small) < len(found)


@every
@in_every_mode
def test_what_it_writes_carries_nothing_but_the_picture_and_what_is_more_is_noticed(
    name: str, mode: str
) -> None:
    made = default(name)
    plain = encoded(made, Picture((source((64, 48), mode),)))
    assert made.stands_in(plain)
    for more in (b"\0", b"SECRET", plain):
        assert not made.stands_in(plain + more)
    for length in range(len(plain)):
        assert not made.stands_in(plain[:length])


@every
def test_an_animation_stands_in_for_a_larger_one_where_it_can_be_told(name: str) -> None:
    frames = tuple(source((64, 48), "RGBA", seed) for seed in range(3))
    data = encoded(default(name), Picture(frames, (50, 70, 90), 0))
    assert default(name).stands_in(data) is (name != "avif")


@every
def test_a_profile_or_an_exif_block_is_more_than_the_picture(name: str) -> None:
    if name == "gif":
        pytest.skip("it has room for neither")
    from PIL import ImageCms  # noqa: PLC0415  # lcms is needed here alone

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x8298] = "Somebody"
    shown = Picture((source((16, 12), "RGB"),))
    for more in (replace(shown, icc=profile), replace(shown, exif=exif.tobytes())):
        data = encoded(default(name), more)
        assert not default(name).stands_in(data)


@every
def test_it_is_a_value(name: str) -> None:
    assert example(ALL[name]) == example(ALL[name])
    assert hash(example(ALL[name])) == hash(example(ALL[name]))
