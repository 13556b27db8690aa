"""Pictures for people: overlays, views of meshes, sheets and grids. uint8 RGB out."""
