"""Table II on real people: which parts of the SIR loss make the shapes of real photos tell people apart?

Compared: no SIR loss, L_sm (CosFace), L_sm + L_c (plain centers), L_sm + L_wc (weighted centers), each with and without
the KL term; every variant goes on from the same warm-up for the same number of steps, once for each seed.

Read it: verification by distances of shape codes of people nobody trained on, 50 % is chance; LFW's View 1, which is
for choosing between models, and pairs of the people held out. Figures are means over seeds; intervals draw people and
seeds with replacement, so they say what other people and other trainings would give. Two that overlap may still differ:
the claims compare the same pairs and seeds.

The picture: neutral shapes that the whole loss reads from three photos of each of eight people held out, a person in
each row, in clay and colored by how far they lie outside the mean face (red) or inside it (blue); then the distances of
each two, mm RMS over vertices, those of one person framed.
"""

from experiments.common import drawings
from experiments.common.outcome import Outcome
from experiments.common.study import FULL
from experiments.photos import claims, picture, tables
from experiments.photos.study import PhotoStudy

TITLE = "Table II on real photos"


def run(study: PhotoStudy) -> Outcome:
    shown = FULL if FULL in study.variants else study.names[-1]
    image, words = picture.people(study, shown)
    return Outcome(
        protocol=protocol(study),
        tables=[tables.verification(study), tables.shapes(study), tables.seeds(study)],
        claims=claims.claims(study),
        settings={
            "steps": study.steps,
            "variants": {name: [run.name for run in study.trained(name)] for name in study.names},
        },
        sections=[drawings.as_section("Neutral shapes of people held out", image, words)],
        pictures={"people": image},
    )


def protocol(study: PhotoStudy) -> str:
    """What was measured, in a line."""
    lfw, people = study.tasks
    return (
        f"photos-v1: {len(lfw.pairs.same)} pairs of LFW View 1, {len(people.pairs.same)} pairs of "
        f"{study.people.num_identities} people held out, {len(study.landmarks)} photos with landmarks held out, raw mm "
        f"codes, identity-disjoint folds, exact thresholds, 95 % bootstrap over people and {len(study.seeds)} seed(s), "
        f"{study.steps} steps each; face: {study.model.name}, orthonormal basis"
    )
