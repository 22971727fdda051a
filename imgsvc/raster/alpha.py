"""Pictures that show what lies under them: flattening, canvases, premultiplied resampling."""

from __future__ import annotations

from PIL import Image

from imgsvc.raster.colour import TRANSPARENT, WHITE, Colour
from imgsvc.raster.geometry import Offset, Size

#: Modes of pictures that carry alpha.
WITH_ALPHA = frozenset({"LA", "RGBA"})


def has_alpha(image: Image.Image) -> bool:
    """Does the picture (L, LA, RGB, RGBA) carry alpha?"""
    return image.mode in WITH_ALPHA


def opaque(image: Image.Image) -> bool:
    """Does nothing show through the picture, whatever its mode?"""
    if not has_alpha(image):
        return True
    low, _ = image.getchannel("A").getextrema()
    return low == 255


def mode_with(mode: str, colour: Colour) -> str:
    """The smallest mode that holds a picture of `mode` (L, LA, RGB, RGBA) and a colour."""
    base = "L" if mode in {"L", "LA"} and colour.gray else "RGB"
    alpha = mode in WITH_ALPHA or not colour.opaque
    return base + "A" if alpha else base


def flatten(image: Image.Image, colour: Colour = WHITE) -> Image.Image:
    """The picture on a ground of `colour`, without alpha: L or RGB.

    A colour that is not opaque lies on white itself. A picture without alpha comes back as it is.
    """
    if not has_alpha(image):
        return image
    ground = colour.on(WHITE)
    mode = "L" if image.mode == "LA" and ground.gray else "RGB"
    canvas = Image.new(mode, image.size, ground.pixel(mode))
    canvas.paste(image.convert(mode), mask=image.getchannel("A"))
    return canvas


def background(image: Image.Image) -> Colour:
    """The ground that a picture gets where nobody asked for one: transparent, or white without alpha."""
    return TRANSPARENT if has_alpha(image) else WHITE


def on_canvas(image: Image.Image, size: Size, offset: Offset, colour: Colour | None = None) -> Image.Image:
    """The picture at `offset` (which may be negative) on a canvas of `size` and `colour`.

    What shows through the picture is the colour. The answer has alpha only where the colour is not
    opaque; without a colour the canvas is transparent, or white when the picture has no alpha.
    """
    ground = background(image) if colour is None else colour
    if ground.opaque:
        image = flatten(image, ground)
    mode = mode_with(image.mode, ground)
    canvas = Image.new(mode, size, ground.pixel(mode))
    if image.mode != mode:
        image = image.convert(mode)
    if ground.alpha and not ground.opaque and has_alpha(image):
        under = Image.new(mode, image.size, ground.pixel(mode))
        image = _over(under, image)
    canvas.paste(image, offset)
    return canvas


def _over(under: Image.Image, over: Image.Image) -> Image.Image:
    """One picture with alpha on another of the same size and mode."""
    if over.mode == "RGBA":
        return Image.alpha_composite(under, over)
    return Image.alpha_composite(under.convert("RGBA"), over.convert("RGBA")).convert("LA")


def apart(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The picture's colour (L or RGB) and its alpha (L, None without): for filters that know no alpha."""
    if not has_alpha(image):
        return image, None
    return image.convert(image.mode[:-1]), image.getchannel("A")


def together(colour: Image.Image, alpha: Image.Image | None) -> Image.Image:
    """What `apart` took apart; the colour may have become gray or coloured meanwhile."""
    if alpha is None:
        return colour
    joined = colour.convert("RGBA") if colour.mode == "RGB" else colour.convert("LA")
    joined.putalpha(alpha)
    return joined


def premultiplied(image: Image.Image) -> Image.Image:
    """A picture with alpha as RGBa or La: what resampling and blurring must work on.

    Without it the colour of invisible pixels bleeds into their neighbours. A picture without alpha
    comes back as it is.
    """
    return image.convert({"LA": "La", "RGBA": "RGBa"}.get(image.mode, image.mode))


def straight(image: Image.Image) -> Image.Image:
    """The picture that `premultiplied` was given."""
    return image.convert({"La": "LA", "RGBa": "RGBA"}.get(image.mode, image.mode))
