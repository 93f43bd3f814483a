"""Record what a stack needs of the account's quotas, from plans of every kind of stack: what `make needs` runs."""

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

from deploy import capacity, needs
from deploy.packages import build
from deploy.target import home_folder
from tests.policy.plan import ADDRESSES, REPOSITORY, Plan, Planner, given

_MEGABYTE = 1_000_000


def of(plan: Plan) -> dict[str, int]:
    """Count what a planned stack has of each resource of which an account may have so many."""
    counts = Counter(resource.type for resource in plan.resources)
    return {limited.resource: counts[limited.resource] for limited in needs.LIMITED if limited.resource in counts}


def code_bytes(plan: Plan) -> int:
    """Measure what a planned stack's code takes, in whole megabytes: each function keeps a copy of its service's."""
    manifest = build(REPOSITORY, home_folder(), "arm64")
    folder = home_folder() / "build" / "arm64"
    sizes = {f"artefacts/{name}.zip": (folder / entry["file"]).stat().st_size for name, entry in manifest.items()}
    packages = [*plan.of("aws_lambda_function"), *plan.of("aws_lambda_layer_version")]
    return -(-sum(sizes[package.values["s3_key"]] for package in packages) // _MEGABYTE) * _MEGABYTE


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder, "plans")
        kept.mkdir()
        planner = Planner(Path(folder), kept)
        plans = {
            needs.kind("development", "function"): planner.stack(stage="development"),
            needs.kind("development", "service"): planner.stack(stage="development", roles="service"),
            needs.kind("staging", "function"): planner.stack(
                stage="staging", partner_urls=ADDRESSES, secrets=given("staging")
            ),
            needs.kind("production", "function"): planner.stack(
                stage="production", partner_urls=ADDRESSES, secrets=given("production")
            ),
        }
    recorded = {kind: {**of(plan), needs.CODE: code_bytes(plan)} for kind, plan in plans.items()}
    needs.RECORDED.write_text(json.dumps(recorded, indent=2) + "\n")
    capacity.write_page()
    return 0


if __name__ == "__main__":
    sys.exit(main())
