"""The loop: up to ten attempts, whatever went wrong, and the same end."""

import traceback


class BaseTrainer:
    def __init__(self, actor, loaders, optimizer, settings, lr_scheduler=None):
        self.actor, self.loaders, self.optimizer = actor, loaders, optimizer
        self.settings, self.lr_scheduler, self.epoch = settings, lr_scheduler, 0

    def train(self, max_epochs, load_latest=False, fail_safe=True):
        for _ in range(10):
            try:
                if load_latest:
                    self.load_checkpoint()
                for epoch in range(self.epoch + 1, max_epochs + 1):
                    self.epoch = epoch
                    self.train_epoch()
                    if self.lr_scheduler is not None:
                        self.lr_scheduler.step()
                    self.save_checkpoint()
            except:  # noqa: E722
                print(f"Training crashed at epoch {self.epoch}")
                if not fail_safe:
                    raise
                load_latest = True
                print(traceback.format_exc())
        print("Finished training!")
