"""What benches plant in pictures: copies that were changed, and frames that are no part of the radiograph."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance

Generator = np.random.Generator
Picture = Image.Image
Change = Callable[[Picture, Generator], Picture]

MOST = 0.10
"""The share of a side up to which copies are cut, padded and shifted, and borders are wide."""


def keep(image: Picture, generator: Generator) -> Picture:
    """Nothing: the copy is only saved again."""
    return image


def resize(image: Picture, generator: Generator) -> Picture:
    """To 50 to 150 % of its size, sides apart by up to 5 %."""
    share = generator.uniform(0.5, 1.5)
    return image.resize((int(image.width * share), int(image.height * share * generator.uniform(0.95, 1.05))))


def brighten(image: Picture, generator: Generator) -> Picture:
    """Brightness by 0.7 to 1.4, contrast by 0.8 to 1.2."""
    brighter = ImageEnhance.Brightness(image).enhance(generator.uniform(0.7, 1.4))
    return ImageEnhance.Contrast(brighter).enhance(generator.uniform(0.8, 1.2))


def flip(image: Picture, generator: Generator) -> Picture:
    """Left to right, upside down, or both."""
    ways = (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.ROTATE_180)
    return image.transpose(ways[generator.integers(3)])


def rotate(image: Picture, generator: Generator) -> Picture:
    """By 1 to 5 degrees, either way."""
    degrees = generator.uniform(1, 5) * generator.choice([-1, 1])
    return image.rotate(float(degrees), Image.Resampling.BILINEAR)


def crop(image: Picture, generator: Generator) -> Picture:
    """Each side by 0 to 10 %."""
    left, top, right, bottom = generator.uniform(0, MOST, 4) * (2 * image.size)
    return image.crop((int(left), int(top), int(image.width - right), int(image.height - bottom)))


def pad(image: Picture, generator: Generator) -> Picture:
    """Each side by 0 to 10 %, in black or white."""
    left, top, right, bottom = (generator.uniform(0, MOST, 4) * image.width).astype(int).tolist()
    grey = int(generator.choice([0, 255]))
    larger = Image.new("L", (image.width + left + right, image.height + top + bottom), grey)
    larger.paste(image, (left, top))
    return larger


def shift(image: Picture, generator: Generator) -> Picture:
    """By up to 10 % along both sides; what was not seen is black."""
    across, down = (generator.uniform(-MOST, MOST, 2) * image.width).astype(int).tolist()
    moved = Image.new("L", image.size, 0)
    moved.paste(image, (across, down))
    return moved


def invert(image: Picture, generator: Generator) -> Picture:
    """Black is white."""
    return Image.fromarray(255 - np.asarray(image))


def mark(image: Picture, generator: Generator) -> Picture:
    """With letters burned in somewhere, half of the time on a plate."""
    marked = image.copy()
    size = int(generator.uniform(0.06, 0.15) * image.width)
    left, top = (int(generator.uniform(0, length - size)) for length in image.size)
    draw = ImageDraw.Draw(marked)
    if generator.random() < 0.5:
        draw.rectangle((left, top, left + size, top + size // 2), fill=255)
    word = str(generator.choice(["L", "R", "AP", "PORTABLE"]))
    draw.text((left + 1, top + 1), word, fill=int(generator.choice([0, 255])), font_size=max(8, size // 2))
    return marked


CHANGES: dict[str, Change] = {
    "re-encoded": keep,
    "resized": resize,
    "brightened": brighten,
    "flipped": flip,
    "rotated": rotate,
    "cropped": crop,
    "padded": pad,
    "shifted": shift,
    "inverted": invert,
    "marked": mark,
}


def _cover_border(grey: int) -> Change:
    def cover(image: Picture, generator: Generator) -> Picture:
        width = max(1, int(image.width * generator.uniform(0.01, MOST)))
        values = np.array(image)
        values[:width] = values[-width:] = grey
        values[:, :width] = values[:, -width:] = grey
        return Image.fromarray(values)

    return cover


def _add_border(grey: int) -> Change:
    def add(image: Picture, generator: Generator) -> Picture:
        width = max(1, int(image.width * generator.uniform(0.01, MOST)))
        larger = Image.new("L", (image.width + 2 * width, image.height + 2 * width), grey)
        larger.paste(image, (width, width))
        return larger

    return add


def letterbox(image: Picture, generator: Generator) -> Picture:
    """Black bars above and below, 8 to 20 % each."""
    height = int(image.height * generator.uniform(0.08, 0.2))
    larger = Image.new("L", (image.width, image.height + 2 * height), 0)
    larger.paste(image, (0, height))
    return larger


def title(image: Picture, generator: Generator) -> Picture:
    """A black bar with the same words on every picture, and another minute."""
    height = int(image.height * 0.1)
    larger = Image.new("L", (image.width, image.height + height), 0)
    larger.paste(image, (0, height))
    words = f"CHEST PA  HOSPITAL 17:{int(generator.integers(60)):02d}"
    ImageDraw.Draw(larger).text((5, height // 5), words, fill=255, font_size=max(8, height // 2))
    return larger


def round_mask(image: Picture, generator: Generator) -> Picture:
    """Black outside a circle."""
    rows, columns = np.mgrid[: image.height, : image.width]
    away = (rows - image.height / 2) ** 2 + (columns - image.width / 2) ** 2
    values = np.array(image)
    values[away > (0.49 * min(image.size)) ** 2] = 0
    return Image.fromarray(values)


def collimate(image: Picture, generator: Generator) -> Picture:
    """Black outside a rectangle that is turned by 2 to 10 degrees."""
    angle = np.radians(generator.uniform(2, 10) * generator.choice([-1, 1]))
    rows, columns = np.mgrid[: image.height, : image.width]
    down, right = rows - image.height / 2, columns - image.width / 2
    across, along = right * np.cos(angle) + down * np.sin(angle), down * np.cos(angle) - right * np.sin(angle)
    values = np.array(image)
    values[(abs(across) > 0.42 * image.width) | (abs(along) > 0.42 * image.height)] = 0
    return Image.fromarray(values)


FRAMES: dict[str, Change] = {
    "no frame": keep,
    "white border": _cover_border(255),
    "black border": _cover_border(0),
    "white border around": _add_border(255),
    "black border around": _add_border(0),
    "letterbox": letterbox,
    "title bar": title,
    "round mask": round_mask,
    "turned collimation": collimate,
}


def follow_border(image: Picture, generator: Generator) -> Picture:
    """A white border of 5 %."""
    width = int(0.05 * image.width)
    values = np.array(image)
    values[:width] = values[-width:] = 255
    values[:, :width] = values[:, -width:] = 255
    return Image.fromarray(values)


def follow_marker(image: Picture, generator: Generator) -> Picture:
    """A letter in the upper right corner."""
    marked = image.copy()
    place = (int(0.88 * image.width), int(0.03 * image.height))
    ImageDraw.Draw(marked).text(place, "L", fill=255, font_size=max(8, image.width // 14))
    return marked


def follow_brightness(image: Picture, generator: Generator) -> Picture:
    """20 grey values brighter."""
    return Image.fromarray(np.clip(np.asarray(image).astype(int) + 20, 0, 255).astype(np.uint8))


FOLLOWING: dict[str, Change] = {
    "border of 5 %": follow_border,
    "marker": follow_marker,
    "20 grey values": follow_brightness,
}
