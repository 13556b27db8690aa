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

// One translation unit in five files, so that it is built by a single compiler call.
#include "parallel.cc"
#include "coverage.cc"
#include "pairs.cc"
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
    Pairs pairs;
    auto draw = [&] {
      pairs.CopyCorners(vertices, tri);
      Draw(&pairs, frame, keys.data());
    };
    auto candidate = [&](int32_t triangle, int px, int py) {
      pairs.Add(triangle, px, py);
      if (pairs.full()) draw();
    };
    Box boxes[kBlock];
    for (int64_t first = 0; first < num_triangles; first += kBlock) {
      const int count = static_cast<int>(std::min<int64_t>(kBlock, num_triangles - first));
      const int kept = all_in_front ? BoxesInFront(points.data(), tri, first, count, frame, boxes)
                                    : BoxesAnywhere(vertices, tri, first, count, frame, boxes);
      for (int k = 0; k < kept; ++k) ForEachPixel(boxes[k], candidate);
    }
    draw();

    int32_t* id_out = ids->typed_data() + n * num_pixels;
    float* weights_out = barycentric->typed_data() + 3 * n * num_pixels;
    float* depth_out = depth->typed_data() + n * num_pixels;
    auto weigh = [&] {
      pairs.CopyCorners(vertices, tri);
      Weigh(&pairs, frame, weights_out);
    };
    int64_t pixel = 0;
    for (int py = 0; py < frame.height; ++py)
      for (int px = 0; px < frame.width; ++px, ++pixel) {
        if (keys[pixel] == kEmpty) {
          id_out[pixel] = -1;
          depth_out[pixel] = weights_out[3 * pixel] = weights_out[3 * pixel + 1] = weights_out[3 * pixel + 2] = 0;
          continue;
        }
        id_out[pixel] = static_cast<int32_t>(keys[pixel]);
        depth_out[pixel] = DepthOf(keys[pixel]);
        pairs.Add(id_out[pixel], px, py);
        if (pairs.full()) weigh();
      }
    weigh();
  });
  return ffi::Error::Success();
}

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
    Pairs pairs;
    PairGradients gradients;
    auto add = [&] {
      pairs.CopyCorners(vertices, triangles.typed_data());
      AddGradients(&pairs, frame, triangles.typed_data(), &gradients, out);
    };
    int64_t pixel = n * num_pixels;
    for (int py = 0; py < frame.height; ++py)
      for (int px = 0; px < frame.width; ++px, ++pixel) {
        const int32_t id = ids.typed_data()[pixel];
        const float* g = gradient.typed_data() + 3 * pixel;
        if (id < 0 || id >= num_triangles || (g[0] == 0 && g[1] == 0 && g[2] == 0)) continue;
        for (int i = 0; i < 3; ++i) gradients.g[i][pairs.count] = g[i];
        pairs.Add(id, px, py);
        if (pairs.full()) add();
      }
    add();
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
