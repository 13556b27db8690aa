"""The model card: how well do the weights that come with sirjax do, on whom, and on whom not?

  python -m experiments.model_card --benchmark records/renders/benchmark \\
      --landmarks "68 points=records/faces" --pairs "LFW View 1=records/lfw"
  python -m experiments.model_card --from-results          rewrites the page from the shipped results

Measures on real photos with landmarks, on pairs of real photos, and on renderings of people whose true shape is known;
writes results.json beside this file and the part of docs/model_card.md between its markers.
"""
