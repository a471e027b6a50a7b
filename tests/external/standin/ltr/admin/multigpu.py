"""DataParallel that passes attributes on."""

import torch


class MultiGPU(torch.nn.DataParallel):
    def __getattr__(self, item):
        try:
            return super().__getattr__(item)
        except AttributeError:
            return getattr(self.module, item)
