"""Sharded class weights and centers: the replicated tables' numbers on any number of devices, and little is sent."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.constants import NO_IDENTITY
from sirjax.losses import margin, sir
from sirjax.training import identity_table
from sirjax.training.identity_table import ShardedTables, choose_tables
from sirjax.training.parallel import DEVICES, parallel_step, replicate, split_batch
from sirjax.training.state import initial_state
from sirjax.training.step import make_train_step
from tests.training import stand_ins
from tests.training.stand_ins import FACE_MODEL, METHOD, FewPixels, batch_of, run_on_eight

EACH = stand_ins.counts()
N = NO_IDENTITY
C, S = 11, 5  # 11 identities divide among no number of devices
# Twice a person on one device, twice on two devices, and the first devices of 4 and 8 without any.
IDENTITY = np.array([N, N, N, N, 3, 3, 0, N, 10, 3, 7, N, N, 1, 10, N], np.int32)


def split(rows, tables):
    """[C, S] as [D, R, S]."""
    padded = np.zeros((tables.num_devices * tables.rows, *rows.shape[1:]), rows.dtype)
    padded[: len(rows)] = rows
    return padded.reshape(tables.num_devices, tables.rows, *rows.shape[1:])


def on_devices(function, num_devices, *arrays):
    """Runs one device's function, every array split along its first axis; results stay split."""
    split_arrays = (array if array.ndim == 3 else split_batch(array, num_devices) for array in arrays)
    return jax.pmap(function, axis_name=DEVICES, devices=jax.devices()[:num_devices])(*split_arrays)


def sharded_loss(kind, tables, *, step=0):
    def of_device(embedding, class_weights, identity):
        def total(embedding, class_weights):
            everyone = identity_table.gather(embedding, identity, tables.rows)
            classes = identity_table.choose_classes(tables, identity, tables.rows, seed=1, step=jnp.int32(step))
            values = identity_table.classification_loss(
                kind, everyone.whitened, class_weights, everyone, classes, scale=8.0, margin=0.3
            )
            own = identity_table.of_this_device(values)
            return jax.lax.psum(jnp.sum(own), DEVICES), own

        # psum transposes to psum: every device's copy of the loss counts.
        (_, values), gradients = jax.value_and_grad(total, (0, 1), has_aux=True)(embedding, class_weights)
        return values, *(gradient / tables.num_devices for gradient in gradients)

    return of_device


@pytest.mark.parametrize("num_devices", EACH)
@pytest.mark.parametrize("kind", margin.KINDS)
def test_classification_loss_and_gradients_are_those_of_whole_tables(rng, kind, num_devices):
    embedding = rng.normal(size=(len(IDENTITY), S)).astype(np.float32)
    rows = rng.normal(size=(C, S)).astype(np.float32)
    tables = ShardedTables(C, num_devices)

    def whole(embedding, rows):
        values = margin.identity_loss(kind, embedding, rows, jnp.asarray(IDENTITY), scale=8.0, margin=0.3)
        return values.sum(), values

    (_, expected), gradients = jax.jit(jax.value_and_grad(whole, (0, 1), has_aux=True))(embedding, rows)
    values, of_embedding, of_rows = on_devices(
        sharded_loss(kind, tables), num_devices, embedding, split(rows, tables), IDENTITY
    )
    np.testing.assert_allclose(values.reshape(-1), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(of_embedding.reshape(-1, S), gradients[0], rtol=1e-4, atol=1e-5)
    of_rows = np.asarray(of_rows).reshape(-1, S)
    np.testing.assert_allclose(of_rows[:C], gradients[1], rtol=1e-4, atol=1e-5)
    assert not of_rows[C:].any()  # rows for nobody


@pytest.mark.parametrize("num_devices", EACH)
def test_center_loss_and_update_are_those_of_whole_tables(rng, num_devices):
    shape = rng.normal(size=(len(IDENTITY), S)).astype(np.float32)
    trust = rng.uniform(size=len(IDENTITY)).astype(np.float32)
    centers = rng.normal(size=(C, S)).astype(np.float32)
    tables = ShardedTables(C, num_devices)

    def of_device(shape, centers, identity, trust):
        def total(shape):
            everyone = identity_table.gather(shape, identity, len(centers))
            values = identity_table.center_loss(everyone.whitened, centers, everyone)
            return jax.lax.psum(identity_table.of_this_device(values).sum(), DEVICES)

        updated = identity_table.update_centers(centers, shape, identity, trust, rate=0.5)
        return jax.grad(total)(shape) / num_devices, updated

    gradient, updated = on_devices(of_device, num_devices, shape, split(centers, tables), IDENTITY, trust)
    expected = jax.grad(lambda shape: sir.center_loss(shape, centers, jnp.asarray(IDENTITY)).sum())(jnp.asarray(shape))
    np.testing.assert_allclose(gradient.reshape(-1, S), expected, rtol=1e-5, atol=1e-6)
    expected = sir.update_centers(centers, jnp.asarray(shape), jnp.asarray(IDENTITY), jnp.asarray(trust), rate=0.5)
    updated = np.asarray(updated).reshape(-1, S)
    np.testing.assert_allclose(updated[:C], expected, rtol=1e-5, atol=1e-6)
    assert not updated[C:].any()


def train(kind, batches, num_devices, tables, *, method=METHOD, accumulate=1):
    """(metrics of the last step, state with whole tables) after some steps."""
    devices = jax.devices()[:num_devices]
    optimizer = stand_ins.optimizer(kind, tables)
    method = dataclasses.replace(method, tables=tables)
    state = initial_state(
        FewPixels(),
        optimizer,
        num_identities=C,
        num_shape=FACE_MODEL.num_shape,
        seed=0,
        image_size=stand_ins.SIZE,
        tables=tables,
        devices=devices,
    )
    state = identity_table.place(state, devices)
    one = make_train_step(FewPixels(), optimizer, method, axis_name=DEVICES, accumulate=accumulate)
    step = parallel_step(one, devices, is_split=identity_table.is_sharded)
    frozen = replicate(stand_ins.frozen(), devices)
    for batch in batches:
        state, metrics = step(state, split_batch(batch, num_devices), frozen)
    return jax.device_get(metrics), state


def whole_rows(state):
    """The state with tables [C, S]; asserts that rows for nobody are still zero."""

    def whole(path, leaf):
        if not identity_table.is_table(path):
            return np.asarray(leaf)
        leaf = np.asarray(leaf)
        leaf = leaf.reshape(-1, leaf.shape[-1])
        assert not leaf[C:].any()
        return leaf[:C]

    return jax.tree.map_with_path(whole, state)


BATCHES = [batch_of(np.roll(IDENTITY, shift), seed=shift) for shift in (0, 5, 3)]


@pytest.fixture(scope="module")
def replicated():
    return {kind: train(kind, BATCHES, 1, None) for kind in ("adam", "muon")}


def assert_states_agree(got, expected):
    def close(path, got, expected):
        name = jax.tree_util.keystr(path)
        atol = 1e-4 * max(np.abs(expected).max(), 1e-9)
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=atol, err_msg=name)

    jax.tree.map_with_path(close, whole_rows(got), whole_rows(expected))


@pytest.mark.parametrize(
    ("kind", "num_devices"),
    [pytest.param(kind, *count.values, id=f"{kind}-{count.id}") for kind in ("adam", "muon") for count in EACH],
)
def test_steps_with_sharded_tables_end_where_replicated_ones_do(replicated, kind, num_devices):
    metrics, state = train(kind, BATCHES, num_devices, ShardedTables(C, num_devices))
    expected_metrics, expected = replicated[kind]
    for name, value in expected_metrics.items():
        np.testing.assert_allclose(metrics[name], value, rtol=1e-4, atol=1e-6, err_msg=name)
    assert_states_agree(state, expected)


@pytest.mark.parametrize("num_devices", stand_ins.counts(4, 8)[-1:])
def test_replicated_tables_agree_on_any_number_of_devices(replicated, num_devices):
    _, state = train("adam", BATCHES, num_devices, None)
    assert_states_agree(state, replicated["adam"][1])


@pytest.fixture(scope="module")
def sampled():
    return train("adam", BATCHES, 1, ShardedTables(C, 1, sampled=0.3))


@pytest.mark.parametrize("num_devices", stand_ins.counts(4, 8))
def test_any_number_of_devices_samples_the_same_negatives(sampled, replicated, num_devices):
    metrics, state = train("adam", BATCHES, num_devices, ShardedTables(C, num_devices, sampled=0.3))
    np.testing.assert_allclose(metrics["softmax"], sampled[0]["softmax"], rtol=1e-4)
    assert metrics["softmax"] < replicated["adam"][0]["softmax"]  # fewer people to be taken for
    assert_states_agree(state, sampled[1])


def chosen(identity, *, sampled, num_identities, num_devices=2, step=0, seed=1):
    """Identities of the softmax, over all devices."""
    tables = ShardedTables(num_identities, num_devices, sampled)

    def of_device(identity):
        classes = identity_table.choose_classes(tables, identity, tables.rows, seed=seed, step=jnp.int32(step))
        return jax.lax.axis_index(DEVICES) * tables.rows + classes.row, classes.counts

    identities, counts = on_devices(of_device, num_devices, np.asarray(identity, np.int32))
    return np.asarray(identities)[np.asarray(counts)]


def test_the_sample_holds_everyone_in_the_batch_once_and_a_share_of_the_others():
    batch = [0, 500, 500, 999, N, 31, 999, N]
    got = chosen(batch, sampled=0.1, num_identities=1000)
    assert len(set(got)) == len(got)
    assert {0, 500, 999, 31} <= set(got)
    assert got.max() < 1000
    assert 70 < len(got) < 135  # 100 expected, standard deviation 9.5


def test_the_sample_depends_on_seed_and_step_alone():
    def draw(**settings):
        return set(chosen([7, 8], sampled=0.1, num_identities=1000, **settings))

    assert draw() == draw()
    assert draw() != draw(step=1)
    assert draw() != draw(seed=2)


def test_there_is_room_for_a_batch_of_strangers_on_one_device():
    assert identity_table.most_taken(10_000, 0.1, 64) < 1500
    assert identity_table.most_taken(20, 0.1, 64) == 20
    got = chosen(np.arange(64), sampled=0.01, num_identities=4000)
    assert set(range(64)) <= set(got)


def test_tables_are_sharded_where_they_are_large_and_there_are_devices():
    sizes = {"num_shape": 80, "sampled": 1.0}
    assert choose_tables("auto", num_identities=8631, num_devices=8, **sizes) is None
    large = choose_tables("auto", num_identities=10**6, num_devices=8, **sizes)
    assert large == ShardedTables(10**6, 8)
    assert large.rows == 125_000
    assert choose_tables("auto", num_identities=10**6, num_devices=1, **sizes) is None
    assert choose_tables("sharded", num_identities=10, num_devices=1, **sizes) == ShardedTables(10, 1)
    assert choose_tables("replicated", num_identities=10**6, num_devices=8, **sizes) is None
    assert choose_tables("sharded", num_identities=0, num_devices=8, **sizes) is None
    assert choose_tables("auto", num_identities=9, num_shape=80, num_devices=1, sampled=0.5).sampled == 0.5


def test_settings_that_do_not_fit_are_refused_with_the_remedy():
    with pytest.raises(ValueError, match="unknown sir.tables 'both'; known: auto, replicated, sharded"):
        choose_tables("both", num_identities=9, num_shape=3, num_devices=1, sampled=1.0)
    with pytest.raises(ValueError, match=r"sir.sampled_negatives=0.5 needs sharded tables; set sir.tables=sharded"):
        choose_tables("replicated", num_identities=9, num_shape=3, num_devices=1, sampled=0.5)
    with pytest.raises(ValueError, match=r"sir.sampled_negatives must be in \(0, 1\], got 0.0; 1 takes all of them"):
        ShardedTables(9, 1, sampled=0.0)


def fresh(tables, devices):
    return initial_state(
        FewPixels(),
        stand_ins.optimizer("adam", tables),
        num_identities=C,
        num_shape=S,
        seed=3,
        image_size=stand_ins.SIZE,
        tables=tables,
        devices=devices,
    )


def test_a_fresh_state_is_the_same_however_tables_are_kept_and_each_device_holds_its_rows():
    devices = jax.devices()[:4]
    state = fresh(ShardedTables(C, 4), devices)
    jax.tree.map(np.testing.assert_array_equal, whole_rows(state), whole_rows(fresh(None, ())))
    tables = [leaf for path, leaf in jax.tree.leaves_with_path(state) if identity_table.is_sharded(path, leaf)]
    assert len(tables) == 4  # class weights, their two moments, centers
    for table in tables:
        assert [shard.data.shape for shard in table.addressable_shards] == [(1, 3, S)] * 4
        assert identity_table.devices_of(table) == devices
    assert state.params["networks"]["Conv_0"]["kernel"].devices() == set(devices)


def test_the_gradient_norm_is_over_all_shares(rng):
    rows = rng.normal(size=(8, S)).astype(np.float32)
    kernel = np.ones(3, np.float32)

    def of_device(rows):
        return identity_table.norm({"networks": jnp.asarray(kernel), "class_weights": rows})

    got = on_devices(of_device, 2, rows)
    np.testing.assert_allclose(got, np.full(2, np.sqrt((rows**2).sum() + 3)), rtol=1e-6)


def compiled_step(num_devices, tables):
    devices = jax.devices()[:num_devices]
    optimizer = stand_ins.optimizer("adam", tables)
    method = dataclasses.replace(METHOD, tables=tables)
    state = identity_table.place(
        initial_state(
            FewPixels(),
            optimizer,
            num_identities=tables.num_identities,
            num_shape=FACE_MODEL.num_shape,
            seed=0,
            image_size=stand_ins.SIZE,
            tables=tables,
            devices=devices,
        ),
        devices,
    )
    step = make_train_step(FewPixels(), optimizer, method, axis_name=DEVICES)
    step = parallel_step(step, devices, is_split=identity_table.is_sharded)
    batch = split_batch(BATCHES[0], num_devices)
    return state, step.lower(state, batch, replicate(stand_ins.frozen(), devices)).compile()


@pytest.mark.parametrize("num_devices", stand_ins.counts(2, 8))
def test_sharded_tables_never_travel(num_devices):
    # 29 identities: no device's share has as many rows as its share of the samples, whose gradients do travel.
    tables = ShardedTables(29, num_devices)
    _, compiled = compiled_step(num_devices, tables)
    sent = stand_ins.collectives(compiled.as_text())
    num_samples, num_shape = len(IDENTITY), FACE_MODEL.num_shape
    assert ("all-gather", [(num_samples, num_shape)]) in sent
    for name, shapes in sent:
        for shape in shapes:
            assert shape not in ((29, num_shape), (tables.rows, num_shape), (num_devices, tables.rows, num_shape))
            if name == "all-gather":
                assert shape in ((num_samples, num_shape), (num_samples,)), (name, shape)


def test_the_state_is_updated_in_place():
    state, compiled = compiled_step(2, ShardedTables(C, 2))
    own = sum(leaf.addressable_shards[0].data.nbytes for leaf in jax.tree.leaves(state))
    assert compiled.memory_analysis().alias_size_in_bytes >= own


def test_the_state_passed_in_is_gone_afterwards():
    devices = jax.devices()[:2]
    tables = ShardedTables(C, 2)
    state, _ = compiled_step(2, tables)
    optimizer = stand_ins.optimizer("adam", tables)
    step = make_train_step(FewPixels(), optimizer, dataclasses.replace(METHOD, tables=tables), axis_name=DEVICES)
    parallel_step(step, devices, is_split=identity_table.is_sharded)(
        state, split_batch(BATCHES[0], 2), replicate(stand_ins.frozen(), devices)
    )
    assert all(leaf.is_deleted() for leaf in (state.params["class_weights"], state.centers, state.step))


def test_eight_devices():
    assert "passed" in run_on_eight(__file__)
