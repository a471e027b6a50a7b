"""Paths of the stand-in."""

import os


class EnvironmentSettings:
    def __init__(self):
        self.workspace_dir = os.environ["STANDIN_WORKSPACE"]
        self.tensorboard_dir = self.workspace_dir + "/tensorboard/"
        self.lasot_dir = self.got10k_dir = self.trackingnet_dir = self.coco_dir = ""
