// Rasterization, attribute interpolation and texture sampling for XLA:CPU, with their gradients, as XLA-FFI handlers.
//
// Every handler loops over N images, one per task on XLA's own threads, and writes each image in one fixed order: results
// are the same bit for bit whatever the number of threads. ids are triangle indices, -1 where nothing is hit. Shapes:
//   positions [N,V,4]  triangles [T,3]  ids [N,H,W]  barycentric [N,H,W,3]  attributes [N,V,C] or [V,C]
//   texture [N,A,B,C] or [A,B,C]  uv [N,H,W,2]; gradients of shared attributes or textures are given per image.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "xla/ffi/api/ffi.h"

// One translation unit in four files, so that it is built by a single compiler call.
#include "parallel.cc"
#include "coverage.cc"
#include "sampling.cc"

namespace {

ffi::Error Rasterize(ffi::ThreadPool pool, F32 positions, S32 triangles, S32Result ids, F32Result barycentric,
                     F32Result depth) {
  const auto dims = ids->dimensions();
  const int64_t num_vertices = positions.dimensions()[1], num_triangles = triangles.dimensions()[0];
  if (dims[1] > kMaxSide || dims[2] > kMaxSide) return ffi::Error::InvalidArgument("images may have 32767 pixels a side");
  if (auto error = CheckTriangles(triangles, num_vertices); error.failure()) return error;
  const Frame frame{static_cast<int>(dims[2]), static_cast<int>(dims[1])};
  const int64_t num_pixels = dims[1] * dims[2];
  const int32_t* tri = triangles.typed_data();

  ParallelFor(pool, dims[0], [&](int64_t n) {
    static thread_local std::vector<Point> points;
    static thread_local std::vector<uint64_t> keys;
    const Vertex* vertices = reinterpret_cast<const Vertex*>(positions.typed_data()) + n * num_vertices;
    points.resize(num_vertices);
    keys.assign(num_pixels, kEmpty);
    const bool all_in_front = ProjectVertices(vertices, num_vertices, frame, points.data());
    Box boxes[kBlock + 1];
    for (int64_t first = 0; first < num_triangles; first += kBlock) {
      const int count = static_cast<int>(std::min<int64_t>(kBlock, num_triangles - first));
      const int kept = all_in_front ? BoxesInFront(points.data(), tri, first, count, frame, boxes)
                                    : BoxesAnywhere(vertices, tri, first, count, frame, boxes);
      for (int k = 0; k < kept; ++k) DrawTriangle(vertices, tri, boxes[k], frame, keys.data());
    }
    int32_t* id_out = ids->typed_data() + n * num_pixels;
    float* weights_out = barycentric->typed_data() + 3 * n * num_pixels;
    float* depth_out = depth->typed_data() + n * num_pixels;
    for (int64_t k = 0; k < num_pixels; ++k) {
      float* weights = weights_out + 3 * k;
      if (keys[k] == kEmpty) {
        id_out[k] = -1;
        weights[0] = weights[1] = weights[2] = depth_out[k] = 0;
        continue;
      }
      const int32_t id = static_cast<int32_t>(keys[k]);
      const int32_t* t = tri + 3 * int64_t{id};
      const int px = static_cast<int>(k % frame.width), py = static_cast<int>(k / frame.width);
      const Areas a = Corners(vertices[t[0]], vertices[t[1]], vertices[t[2]], frame, px, py).areas();
      const double inverse = 1 / (a.a0 + a.a1 + a.a2);
      id_out[k] = id;
      weights[0] = static_cast<float>(a.a0 * inverse);
      weights[1] = static_cast<float>(a.a1 * inverse);
      weights[2] = static_cast<float>(a.a2 * inverse);
      depth_out[k] = DepthOf(keys[k]);
    }
  });
  return ffi::Error::Success();
}

// With b_i = a_i / sum(a) and g = dL/db: dL/da_i = (g_i - g . b) / sum(a); a is bilinear in the relative positions, which
// depend on x (times W), y (times H) and w (times minus the pixel center). z does not matter.
ffi::Error RasterizeGradient(ffi::ThreadPool pool, F32 positions, S32 triangles, S32 ids, F32 gradient,
                             F32Result position_gradient) {
  const auto dims = ids.dimensions();
  const int64_t num_vertices = positions.dimensions()[1], num_triangles = triangles.dimensions()[0];
  if (auto error = CheckTriangles(triangles, num_vertices); error.failure()) return error;
  const Frame frame{static_cast<int>(dims[2]), static_cast<int>(dims[1])};
  const int64_t num_pixels = dims[1] * dims[2];

  ParallelFor(pool, dims[0], [&](int64_t n) {
    const Vertex* vertices = reinterpret_cast<const Vertex*>(positions.typed_data()) + n * num_vertices;
    Vertex* out = reinterpret_cast<Vertex*>(position_gradient->typed_data()) + n * num_vertices;
    std::memset(out, 0, sizeof(Vertex) * num_vertices);
    for (int64_t k = 0; k < num_pixels; ++k) {
      const int32_t id = ids.typed_data()[n * num_pixels + k];
      const float* g = gradient.typed_data() + 3 * (n * num_pixels + k);
      if (id < 0 || id >= num_triangles || (g[0] == 0 && g[1] == 0 && g[2] == 0)) continue;
      const int32_t* t = triangles.typed_data() + 3 * int64_t{id};
      const int px = static_cast<int>(k % frame.width), py = static_cast<int>(k / frame.width);
      const Corners c(vertices[t[0]], vertices[t[1]], vertices[t[2]], frame, px, py);
      const Areas a = c.areas();
      const double inverse = 1 / (a.a0 + a.a1 + a.a2);
      const double mean = (g[0] * a.a0 + g[1] * a.a1 + g[2] * a.a2) * inverse;
      const double h0 = (g[0] - mean) * inverse, h1 = (g[1] - mean) * inverse, h2 = (g[2] - mean) * inverse;
      const double column = 2 * px + 1 - frame.width, row = 2 * py + 1 - frame.height;
      auto add = [&](Vertex& v, double gx, double gy) {
        v.x += static_cast<float>(gx * frame.width);
        v.y += static_cast<float>(gy * frame.height);
        v.w -= static_cast<float>(gx * column + gy * row);
      };
      add(out[t[0]], h2 * c.y1 - h1 * c.y2, h1 * c.x2 - h2 * c.x1);
      add(out[t[1]], h0 * c.y2 - h2 * c.y0, h2 * c.x0 - h0 * c.x2);
      add(out[t[2]], h1 * c.y0 - h0 * c.y1, h0 * c.x1 - h1 * c.x0);
    }
  });
  return ffi::Error::Success();
}

}  // namespace

// Built with -fvisibility=hidden: the macro below adds no visibility of its own.
#pragma GCC visibility push(default)
#define HANDLER(name, function, binding) XLA_FFI_DEFINE_HANDLER_SYMBOL(name, function, binding);
#define BIND ffi::Ffi::Bind().Ctx<ffi::ThreadPool>()
HANDLER(sirjax_rasterize, Rasterize, BIND.Arg<F32>().Arg<S32>().Ret<S32>().Ret<F32>().Ret<F32>())
HANDLER(sirjax_rasterize_gradient, RasterizeGradient, BIND.Arg<F32>().Arg<S32>().Arg<S32>().Arg<F32>().Ret<F32>())
HANDLER(sirjax_interpolate, Interpolate, BIND.Arg<F32>().Arg<S32>().Arg<S32>().Arg<F32>().Ret<F32>())
HANDLER(sirjax_interpolate_gradient_attributes, InterpolateGradientAttributes,
        BIND.Arg<S32>().Arg<S32>().Arg<F32>().Arg<F32>().Ret<F32>())
HANDLER(sirjax_interpolate_gradient_barycentric, InterpolateGradientBarycentric,
        BIND.Arg<F32>().Arg<S32>().Arg<S32>().Arg<F32>().Ret<F32>())
HANDLER(sirjax_sample_texture, SampleTexture, BIND.Arg<F32>().Arg<F32>().Ret<F32>())
HANDLER(sirjax_sample_texture_gradient_texture, SampleTextureGradientTexture,
        BIND.Arg<F32>().Arg<F32>().Ret<F32>())
HANDLER(sirjax_sample_texture_gradient_uv, SampleTextureGradientUv, BIND.Arg<F32>().Arg<F32>().Arg<F32>().Ret<F32>())

// What the loader asks before it registers anything.
extern "C" int sirjax_ffi_api_major() { return XLA_FFI_API_MAJOR; }
extern "C" int sirjax_ffi_api_minor() { return XLA_FFI_API_MINOR; }
extern "C" int sirjax_interface() { return 1; }  // raise it together with INTERFACE in loader.py
#pragma GCC visibility pop
