"""Build the layers and the services' zips: only what changed, and the same name for the same contents anywhere.

A zip is named by the hash of what it holds and not of its own bytes, since what deflate writes depends on the zlib at
hand. Entries are sorted, dated and given a mode by this module alone, and nothing an installer notes about the machine
goes in. Only the standard library is imported, so that a build with nothing to do costs little more than starting
Python.
"""

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

# Each layer's folder below layers/, and the workspace package whose locked dependencies it holds.
LAYERS: Mapping[str, tuple[str, str]] = {
    "layer": ("shared", "paygo-layer"),
    "layer-tokens": ("tokens", "paygo-tokens"),
}
PYTHON = "3.13"

# AWS runs python3.13 on Amazon Linux 2023, whose glibc is 2.34; no wheel asks for more than 2.28.
TARGETS: Mapping[str, tuple[str, ...]] = {
    "local": (),
    "x86_64": ("--python-version", PYTHON, "--python-platform", "x86_64-manylinux_2_28"),
    "arm64": ("--python-version", PYTHON, "--python-platform", "aarch64-manylinux_2_28"),
}

# Cryptography is larger than all the rest: only functions that verify tokens carry it.
LIMITS = {"layer": 12_000_000, "layer-tokens": 12_000_000, "service": 100_000}

# What the keys of stacks' packages begin with, and those of staging's and production's.
ARTEFACTS = "artefacts/"
RELEASED = f"{ARTEFACTS}released/"

# What the account runs, not a stack: its key is in the bucket of states, which is there before that of artefacts is.
JANITOR = "janitor"
NOT_THE_FUNCTIONS = ("janitor/__main__.py", "janitor/kills.py")

NOT_SHIPPED = (
    "*.pyc",
    "*.pyi",
    "*.dist-info/[!M]*",  # METADATA is what importlib.metadata reads; the rest is an installer's notes
    "*/tests/*",
    "*/swagger_ui/*.js",  # Powertools' documentation page, which no function serves
    "*/swagger_ui/*.css",
    "*/emscripten/*",
    "bin/*",
    "test/*",  # openpaygo installs its own tests and scripts beside itself
    "utils/*",
    ".*",
)
NOT_SOURCE = ("*.pyc", "*/tests/*", "*.md", "*/.*")

# The service that plays partners has their contracts with it, as JSON: no function can read YAML.
PLAYS_PARTNERS = "partners"
_AS_JSON = """
import json, sys, yaml
texts = [json.dumps(yaml.safe_load(text), separators=(",", ":")) for text in json.load(sys.stdin)]
json.dump(texts, sys.stdout)
"""

_EPOCH = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o100644 << 16


class BuildError(Exception):
    """A build that cannot go on, in one sentence."""


type Files = dict[str, Path]


def build(root: Path, home: Path, target: str = "local", *, tell: bool = False) -> dict[str, dict[str, str]]:
    """Build what changed and return the manifest: name -> file, sha256 of its contents, its key, sources."""
    folder = home / "build" / target
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        return _build(root, home, target, folder, tell=tell)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait for another build of this folder to end: several deploys may begin at the same moment."""
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(root: Path, home: Path, target: str, folder: Path, *, tell: bool) -> dict[str, dict[str, str]]:
    before = _manifest(folder)
    sources = {name: service_files(root, name) for name in services(root)}
    sources[JANITOR] = janitor_files(root)
    prints = {name: fingerprint(files) for name, files in sources.items()}
    prints |= {name: fingerprint(_layer_inputs(root, name), salt=target) for name in LAYERS}
    current = {name: entry for name, entry in before.items() if _is_current(folder, entry, prints.get(name))}

    def one(name: str) -> dict[str, str]:
        files = layer_files(root, home, target, name) if name in LAYERS else sources[name]
        return _entry(folder, name, prints[name], files, tell=tell)

    stale = [name for name in prints if name not in current]
    with ThreadPoolExecutor(max_workers=4) as pool:
        built = dict(zip(stale, pool.map(one, stale), strict=True))
    manifest = {name: built.get(name) or current[name] for name in sorted(prints)}
    if manifest != before:
        _replace(folder / "manifest.json", json.dumps(manifest, indent=2).encode() + b"\n")
        _sweep(folder, {entry["file"] for entry in manifest.values()})
    return manifest


def of_stage(manifest: Mapping[str, Mapping[str, str]], stage: str) -> dict[str, dict[str, str]]:
    """Give a stage's packages their keys: those of staging and production are where no branch's pipeline may write.

    >>> of_stage({"ledger": {"key": "artefacts/ledger-1.zip"}}, "production")
    {'ledger': {'key': 'artefacts/released/ledger-1.zip'}}
    """
    folder = ARTEFACTS if stage == "development" else RELEASED
    return {name: {**entry, "key": re.sub(f"^{ARTEFACTS}", folder, entry["key"])} for name, entry in manifest.items()}


def services(root: Path) -> list[str]:
    """Every package in `lambdas/` is a service."""
    return sorted(path.parent.name for path in (root / "lambdas").glob("*/__init__.py"))


def service_files(root: Path, name: str) -> Files:
    """Everything in a service's zip; what is named JSON here and is YAML there is translated on its way."""
    lambdas = root / "lambdas"
    found = dict(_files(lambdas, lambdas / name, NOT_SOURCE))
    if name == PLAYS_PARTNERS:
        contracts = (root / "contracts" / "partners").glob("*/openapi.yaml")
        found |= {f"{name}/contracts/{path.parent.name}.json": path for path in contracts}
    return found


def janitor_files(root: Path) -> Files:
    """Everything in the janitor's zip: itself and AWS's limits; boto3 is the runtime's."""
    limits = root / "limits" / "src"
    own = dict(_files(root, root / "janitor", (*NOT_SOURCE, *NOT_THE_FUNCTIONS)))
    return own | dict(_files(limits, limits / "paygo_limits", NOT_SOURCE))


def layer_files(root: Path, home: Path, target: str, layer: str) -> Files:
    """Everything below `python/` in the layer: the locked third-party packages and, where it has some, our own."""
    third_party = _third_party(root, home, target, layer)
    found = {**dict(_files(third_party, third_party, NOT_SHIPPED)), **_own_files(root, layer)}
    return {f"python/{name}": path for name, path in found.items()}


def write_zip(path: Path, files: Files) -> str:
    """Write a zip that depends on the files' names and contents and on nothing else, and return the hash of those."""
    translated = as_json([file for name, file in files.items() if name.endswith(".json") and file.suffix == ".yaml"])
    digest = hashlib.sha256()
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(files):
            content = translated.get(files[name]) or files[name].read_bytes()
            digest.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
            info = zipfile.ZipInfo(name, _EPOCH)
            info.external_attr = _FILE_MODE
            info.create_system = 3  # Unix, whatever the machine
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return digest.hexdigest()


def as_json(paths: Sequence[Path]) -> dict[Path, bytes]:
    """Translate YAML files in a Python of its own, since this module is run without any package."""
    if not paths:
        return {}
    texts = json.dumps([path.read_text() for path in paths]).encode()
    command = [sys.executable, "-I", "-c", _AS_JSON]
    done = subprocess.run(command, input=texts, capture_output=True, check=False)  # noqa: S603
    if done.returncode:
        names = ", ".join(str(path) for path in paths)
        msg = f"Not YAML that JSON can hold, one of {names}: {done.stderr.decode(errors='replace').strip()}"
        raise BuildError(msg)
    return {path: text.encode() for path, text in zip(paths, json.loads(done.stdout), strict=True)}


def fingerprint(files: Files, salt: str = "") -> str:
    """Hash of the names and contents of a package's sources, and of the rules that make it."""
    digest = hashlib.sha256(salt.encode())
    for name, path in [*sorted(files.items()), ("", Path(__file__))]:
        digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _files(base: Path, folder: Path, left_out: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            path = Path(parent, name)
            relative = path.relative_to(base).as_posix()
            if not any(fnmatch(relative, pattern) for pattern in left_out):
                yield relative, path


def _layer_inputs(root: Path, layer: str) -> Files:
    return {**_own_files(root, layer), **_locked(root, layer)}


def _own_files(root: Path, layer: str) -> Files:
    folder = root / "layers" / LAYERS[layer][0]
    return dict(_files(folder, folder / "paygo", NOT_SOURCE))


def _locked(root: Path, layer: str) -> Files:
    return {"uv.lock": root / "uv.lock", "pyproject.toml": root / "layers" / LAYERS[layer][0] / "pyproject.toml"}


def _wheels(root: Path, home: Path, target: str, layer: str) -> Path:
    folder, _ = LAYERS[layer]
    return home / "build" / target / f"wheels-{folder}-{fingerprint(_locked(root, layer), salt=target)[:16]}"


def _third_party(root: Path, home: Path, target: str, layer: str) -> Path:
    """Install the layer's locked packages into a folder of their own, once per lock."""
    folder = _wheels(root, home, target, layer)
    if folder.exists():
        return folder
    name, package = LAYERS[layer]
    for old in folder.parent.glob(f"wheels-{name}-*"):
        shutil.rmtree(old, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="new-") as temporary:
        requirements = Path(temporary, "requirements.txt")
        export = ("export", "--package", package, "--no-emit-workspace", "--no-dev", "--locked", "--no-header")
        requirements.write_bytes(_uv(root, home, *export))
        source_only = _source_only(root / "uv.lock", requirements.read_text())
        packages = Path(temporary, "packages")
        _uv(
            root,
            home,
            *("pip", "install", "--target", str(packages), "--requirements", str(requirements)),
            *("--no-deps", "--require-hashes", "--only-binary", ":all:"),
            *(part for name in source_only for part in ("--no-binary", name)),
            *(TARGETS[target] or ("--python", sys.executable)),
        )
        _refuse_compiled(packages, source_only)
        packages.rename(folder)
    return folder


def _source_only(lock: Path, requirements: str) -> list[str]:
    """Name the required packages that their authors publish without a wheel."""
    required = {line.split("==")[0] for line in requirements.splitlines() if "==" in line}
    packages = tomllib.loads(lock.read_text())["package"]
    return [package["name"] for package in packages if package["name"] in required and not package.get("wheels")]


def _refuse_compiled(packages: Path, names: list[str]) -> None:
    """Let what is built here go to another machine only when it is pure Python."""
    for name in names:
        notes = next(packages.glob(f"{name.replace('-', '_')}-*.dist-info/WHEEL")).read_text()
        if "Root-Is-Purelib: true" not in notes:
            msg = f"{name} has no wheel and is not pure Python, so it cannot go into the layer: choose another package."
            raise BuildError(msg)


def _uv(root: Path, home: Path, *arguments: str) -> bytes:
    uv = home / "bin" / "uv"
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    command = [str(uv) if uv.exists() else "uv", "--quiet", *arguments]
    try:
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, check=False)  # noqa: S603
    except FileNotFoundError:
        msg = "uv is missing: run ./setup.sh."
        raise BuildError(msg) from None
    if done.returncode:
        msg = f"The layer's packages could not be installed: {done.stderr.decode(errors='replace').strip()}"
        raise BuildError(msg)
    return done.stdout


def _manifest(folder: Path) -> dict[str, dict[str, str]]:
    try:
        manifest: dict[str, dict[str, str]] = json.loads((folder / "manifest.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return manifest


def _is_current(folder: Path, entry: dict[str, str], sources: str | None) -> bool:
    return entry["sources"] == sources and (folder / entry["file"]).exists()


def _entry(folder: Path, name: str, sources: str, files: Files, *, tell: bool) -> dict[str, str]:
    began = time.monotonic()
    temporary = folder / f".{name}-{os.getpid()}.zip"
    sha256 = write_zip(temporary, files)
    size = temporary.stat().st_size
    limit = LIMITS.get(name, LIMITS["service"])
    if size > limit:
        temporary.unlink()
        msg = f"The package {name} has {size:,} bytes and may have {limit:,}: leave out what functions do not import."
        raise BuildError(msg)
    file = f"{name}-{sha256[:16]}.zip"
    temporary.replace(folder / file)
    if tell:
        print(f"  {file:<44} {size / 1000:9,.1f} kB  {time.monotonic() - began:.2f} s")
    folder_key = "account/" if name == JANITOR else ARTEFACTS
    return {"file": file, "sha256": sha256, "key": f"{folder_key}{file}", "sources": sources}


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)


def _sweep(folder: Path, wanted: set[str]) -> None:
    """Keep the last few builds, so that going back to an earlier source does not upload again."""
    by_age = sorted(folder.glob("*.zip"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in by_age[40:]:
        if path.name not in wanted:
            path.unlink(missing_ok=True)


def main() -> int:
    began = time.monotonic()
    root = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(prog="build.sh", description="Build the layers and the services' zips.")
    parser.add_argument("--target", choices=TARGETS, default="local", help="where the functions will run")
    parser.add_argument("--manifest", action="store_true", help="print the manifest")
    asked = parser.parse_args()
    home = Path(os.environ.get("PAYGO_HOME") or root / ".paygo").absolute()
    try:
        manifest = build(root, home, asked.target, tell=True)
    except BuildError as failure:
        print(f"paygo: {failure}", file=sys.stderr)
        return 1
    if asked.manifest:
        print(json.dumps(manifest, indent=2))
    else:
        print(f"{len(manifest)} packages in {home / 'build' / asked.target}, {time.monotonic() - began:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
