"""What `make stack` and `make destroy-merged` do, with a Makefile that only says what it is asked."""

import sys

import pytest

import ci.__main__ as commands
from tests.unit.ci.repository import Repository

MAKEFILE = """\
deploy status destroy:
\t@printf '%s %s %s\\n' $@ "$$BRANCH" "$$TTL"
\t@if [ "$$BRANCH" = stuck ]; then exit 3; fi
export BRANCH
"""


@pytest.fixture
def clone(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Repository:
    (repository.folder / "Makefile").write_text(MAKEFILE)
    repository.commit(".travis.yml")
    repository.git("push", "origin", "main")
    monkeypatch.setattr(commands, "ROOT", repository.folder)
    for name in ("BRANCH", "TARGET", "SINCE", "COMMIT", "OWNER", "TTL", "MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
        monkeypatch.delenv(name, raising=False)
    return repository


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["ci", *words])
    with pytest.raises(SystemExit) as ended:
        sys.exit(commands.main())
    return ended.value.code if isinstance(ended.value.code, int) else 0


def test_code_is_deployed_with_what_the_caller_said(
    clone: Repository, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BRANCH", "feature/meters")
    monkeypatch.setenv("TTL", "2d")
    clone.commit("lambdas/meters.py")

    assert run(monkeypatch, "stack", "--since", "HEAD^1") == 0
    assert capfd.readouterr().out.splitlines()[1:] == ["deploy feature/meters 2d"]


def test_documents_use_the_targets_stack_whatever_make_was_called_with(
    clone: Repository, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BRANCH", "feature/meters")
    monkeypatch.setenv("MAKEFLAGS", " -- BRANCH=feature/meters")
    clone.commit("docs/meters.md")

    assert run(monkeypatch, "stack", "--since", "HEAD^1") == 0
    assert capfd.readouterr().out.splitlines()[1:] == ["status main "]


def test_without_a_start_everything_counts(
    clone: Repository, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    clone.commit("docs/meters.md")

    assert run(monkeypatch, "stack", "--branch", "feature/meters") == 0
    assert "deploy feature/meters" in capfd.readouterr().out


def test_a_branchs_name_is_never_run(
    clone: Repository, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    name = "a$(shell touch owned)$$b`touch owned`"

    assert run(monkeypatch, "stack", "--branch", name) == 0
    assert f"deploy {name} " in capfd.readouterr().out
    assert not (clone.folder / "owned").exists()


def test_a_build_that_was_superseded_deploys_nothing(
    clone: Repository, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    old = clone.git("rev-parse", "HEAD")
    clone.commit("lambdas/meters.py")
    clone.git("push", "origin", "main")

    assert run(monkeypatch, "stack", "--branch", "main", "--commit", old) == 0
    assert capfd.readouterr().out.splitlines() == [
        "A newer commit of main is there, and its build deploys: nothing is deployed here."
    ]


def test_a_failed_deploy_fails_the_job(clone: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "stack", "--branch", "stuck") != 0


def test_a_stack_that_is_promoted_to_is_refused_in_a_sentence(
    clone: Repository, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "stack", "--branch", "production") == 1
    shown = capfd.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)


def merged(clone: Repository, branch: str, subject: str) -> None:
    clone.git("checkout", "-b", branch)
    clone.commit(f"lambdas/{branch}.py")
    clone.git("push", "origin", branch)
    clone.git("checkout", "main")
    clone.git("merge", "--no-ff", "-m", subject, branch)


def test_the_stack_of_a_merged_branch_goes_whether_the_branch_is_gone_or_not(
    clone: Repository, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    start = clone.git("rev-parse", "HEAD")
    merged(clone, "a", "Merge pull request #1 from solar/a")
    merged(clone, "b", "Merge branch 'b'")
    clone.git("push", "origin", "--delete", "a")

    assert run(monkeypatch, "destroy-merged", "--owner", "solar", "--since", start) == 0
    assert [line for line in capfd.readouterr().out.splitlines() if line.startswith("destroy")] == [
        "destroy b ",
        "destroy a ",
    ]


def test_a_branch_that_went_on_keeps_its_stack(
    clone: Repository, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    merged(clone, "a", "Merge branch 'a'")
    clone.git("checkout", "a")
    clone.commit("lambdas/more.py")
    clone.git("push", "origin", "a")
    clone.git("checkout", "main")

    assert run(monkeypatch, "destroy-merged", "--owner", "solar") == 0
    assert capfd.readouterr().out.splitlines() == ["a has gone on since it was merged: its stack stays."]


def test_one_stack_that_stays_stops_no_other_and_fails_the_job(
    clone: Repository, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    start = clone.git("rev-parse", "HEAD")
    merged(clone, "a", "Merge branch 'a'")
    merged(clone, "stuck", "Merge branch 'stuck'")

    assert run(monkeypatch, "destroy-merged", "--owner", "solar", "--since", start) == 1
    assert "destroy a " in capfd.readouterr().out


def test_the_jobs_of_an_event_can_be_asked_for(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "jobs", "type=cron", "branch=main") == 0
    assert capfd.readouterr().out == "clean: janitor\n"


def test_a_change_is_named(
    clone: Repository, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    clone.commit("docs/meters.md")

    assert run(monkeypatch, "changes", "--since", "origin/main") == 0
    assert capfd.readouterr().out == "docs\n"
