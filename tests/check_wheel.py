"""Build the sdist and the wheel from it, install the wheel in a fresh environment, and run one tiny chain with it.

Both must hold every file of the package once and nothing else; an editable install must find them all. Run by
`make test`; needs the package index. Exits with an error where anything fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("recon", "simulators", "cli")
DATA = (
    "py.typed", "__init__.pyi", "hardware/profiles/*.yaml", "simulators/instrument/presets/*.yaml",
    "recon/weights/*.safetensors", "recon/weights/*.md", "recon/evaluation/campaign/templates/*.yaml",
    "recon/training/configs/*.yaml",    "recon/view/page/*", "recon/view/*.yaml",
)  # fmt: skip
BESIDE = {"CHANGELOG.md", "CITATION.cff", "LICENSE", "MANIFEST.in", "PKG-INFO", "README.md", "constraints.txt"}
BESIDE |= {"pyproject.toml", "setup.cfg"}


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command and return what it prints; its errors pass through."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=environment, stdout=subprocess.PIPE, check=True)
    return done.stdout.decode()


def package_files() -> set[str]:
    """Every file that belongs to the package, by its name in a wheel."""
    modules = [file for file in (ROOT / "stemscan").rglob("*.py") if file.relative_to(ROOT).parts[1] not in ROOMS]
    names = {str(file.relative_to(ROOT)) for file in modules}
    names |= {f"stemscan/{file.relative_to(ROOT)}" for room in ROOMS for file in (ROOT / room).rglob("*.py")}
    return names | {str(file.relative_to(ROOT)) for pattern in DATA for file in (ROOT / "stemscan").glob(pattern)}


def check_names(what: str, names: list[str], wanted: set[str]) -> None:
    """Refuse an archive that lacks files, has others, or one twice."""
    twice = {name for name in names if names.count(name) > 1}
    for problem, found in (("without", wanted - set(names)), ("with", set(names) - wanted), ("twice with", twice)):
        if found:
            raise SystemExit(f"expected {what} with each file of the package once, got one {problem} {sorted(found)}")


def check_editable(folder: Path, python: Path) -> None:
    """Refuse an editable install that does not find a module."""
    package = f"{ROOT}[testing]"  # whose strategies are a module of the package
    run(python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", "--editable", package, cwd=folder)
    names = [name.removesuffix(".py").replace("/", ".") for name in package_files() if name.endswith(".py")]
    code = f"from importlib.util import find_spec; assert all(map(find_spec, {names!r}))"
    run(python, "-c", code, cwd=folder)


def main() -> None:
    """Build, install, use."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder)
        (wheel,) = folder.glob("*.whl")
        (sdist,) = folder.glob("*.tar.gz")
        wanted = package_files()
        names = [name for name in zipfile.ZipFile(wheel).namelist() if not name.startswith("stemscan-")]
        check_names("a wheel", names, wanted)
        with tarfile.open(sdist) as archive:
            names = [entry.name.partition("/")[2] for entry in archive.getmembers() if entry.isfile()]
        check_names("an sdist", [name for name in names if ".egg-info/" not in name], wanted | BESIDE)
        venv.create(folder / "env", with_pip=True)
        python = folder / "env" / "bin" / "python"
        check_editable(folder, python)
        run(python, "-m", "pip", "install", "--quiet", "--force-reinstall", "--no-deps", wheel, cwd=folder)
        command = folder / "env" / "bin" / "stemscan"
        print(run(command, "--version", cwd=folder).strip())
        run(python, "-m", "stemscan", "--help", cwd=folder)
        run(command, "plan", "-o", "plan.yaml", "--shape", "64x64", "--pixel-size", "0.02nm", cwd=folder)
        run(command, "plan", "check", "plan.yaml", "--profile", "obi", cwd=folder)
        run(command, "simulate", "plan.yaml", "crystal:SrTiO3", "--instrument", "ideal", "-o", "acq.zarr", cwd=folder)
        run(command, "recon", "acq.zarr", "-o", "image.tif", cwd=folder)
        shutil.copytree(ROOT / "examples", folder / "examples")  # pip builds where the source is
        examples = [folder / "examples" / name for name in ("method", "controller")]
        run(python, "-m", "pip", "install", "--quiet", "--no-deps", *examples, cwd=folder)
        run(command, "recon", "acq.zarr", "-o", "idw.tif", "--method", "idw", cwd=folder)
        run(python, "-c", "from stemscan.recon.conformance import check_method; check_method('idw')", cwd=folder)
        run(command, "acquire", "plan.yaml", "-o", "grating.zarr", "--controller", "grating:9", cwd=folder)
        check = "from stemscan.acquisition.conformance import check_controller as check"
        run(python, "-c", f"import stemscan_grating as g; {check}; check(lambda plan: g.Grating())", cwd=folder)
        if (folder / "image.tif").stat().st_size < 64 * 64 * 4:
            raise SystemExit("expected an image of 64 x 64 float32 pixels from the installed wheel")
    print("sdist, wheel, editable install: built and complete; plan - simulate - recon passed, plug-ins too")


if __name__ == "__main__":
    main()
