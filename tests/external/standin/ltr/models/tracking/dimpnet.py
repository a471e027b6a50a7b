"""The constructor that the settings name, with every keyword of its signature."""

from math import inf

import torch
from torch import nn

from ltr.admin.model_constructor import model_constructor
from ltr.models.parts import WIDTH, Backbone, BoxHead


class Classifier(nn.Module):
    filter_size = 4

    def __init__(self):
        super().__init__()
        self.filter_initializer = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.filter_optimizer = nn.Conv2d(WIDTH, WIDTH, 1)
        self.feature_extractor = nn.Conv2d(WIDTH, 1, 4, padding=2)

    def forward(self, feat, images):
        first = self.feature_extractor(self.filter_initializer(feat))
        last = self.feature_extractor(self.filter_optimizer(feat))
        return [m.reshape(images, -1, *m.shape[-2:]) for m in (first, (first + last) / 2, last)]


class DiMPnet(nn.Module):
    def __init__(self, pretrained):
        super().__init__()
        self.feature_extractor = Backbone(pretrained)
        self.classifier, self.bb_regressor = Classifier(), BoxHead()

    def forward(self, train_imgs, test_imgs, train_bb, test_proposals):
        train, test = (self.feature_extractor(im.flatten(0, 1)) for im in (train_imgs, test_imgs))
        layers = [[feat["layer2"], feat["layer3"]] for feat in (train, test)]
        scores = self.classifier(test["layer3"], len(test_imgs))
        return scores, self.bb_regressor(*layers, train_bb, test_proposals)

    def extract_backbone_features(self, im, layers=None):
        return self.feature_extractor(im)

    def get_backbone_bbreg_feat(self, backbone_feat):
        return [backbone_feat["layer2"], backbone_feat["layer3"]]


@model_constructor
def dimpnet50(
    filter_size=1, optim_iter=5, optim_init_step=1.0, optim_init_reg=0.01, classification_layer="layer3",
    feat_stride=16, backbone_pretrained=True, clf_feat_blocks=0, clf_feat_norm=True, init_filter_norm=False,
    final_conv=True, out_feature_dim=512, init_gauss_sigma=1.0, num_dist_bins=5, bin_displacement=1.0,
    mask_init_factor=4.0, iou_input_dim=(256, 256), iou_inter_dim=(256, 256), score_act="relu",
    act_param=None,
    target_mask_act="sigmoid", detach_length=inf, frozen_backbone_layers=(),
):  # fmt: skip
    assert filter_size == 4
    torch.manual_seed(0)
    return DiMPnet(backbone_pretrained)
