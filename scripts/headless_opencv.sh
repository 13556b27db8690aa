#!/bin/sh
# OpenCV's ordinary wheel needs libGL; machines without a display often lack it. Its headless twin has the same modules.
python=$1
"$python" -c 'import cv2' 2>/dev/null && exit 0
echo "opencv-python cannot start here (is libGL missing?): installing opencv-python-headless in its place"
"$python" -m pip uninstall --quiet --yes opencv-python
"$python" -m pip install --quiet --force-reinstall --no-deps opencv-python-headless
"$python" -c 'import cv2'
