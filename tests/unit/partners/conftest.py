from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.packages import as_json
from partners import composition

CONTRACTS = Path(__file__).parents[3] / "contracts" / "partners"


@pytest.fixture(scope="session")
def contracts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The partners' contracts, as the build puts them into the service's zip."""
    folder = tmp_path_factory.mktemp("contracts")
    for path, text in as_json(sorted(CONTRACTS.glob("*/openapi.yaml"))).items():
        (folder / f"{path.parent.name}.json").write_bytes(text)
    return folder


@pytest.fixture(autouse=True)
def bundled(contracts: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(composition, "CONTRACTS", contracts)
    composition.partner.cache_clear()
    yield
    composition.partner.cache_clear()
