"""Evaluations as self-contained HTML pages: tables, curves, meshes to turn, pictures, and where figures come from."""

from sirjax.report.meshes import Meshes, MeshView
from sirjax.report.page import Page
from sirjax.report.pictures import Picture, Pictures
from sirjax.report.plot import Curve, Plot
from sirjax.report.provenance import provenance
from sirjax.report.table import Table

__all__ = ["Curve", "MeshView", "Meshes", "Page", "Picture", "Pictures", "Plot", "Table", "provenance"]
