"""The losses once more, in float64 NumPy, one sample, pixel or pair at a time: slow, and close to the equations."""

import math

import numpy as np


def landmark_loss(predicted, target, norm, weights):
    """Eq. 10 for one sample; `weights` has mean 1."""
    errors = [w * sum((p - t) ** 2) for w, p, t in zip(weights, predicted, target, strict=True)]
    if norm == "mse":
        return sum(errors) / (2 * len(errors))
    if norm == "l2_mean":
        return sum(w * math.dist(p, t) for w, p, t in zip(weights, predicted, target, strict=True)) / len(errors)
    return math.sqrt(sum(errors)) / len(errors)


def pixel_loss(rendered, image, mask, sigma):
    """Eq. 11 for one sample; sigma already has its floor."""
    terms = []
    for i, j in zip(*np.nonzero(mask), strict=True):
        l1 = np.abs(rendered[i, j] - image[i, j]).sum() / 3
        likelihood = math.exp(-math.sqrt(2) * l1 / sigma[i, j]) / (math.sqrt(2) * sigma[i, j])
        terms.append(-math.log(likelihood))
    return sum(terms) / len(terms) if terms else 0.0


def perceptual_loss(features_rendered, features_image, sigma):
    """Eq. 12 for one sample; sigma already has its floor."""
    terms = []
    for (i, j, _), difference in np.ndenumerate(features_rendered - features_image):
        s = sigma[i, j]
        terms.append(-math.log(math.exp(-(difference**2) / (2 * s**2)) / (math.sqrt(2 * math.pi) * s)))
    return sum(terms) / len(terms)


def albedo_regularization(residual, uv_mask, eps_uv, squared):
    """Eq. 16 for one sample, texel by texel."""
    smoothness, size, texels = 0.0, 0.0, 0
    for i, j in zip(*np.nonzero(uv_mask), strict=True):
        neighbors = [
            residual[a, b]
            for a, b in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1))
            if 0 <= a < len(residual) and 0 <= b < len(residual) and uv_mask[a, b]
        ]
        difference = residual[i, j] - np.mean(neighbors, axis=0) if neighbors else np.zeros(3)
        roughness = difference @ difference
        smoothness += roughness if squared else math.sqrt(roughness + 1e-8)
        size += residual[i, j] @ residual[i, j]
        texels += 1
    return (smoothness + eps_uv * size) / texels if texels else 0.0


def cross_entropy(logits, label):
    """-log softmax(logits)[label] of one sample."""
    return -math.log(math.exp(logits[label]) / sum(math.exp(value) for value in logits))


def angle(a, b):
    """Angle between two vectors, radians."""
    return math.acos(np.clip(a @ b / math.sqrt((a @ a) * (b @ b)), -1, 1))


def cosface_loss(embedding, class_weights, label, scale, margin):
    """CosFace of one sample."""
    cosines = [math.cos(angle(embedding, w)) for w in class_weights]
    return cross_entropy([scale * (c - margin * (j == label)) for j, c in enumerate(cosines)], label)


def arcface_loss(embedding, class_weights, label, scale, margin):
    """ArcFace of one sample whose angle to its own class is at most pi - margin."""
    angles = [angle(embedding, w) for w in class_weights]
    return cross_entropy([scale * math.cos(t + margin * (j == label)) for j, t in enumerate(angles)], label)


def update_centers(centers, shape, identity, weight, rate):
    """Eq. 20, one identity at a time."""
    updated = centers.copy()
    for j, center in enumerate(centers):
        own = identity == j
        pull = (weight[own, None] * (shape[own] - center)).sum(axis=0)
        updated[j] = center + rate * pull / (1 + own.sum())
    return updated


def kl_to_standard_normal(whitened):
    """Eq. 8 and 21 over all rows, dimension by dimension."""
    total = 0.0
    for column in whitened.T:
        mean = sum(column) / len(column)
        variance = sum((column - mean) ** 2) / len(column)
        total += 0.5 * (mean**2 + variance - 1 - math.log(variance + 1e-8))
    return total


def total(terms, kl, has_landmarks, has_identity, weights):
    """Eq. 9, 13-18: the weighted sum of means over the samples each term is for."""

    def mean(name, member):
        values = [value for value, is_member in zip(terms[name], member, strict=True) if is_member]
        return sum(values) / len(values) if values else 0.0

    everyone = np.ones(len(has_landmarks), bool)
    sir = weights.softmax * mean("softmax", has_identity) + weights.center * mean("center", has_identity)
    prior_for = everyone if weights.shape_prior_on_identity else ~has_identity
    regularization = (
        weights.shape_prior * mean("shape_prior", prior_for)
        + weights.expression_prior * mean("expression_prior", everyone)
        + weights.albedo * mean("albedo", everyone)
    )
    return (
        weights.landmark * mean("landmark", has_landmarks)
        + weights.pixel * mean("pixel", everyone)
        + weights.perceptual * mean("perceptual", everyone)
        + weights.regularization * regularization
        + weights.sir * (sir + weights.kl * kl)
    )


def relational_loss(shape, descriptor, member, delta):
    """Distance-wise distillation, one value per sample, from every pair of members."""
    members = [i for i in range(len(shape)) if member[i]]
    values = [0.0] * len(shape)
    if len(members) < 2:
        return values
    pairs = [(i, j) for i in members for j in members if i != j]
    own, wanted = (
        {pair: math.dist(points[pair[0]], points[pair[1]]) for pair in pairs} for points in (shape, descriptor)
    )
    for i, j in pairs:
        off = abs(own[i, j] / (sum(own.values()) / len(pairs)) - wanted[i, j] / (sum(wanted.values()) / len(pairs)))
        values[i] += (off**2 / 2 if off <= delta else delta * (off - delta / 2)) / (len(members) - 1)
    return values
