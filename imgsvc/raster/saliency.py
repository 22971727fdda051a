"""Where a picture is worth looking at: the part of it that holds the most detail, or draws the eye."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from PIL import Image, ImageChops, ImageFilter

from imgsvc.raster import alpha, resample
from imgsvc.raster.geometry import CENTER, Gravity, Size
from imgsvc.raster.orientation import Orientation

#: Cells along the longer side of the grid that is searched, and pixels along a cell.
_CELLS, _CELL = 32, 12

#: Scores, row by row.
Grid = list[list[float]]


def settle(
    gravity: Gravity,
    image: Image.Image,
    part: tuple[float, float],
    orientation: Orientation = Orientation.UPRIGHT,
) -> Gravity:
    """A gravity by content becomes the focal point of the best `part` of a picture; others stay.

    `part` is the width and height of what is to be kept, as fractions of the upright picture's.
    """
    if not gravity.by_content:
        return gravity
    size = orientation.size(Size(*image.size))
    longest = max(size)
    grid = Size(max(1, round(size.width * _CELLS / longest)), max(1, round(size.height * _CELLS / longest)))
    small = resample.resize(image, Size(grid.width * _CELL, grid.height * _CELL), orientation=orientation)
    flat = alpha.flatten(small.convert("RGB") if small.mode == "CMYK" else small)
    return _best(_entropy(flat, grid) if gravity.name == "entropy" else _attention(flat, grid), part)


def _entropy(image: Image.Image, grid: Size) -> Grid:
    """Bits per pixel of each cell's histogram: detail of any kind."""
    gray = image.convert("L")
    return [
        [
            gray.crop((x * _CELL, y * _CELL, (x + 1) * _CELL, (y + 1) * _CELL)).entropy()
            for x in range(grid.width)
        ]
        for y in range(grid.height)
    ]


def _attention(image: Image.Image, grid: Size) -> Grid:
    """Edges, colours unlike the picture's average (Achanta et al., CVPR 2009), and the colours of skin."""
    colour = image.convert("RGB")
    # The outermost pixels of the filter are the picture's own, not edges.
    edges = ImageChops.multiply(colour.convert("L").filter(ImageFilter.FIND_EDGES), _frame(colour.size))
    _, blueness, redness = colour.convert("YCbCr").split()
    # Skin of every shade (Chai and Ngan, 1999); what is nearly gray is left out: roads, sand, walls.
    skin = ImageChops.multiply(_between(blueness, 77, 120), _between(redness, 140, 173))
    average = colour.resize((1, 1), Image.Resampling.BOX).resize(colour.size)
    red, green, blue = ImageChops.difference(colour.filter(ImageFilter.BoxBlur(2)), average).split()
    unlike = ImageChops.add(ImageChops.add(red, green), blue)
    score = ImageChops.add(ImageChops.add(edges, unlike), skin, scale=3)
    cells = score.resize(grid, Image.Resampling.BOX).tobytes()
    rows = (cells[y * grid.width : (y + 1) * grid.width] for y in range(grid.height))
    return [[float(cell) for cell in row] for row in rows]


def _between(band: Image.Image, low: int, high: int) -> Image.Image:
    return band.point([255 if low <= level <= high else 0 for level in range(256)])


def _frame(size: tuple[int, int]) -> Image.Image:
    """White with a black edge."""
    frame = Image.new("L", size)
    frame.paste(255, (1, 1, max(1, size[0] - 1), max(1, size[1] - 1)))
    return frame


def _best(scores: Grid, part: tuple[float, float]) -> Gravity:
    """The middle of the window with the highest sum; of equal ones that nearest to the centre."""
    rows, columns = len(scores), len(scores[0])
    width = min(columns, max(1, round(part[0] * columns)))
    height = min(rows, max(1, round(part[1] * rows)))
    sums = _sums(scores)

    def worth(corner: tuple[int, int]) -> tuple[float, float]:
        x, y = corner
        total = sums[y + height][x + width] - sums[y][x + width] - sums[y + height][x] + sums[y][x]
        off = abs(2 * x + width - columns) + abs(2 * y + height - rows)
        return round(total, 6), -off

    x, y = max(_corners(columns - width, rows - height), key=worth)
    if (width, height) == (columns, rows):
        return CENTER
    return Gravity("", ((x + width / 2) / columns, (y + height / 2) / rows))


def _corners(right: int, down: int) -> Iterator[tuple[int, int]]:
    return ((x, y) for y in range(down + 1) for x in range(right + 1))


def _sums(scores: Grid) -> Grid:
    """The sum of all that lies above and to the left of each corner."""
    table = [[0.0] * (len(scores[0]) + 1)]
    for row in scores:
        above = table[-1]
        table.append([0.0, *(here + up for here, up in zip(accumulate(row), above[1:], strict=True))])
    return table
