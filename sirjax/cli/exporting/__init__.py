"""The kinds of `sirjax export`: benchmark toolkits, programs, weights."""
