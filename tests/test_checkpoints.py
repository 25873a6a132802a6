"""A checkpoint comes back bit for bit, or it is named as damaged and the one before it comes back."""

import pathlib
import resource

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zsl_jax import errors
from zsl_jax.training import checkpoints, parallel


def state_of(step: int):
    return {"w": jnp.arange(6.0).reshape(2, 3) + step, "count": jnp.int32(step)}


@pytest.fixture(scope="module")
def abstract():
    return parallel.abstract(state_of(0), parallel.make_mesh())


@pytest.fixture
def folder(tmp_path):
    for step in (1, 2):
        checkpoints.save(tmp_path / "c", step, state_of(step), notes={"gamma": 0.5})
    return tmp_path / "c"


def restore(folder, abstract):
    warnings = []
    return checkpoints.restore_latest(folder, abstract, warn=warnings.append), warnings


def test_round_trip(folder, abstract):
    restored, warnings = restore(folder, abstract)
    assert (restored.step, restored.notes, warnings) == (2, {"gamma": 0.5}, [])
    jax.tree.map(np.testing.assert_array_equal, restored.state, state_of(2))
    assert checkpoints.state_sha256(restored.state) == checkpoints.state_sha256(state_of(2))
    assert checkpoints.state_sha256(restored.state) != checkpoints.state_sha256(state_of(1))


def test_only_the_newest_are_kept(folder, abstract):
    checkpoints.save(folder, 3, state_of(3))
    assert sorted(path.name for path in folder.iterdir()) == ["000002", "000003"]


def test_none_where_there_is_none(tmp_path, abstract):
    assert restore(tmp_path / "nothing", abstract) == (None, [])


def flip_a_bit(path: pathlib.Path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def largest(folder: pathlib.Path) -> pathlib.Path:
    return max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)


DAMAGE = {
    "flipped bit": (lambda step: flip_a_bit(largest(step / "state")), "is damaged"),
    "truncated": (lambda step: largest(step / "state").write_bytes(b""), "is damaged"),
    "file missing": (lambda step: largest(step / "state").unlink(), "is missing"),
    "no manifest": (lambda step: (step / "manifest.json").unlink(), "not written to the end"),
    "broken manifest": (lambda step: flip_a_bit(step / "manifest.json"), "000002 is not used"),
    "empty manifest": (lambda step: (step / "manifest.json").write_text(""), "000002 is not used"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_named_and_the_step_before_is_used(folder, abstract, kind):
    damage, words = DAMAGE[kind]
    damage(folder / "000002")
    restored, (warning,) = restore(folder, abstract)
    assert restored.step == 1
    jax.tree.map(np.testing.assert_array_equal, restored.state, state_of(1))
    assert "000002" in warning
    assert words in warning


def test_an_empty_step_folder_is_no_checkpoint(folder, abstract):
    (folder / "000007").mkdir()
    restored, (warning,) = restore(folder, abstract)
    assert restored.step == 2
    assert "000007" in warning


def test_a_state_of_another_shape_is_refused(folder):
    other = parallel.abstract({"w": jnp.zeros((3, 3)), "count": jnp.int32(0)}, parallel.make_mesh())
    restored, warnings = restore(folder, other)
    assert restored is None
    assert "another model" in warnings[0]


def test_a_folder_of_another_program_is_no_checkpoint(folder, abstract):
    (folder / "000009" / "default").mkdir(parents=True)
    (folder / "000009" / "_CHECKPOINT_METADATA").write_text("{}")
    (folder / "000008").mkdir()
    (folder / "000008" / "manifest.json").write_text("[1, 2]")
    restored, warnings = restore(folder, abstract)
    assert restored.step == 2
    assert ["000009" in warnings[0], "000008" in warnings[1]] == [True, True]


@pytest.mark.parametrize("number", [jnp.nan, -jnp.inf])
def test_a_state_that_is_not_finite_is_never_saved(number, folder, abstract):
    bad = {"w": jnp.zeros((2, 3)).at[1, 2].set(number), "count": jnp.int32(3)}
    with pytest.raises(errors.Diverged, match=r"step 3 is not finite and is not saved \(\['w'\]\)"):
        checkpoints.save(folder, 3, bad)
    assert restore(folder, abstract)[0].step == 2


def test_a_full_disk_is_one_line_and_the_last_good_state_is_kept(folder, abstract, caplog):
    """A limit on the size of files stands for the disk: both end a write short."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    large = {"w": jnp.asarray(np.random.default_rng(0).random((300, 300), np.float32)), "count": jnp.int32(3)}
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(errors.UserError, match=r"cannot save a checkpoint in .*000003: ") as error:
            checkpoints.save(folder, 3, large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(error.value)
    assert not caplog.records
    assert not (folder / "000003").exists()
    restored, warnings = restore(folder, abstract)
    assert (restored.step, warnings) == (2, [])


def test_a_checkpoint_of_version_0_1_is_readable():
    """Written by `checkpoints.save(FOLDER, 2, state_of(2), notes={"gamma": 0.5})` of 0.1.0."""
    abstract = parallel.abstract(state_of(0), parallel.make_mesh(devices=1))
    restored, warnings = restore(pathlib.Path(__file__).parent / "checkpoint_0_1", abstract)
    assert (restored.step, restored.notes, warnings) == (2, {"gamma": 0.5}, [])
    jax.tree.map(np.testing.assert_array_equal, restored.state, state_of(2))


def test_saving_where_nothing_can_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(errors.UserError, match="cannot save a checkpoint"):
        checkpoints.save(tmp_path / "file", 1, state_of(1))


def test_swapped_and_renamed_folders_are_not_restored(folder, abstract):
    (folder / "000002").rename(folder / "000009")
    restored, (warning,) = restore(folder, abstract)
    assert restored.step == 1
    assert "000009 is not used: it is of step 2: its folder was renamed" in warning
    (folder / "000001").rename(folder / "000002")
    (folder / "000009").rename(folder / "000001")
    restored, warnings = restore(folder, abstract)
    assert restored is None
    assert ["it is of step" in warning for warning in warnings] == [True, True]


def test_after_damaged_ones_a_new_one_survives(folder, abstract):
    """What a reader would reject keeps no place, of earlier and of later steps."""
    for step in (7, 8):
        checkpoints.save(folder, step, state_of(step))
    for step in (7, 8):
        flip_a_bit(largest(folder / f"{step:06d}" / "state"))
    for step in (3, 4, 9, 10):
        checkpoints.save(folder, step, state_of(step))
        restored, warnings = restore(folder, abstract)
        assert (restored.step, warnings) == (step, [])
    assert sorted(path.name for path in folder.iterdir()) == ["000009", "000010"]


OWNER = {"phase": "train", "data": "a" * 64, "weights": "b" * 64}


@pytest.mark.parametrize("other", [{"phase": "select"}, {"data": "c" * 64}, {"weights": "c" * 64}])
def test_a_checkpoint_of_another_phase_or_run_is_refused(other, tmp_path, abstract):
    checkpoints.save(tmp_path, 1, state_of(1), belongs=OWNER)
    warnings = []
    found = checkpoints.restore_latest(tmp_path, abstract, warn=warnings.append, belongs=OWNER | other)
    assert found is None
    assert f"it belongs to another run: its {next(iter(other))} is" in warnings[0]
    assert checkpoints.restore_latest(tmp_path, abstract, warn=warnings.append, belongs=OWNER).step == 1
    assert len(warnings) == 1
