"""Examples to copy: a function returns trackers and datasets."""

from pytracking.evaluation import Tracker, get_dataset, trackerlist

__all__ = ["box_losses", "first_box", "nce_plus_runs"]

Wanted = tuple[list[Tracker], list[str]]


def first_box() -> Wanted:
    """The floor on generated videos; needs neither weights nor a dataset."""
    return trackerlist("first_box", "default"), get_dataset("generated")


def box_losses() -> Wanted:
    """DiMP with its box branch trained by each loss, on OTB-100 and NFS."""
    names = ("super_dimp", "kld_is", "nce", "nce_plus")
    return [Tracker("dimp", name) for name in names], get_dataset("otb", "nfs")


def nce_plus_runs() -> Wanted:
    """Five repetitions of DiMP-NCE+, which tables average, on three benchmarks."""
    return trackerlist("dimp", "nce_plus", range(5)), get_dataset("otb", "nfs", "uav")
