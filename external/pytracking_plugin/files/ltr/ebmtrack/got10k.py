"""GOT-10k in two parts, also where there are fewer sequences than PyTracking's splits name."""

from pathlib import Path
from typing import Any

from ..dataset import Got10k

__all__ = ["got10k"]

SPECS = Path(__file__).resolve().parents[1] / "data_specs"
SPLITS = {"vottrain": "got10k_vot_train_split.txt", "votval": "got10k_vot_val_split.txt"}
EXCLUDED = "got10k_vot_exclude.txt"
EVERY = 10


def got10k(root: str, split: str, **options: Any) -> Any:
    """GOT-10k as PyTracking reads it; a smaller set is split here.

    PyTracking's splits are positions in the whole set's list of 9335 sequences; on a part of it, or on one's
    own videos in that layout, they end in an IndexError. Of such a set the sequences that are forbidden for
    VOT are left out, every tenth of the others validates, and the rest trains.

    Args:
        root: folder with ``list.txt``.
        split: ``"vottrain"`` or ``"votval"``.
        options: other arguments of the reader.

    Raises:
        FileNotFoundError: if `root` is no such folder.
        ValueError: if it has too few sequences for two parts.
    """
    table = Path(root) / "list.txt"
    if not root or not table.is_file():
        raise FileNotFoundError(
            f"No list.txt in got10k_dir = {str(root)!r} (ltr/admin/local.py). Give GOT-10k's own folder "
            "`train`, which holds list.txt and one folder per sequence."
        )
    names = table.read_text(encoding="utf-8").split()
    if max(int(line) for line in (SPECS / SPLITS[split]).read_text().split()) < len(names):
        return Got10k(root, split=split, **options)
    return Got10k(root, seq_ids=_part(names, split, table), **options)


def _part(names: list[str], split: str, table: Path) -> list[int]:
    """Positions of one part of a small set."""
    file = SPECS / EXCLUDED
    excluded = set(file.read_text().split()) if file.is_file() else set()
    usable = [position for position, name in enumerate(names) if name not in excluded]
    if len(usable) < 2:
        raise ValueError(
            f"{table} names {len(names)} sequences, {len(usable)} of which may be used; two are needed, one "
            "to train on and one to validate."
        )
    validation = usable[EVERY - 1 :: EVERY] or usable[-1:]
    chosen = validation if split == "votval" else [p for p in usable if p not in set(validation)]
    print(f"GOT-10k: {table} names {len(names)} sequences, no whole set; {len(chosen)} of them for {split}")
    return chosen
