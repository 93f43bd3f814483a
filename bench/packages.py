"""How long a build takes, and how large what it makes is."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.figures import BUILD, BUILD_AGAIN, LAYER, SERVICE_ZIP, Measurement, NotMeasured
from bench.workshop import Workshop

FROM_NOTHING = 3
UNCHANGED = 7


def build_times(workshop: Workshop) -> Iterator[Measurement]:
    """Time `./build.sh` in a working folder that holds nothing but the tools, and again when all is built."""
    with _empty_home(workshop) as environment:
        workshop.timed("a first build, which fills the cache of wheels", ["./build.sh"], environment=environment)
    from_nothing = []
    for _ in range(FROM_NOTHING):
        with _empty_home(workshop) as environment:
            from_nothing.append(workshop.timed("build from nothing", ["./build.sh"], environment=environment))
    yield Measurement(BUILD, tuple(from_nothing))
    with _empty_home(workshop) as environment:
        workshop.timed("build", ["./build.sh"], environment=environment)
        unchanged = [
            workshop.timed("build with nothing changed", ["./build.sh"], environment=environment)
            for _ in range(UNCHANGED)
        ]
    yield Measurement(BUILD_AGAIN, tuple(unchanged))


def sizes(workshop: Workshop) -> Iterator[Measurement]:
    """Weigh the layer's zip and the services'."""
    zips = built(workshop)
    layer = zips.pop("layer").stat().st_size
    zips.pop("layer-tokens")  # it has a limit of its own in the build, and few functions carry it
    services = {name: path.stat().st_size for name, path in zips.items()}
    largest = max(services, key=lambda name: services[name])
    yield Measurement(LAYER, (layer / 1e6,))
    yield Measurement(SERVICE_ZIP, (services[largest] / 1e3,), note=f"{largest}, of {len(services)} services")


def built(workshop: Workshop) -> dict[str, Path]:
    """Build and return the zip of the layer and of each service."""
    workshop.timed("build", ["./build.sh"], environment={**os.environ, "PAYGO_HOME": str(workshop.home)})
    folder = workshop.home / "build" / "local"
    manifest = json.loads((folder / "manifest.json").read_bytes())
    if len(manifest) < 2:
        message = "Nothing was built but the layer: lambdas/ has no service."
        raise NotMeasured(message)
    return {name: folder / entry["file"] for name, entry in manifest.items()}


@contextmanager
def _empty_home(workshop: Workshop) -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory(prefix="paygo-bench-") as folder:
        Path(folder, "bin").symlink_to(workshop.home / "bin")
        yield {**os.environ, "PAYGO_HOME": folder}
