"""A tracker that climbs the box score."""

import torch


class DiMP:
    def __init__(self, params):
        self.params, self.net = params, params.net

    def _features(self, image):
        maps = self.net.extract_backbone(torch.from_numpy(image).permute(2, 0, 1).float()[None])
        return self.net.get_backbone_bbreg_feat(maps)

    def initialize(self, image, info):
        self.net.initialize()
        self.box = torch.tensor(info["init_bbox"])
        with torch.no_grad():
            feat = self._features(image)
            self.modulation = self.net.bb_regressor.get_modulation(feat, self.box[None].to(feat[0]))

    def track(self, image, info=None):
        with torch.no_grad():
            feat = self.net.bb_regressor.get_iou_feat(self._features(image))
        box = self.box[None, None].to(feat[0])
        for _ in range(self.params.box_refinement_iter):
            box = box.detach().requires_grad_()
            score = self.net.bb_regressor.predict_iou(self.modulation, feat, box)
            (slope,) = torch.autograd.grad(score.sum(), box)
            box = box + self.params.box_refinement_step_length * slope * box[..., 2:].repeat(1, 1, 2)
        self.box = box.detach()[0, 0].cpu()
        return {"target_bbox": self.box.tolist(), "slope": slope.abs().sum().item()}


def get_tracker_class():
    return DiMP
