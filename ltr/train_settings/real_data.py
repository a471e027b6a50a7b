"""The data of the light settings: photos as still pairs, real and drawn videos; what is held out, by name."""

from ltr.train_settings.parts import DRAWN, DatasetShare, Validation

__all__ = ["DATASETS", "HELD_OUT", "VALIDATION"]

HELD_OUT = (
    "davis_camel",
    "davis_car-roundabout",
    "davis_dance-twirl",
    "davis_parkour",
    "drone_V_AIRPLANE_007",
    "drone_V_AIRPLANE_018",
    "drone_V_AIRPLANE_029",
    "drone_V_BIRD_020",
    "drone_V_BIRD_048",
    "drone_V_DRONE_021",
    "drone_V_DRONE_086",
    "drone_V_DRONE_100",
    "drone_V_HELICOPTER_020",
    "drone_V_HELICOPTER_032",
)
"""Videos that train nothing: to choose checkpoints, thresholds and step lengths on, and to compare losses."""

DATASETS = (
    DatasetShare(name="photos", weight=5.0),
    DatasetShare(name="videos", weight=2.5, without=("drone_*", *HELD_OUT)),
    # Small targets before plain sky, and boxes that leave them room: few of these.
    DatasetShare(name="videos", weight=1.0, only=("drone_*",), without=HELD_OUT),
    DatasetShare(name=DRAWN, weight=1.5),
)

VALIDATION = Validation(
    every=3,
    samples=256,
    data=DatasetShare(name="videos", only=HELD_OUT),
    more=(DatasetShare(name="photos", split="val"),),
    refine=2,
)
