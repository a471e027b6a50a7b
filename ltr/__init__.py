"""Learning tracking representations: data, networks, actors, trainers and train settings."""

from typing import TYPE_CHECKING, Any

from ebm.extras import require_track

if TYPE_CHECKING:
    from ltr.admin.loading import load_network
    from ltr.admin.model_constructor import model_constructor

__all__ = ["load_network", "model_constructor"]

require_track("trackers and their data")  # here, so that every way in names the extra


def __getattr__(name: str) -> Any:
    # Both names are part of the published interface; importing ltr alone must stay cheap.
    if name == "load_network":
        from ltr.admin.loading import load_network

        return load_network
    if name == "model_constructor":
        from ltr.admin.model_constructor import model_constructor

        return model_constructor
    raise AttributeError(f"module 'ltr' has no attribute {name!r}")
