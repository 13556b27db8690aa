"""Triangles and colours to images, differentiably; knows nothing about faces.

`render` draws textured meshes under spherical-harmonics light; `rasterize_geometry` and `shade_surface` are its two
halves. The operations below them are in modules of their own: `sirjax.render.rasterize.rasterize`,
`sirjax.render.interpolate.interpolate`, `sirjax.render.texture.sample_texture`, `sirjax.render.antialias.antialias`.
"""

from sirjax.render.renderer import Surface, rasterize_geometry, render, shade_surface

__all__ = ["Surface", "rasterize_geometry", "render", "shade_surface"]
