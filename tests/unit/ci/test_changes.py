"""Only code needs a stack of its own."""

import pytest

from ci.changes import Kind, kind_of


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        (["README.md"], Kind.DOCS),
        (["docs/deploy.md", "docs/map.svg", "lambdas/identity/README.md"], Kind.DOCS),
        ([], Kind.DOCS),
        (["clients/paygo-client/src/paygo_client/session.py"], Kind.FRONT_END),
        (["frontend/index.html", "CHANGELOG.md"], Kind.FRONT_END),
        (["lambdas/identity/handlers/sessions.py", "README.md"], Kind.CODE),
        (["frontend/index.html", "contracts/openapi.yaml"], Kind.CODE),
        (["terraform/main.tf"], Kind.CODE),
        (["uv.lock"], Kind.CODE),
        ([".travis.yml"], Kind.CODE),
        (["docs.py"], Kind.CODE),
        (["clients.tf"], Kind.CODE),
        (None, Kind.CODE),
    ],
)
def test_a_change_is_the_most_that_any_file_of_it_is(files: list[str] | None, kind: Kind) -> None:
    assert kind_of(files) is kind
