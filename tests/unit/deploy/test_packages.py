import ast
import hashlib
import os
import shutil
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from deploy import packages
from deploy.packages import BuildError, build, fingerprint, service_files, write_zip


def source_tree(root: Path) -> Path:
    service = root / "lambdas" / "identity"
    (service / "handlers").mkdir(parents=True)
    (service / "__pycache__").mkdir()
    (service / "tests").mkdir()
    for name, text in {
        "__init__.py": "",
        "README.md": "# Identity",
        "model.py": "ANSWER = 42\n",
        "handlers/__init__.py": "",
        "handlers/sessions.py": "def handler(): ...\n",
        "tests/test_model.py": "",
        "__pycache__/model.cpython-313.pyc": "noise",
    }.items():
        (service / name).write_text(text)
    return root


def layer_tree(root: Path) -> Path:
    shared = root / "layers" / "shared"
    (shared / "paygo").mkdir(parents=True)
    (shared / "paygo" / "__init__.py").write_text("")
    (shared / "pyproject.toml").write_text("")
    (root / "layers" / "tokens").mkdir()
    (root / "layers" / "tokens" / "pyproject.toml").write_text("")
    (root / "uv.lock").write_text("")
    return source_tree(root)


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in for what uv installs: the tests of the build need no network."""
    folder = tmp_path / "wheels"
    for name in (
        "pydantic/__init__.py",
        "bin/pydantic",
        "pydantic-2.dist-info/RECORD",
        "pydantic-2.dist-info/METADATA",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{tmp_path}")
    monkeypatch.setattr(packages, "_third_party", lambda *_: folder)
    return folder


def test_a_zip_has_the_same_bytes_from_any_folder_at_any_time(tmp_path: Path) -> None:
    archives: list[bytes] = []
    for place in ("here", "there/deep"):
        root = source_tree(tmp_path / place)
        if place != "here":
            for path in root.rglob("*.py"):
                os.utime(path, (1, 1))
                path.chmod(0o600)
        archive = tmp_path / f"{len(archives)}.zip"
        write_zip(archive, service_files(root, "identity"))
        archives.append(archive.read_bytes())

    assert archives[0] == archives[1]


def test_a_services_zip_holds_its_package_and_nothing_else(tmp_path: Path) -> None:
    root = source_tree(tmp_path)
    archive = tmp_path / "identity.zip"

    write_zip(archive, service_files(root, "identity"))

    assert zipfile.ZipFile(archive).namelist() == [
        "identity/__init__.py",
        "identity/handlers/__init__.py",
        "identity/handlers/sessions.py",
        "identity/model.py",
    ]


def test_the_layer_leaves_out_what_an_installer_notes(tmp_path: Path, wheels: Path) -> None:
    assert wheels.exists()
    root = layer_tree(tmp_path / "clone")

    manifest = build(root, tmp_path / "home")

    names = zipfile.ZipFile(tmp_path / "home" / "build" / "local" / manifest["layer"]["file"]).namelist()
    assert names == ["python/paygo/__init__.py", "python/pydantic-2.dist-info/METADATA", "python/pydantic/__init__.py"]


def test_the_layer_of_tokens_has_nothing_of_our_own(tmp_path: Path, wheels: Path) -> None:
    assert wheels.exists()

    manifest = build(layer_tree(tmp_path / "clone"), tmp_path / "home")

    names = zipfile.ZipFile(tmp_path / "home" / "build" / "local" / manifest["layer-tokens"]["file"]).namelist()
    assert names == ["python/pydantic-2.dist-info/METADATA", "python/pydantic/__init__.py"]


@pytest.mark.usefixtures("wheels")
def test_packages_are_named_by_what_is_in_them(tmp_path: Path) -> None:
    manifest = build(layer_tree(tmp_path / "clone"), tmp_path / "home")

    for name, entry in manifest.items():
        archive = zipfile.ZipFile(tmp_path / "home" / "build" / "local" / entry["file"])
        hashes = [f"{held}\0{hashlib.sha256(archive.read(held)).hexdigest()}\n" for held in archive.namelist()]
        assert entry["sha256"] == hashlib.sha256("".join(hashes).encode()).hexdigest()
        assert entry["file"] == f"{name}-{entry['sha256'][:16]}.zip"
        folder = "account" if name == packages.JANITOR else "artefacts"
        assert entry["key"] == f"{folder}/{entry['file']}"


def test_the_janitors_zip_holds_it_and_awss_limits_and_nothing_that_its_runtime_lacks() -> None:
    root = Path(packages.__file__).parents[1]

    files = packages.janitor_files(root)

    assert {"janitor/handler.py", "janitor/kinds.py", "paygo_limits/aws.toml"} <= files.keys()
    assert {name.split("/")[0] for name in files} == {"janitor", "paygo_limits"}
    imported = {
        node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        for path in files.values()
        if path.suffix == ".py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    packages_named = {str(name).split(".")[0] for name in imported}
    assert packages_named - sys.stdlib_module_names == {"boto3", "botocore", "janitor", "paygo_limits"}


@pytest.mark.usefixtures("wheels")
def test_only_what_changed_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, home = layer_tree(tmp_path / "clone"), tmp_path / "home"
    first = build(root, home)
    built: list[str] = []
    write = packages.write_zip

    def note(path: Path, files: packages.Files) -> str:
        built.append(path.name)
        return write(path, files)

    monkeypatch.setattr(packages, "write_zip", note)

    assert build(root, home) == first
    assert built == []

    (root / "lambdas" / "identity" / "model.py").write_text("ANSWER = 43\n")
    assert build(root, home)["identity"] != first["identity"]
    assert [name.split("-")[0] for name in built] == [".identity"]


@pytest.mark.usefixtures("wheels")
def test_a_package_that_somebody_removed_is_built_again(tmp_path: Path) -> None:
    root, home = layer_tree(tmp_path / "clone"), tmp_path / "home"
    first = build(root, home)
    shutil.rmtree(home / "build" / "local")

    assert build(root, home) == first
    assert (home / "build" / "local" / first["identity"]["file"]).exists()


@pytest.mark.usefixtures("wheels")
def test_a_package_that_outgrew_its_limit_is_refused(tmp_path: Path) -> None:
    root = layer_tree(tmp_path / "clone")
    (root / "lambdas" / "identity" / "data.py").write_bytes(os.urandom(100_000))

    with pytest.raises(BuildError, match="identity has"):
        build(root, tmp_path / "home")


def with_contract(root: Path, text: str) -> Path:
    (root / "lambdas" / "partners").mkdir(parents=True)
    (root / "lambdas" / "partners" / "__init__.py").write_text("")
    contract = root / "contracts" / "partners" / "bank" / "openapi.yaml"
    contract.parent.mkdir(parents=True)
    contract.write_text(text)
    return root


def test_the_service_that_plays_partners_has_their_contracts_as_json(tmp_path: Path) -> None:
    archives = []
    for place in ("here", "there"):
        root = with_contract(tmp_path / place, 'openapi: 3.1.0\ninfo: {title: "Bank", version: &one "1"}\nlast: *one\n')
        write_zip(tmp_path / place / "partners.zip", service_files(root, "partners"))
        archives.append((tmp_path / place / "partners.zip").read_bytes())

    archive = zipfile.ZipFile(tmp_path / "here" / "partners.zip")
    assert archive.namelist() == ["partners/__init__.py", "partners/contracts/bank.json"]
    expected = b'{"openapi":"3.1.0","info":{"title":"Bank","version":"1"},"last":"1"}'
    assert archive.read("partners/contracts/bank.json") == expected
    assert archives[0] == archives[1]


def test_other_services_have_no_contracts(tmp_path: Path) -> None:
    root = source_tree(with_contract(tmp_path, "openapi: 3.1.0"))

    assert not [name for name in service_files(root, "identity") if "contracts" in name]


def test_a_changed_contract_changes_the_fingerprint(tmp_path: Path) -> None:
    root = with_contract(tmp_path, "openapi: 3.1.0")
    before = fingerprint(service_files(root, "partners"))

    (root / "contracts" / "partners" / "bank" / "openapi.yaml").write_text("openapi: 3.1.1")

    assert fingerprint(service_files(root, "partners")) != before


@pytest.mark.parametrize("text", ["openapi: [", "at: 2026-11-21"])
def test_a_contract_that_json_cannot_hold_is_named(tmp_path: Path, text: str) -> None:
    root = with_contract(tmp_path, text)

    with pytest.raises(BuildError, match=r"contracts/partners/bank/openapi\.yaml"):
        write_zip(tmp_path / "partners.zip", service_files(root, "partners"))


def test_a_changed_name_changes_the_fingerprint(tmp_path: Path) -> None:
    path = tmp_path / "one"
    path.write_text("same")

    assert fingerprint({"a": path}) != fingerprint({"b": path})


def test_only_packages_without_a_wheel_are_built_from_source(tmp_path: Path) -> None:
    lock = tmp_path / "uv.lock"
    lock.write_text(
        '[[package]]\nname = "siphash"\n\n[[package]]\nname = "unused"\n\n'
        '[[package]]\nname = "pydantic"\nwheels = [{ url = "x" }]\n'
    )

    assert packages._source_only(lock, "pydantic==2 \\\nsiphash==0.0.1 \\\n") == ["siphash"]


def test_a_compiled_package_without_a_wheel_is_refused(tmp_path: Path) -> None:
    notes = tmp_path / "fast_hash-1.dist-info" / "WHEEL"
    notes.parent.mkdir()
    notes.write_text("Root-Is-Purelib: false\n")

    with pytest.raises(BuildError, match="fast-hash"):
        packages._refuse_compiled(tmp_path, ["fast-hash"])


def test_a_build_waits_for_another_of_the_same_folder(tmp_path: Path) -> None:
    begun, ended = threading.Event(), list[str]()

    def build(name: str) -> None:
        with packages._alone(tmp_path):
            begun.set()
            time.sleep(0.2)
            ended.append(name)

    first = threading.Thread(target=build, args=["first"])
    first.start()
    assert begun.wait(10)
    with packages._alone(tmp_path):
        assert ended == ["first"]
    first.join()
