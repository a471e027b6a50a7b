"""The weights of trackers: which there are, whether they are whole, where they lie, how others are added."""

import argparse
import sys
from collections.abc import Iterator
from collections.abc import Sequence as List
from pathlib import Path

from ebm.command import CommandParser, local_path, run_command

__all__ = ["build_parser", "main"]

_EXAMPLES = """examples:
  ebmtrack weights list
  ebmtrack weights verify
  ebmtrack weights where dimp nce_plus_lite
  ebmtrack weights add dimp50.pth            a file that PyTracking publishes, downloaded by you
  ebmtrack weights add best.pth.tar --as atom_nce_plus_lite

Some weights are installed with the package; every other file is one that you name or add. Added files are
copied to the networks folder and are found by the parameter sets that look for their name. Nothing is
fetched, and nothing in a file is run.

exit codes: 0 done, 2 the weights cannot be used or are not there, 130 interrupted."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = CommandParser(
        prog="ebmtrack weights",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="weights installed with the package, and those that parameter sets find")
    verify = actions.add_parser("verify", help="check hash, card, network, numbers and normalisation")
    verify.add_argument("name", nargs="*", metavar="NAME", help="installed weights (default: all)")
    where = actions.add_parser("where", help="the file that a tracker would load, and why that one")
    where.add_argument("tracker", metavar="TRACKER")
    where.add_argument("parameter", metavar="PARAMETER")
    add = actions.add_parser("add", help="copy a weights file to where parameter sets look for it")
    add.add_argument("file", type=local_path, metavar="FILE", help=".pth, .pth.tar or .safetensors")
    add.add_argument("--as", dest="name", metavar="NAME", help="the name that a parameter set looks for")
    pack = actions.add_parser("pack", help="write a checkpoint as weights with a model card")
    pack.add_argument("file", type=local_path, metavar="CHECKPOINT")
    pack.add_argument("--card", type=local_path, required=True, metavar="FILE.json", help="the card's fields")
    pack.add_argument("--out", type=local_path, required=True, metavar="DIR", help="where the files go")
    pack.add_argument(
        "--half", action=argparse.BooleanOptionalAction, default=True, help="store kernels in 16 bits"
    )
    return parser


def main(argv: List[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; ``sys.argv[1:]`` where left out.

    Returns: 0; 2 for weights that cannot be used, 130 after Ctrl-C.
    """
    return run_command(build_parser(), _run, argv)


def _run(args: argparse.Namespace) -> int:
    lines = {"list": _list, "verify": _verify, "where": _where, "add": _add, "pack": _pack}[args.action](args)
    for line in lines:
        print(line)
    return 0


def _list(args: argparse.Namespace) -> Iterator[str]:
    from ltr.admin.environment import network_folders
    from pytracking.weights.adding import parameter_sets
    from pytracking.weights.shipped import shipped

    own = list(shipped())
    for each in own:
        card = each.card
        yield (
            f"{card.name}  {each.size / 1e6:.1f} MB  sha256 {card.weights_sha256[:16]}...  {card.licence}"
            f"  used by: {card.tracker} {card.parameters}"
        )
    if not own:
        yield "No weights are installed with the package."
    folders = network_folders()
    yield f"Networks folder: {', '.join(map(str, folders))}"
    seen: dict[Path, list[str]] = {}
    for tracker, name, params in parameter_sets():
        for file in params.network_files:
            for folder in folders:
                for path in _forms(folder, file):
                    if path.is_file():
                        seen.setdefault(path, []).append(f"{tracker} {name}")
    for path, users in sorted(seen.items()):
        yield f"  {path.name}  {path.stat().st_size / 1e6:.1f} MB  used by: {', '.join(users)}"
    if not seen:
        yield "  none of the files that parameter sets look for; add one with: ebmtrack weights add FILE"


def _forms(folder: Path, file: str) -> tuple[Path, Path]:
    from pytracking.weights.shipped import bare_name

    return folder / file, folder / f"{bare_name(file)}.safetensors"


def _verify(args: argparse.Namespace) -> Iterator[str]:
    from pytracking.weights.shipped import shipped
    from pytracking.weights.verifying import verify_shipped

    names = args.name or [each.card.name for each in shipped()]
    if not names:
        yield "No weights are installed with the package."
    for name in names:
        found, network = verify_shipped(name)
        count = sum(p.numel() for p in network.parameters())
        yield (
            f"{found.path}: sha256 {found.card.weights_sha256}, {type(network).__name__} of "
            f"{count / 1e6:.2f} M parameters, card and normalisation agree"
        )


def _where(args: argparse.Namespace) -> Iterator[str]:
    from pytracking.parameter import find_parameters
    from pytracking.utils.loading import find_weights

    yield str(find_weights(find_parameters(args.tracker, args.parameter)))


def _add(args: argparse.Namespace) -> Iterator[str]:
    from ltr.admin.environment import network_folders
    from pytracking.weights.adding import add_weights

    path, users = add_weights(args.file, network_folders()[0], args.name)
    yield f"{path}, used by: {', '.join(f'{tracker} {name}' for tracker, name in users)}"


def _pack(args: argparse.Namespace) -> Iterator[str]:
    from ebm.integrity.json_files import read_sealed_json
    from ebm.outputs import Output, require_outputs
    from pytracking.weights.adding import files_of_pack, pack_weights

    told = read_sealed_json(args.card)
    require_outputs(
        [Output(name="a file of --out", path=path) for path in files_of_pack(args.out, told)],
        {"the checkpoint": (args.file, args.file.with_suffix(".json")), "the card": args.card},
    )
    path, card = pack_weights(args.file, args.out, told, half=args.half)
    yield f"{path} ({path.stat().st_size / 1e6:.2f} MB), sha256 {card.weights_sha256}"


if __name__ == "__main__":
    sys.exit(main())
