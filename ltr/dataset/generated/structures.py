"""Kinds of bodies that stand: buildings, trees, poles, lines and regions of the ground."""

import numpy as np

from ltr.dataset.generated.parts import BodyBuilder
from ltr.dataset.generated.surfaces import sample_surface

__all__ = ["STRUCTURES"]


def _building(make: BodyBuilder) -> None:
    rng = make.rng
    wall = sample_surface(rng, kinds=("brick", "grid", "checker", "stripes", "cloud"), textures=make.textures)
    make.add("box", wall, (0.0, 0.0), (rng.uniform(0.4, 1.0), 1.0))
    for _ in range(int(rng.integers(0, 3))):
        make.add(
            "box",
            make.surface().darker(),
            (rng.uniform(-0.3, 0.3), rng.uniform(-0.6, 0.8)),
            (rng.uniform(0.08, 0.2), rng.uniform(0.1, 0.2)),
        )


def _line(make: BodyBuilder) -> None:
    wide = float(np.exp(make.rng.uniform(np.log(0.006), np.log(0.06))))
    make.add("box", make.surface().plain(), (0.0, 0.0), (1.0, wide))


def _region(make: BodyBuilder) -> None:
    rng = make.rng
    kind = str(rng.choice(["blob", "blob", "polygon", "rounded_box", "box", "ellipse"]))
    make.add(kind, make.surface(), (0.0, 0.0), (1.0, rng.uniform(0.25, 1.0)))


def _crossing(make: BodyBuilder) -> None:
    make.add(
        "box",
        sample_surface(make.rng, kinds=("stripes",), textures=0),
        (0.0, 0.0),
        (1.0, make.rng.uniform(0.15, 0.5)),
    )


def _tree(make: BodyBuilder) -> None:
    rng = make.rng
    make.add("rounded_box", make.surface().darker(), (0.0, 0.5), (rng.uniform(0.05, 0.1), 0.5))
    leaves = sample_surface(rng, kinds=("spots", "cloud", "camouflage"), textures=make.textures)
    for _ in range(int(rng.integers(1, 4))):
        make.add(
            "blob",
            leaves,
            (rng.uniform(-0.3, 0.3), rng.uniform(-0.6, -0.1)),
            (rng.uniform(0.35, 0.6), rng.uniform(0.3, 0.5)),
        )


def _pole(make: BodyBuilder) -> None:
    make.add(
        "box", make.surface(), (0.0, 0.0), (float(np.exp(make.rng.uniform(np.log(0.02), np.log(0.12)))), 1.0)
    )


STRUCTURES = {
    "building": _building,
    "crossing": _crossing,
    "line": _line,
    "pole": _pole,
    "region": _region,
    "tree": _tree,
}
