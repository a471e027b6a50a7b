"""Kinds of bodies that move: people, vehicles, animals, faces, balls and things without a name."""

import numpy as np

from ltr.dataset.generated.parts import BodyBuilder
from ltr.dataset.generated.surfaces import Surface

__all__ = ["BEINGS"]


def _person(make: BodyBuilder) -> None:
    rng = make.rng
    bulk = rng.uniform(0.75, 1.35)
    trousers, shirt, skin = make.surface(), make.surface(), make.surface().plain()
    sleeve = shirt if rng.uniform() < 0.7 else skin
    lag = rng.uniform(0.0, 2.0 * np.pi)

    def limb(surface: Surface, x: float, y: float, half: tuple[float, float], swing: float) -> None:
        make.add("rounded_box", surface, (x, y), half, swing=swing, lag=lag, joint=(0.0, -0.9))

    for side in (-1.0, 1.0):
        limb(trousers, side * 0.12 * bulk, 0.55, (0.115 * bulk, 0.45), side)
    limb(sleeve, -0.27 * bulk, -0.2, (0.075 * bulk, 0.36), 0.9)
    if rng.uniform() < 0.25:  # a bag or a coat tail
        at = (float(rng.choice([-0.3, 0.3])) * bulk, rng.uniform(-0.3, 0.3))
        make.add("rounded_box", make.surface(), at, (0.2, 0.26))
    torso = str(rng.choice(["rounded_box", "ellipse", "trapezoid"]))
    make.add(torso, shirt, (0.0, -0.22), (0.27 * bulk, 0.42))
    make.add("ellipse", skin, (0.0, -0.79), (0.15, 0.2))
    if rng.uniform() < 0.8:
        make.add("ellipse", make.surface().plain(), (rng.uniform(-0.03, 0.03), -0.88), (0.16, 0.12))
    limb(sleeve, 0.27 * bulk, -0.2, (0.075 * bulk, 0.36), -0.9)


def _vehicle(make: BodyBuilder) -> None:
    rng = make.rng
    paint, glass, tyre = make.surface().plain(), make.surface().darker(), make.surface().darker()
    if rng.uniform() < 0.4:  # from above
        make.add("rounded_box", paint, (0.0, 0.0), (1.0, rng.uniform(0.4, 0.55)))
        for at, wide in ((-0.6, 0.12), (0.3, 0.16)):
            make.add("trapezoid", glass, (at, 0.0), (wide, 0.34), angle=0.0)
        if rng.uniform() < 0.5:
            make.add("rounded_box", make.surface(near=paint), (-0.15, 0.0), (0.3, 0.34))
        return
    tall = rng.uniform(0.22, 0.5)
    make.add(
        str(rng.choice(["trapezoid", "ellipse", "rounded_box"])),
        paint,
        (rng.uniform(-0.15, 0.15), -tall),
        (rng.uniform(0.45, 0.8), 0.34),
    )
    make.add(
        "rounded_box",
        paint if rng.uniform() < 0.6 else make.surface(),
        (0.0, 0.02),
        (1.0, rng.uniform(0.28, 0.36)),
    )
    for at in (-0.28, 0.24):
        make.add("trapezoid", glass, (at, -tall - 0.02), (0.2, 0.15))
    for at in (-0.6, 0.6):
        make.add("ellipse", tyre, (at, 0.32), (0.2, 0.2), spin=0.5)
        make.add("star", make.surface(), (at, 0.32), (0.1, 0.1), spin=0.5)


def _animal(make: BodyBuilder) -> None:
    rng = make.rng
    fur = make.surface()
    belly = make.surface(near=fur)
    lag, reach = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(0.3, 0.45)
    for index, at in enumerate((-0.55, -0.4, 0.4, 0.55)):
        sign = 1.0 if index % 2 else -1.0
        make.add(
            "rounded_box",
            belly,
            (at, 0.35 + reach / 2),
            (0.09, reach),
            swing=sign,
            lag=lag,
            joint=(0.0, -0.85),
        )
    make.add("ellipse", fur, (0.85, -0.25), (0.3, 0.07), angle=-0.6, swing=0.7, lag=1.0, joint=(-0.9, 0.0))
    make.add("blob", fur, (0.0, 0.1), (0.75, rng.uniform(0.28, 0.42)))
    make.add("rounded_box", fur, (-0.62, -0.25), (0.16, 0.36), angle=-0.5)
    make.add(
        "ellipse", make.surface(near=fur), (-0.82, -0.5), (0.27, 0.2), angle=0.2, swing=0.25, joint=(0.7, 0.3)
    )


def _bird(make: BodyBuilder) -> None:
    rng = make.rng
    feather = make.surface()
    wing = make.surface(near=feather)
    for side in (-1.0, 1.0):
        make.add(
            "blob",
            wing,
            (side * 0.55, -0.1),
            (0.5, rng.uniform(0.16, 0.3)),
            angle=-side * 0.25,
            swing=side * 1.2,
            joint=(-side * 0.95, 0.0),
        )
    make.add("ellipse", feather, (0.0, 0.05), (0.2, 0.48))
    make.add("ellipse", make.surface(), (0.0, -0.45), (0.16, 0.17))


def _face(make: BodyBuilder) -> None:
    rng = make.rng
    skin, dark = make.surface().plain(), make.surface().darker()
    make.add("ellipse", make.surface(), (0.0, -0.18), (0.8, 0.85))
    make.add("ellipse", skin, (0.0, 0.1), (rng.uniform(0.6, 0.72), 0.9))
    for side in (-0.27, 0.27):
        make.add("ellipse", dark, (side, -0.1), (0.13, 0.075))
    make.add("ellipse", make.surface(near=skin), (0.0, 0.2), (0.1, 0.2))
    make.add("ellipse", dark, (0.0, 0.58), (0.26, 0.08))


def _ball(make: BodyBuilder) -> None:
    rng = make.rng
    base = make.surface()
    make.add(str(rng.choice(["ellipse", "ellipse", "ring", "star"])), base, (0.0, 0.0), (1.0, 1.0), spin=0.4)
    for _ in range(int(rng.integers(0, 4))):
        turn, reach = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(0.0, 0.5)
        half = rng.uniform(0.12, 0.35)
        make.add(
            str(rng.choice(["polygon", "ellipse"])),
            make.surface(),
            (reach * np.cos(turn), reach * np.sin(turn)),
            (half, half),
        )


def _simple(make: BodyBuilder) -> None:
    rng = make.rng
    aspect = np.exp(rng.uniform(-0.6, 0.6))
    half = (min(1.0, aspect), min(1.0, 1.0 / aspect))
    kinds = [
        "blob",
        "blob",
        "polygon",
        "rounded_box",
        "ellipse",
        "diamond",
        "star",
        "ring",
        "trapezoid",
        "box",
    ]
    make.add(str(rng.choice(kinds)), make.surface(), (0.0, 0.0), half, angle=rng.uniform(-0.5, 0.5))
    for _ in range(int(rng.integers(0, 3))):
        size = rng.uniform(0.12, 0.4, size=2)
        at = rng.uniform(-0.4, 0.4, size=2) * half
        make.add(
            str(rng.choice(kinds[:6])),
            make.surface(),
            (at[0], at[1]),
            (size[0] * half[0], size[1] * half[1]),
            angle=rng.uniform(-1.5, 1.5),
        )


def _composite(make: BodyBuilder) -> None:
    rng = make.rng
    kinds = ["blob", "polygon", "rounded_box", "ellipse", "star", "ring", "trapezoid"]
    core = make.surface()
    limbs = int(rng.integers(2, 6))
    for turn in np.arange(limbs) * (2.0 * np.pi / limbs) + rng.uniform(0.0, 2.0 * np.pi):
        reach = rng.uniform(0.4, 0.6)
        surface = make.surface(near=core if rng.uniform() < 0.4 else None)
        half = (rng.uniform(0.2, 0.45), rng.uniform(0.12, 0.3))
        at = (reach * np.cos(turn), reach * np.sin(turn))
        make.add(
            str(rng.choice(kinds)),
            surface,
            at,
            half,
            angle=turn,
            swing=rng.uniform(-0.8, 0.8),
            lag=turn,
            joint=(-0.7, 0.0),
        )
    make.add(str(rng.choice(kinds)), core, (0.0, 0.0), (rng.uniform(0.35, 0.6), rng.uniform(0.35, 0.6)))
    if rng.uniform() < 0.5:
        make.add(str(rng.choice(kinds)), make.surface(), (0.0, 0.0), (0.2, 0.2), spin=0.2)


BEINGS = {
    "animal": _animal,
    "ball": _ball,
    "bird": _bird,
    "composite": _composite,
    "face": _face,
    "person": _person,
    "simple": _simple,
    "vehicle": _vehicle,
}
