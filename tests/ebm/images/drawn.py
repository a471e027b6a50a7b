"""Small pictures whose one number can be seen: how bright they are, and where a bar stands."""

from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 32


def draw(folder: Path, count: int, seed: int = 0) -> dict[str, list[object]]:
    """Write `count` pictures, and return their table: ``image`` and ``place`` of the bar, 0 to 1."""
    random = np.random.default_rng(seed)
    names, places = [], []
    for k in range(count):
        place = float(random.uniform())
        pixels = random.integers(0, 60, (SIZE, SIZE, 3)).astype(np.uint8)
        left = int(place * (SIZE - 8))
        pixels[:, left : left + 8] = 230
        name = f"{k:03}.png"
        Image.fromarray(pixels).save(folder / name)
        names.append(name)
        places.append(place)
    return {"image": list(names), "place": list(places)}
