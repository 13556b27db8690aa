"""All photos of a run: read, written, and, where asked for, fused into people."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from sirjax.cli.outputs import StatusTable
from sirjax.cli.reconstructing.face_table import FaceTable
from sirjax.cli.reconstructing.inputs import read_ahead
from sirjax.cli.reconstructing.people import FirstLook, People, group_photos
from sirjax.cli.reconstructing.photo_job import PhotoJob
from sirjax.cli.reconstructing.session import Session
from sirjax.cli.reconstructing.stream import Item, Search, read_faces
from sirjax.reconstruction import remodeled


def reconstruct_photos(
    photos: list[Path], session: Session, *, grouping: str | None = None, use_fused: bool = False
) -> Counter:
    """Writes the faces of all photos and the tables; returns how many faces are ok, and how many photos failed why.

    Args:
      photos: files, each once.
      session: everything else.
      grouping: None, or which photos show the same person; see `group_photos`. Only the largest face counts then.
      use_fused: give every face its person's shape, which takes a first pass over all photos.
    """
    people = None
    if grouping is None:
        items = faces_of(photos, session, session.search)
    else:
        search, person_of = replace(session.search, which="largest"), group_photos(photos, grouping)
        people = People(person_of, session.out, session.writer)
        items = fused_faces_of(photos, session, search, person_of) if use_fused else faces_of(photos, session, search)
        items = _watched(items, people)
    counts = write_faces(items, len(photos), session)
    if people is not None:
        print("\n".join(people.close()))
    return counts


def faces_of(photos: list[Path], session: Session, search: Search) -> Iterator[Item]:
    """The faces of each photo, in order."""
    return read_faces(
        read_ahead(photos, session.max_megapixels, session.profile), session.predictor, search, session.profile
    )


def fused_faces_of(photos: list[Path], session: Session, search: Search, person_of: dict[Path, str]) -> Iterator[Item]:
    """As `faces_of`, each face with the shape of its person. Nothing is kept of the first pass but codes and places."""
    look = FirstLook(person_of)
    for item in tqdm(faces_of(photos, session, search), total=len(photos), unit="photo", desc="first look"):
        look.add(item)
    face_model = session.predictor.face_model
    shapes = look.shapes(face_model)
    for item in faces_of(photos, session, replace(search, known=look.known)):
        if item.faces:
            item.own_shape = item.faces[0].shape
            item.faces = [remodeled(face, face_model, shape=shapes[item.path]) for face in item.faces]
        elif item.path in look.failures:
            item.fail(*look.failures[item.path])
        yield item


def write_faces(items: Iterable[Item], num_photos: int, session: Session) -> Counter:
    """Writes the faces of a stream, and the tables."""
    with (
        StatusTable(session.out) as table,
        FaceTable(session.out, session.predictor.face_model, session.tables) as face_table,
        tqdm(total=num_photos, unit="photo", desc="reconstruct") as progress,
        PhotoJob(session.writer, table, face_table, progress) as job,
    ):
        for item in items:
            job.take(item)
    return job.counts


def _watched(items: Iterable[Item], people: People) -> Iterator[Item]:
    for item in items:
        people.add(item)
        yield item
