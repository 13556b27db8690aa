"""Small records of the dome model and settings that train on them in seconds."""

import pytest

from configs import demo
from sirjax.data.synthetic import write_synthetic_set
from sirjax.morphable.storage import save_face_model
from tests.face_models import dome_face_model


@pytest.fixture(scope="session")
def dome_records(tmp_path_factory):
    """Folder with dome.npz and records of each kind."""
    root = tmp_path_factory.mktemp("dome")
    model = dome_face_model()
    save_face_model(model, root / "dome.npz")
    for kind, people, photos in (("landmark", 12, 1), ("identity", 4, 4), ("benchmark", 24, 3)):
        write_synthetic_set(
            root / kind, model, num_identities=people, images_per_identity=photos, kind=kind, progress=False
        )
    return root


@pytest.fixture
def small_config(dome_records):
    """Six steps of the second stage, saved every two."""
    config = demo.get_config("sir")
    config.face_model.path = str(dome_records / "dome.npz")
    config.networks.preset = "debug"
    config.networks.uv_size = 16
    config.data.landmark = str(dome_records / "landmark")
    config.data.identity = str(dome_records / "identity")
    config.data.batch_size = 8
    config.schedule.steps = 6
    config.run.log_every = 2
    config.run.image_every = 0
    config.run.checkpoint_every = 2
    return config
