"""Put the scripts that visdom 0.2.4's page loads beside its server, from node_modules instead of the web."""

import shutil
import sys
from pathlib import Path

import visdom

GLYPHS = "glyphicons-halflings-regular"
SCRIPTS = {
    "jquery/dist/jquery.min.js": "js/jquery.min.js",
    "bootstrap/dist/js/bootstrap.min.js": "js/bootstrap.min.js",
    "react/umd/react.production.min.js": "js/react-react.min.js",
    "react-dom/umd/react-dom.production.min.js": "js/react-dom.min.js",
    "react-modal/dist/react-modal.min.js": "js/react-modal.min.js",
    "plotly.js-dist-min/plotly.min.js": "js/plotly-plotly.min.js",
    "sjcl/sjcl.js": "js/sjcl.js",
    "layout-bin-packer/dist/layout-bin-packer.js.map": "js/layout-bin-packer.js.map",
    "layout-bin-packer/dist/layout-bin-packer.js": "js/layout_bin_packer.js",
    "d3/d3.min.js": "js/d3.v3.min.js",
    "d3-selection-multi/build/d3-selection-multi.js": "js/d3-selection-multi.v1.js",
    "save-svg-as-png/lib/saveSvgAsPng.js": "js/saveSvgAsPng.js",
    "react-resizable/css/styles.css": "css/react-resizable-styles.css",
    "react-grid-layout/css/styles.css": "css/react-grid-layout-styles.css",
    "bootstrap/dist/css/bootstrap.min.css": "css/bootstrap.min.css",
    "classnames/index.js": "fonts/classnames",
    **{
        f"bootstrap/dist/fonts/{GLYPHS}.{kind}": f"fonts/{GLYPHS}.{kind}"
        for kind in ("eot", "woff2", "woff", "ttf", "svg")
    },
}
MATHJAX = (
    "config/Safe.js", "config/TeX-AMS-MML_HTMLorMML.js", "extensions/Safe.js", "jax/output/SVG/jax.js",
    "jax/output/SVG/fonts/TeX/fontdata.js", "jax/output/SVG/config.js", "MathJax.js",
    "jax/output/SVG/fonts/TeX/Size1/Regular/Main.js",
)  # fmt: skip


def main(modules: Path) -> None:
    """Copy what the page needs into the installed package."""
    static = Path(visdom.__file__).parent / "static"
    pairs = {modules / source: static / target for source, target in SCRIPTS.items()}
    svg = f"{GLYPHS}.svg"
    pairs[modules / "bootstrap/dist/fonts" / svg] = static / "fonts" / f"{svg}#glyphicons_halflingsregular"
    for name in MATHJAX:
        pairs[modules / "mathjax" / name] = static / "js/mathjax/2.7.5" / name
    for source, target in pairs.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    (static / "version.built").write_text(visdom.__version__)
    print(f"{len(pairs)} files in {static}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
