"""ATOM with a density over boxes."""

from . import BaseActor


class AtomBBKLActor(BaseActor):
    def __call__(self, data):
        scores = self.net(
            data["train_images"], data["test_images"], data["train_anno"], data["test_proposals"]
        )
        rows = [x.reshape(-1, x.shape[2]) for x in (scores, data["proposal_density"], data["gt_density"])]
        loss = self.objective(rows[0], sample_density=rows[1], gt_density=rows[2], mc_dim=1)
        return loss, {"Loss/total": loss.item(), "Loss/bb_ce": loss.item()}
