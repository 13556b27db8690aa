import json
from pathlib import Path

import pytest

from sirjax.data.sample import FORMAT_VERSION
from sirjax.training.licences import Licences, data_licences, is_free, licences_of, record
from tests.face_models import dome_face_model

MODEL = dome_face_model(grid=9)


def records(path, **parameters):
    path.mkdir(parents=True)
    (path / "manifest.json").write_text(json.dumps({"format_version": FORMAT_VERSION, "parameters": parameters}))
    return str(path)


def workdir(path, **config):
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(config))
    return path


@pytest.mark.parametrize(
    "licence", ["CC0-1.0", "CC-BY-4.0", "CC-BY-SA-3.0", "MIT, Copyright (c) 2020", "Apache-2.0", "public domain"]
)
def test_well_known_free_licences_are_free(licence):
    assert is_free(licence)


@pytest.mark.parametrize(
    "licence",
    [
        "",
        "unknown",
        "CC-BY-NC-4.0",
        "300W-LP: for research",
        "FLAME Model License: non-commercial research only (FLAME 2023 Open: CC-BY-4.0)",
        "MITRE's own",
    ],
)
def test_every_other_licence_is_a_restriction(licence):
    assert not is_free(licence)


def test_licences_of_all_records_and_of_the_run_it_started_from(tmp_path):
    first = workdir(tmp_path / "warmup", data={"landmark": records(tmp_path / "300w", licence="for research")})
    data = {
        "landmark": f"{records(tmp_path / 'drawn', face_model_licence='CC0-1.0')}=3, {records(tmp_path / 'web')}=1",
        "identity": str(tmp_path / "gone"),
    }
    run = workdir(tmp_path / "sir", data=data, init_from=str(first))
    found = licences_of(run, MODEL)
    assert found.data == {"300w": "for research", "drawn": "CC0-1.0", "web": "", "gone": ""}
    assert found.restrictions() == [
        "records '300w' (licence: for research)",
        "records 'web' (licence: unknown)",
        "records 'gone' (licence: unknown)",
    ]
    assert Licences.from_dict(found.to_dict()).restrictions() == found.restrictions()


def test_what_a_run_has_noted_survives_its_records(tmp_path):
    folder = Path(records(tmp_path / "300w", licence="for research"))
    config = {"data": {"landmark": str(folder)}}
    run = workdir(tmp_path / "run", **config)
    record(run, config)
    folder.rename(tmp_path / "moved")
    assert licences_of(run, MODEL).data == {"300w": "for research"}
    record(run, config)  # a run that goes on keeps what it knew
    assert licences_of(run, MODEL).data == {"300w": "for research"}
    later = workdir(tmp_path / "later", data={}, init_from=str(run))
    assert licences_of(later, MODEL).data == {"300w": "for research"}


def test_a_start_that_is_gone_is_a_restriction(tmp_path):
    assert data_licences({"data": {}, "init_from": str(tmp_path / "lost")}) == {"lost": ""}


def test_restricted_terms_need_a_permission():
    restricted = Licences("BFM", "for research", {"web": "CC0-1.0"})
    with pytest.raises(PermissionError) as error:
        restricted.require_shareable()
    assert str(error.value) == (
        "made with face model 'BFM' (licence: for research): whoever gets the file must be allowed to have it; read "
        "the terms, then add --i-may-share"
    )
    restricted.require_shareable(allowed=True)
    Licences("builtin", "CC0-1.0", {"drawn": "CC0-1.0"}).require_shareable()
