// Part of rasterize_cpu.cc: values at pixels, from vertices or from a texture, and the gradients.

namespace {

// ---- interpolation of vertex attributes

// The data of image n, or the shared data if there is no image axis.
inline const float* OfImage(const F32& buffer, size_t rank_per_image, int64_t n) {
  return buffer.typed_data() + (buffer.dimensions().size() == rank_per_image ? n * (buffer.element_count() / buffer.dimensions()[0]) : 0);
}

constexpr int kHits = 128;

// Calls visit(pixel, corners, values) for every pixel that is hit, images in parallel. `values_of(n)` is called first for
// each image; it returns an array with a row of `channels` values for each vertex.
template <class ValuesOf, class Visit>
ffi::Error ForEachHit(ffi::ThreadPool& pool, const S32& triangles, const S32& ids, int64_t num_vertices, int64_t channels,
                      const ValuesOf& values_of, const Visit& visit) {
  if (auto error = CheckTriangles(triangles, num_vertices); error.failure()) return error;
  const int64_t num_pixels = ids.dimensions()[1] * ids.dimensions()[2], num_triangles = triangles.dimensions()[0];
  struct Hit {
    int64_t pixel;
    const int32_t* corners;
  };
  ParallelFor(pool, ids.dimensions()[0], [&](int64_t n) {
    const auto values = values_of(n);
    Hit hits[kHits];
    for (int64_t pixel = n * num_pixels; pixel < (n + 1) * num_pixels;) {
      int count = 0;
      for (; count < kHits && pixel < (n + 1) * num_pixels; ++pixel) {
        const int32_t id = ids.typed_data()[pixel];
        if (id >= 0 && id < num_triangles) hits[count++] = {pixel, triangles.typed_data() + 3 * int64_t{id}};
      }
      // Waiting for values to come from memory takes longer than what is done with them: ask for many at once.
      for (int k = 0; k < count; ++k)
        for (int i = 0; i < 3; ++i) __builtin_prefetch(values + hits[k].corners[i] * channels);
      for (int k = 0; k < count; ++k) visit(hits[k].pixel, hits[k].corners, values);
    }
  });
  return ffi::Error::Success();
}

ffi::Error Interpolate(ffi::ThreadPool pool, F32 attributes, S32 triangles, S32 ids, F32 barycentric, F32Result out) {
  const auto dims = attributes.dimensions();
  const int64_t num_vertices = dims[dims.size() - 2], channels = dims[dims.size() - 1];
  const int64_t size = ids.dimensions()[1] * ids.dimensions()[2] * channels;
  return ForEachHit(
      pool, triangles, ids, num_vertices, channels,
      [&](int64_t n) {
        std::memset(out->typed_data() + n * size, 0, sizeof(float) * size);
        return OfImage(attributes, 3, n);
      },
      [&](int64_t pixel, const int32_t* t, const float* values) {
        const float* b = barycentric.typed_data() + 3 * pixel;
        const float *v0 = values + t[0] * channels, *v1 = values + t[1] * channels, *v2 = values + t[2] * channels;
        float* o = out->typed_data() + pixel * channels;
        for (int64_t c = 0; c < channels; ++c) o[c] = b[0] * v0[c] + b[1] * v1[c] + b[2] * v2[c];
      });
}

ffi::Error InterpolateGradientAttributes(ffi::ThreadPool pool, S32 triangles, S32 ids, F32 barycentric, F32 gradient,
                                         F32Result attribute_gradient) {
  const auto dims = attribute_gradient->dimensions();
  const int64_t num_vertices = dims[1], channels = dims[2], size = num_vertices * channels;
  return ForEachHit(
      pool, triangles, ids, num_vertices, channels,
      [&](int64_t n) {
        float* out = attribute_gradient->typed_data() + n * size;
        std::memset(out, 0, sizeof(float) * size);
        return out;
      },
      [&](int64_t pixel, const int32_t* t, float* out) {
        const float *b = barycentric.typed_data() + 3 * pixel, *g = gradient.typed_data() + pixel * channels;
        for (int corner = 0; corner < 3; ++corner) {
          float* o = out + t[corner] * channels;
          for (int64_t c = 0; c < channels; ++c) o[c] += b[corner] * g[c];
        }
      });
}

ffi::Error InterpolateGradientBarycentric(ffi::ThreadPool pool, F32 attributes, S32 triangles, S32 ids, F32 gradient,
                                          F32Result barycentric_gradient) {
  const auto dims = attributes.dimensions();
  const int64_t num_vertices = dims[dims.size() - 2], channels = dims[dims.size() - 1];
  const int64_t size = ids.dimensions()[1] * ids.dimensions()[2] * 3;
  return ForEachHit(
      pool, triangles, ids, num_vertices, channels,
      [&](int64_t n) {
        std::memset(barycentric_gradient->typed_data() + n * size, 0, sizeof(float) * size);
        return OfImage(attributes, 3, n);
      },
      [&](int64_t pixel, const int32_t* t, const float* values) {
        const float* g = gradient.typed_data() + pixel * channels;
        for (int corner = 0; corner < 3; ++corner) {
          const float* v = values + t[corner] * channels;
          float sum = 0;
          for (int64_t c = 0; c < channels; ++c) sum += g[c] * v[c];
          barycentric_gradient->typed_data()[3 * pixel + corner] = sum;
        }
      });
}

// ---- bilinear texture sampling: texel (row i, column j) of an A x B texture is at uv ((j + 0.5) / B, (i + 0.5) / A)

struct Footprint {
  int64_t top_left, right, down;  // offsets, in texels, of the upper left one and from it to its neighbors
  float fx, fy;
  bool moves_x, moves_y;  // false where uv is clamped to the border: no gradient

  Footprint(const float* uv, int64_t rows, int64_t columns) {
    const float x = uv[0] * columns - 0.5f, y = uv[1] * rows - 0.5f;
    moves_x = x > 0 && x < columns - 1, moves_y = y > 0 && y < rows - 1;
    const float cx = Clamp(x, 0.f, static_cast<float>(columns - 1)), cy = Clamp(y, 0.f, static_cast<float>(rows - 1));
    const int64_t j = std::min(static_cast<int64_t>(cx), std::max<int64_t>(columns - 2, 0));
    const int64_t i = std::min(static_cast<int64_t>(cy), std::max<int64_t>(rows - 2, 0));
    fx = cx - j, fy = cy - i;
    top_left = i * columns + j, right = columns > 1 ? 1 : 0, down = rows > 1 ? columns : 0;
  }
};

// Calls visit(n, pixel, footprint) for every pixel, images in parallel; `begin(n)` comes first.
template <class Begin, class Visit>
ffi::Error ForEachSample(ffi::ThreadPool& pool, const F32& uv, int64_t rows, int64_t columns, const Begin& begin,
                         const Visit& visit) {
  const int64_t num_pixels = uv.dimensions()[1] * uv.dimensions()[2];
  ParallelFor(pool, uv.dimensions()[0], [&](int64_t n) {
    begin(n);
    for (int64_t pixel = n * num_pixels; pixel < (n + 1) * num_pixels; ++pixel)
      visit(n, pixel, Footprint(uv.typed_data() + 2 * pixel, rows, columns));
  });
  return ffi::Error::Success();
}

ffi::Error SampleTexture(ffi::ThreadPool pool, F32 texture, F32 uv, F32Result out) {
  const auto dims = texture.dimensions();
  const int64_t channels = dims[dims.size() - 1], columns = dims[dims.size() - 2], rows = dims[dims.size() - 3];
  return ForEachSample(
      pool, uv, rows, columns, [](int64_t) {},
      [&](int64_t n, int64_t pixel, const Footprint& f) {
        const float* a = OfImage(texture, 4, n) + f.top_left * channels;
        const float *b = a + f.right * channels, *c = a + f.down * channels, *d = b + f.down * channels;
        float* o = out->typed_data() + pixel * channels;
        for (int64_t k = 0; k < channels; ++k) {
          const float upper = a[k] + f.fx * (b[k] - a[k]), lower = c[k] + f.fx * (d[k] - c[k]);
          o[k] = upper + f.fy * (lower - upper);
        }
      });
}

ffi::Error SampleTextureGradientTexture(ffi::ThreadPool pool, F32 uv, F32 gradient, F32Result texture_gradient) {
  const auto dims = texture_gradient->dimensions();
  const int64_t rows = dims[1], columns = dims[2], channels = dims[3], size = rows * columns * channels;
  float* all = texture_gradient->typed_data();
  return ForEachSample(
      pool, uv, rows, columns, [&](int64_t n) { std::memset(all + n * size, 0, sizeof(float) * size); },
      [&](int64_t n, int64_t pixel, const Footprint& f) {
        const float* g = gradient.typed_data() + pixel * channels;
        float* a = all + n * size + f.top_left * channels;
        float *b = a + f.right * channels, *c = a + f.down * channels, *d = b + f.down * channels;
        for (int64_t k = 0; k < channels; ++k) {
          a[k] += g[k] * (1 - f.fx) * (1 - f.fy), b[k] += g[k] * f.fx * (1 - f.fy);
          c[k] += g[k] * (1 - f.fx) * f.fy, d[k] += g[k] * f.fx * f.fy;
        }
      });
}

ffi::Error SampleTextureGradientUv(ffi::ThreadPool pool, F32 texture, F32 uv, F32 gradient, F32Result uv_gradient) {
  const auto dims = texture.dimensions();
  const int64_t channels = dims[dims.size() - 1], columns = dims[dims.size() - 2], rows = dims[dims.size() - 3];
  return ForEachSample(
      pool, uv, rows, columns, [](int64_t) {},
      [&](int64_t n, int64_t pixel, const Footprint& f) {
        const float *a = OfImage(texture, 4, n) + f.top_left * channels, *g = gradient.typed_data() + pixel * channels;
        const float *b = a + f.right * channels, *c = a + f.down * channels, *d = b + f.down * channels;
        float x = 0, y = 0;
        for (int64_t k = 0; k < channels; ++k) {
          x += g[k] * ((1 - f.fy) * (b[k] - a[k]) + f.fy * (d[k] - c[k]));
          y += g[k] * ((1 - f.fx) * (c[k] - a[k]) + f.fx * (d[k] - b[k]));
        }
        uv_gradient->typed_data()[2 * pixel] = f.moves_x ? x * columns : 0;
        uv_gradient->typed_data()[2 * pixel + 1] = f.moves_y ? y * rows : 0;
      });
}

}  // namespace
