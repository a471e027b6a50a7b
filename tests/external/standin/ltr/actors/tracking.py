"""DiMP with a density over boxes."""

from . import BaseActor


class KLDiMPActor(BaseActor):
    def __init__(self, net, objective, loss_weight=None):
        super().__init__(net, objective)
        self.loss_weight = {"bb_ce": 1.0} if loss_weight is None else loss_weight

    def __call__(self, data):
        scores, boxes = self.net(
            train_imgs=data["train_images"],
            test_imgs=data["test_images"],
            train_bb=data["train_anno"],
            test_proposals=data["test_proposals"],
        )
        valid = data["test_anno"][:, :, 0].reshape(-1) < 99999
        rows = [
            x.reshape(-1, x.shape[2])[valid] for x in (boxes, data["proposal_density"], data["gt_density"])
        ]
        bb_ce = self.objective["bb_ce"](rows[0], sample_density=rows[1], gt_density=rows[2], mc_dim=1)
        clf = [self.objective["test_clf"](s, data["test_label"], data["test_anno"]) for s in scores]
        weight = self.loss_weight
        loss = weight["bb_ce"] * bb_ce + weight["test_clf"] * clf[-1] + weight["test_init_clf"] * clf[0]
        loss = loss + weight["test_iter_clf"] / (len(clf) - 2) * sum(clf[1:-1])
        return loss, {"Loss/total": loss.item(), "Loss/bb_ce": bb_ce.item()}
