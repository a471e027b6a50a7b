"""A list that hands on every attribute of a tensor, the one by which torch knows tensors included."""

import torch


class TensorList(list):
    def __getattr__(self, name):
        if not hasattr(torch.Tensor, name):
            raise AttributeError(name)

        def over_all(*args, **kwargs):
            return TensorList([getattr(x, name)(*args, **kwargs) for x in self])

        return over_all
