"""Datasets that have a root of their own on a machine, and what a person must know to point at one."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["DATASETS", "DatasetInfo"]


@dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """What a person needs to know to point at a dataset."""

    title: str  # the name people know it by
    holds: str  # what lies directly under its root
    example: str  # an example root
    trains: bool = False  # ebmtrack train and dataset take it
    tracks: bool = False  # ebmtrack track and evaluate take it


DATASETS: Mapping[str, DatasetInfo] = {
    "lasot": DatasetInfo(
        title="LaSOT",
        holds="airplane/airplane-1/img/00000001.jpg",
        example="/data/LaSOT",
        trains=True,
        tracks=True,
    ),
    "got10k": DatasetInfo(
        title="GOT-10k (train)",
        holds="list.txt and GOT-10k_Train_000001/",
        example="/data/GOT-10k/train",
        trains=True,
    ),
    "trackingnet": DatasetInfo(
        title="TrackingNet",
        holds="TRAIN_0/anno and TRAIN_0/frames; for tests TEST/anno and TEST/frames",
        example="/data/TrackingNet",
        trains=True,
        tracks=True,
    ),
    "coco": DatasetInfo(
        title="COCO",
        holds="annotations/instances_train2014.json and images/train2014",
        example="/data/COCO",
        trains=True,
    ),
    "imagenetvid": DatasetInfo(
        title="ImageNet VID",
        holds="Annotations/VID/train and Data/VID/train",
        example="/data/ILSVRC2015",
        trains=True,
    ),
    "photos": DatasetInfo(
        title="photos with boxes",
        holds="my_photos/annotations/instances_train.json and my_photos/train",
        example="/data/photos",
        trains=True,
    ),
    "videos": DatasetInfo(
        title="videos with boxes",
        holds="my_video/img/0001.jpg and my_video/groundtruth_rect.txt",
        example="/data/videos",
        trains=True,
    ),
    "otb": DatasetInfo(title="OTB-100", holds="Basketball/img/0001.jpg", example="/data/OTB100", tracks=True),
    "uav": DatasetInfo(
        title="UAV123", holds="data_seq/UAV123 and anno/UAV123", example="/data/UAV123", tracks=True
    ),
    "nfs": DatasetInfo(
        title="NFS, 30 fps",
        holds="sequences/Gymnastics/00001.jpg and anno/nfs_Gymnastics.txt, or Gymnastics/30/Gymnastics",
        example="/data/NFS",
        tracks=True,
    ),
    "lasot_extension_subset": DatasetInfo(
        title="LaSOT extension subset",
        holds="atv/atv-1/img/00000001.jpg",
        example="/data/LaSOT_ext",
        tracks=True,
    ),
    "tpl": DatasetInfo(
        title="TPL (Temple Color 128)", holds="Ball_ce1/img/0001.jpg", example="/data/TPL", tracks=True
    ),
    "vot": DatasetInfo(
        title="VOT2018", holds="ants1/color/00000001.jpg", example="/data/VOT2018", tracks=True
    ),
    "got10k_val": DatasetInfo(
        title="GOT-10k val",
        holds="list.txt and GOT-10k_Val_000001/",
        example="/data/GOT-10k/val",
        tracks=True,
    ),
    "got10k_test": DatasetInfo(
        title="GOT-10k test",
        holds="list.txt and GOT-10k_Test_000001/",
        example="/data/GOT-10k/test",
        tracks=True,
    ),
}
