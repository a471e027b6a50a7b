"""How a network was built, recorded on the network and stored in its checkpoints."""

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from torch import nn

from ebm.exceptions import EBMError, InputError
from ebm.lookup import unknown_name

__all__ = ["NetConstructor", "find_constructor", "known_constructors", "model_constructor"]

N = TypeVar("N", bound=nn.Module)

# Modules whose constructors a file may name. They are imported only when a file is read.
_NETWORK_MODULES = ("ltr.models.bbreg.atom", "ltr.models.tracking.dimpnet")
_CONSTRUCTORS: dict[tuple[str, str], Callable[..., nn.Module]] = {}


class NetConstructor:
    """The call that built a network: a function by name, and the arguments exactly as they were passed.

    Checkpoints pickle this class by its name and its four attributes; neither may change.
    """

    def __init__(self, fun_name: str, fun_module: str, args: tuple[Any, ...], kwds: dict[str, Any]) -> None:
        self.fun_name = fun_name
        self.fun_module = fun_module
        self.args = args
        self.kwds = kwds

    def __repr__(self) -> str:
        return f"NetConstructor({self.fun_module}.{self.fun_name}, args={self.args!r}, kwds={self.kwds!r})"

    def takes(self, parameter: str) -> bool:
        """Whether the recorded function has such a parameter; raises InputError if it is not known."""
        return parameter in inspect.signature(find_constructor(self.fun_module, self.fun_name)).parameters

    def get(self, overrides: Mapping[str, Any] | None = None) -> nn.Module:
        """Build the network again.

        Args:
            overrides: arguments that replace or extend the recorded ones.

        Raises:
            InputError: if the recorded function is not among the known constructors, or does not take the
                recorded arguments.
            UnknownNameError: if an override is no parameter of the function.
        """
        function = find_constructor(self.fun_module, self.fun_name)
        signature = inspect.signature(function)
        for name in overrides or {}:
            if name not in signature.parameters:
                raise unknown_name(f"argument of {self.fun_name}", name, signature.parameters)
        try:
            recorded = signature.bind(*self.args, **self.kwds).arguments
        except TypeError as error:
            raise InputError(
                f"The recorded call of {self.fun_module}.{self.fun_name} does not fit its signature: {error}"
                ". Was the file written by another version?"
            ) from error
        try:
            return function(**{**recorded, **(overrides or {})})
        except (TypeError, ValueError, RuntimeError, OverflowError, AttributeError) as error:
            if isinstance(error, EBMError):
                raise
            raise InputError(
                f"The recorded arguments of {self.fun_module}.{self.fun_name} build no network: "
                f"{str(error).splitlines()[0]}. The file is damaged, or of another version."
            ) from error


def model_constructor(function: Callable[..., N]) -> Callable[..., N]:
    """Let `function` leave a `NetConstructor` on the network it builds, and let checkpoints name it.

    Its parameters must all be nameable (no ``*args``).
    """

    @functools.wraps(function)
    def build(*args: Any, **kwargs: Any) -> N:
        net = function(*args, **kwargs)
        net.constructor = NetConstructor(function.__name__, function.__module__, args, kwargs)  # type: ignore[assignment]
        return net

    _CONSTRUCTORS[function.__module__, function.__name__] = build
    return build


def known_constructors() -> dict[tuple[str, str], Callable[..., nn.Module]]:
    """(module, function) -> the constructors that files may name: ours, and any whose module is imported."""
    for module in _NETWORK_MODULES:
        importlib.import_module(module)
    return dict(_CONSTRUCTORS)


def find_constructor(module: str, function: str) -> Callable[..., nn.Module]:
    """The constructor that a file names; nothing is imported or called because a file says so.

    Args:
        module: as in the file; the former package name ``dlframework`` is understood.
        function: as in the file.

    Raises:
        InputError: if the two do not name a known constructor.
    """
    known = known_constructors()
    for name in _spellings(module):
        if (name, function) in known:
            return known[name, function]
    choices = ", ".join(sorted(f"{m}.{f}" for m, f in known))
    raise InputError(
        f"The file asks for the network {module}.{function}, which is not one of those that may be built: "
        f"{choices}. "
        "If it is your own, decorate it with model_constructor and import its module first."
    )


def _spellings(module: str) -> tuple[str, ...]:
    """The module's name, and what it is called today if it has the former package's name."""
    if not module.startswith("dlframework."):
        return (module,)
    rest = module.removeprefix("dlframework.").removeprefix("common.")
    return (rest, f"ltr.{rest}")
