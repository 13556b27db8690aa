"""What every importer must get right about the dome."""

import numpy as np

from tests.data_prep.face_models import published


def assert_is_dome(raw, *, shape_modes=6, atol=1e-3):
    """The mean, the modes at one deviation, the triangles and the known landmarks are the dome's."""
    used = np.unique(raw.triangles)[: published.COUNT]
    np.testing.assert_allclose(raw.mean[used], published.MEAN, atol=atol)
    scaled = raw.shape_basis[:shape_modes, used] * raw.shape_std[:shape_modes, None, None]
    np.testing.assert_allclose(scaled, published.SHAPE * published.SHAPE_STD[:, None, None], atol=atol)
    scaled = raw.expression_basis[:, used] * raw.expression_std[:, None, None]
    np.testing.assert_allclose(scaled, published.EXPRESSION * published.EXPRESSION_STD[:, None, None], atol=atol)
    np.testing.assert_allclose(
        np.linalg.norm(raw.shape_basis[:shape_modes].reshape(shape_modes, -1), axis=1), 1, atol=1e-5
    )
    assert raw.licence
    assert "SHA-256" in raw.provenance
