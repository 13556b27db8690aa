"""Checkpoints come back bit for bit, whole or not at all, and only to the face model they were made with (T14)."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from sirjax.training import checkpoint
from sirjax.training.checkpoint import CheckpointStore
from sirjax.training.identity_table import ShardedTables, place
from sirjax.training.parallel import replicate
from sirjax.training.state import TrainState, initial_state


class Small(nn.Module):
    """Stands in for the networks."""

    @nn.compact
    def __call__(self, image):
        return nn.Dense(4)(image.reshape(len(image), -1))


def state_after(step, rng) -> TrainState:
    state = initial_state(Small(), optax.adam(0.1), num_identities=5, num_shape=3, seed=0, image_size=(4, 4))
    return state.replace(step=jnp.asarray(step, jnp.int32), centers=jnp.asarray(rng.normal(size=(5, 3)), jnp.float32))


def assert_equal(got, expected):
    jax.tree.map(np.testing.assert_array_equal, got, expected)


def test_everything_is_restored_bit_for_bit(tmp_path, rng):
    state = state_after(7, rng)
    with CheckpointStore(tmp_path, fingerprint="abc") as store:
        store.save(7, state)
    with CheckpointStore(tmp_path, fingerprint="abc") as store:
        assert_equal(store.restore_latest(state_after(0, rng)), state)


def test_replicated_state_is_restored_to_every_device(tmp_path, rng):
    devices = jax.devices()[:2]
    state = replicate(state_after(7, rng), devices)
    with CheckpointStore(tmp_path, fingerprint="abc") as store:
        store.save(7, state)
    with CheckpointStore(tmp_path, fingerprint="abc") as store:
        restored = store.restore_latest(replicate(state_after(0, rng), devices))
    assert_equal(restored, state)
    assert restored.centers.devices() == set(devices)


def test_a_run_saved_on_two_devices_goes_on_on_one(tmp_path, rng):
    state = replicate(state_after(7, rng), jax.devices()[:2])
    with CheckpointStore(tmp_path, fingerprint="abc") as store:
        store.save(7, state)
    with CheckpointStore(tmp_path, fingerprint="abc") as store:
        assert_equal(store.restore_latest(state_after(0, rng)), state)


def test_the_newest_wins_and_old_ones_go(tmp_path, rng):
    with CheckpointStore(tmp_path, fingerprint="abc", keep=2) as store:
        for step in (1, 2, 3):
            store.save(step, state_after(step, rng))
    with CheckpointStore(tmp_path, fingerprint="abc", keep=2) as store:
        assert int(store.restore_latest(state_after(0, rng)).step) == 3
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir() if p.name.isdigit()) == ["2", "3"]


def test_an_unfinished_checkpoint_is_ignored(tmp_path, rng):
    with CheckpointStore(tmp_path, fingerprint="abc") as store:
        store.save(1, state_after(1, rng))
    half = tmp_path / "checkpoints" / "2.orbax-checkpoint-tmp-123"
    half.mkdir()
    (half / "networks").mkdir()
    with CheckpointStore(tmp_path, fingerprint="abc") as store:
        assert int(store.restore_latest(state_after(0, rng)).step) == 1


def test_an_empty_directory_has_nothing_to_restore(tmp_path, rng):
    with CheckpointStore(tmp_path, fingerprint="abc") as store:
        assert store.restore_latest(state_after(0, rng)) is None


def test_another_face_model_is_refused(tmp_path, rng):
    with CheckpointStore(tmp_path, fingerprint="a" * 64) as store:
        store.save(1, state_after(1, rng))
    with (
        CheckpointStore(tmp_path, fingerprint="b" * 64) as store,
        pytest.raises(
            ValueError,
            match="was trained with face model aaaaaaaaaaaa, this one is bbbbbbbbbbbb; set config.face_model",
        ),
    ):
        store.restore_latest(state_after(0, rng))


def test_another_number_of_identities_is_refused(tmp_path, rng):
    with CheckpointStore(tmp_path, fingerprint="abc") as store:
        store.save(1, state_after(1, rng))
    other = initial_state(Small(), optax.adam(0.1), num_identities=6, num_shape=3, seed=0, image_size=(4, 4))
    with (
        CheckpointStore(tmp_path, fingerprint="abc") as store,
        pytest.raises(ValueError, match=r"does not fit these settings: \.centers is \[5, 3\] there and \[6, 3\] here"),
    ):
        store.restore_latest(other)


def test_network_parameters_are_read_alone(tmp_path, rng, caplog):
    state = state_after(4, rng)
    with CheckpointStore(tmp_path, fingerprint="abc") as store:
        store.save(4, state)
    params, step = checkpoint.load_network_params(tmp_path, fingerprint="abc")
    assert step == 4
    assert_equal(params, state.params["networks"])
    assert not [record for record in caplog.records if record.name == "absl"]  # nothing that users can do about


def test_a_directory_without_a_run_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a run directory: it has no checkpoints/"):
        checkpoint.load_network_params(tmp_path)
    with pytest.raises(FileNotFoundError, match="is not a run directory: it has no config.json"):
        checkpoint.load_config(tmp_path)


def test_settings_survive_the_trip(tmp_path):
    checkpoint.save_config(tmp_path, {"a": {"b": [1, 2]}, "c": 0.5})
    assert checkpoint.load_config(tmp_path) == {"a": {"b": [1, 2]}, "c": 0.5}


def with_tables(step, rng, num_devices):
    """A state whose tables are sharded over devices; 0: replicated. Rows as `state_after` draws them."""
    whole = state_after(step, rng)
    if not num_devices:
        return whole
    tables, devices = ShardedTables(5, num_devices), jax.devices()[:num_devices]
    state = initial_state(
        Small(),
        optax.adam(0.1),
        num_identities=5,
        num_shape=3,
        seed=0,
        image_size=(4, 4),
        tables=tables,
        devices=devices,
    )
    rows = np.zeros((num_devices * tables.rows, 3), np.float32)
    rows[:5] = whole.centers
    return place(state.replace(step=whole.step, centers=rows.reshape(num_devices, -1, 3)), devices)


def rows_of(state):
    return jax.tree.map(
        lambda leaf: np.asarray(leaf).reshape(-1, leaf.shape[-1])[:5] if leaf.ndim > 1 else np.asarray(leaf),
        (state.params["class_weights"], state.opt_state, state.centers),
    )


@pytest.mark.parametrize(("before", "after"), [(4, 2), (2, 4), (4, 4), (2, 0), (0, 4)])
def test_sharded_tables_go_on_on_any_number_of_devices(tmp_path, before, after):
    saved = with_tables(7, np.random.default_rng(1), before)
    with CheckpointStore(tmp_path, fingerprint="abc", num_identities=5) as store:
        store.save(7, saved)
    like = with_tables(0, np.random.default_rng(2), after)
    with CheckpointStore(tmp_path, fingerprint="abc", num_identities=5) as store:
        restored = store.restore_latest(like)
    assert int(restored.step) == 7
    assert_equal(rows_of(restored), rows_of(saved))
    same = jax.tree.map(lambda got, wanted: got.sharding.is_equivalent_to(wanted.sharding, got.ndim), restored, like)
    assert all(jax.tree.leaves(same))
    if after:
        assert restored.centers.shape == like.centers.shape
        assert not np.asarray(restored.centers).reshape(-1, 3)[5:].any()


def test_the_moving_average_is_what_prediction_reads(tmp_path, rng):
    state = state_after(4, rng)
    averaged = jax.tree.map(lambda leaf: leaf + 1.0, state.params["networks"])
    state = state.replace(averaged=averaged)
    with CheckpointStore(tmp_path, fingerprint="abc") as store:
        store.save(4, state)
    assert_equal(checkpoint.load_network_params(tmp_path)[0], averaged)
    with CheckpointStore(tmp_path, fingerprint="abc") as store:
        assert_equal(store.restore_latest(state), state)
