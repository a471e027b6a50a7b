"""What a line of the log says."""

from ltr.trainers.meters import Stopwatch
from ltr.trainers.progress import describe


def test_kld_is_shows_its_loss_and_the_divergence() -> None:
    means = {"Loss/total": -0.05, "Loss/bb_ce": -5.25, "Loss/loss_bb_ce": -0.0525, "BBReg/kl": 1.0572}
    assert describe(means, [1e-3], Stopwatch(), 2).startswith("loss -0.05 (bb_ce -5.25 kl 1.06)  lr 1.0e-03")


def test_nce_shows_how_often_the_label_wins() -> None:
    means = {"Loss/total": 0.08, "Loss/bb_ce": 8.2, "BBReg/label_rank_acc": 0.25}
    assert "(bb_ce 8.2 rank 0.25)" in describe(means, [], Stopwatch(), 2)
