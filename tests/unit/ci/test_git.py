"""What git is asked, on real repositories."""

from pathlib import Path

import pytest

from ci import git
from ci.errors import PipelineError
from tests.unit.ci.repository import Repository


def test_what_changed_is_what_differs_from_a_commit(repository: Repository) -> None:
    start = repository.git("rev-parse", "HEAD")
    repository.commit("docs/größe.md")
    repository.commit("lambdas/identity/model.py")

    assert git.changed(repository.folder, start) == ["docs/größe.md", "lambdas/identity/model.py"]


def test_a_file_that_moved_changed_in_both_places(repository: Repository) -> None:
    repository.git("mv", "terraform/main.tf", "main.md")
    repository.git("commit", "-m", "Move it")

    assert git.changed(repository.folder, "HEAD^1") == ["main.md", "terraform/main.tf"]


@pytest.mark.parametrize("since", ["0" * 40, "no-such-branch", "--output=owned", ""])
def test_what_changed_since_an_unknown_commit_is_not_known(repository: Repository, since: str) -> None:
    assert git.changed(repository.folder, since) is None


def test_a_pull_request_built_by_travis_changed_what_its_branch_did(repository: Repository) -> None:
    repository.git("checkout", "-b", "feature/meters")
    repository.commit("docs/meters.md")
    repository.git("checkout", "main")
    repository.commit("lambdas/identity/model.py")
    repository.git("merge", "--no-ff", "feature/meters")

    assert git.changed(repository.folder, "HEAD^1") == ["docs/meters.md"]


def merge(repository: Repository, branch: str, subject: str) -> str:
    repository.git("checkout", "-b", branch)
    head = repository.commit(f"lambdas/{branch}.py")
    repository.git("checkout", "main")
    repository.git("merge", "--no-ff", "-m", subject, branch)
    return head


def test_every_merge_since_a_commit_is_found(repository: Repository) -> None:
    start = repository.git("rev-parse", "HEAD")
    merge(repository, "a", "Merge branch 'a'")
    repository.commit("README.md")
    merge(repository, "b", "Merge branch 'b'")

    assert git.merges(repository.folder, start) == ["Merge branch 'b'", "Merge branch 'a'"]


def test_without_a_known_start_the_newest_merge_is_found(repository: Repository) -> None:
    merge(repository, "a", "Merge branch 'a'")

    assert git.merges(repository.folder, "0" * 40) == ["Merge branch 'a'"]


def test_merges_into_a_branch_that_was_merged_are_not_ours(repository: Repository) -> None:
    start = repository.git("rev-parse", "HEAD")
    repository.git("checkout", "-b", "feature/meters")
    repository.commit("lambdas/meters.py")
    repository.git("checkout", "-b", "other")
    repository.commit("lambdas/other.py")
    repository.git("checkout", "feature/meters")
    repository.git("merge", "--no-ff", "-m", "Merge branch 'other'", "other")
    repository.git("checkout", "main")
    repository.git("merge", "--no-ff", "-m", "Merge branch 'feature/meters'", "feature/meters")

    assert git.merges(repository.folder, start) == ["Merge branch 'feature/meters'"]


def test_the_origin_knows_a_branchs_newest_commit(repository: Repository) -> None:
    repository.git("checkout", "-b", "feature/meters")
    head = repository.commit("README.md")
    repository.git("push", "origin", "feature/meters")
    repository.commit("CHANGELOG.md")

    assert git.remote_head(repository.folder, "feature/meters") == head
    assert git.remote_head(repository.folder, "meters") is None


def test_an_origin_that_does_not_answer_is_told(repository: Repository, tmp_path: Path) -> None:
    repository.git("remote", "set-url", "origin", str(tmp_path / "nowhere"))

    with pytest.raises(PipelineError, match="does not answer"):
        git.remote_head(repository.folder, "main")


def test_a_branch_is_merged_when_head_holds_its_newest_commit(repository: Repository) -> None:
    head = merge(repository, "a", "Merge branch 'a'")
    repository.git("checkout", "a")
    later = repository.commit("lambdas/later.py")
    repository.git("checkout", "main")

    assert git.is_merged(repository.folder, head)
    assert not git.is_merged(repository.folder, later)
    assert not git.is_merged(repository.folder, "0" * 40)
