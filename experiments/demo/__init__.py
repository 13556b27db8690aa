"""`make demo`: the whole path once, on the built-in face model.

Reconstructs a real photograph with the weights that come with sirjax, in seconds. Then makes such weights: renders
three sets of faces (landmarks, identities, people held out), warms up, trains SIR, measures on the people held out, and
reconstructs the photograph with the weights just trained. Interrupted, it goes on where it stopped.
"""
