"""Numbers that cross module borders. Nothing is imported here: programs that only read photos start without JAX."""

IMAGE_SIZE = (112, 96)  # height and width of the aligned crop the networks see
# Eye centers, nose tip and mouth corners (u, v) of the aligned crop: the template face recognition networks are fed.
TEMPLATE_POINTS = (
    (30.2946, 51.6963),
    (65.5318, 51.5014),
    (48.0252, 71.7366),
    (33.5493, 92.3655),
    (62.7299, 92.2041),
)
NO_IDENTITY = -1  # identity label of samples that come without one
NO_TRIANGLE = -1  # triangle id of pixels that no triangle covers
NUM_LANDMARKS = 68  # iBUG 68-point scheme, 0-based
