"""Build the wheel and the sdist, install the wheel in a fresh environment, and run one tiny chain with it.

Run by `make test`; needs the package index. Exits with an error where anything fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command and return what it prints; its errors pass through."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=environment, stdout=subprocess.PIPE, check=True)
    return done.stdout.decode()


def main() -> None:
    """Build, install, use."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder)
        (wheel,) = folder.glob("*.whl")
        names = zipfile.ZipFile(wheel).namelist()
        foreign = [entry for entry in names if not entry.startswith(("stemscan/", "stemscan-"))]
        if foreign or len(names) != len(set(names)):
            raise SystemExit(f"expected a wheel with stemscan/ alone, each file once, got {foreign}")
        venv.create(folder / "env", with_pip=True)
        python = folder / "env" / "bin" / "python"
        run(python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel, cwd=folder)
        command = folder / "env" / "bin" / "stemscan"
        print(run(command, "--version", cwd=folder).strip())
        run(python, "-m", "stemscan", "--help", cwd=folder)
        run(command, "plan", "-o", "plan.yaml", "--shape", "64x64", "--pixel-size", "0.02nm", cwd=folder)
        run(command, "plan", "check", "plan.yaml", "--profile", "obi", cwd=folder)
        run(command, "simulate", "plan.yaml", "crystal:SrTiO3", "-o", "acq.zarr", cwd=folder)
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
    print("wheel: built, installed in a fresh environment, plan - simulate - recon passed, plug-ins too")


if __name__ == "__main__":
    main()
