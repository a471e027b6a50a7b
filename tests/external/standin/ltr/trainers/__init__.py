"""A trainer that stops after a few steps and writes what it saw."""

import json
import os
from pathlib import Path

import torch

from ltr.admin.stats import AverageMeter
from ltr.trainers.base_trainer import BaseTrainer


class LTRTrainer(BaseTrainer):
    def __init__(self, actor, loaders, optimizer, settings, lr_scheduler=None):
        super().__init__(actor, loaders, optimizer, settings, lr_scheduler)
        folder = Path(settings.env.workspace_dir) / "checkpoints" / settings.project_path
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.log, self.stats = folder, [], {"Loss/total": AverageMeter()}

    def load_checkpoint(self):
        files = sorted(self.folder.glob("*.pth.tar"))
        if files:
            state = torch.load(files[-1], map_location="cpu")
            self.actor.net.load_state_dict(state["net"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.epoch = state["epoch"]

    def train(self, max_epochs, load_latest=False, fail_safe=True):
        self.asked = max_epochs
        files = len(list(self.folder.glob("*.pth.tar")))
        super().train(files + int(os.environ["STANDIN_EPOCHS"]), load_latest, fail_safe)

    def train_epoch(self):
        self._steps(self.loaders[0], int(os.environ["STANDIN_STEPS"]))

    def _steps(self, loader, count):
        self.actor.train(loader.training)
        for data, _ in zip(loader, range(count)):
            loss, stats = self.actor(data)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.stats["Loss/total"].update(stats["Loss/total"], loader.batch_size)
            label = data["proposal_density"][..., 0]
            boxes = list(data["test_proposals"].shape)
            extremes = {"low": label.min().item(), "high": label.max().item()}
            self.log.append({**stats, "boxes": boxes, **extremes, "epoch": self.epoch})

    def save_checkpoint(self):
        net = self.actor.net
        name = type(net).__name__
        state = {
            "epoch": self.epoch,
            "net_type": name,
            "net": net.state_dict(),
            "constructor": net.constructor,
        }
        state |= {"optimizer": self.optimizer.state_dict(), "stats": self.stats, "settings": self.settings}
        torch.save(state, self.folder / f"{name}_ep{self.epoch:04d}.pth.tar")
        log = {"max_epochs": self.asked, "steps": self.log}
        (self.folder / "log.json").write_text(json.dumps(log))
