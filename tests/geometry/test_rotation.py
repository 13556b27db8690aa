import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sirjax.geometry import rotation

rotation_from_quaternion = jax.jit(rotation.rotation_from_quaternion)
quaternion_from_rotation = jax.jit(rotation.quaternion_from_rotation)
rotation_from_euler = jax.jit(rotation.rotation_from_euler)
euler_from_rotation = jax.jit(rotation.euler_from_rotation)

COMPONENT = st.floats(-1, 1, width=32)
QUATERNION = st.tuples(*[COMPONENT] * 4).map(np.array).filter(lambda q: np.linalg.norm(q) > 0.1)
ANGLE = st.floats(-3.0, 3.0)


def axis_rotation(axis, angle):
    """Right-handed turn about one coordinate axis: the other two axes turn from the first to the second."""
    a, b = [(1, 2), (2, 0), (0, 1)][axis]
    r = np.eye(3)
    r[a, a] = r[b, b] = np.cos(angle)
    r[a, b], r[b, a] = -np.sin(angle), np.sin(angle)
    return r


def rotate_by_quaternion(q, point):
    """q p q* with Hamilton's product."""

    def product(a, b):
        (av, aw), (bv, bw) = (a[:3], a[3]), (b[:3], b[3])
        return np.append(aw * bv + bw * av + np.cross(av, bv), aw * bw - av @ bv)

    q = q / np.linalg.norm(q)
    return product(product(q, np.append(point, 0)), q * [-1, -1, -1, 1])[:3]


@settings(deadline=None, max_examples=30)
@given(QUATERNION)
def test_quaternion_gives_the_rotation_of_hamiltons_product(q):
    got = rotation_from_quaternion(jnp.asarray(q, jnp.float32))
    expected = np.stack([rotate_by_quaternion(q, e) for e in np.eye(3)], axis=1)
    np.testing.assert_allclose(got, expected, atol=2e-6)


@settings(deadline=None, max_examples=30)
@given(QUATERNION, st.floats(-10, 10).filter(lambda s: abs(s) > 0.1))
def test_rotation_is_proper_and_ignores_length_and_sign_of_the_quaternion(q, factor):
    r = np.asarray(rotation_from_quaternion(jnp.asarray(q, jnp.float32)), np.float64)
    np.testing.assert_allclose(r @ r.T, np.eye(3), atol=3e-6)
    assert np.linalg.det(r) == pytest.approx(1, abs=5e-6)
    np.testing.assert_allclose(rotation_from_quaternion(jnp.asarray(factor * q, jnp.float32)), r, atol=3e-6)


@settings(deadline=None, max_examples=30)
@given(QUATERNION)
def test_quaternion_survives_the_way_through_a_matrix(q):
    r = rotation_from_quaternion(jnp.asarray(q, jnp.float32))
    back = np.asarray(quaternion_from_rotation(r), np.float64)
    assert np.linalg.norm(back) == pytest.approx(1, abs=1e-5)
    assert back[3] >= 0
    np.testing.assert_allclose(rotation_from_quaternion(jnp.asarray(back, jnp.float32)), r, atol=5e-6)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_half_turns_have_a_quaternion(axis):
    # The textbook formula divides by w = 0 here.
    got = quaternion_from_rotation(jnp.asarray(axis_rotation(axis, np.pi), jnp.float32))
    np.testing.assert_allclose(np.abs(got), np.eye(4)[axis], atol=1e-6)


def test_scalar_first_order_moves_w_to_the_front():
    np.testing.assert_array_equal(rotation.as_wxyz(jnp.array([1.0, 2.0, 3.0, 4.0])), [4, 1, 2, 3])


def test_zero_quaternion_is_the_identity_with_finite_gradient():
    zero = jnp.zeros(4)
    np.testing.assert_array_equal(rotation_from_quaternion(zero), np.eye(3))
    np.testing.assert_array_equal(jax.jit(jax.jacrev(rotation.rotation_from_quaternion))(zero), np.zeros((3, 3, 4)))


@settings(deadline=None, max_examples=30)
@given(ANGLE, ANGLE, ANGLE)
def test_euler_angles_turn_about_x_then_y_then_z(pitch, yaw, roll):
    got = rotation_from_euler(*map(jnp.float32, (pitch, yaw, roll)))
    expected = axis_rotation(2, roll) @ axis_rotation(1, yaw) @ axis_rotation(0, pitch)
    np.testing.assert_allclose(got, expected, atol=2e-6)


@settings(deadline=None, max_examples=30)
@given(ANGLE, st.floats(-1.5, 1.5), ANGLE)
def test_euler_angles_survive_the_way_through_a_matrix(pitch, yaw, roll):
    got = euler_from_rotation(rotation_from_euler(*map(jnp.float32, (pitch, yaw, roll))))
    np.testing.assert_allclose(got, (pitch, yaw, roll), atol=2e-4)  # digits are lost near gimbal lock


def test_positive_yaw_turns_the_nose_to_the_images_right_and_positive_pitch_down():
    nose = jnp.array([0.0, 0.0, 1.0])
    zero, small = jnp.zeros(()), jnp.float32(0.3)
    assert (rotation_from_euler(zero, small, zero) @ nose)[0] > 0
    assert (rotation_from_euler(small, zero, zero) @ nose)[1] < 0
    assert (rotation_from_euler(zero, zero, small) @ jnp.array([1.0, 0.0, 0.0]))[1] > 0


@pytest.mark.parametrize("sign", [1, -1])
def test_gimbal_lock_has_roll_zero_and_the_same_rotation(sign):
    r = jnp.asarray(np.round(axis_rotation(1, sign * np.pi / 2)) @ axis_rotation(0, 0.4), jnp.float32)
    pitch, yaw, roll = euler_from_rotation(r)
    assert roll == 0
    assert yaw == pytest.approx(sign * np.pi / 2, abs=1e-6)
    np.testing.assert_allclose(rotation_from_euler(pitch, yaw, roll), r, atol=1e-6)


@pytest.mark.parametrize("yaw", [0.0, np.pi / 2, -np.pi / 2, np.pi])
def test_euler_angles_have_finite_gradients_everywhere(yaw):
    r = jnp.asarray(np.round(axis_rotation(1, yaw)), jnp.float32)
    for gradient in jax.jit(jax.jacrev(rotation.euler_from_rotation))(r):
        assert np.isfinite(gradient).all()
