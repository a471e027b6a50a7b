"""Networks that remember how they were built."""

import functools
import importlib


class NetConstructor:
    def __init__(self, fun_name, fun_module, args, kwds):
        self.fun_name, self.fun_module, self.args, self.kwds = fun_name, fun_module, args, kwds

    def get(self):
        return getattr(importlib.import_module(self.fun_module), self.fun_name)(*self.args, **self.kwds)


def model_constructor(f):
    @functools.wraps(f)
    def build(*args, **kwds):
        net = f(*args, **kwds)
        net.constructor = NetConstructor(f.__name__, f.__module__, args, kwds)
        return net

    return build
