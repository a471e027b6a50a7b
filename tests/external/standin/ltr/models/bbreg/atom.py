"""ATOM's constructor."""

from torch import nn

from ltr.admin.model_constructor import model_constructor
from ltr.models.parts import Backbone, BoxHead


class ATOMnet(nn.Module):
    def __init__(self, pretrained):
        super().__init__()
        self.feature_extractor, self.bb_regressor = Backbone(pretrained), BoxHead()

    def forward(self, train_imgs, test_imgs, train_bb, test_proposals):
        feats = [self.feature_extractor(im.flatten(0, 1)) for im in (train_imgs, test_imgs)]
        return self.bb_regressor(*[[f["layer2"], f["layer3"]] for f in feats], train_bb, test_proposals)


@model_constructor
def atom_resnet18(iou_input_dim=(256, 256), iou_inter_dim=(256, 256), backbone_pretrained=True):
    return ATOMnet(backbone_pretrained)
