"""Paths of the stand-in."""

import os


class EnvironmentSettings:
    def __init__(self):
        self.workspace_dir = os.environ["STANDIN_WORKSPACE"]
        self.tensorboard_dir = self.workspace_dir + "/tensorboard/"
        self.resnet50_weights = os.environ.get("STANDIN_RESNET50", "")
        self.lasot_dir = self.trackingnet_dir = self.coco_dir = ""
        self.got10k_dir = os.environ.get("STANDIN_GOT10K", os.path.join(os.path.dirname(__file__), "got10k"))
