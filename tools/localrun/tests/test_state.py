"""The state folder: held by one run, secrets kept and private."""

import stat
from dataclasses import asdict
from pathlib import Path

import pytest
from localrun.keys import Keys
from localrun.problem import LocalRunError
from localrun.state import lock_state_dir


def test_a_second_run_is_told_where_the_first_is(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with lock_state_dir(folder, "gateway http://127.0.0.1:8080"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        told = r"running already .*pid \d+, gateway http://127\.0\.0\.1:8080"
        with pytest.raises(LocalRunError, match=told), lock_state_dir(folder, "another"):
            pytest.fail("two runs hold one folder")
    with lock_state_dir(folder, "the next"):
        assert "the next" in (folder / "run.lock").read_text()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LocalRunError, match="STATE_DIR"), lock_state_dir(tmp_path / "file" / "state", ""):
        pytest.fail("a file was used as a folder")


def test_keys_are_made_once_and_readable_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    first = Keys.kept_in(path)
    assert Keys.kept_in(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(set(asdict(first).values())) == len(asdict(first))
    assert all(len(secret) >= 32 for secret in asdict(first).values())
    assert all(secret not in repr(first) for secret in asdict(first).values())


def test_keys_that_came_later_are_added_to_those_kept(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text('{"internal_token": "kept"}')
    keys = Keys.kept_in(path)
    assert keys.internal_token == "kept"
    assert Keys.kept_in(path) == keys


@pytest.mark.parametrize("content", ["{", "[1]", "null"])
def test_a_broken_key_file_is_told_with_the_way_out(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)
    with pytest.raises(LocalRunError, match=r"keys\.json cannot be read .* Delete it"):
        Keys.kept_in(path)
