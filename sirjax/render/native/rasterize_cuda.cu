// Rasterization for XLA on NVIDIA GPUs, with its gradient, as XLA-FFI handlers.
//
// Nothing waits for the device, nothing is allocated and the same kernels are launched on every call: XLA may capture
// the handlers in CUDA graphs. Scratch memory comes as extra results, which XLA keeps apart also in a captured graph.
// Results are the same bit for bit on every run: visibility is a minimum of 64-bit keys, gradients are summed as whole
// numbers. ids are triangle indices, -1 where nothing is hit; triangles that name vertices out of range are not drawn.
//   positions [N,V,4]  triangles [T,3]  ids, depth [N,H,W]  barycentric, gradient [N,H,W,3]
//   scratch: keys [N,H,W,2] (64 bits each), sums [N,V,3,2] (64 bits each), largest [N]

#include "triangle.h"

#ifndef SIRJAX_LAUNCH  // tests define it to run the kernels on the host
#include <cuda_runtime.h>
#define SIRJAX_LAUNCH(kernel, blocks, stream, ...) kernel<<<blocks, kThreads, 0, stream>>>(__VA_ARGS__)
#endif

namespace sirjax {

constexpr int kThreads = 128;
constexpr int kWarp = 32;
constexpr unsigned kWholeWarp = 0xffffffffu;
constexpr int kAlone = 16;  // pixels that one thread tests by itself; larger boxes are shared by the warp
constexpr unsigned long long kEmpty = ~0ull;

struct Mesh {
  const Vertex* positions;
  const int32_t* triangles;
  int64_t num_images, num_vertices, num_triangles;
  Frame frame;

  SIRJAX_BOTH int64_t num_pixels() const { return int64_t{frame.width} * frame.height; }

  // The corners of a triangle of image n; false if there is no such triangle or no such vertex.
  SIRJAX_BOTH bool Fetch(int64_t n, int64_t number, Triangle* triangle) const {
    if (number < 0 || number >= num_triangles) return false;
    const int32_t *t = triangles + 3 * number, i = t[0], j = t[1], k = t[2];
    if (i < 0 || j < 0 || k < 0 || i >= num_vertices || j >= num_vertices || k >= num_vertices) return false;
    const Vertex* vertices = positions + n * num_vertices;
    triangle->a = vertices[i], triangle->b = vertices[j], triangle->c = vertices[k];
    return true;
  }
};

// ---- forward: a thread per triangle, then a thread per pixel; rows of the grid are images

// Offers the triangle to every stride-th pixel of the box, beginning with `first`.
__device__ void DrawPixels(const Mesh& mesh, const Triangle& triangle, int64_t number, const Box& box, int first,
                           int stride, unsigned long long* keys) {
  const int columns = box.columns(), count = box.pixels();
  for (int k = first; k < count; k += stride) {
    const int py = box.top + k / columns, px = box.left + k % columns;
    float depth;
    if (Covers(triangle, mesh.frame, px, py, &depth))
      atomicMin(keys + int64_t{py} * mesh.frame.width + px, Key(depth, static_cast<uint32_t>(number)));
  }
}

__global__ void DrawTriangles(Mesh mesh, unsigned long long* keys) {
  const int64_t number = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const int lane = threadIdx.x % kWarp;
  for (int64_t n = blockIdx.y; n < mesh.num_images; n += gridDim.y) {
    unsigned long long* image = keys + n * mesh.num_pixels();
    Triangle triangle;
    const Box box = mesh.Fetch(n, number, &triangle) ? CandidatePixels(triangle, mesh.frame) : NoPixels();
    const bool is_large = box.pixels() > kAlone;
    if (!is_large) DrawPixels(mesh, triangle, number, box, 0, 1, image);
    for (unsigned waiting = __ballot_sync(kWholeWarp, is_large); waiting != 0; waiting &= waiting - 1) {
      const int64_t large = number - lane + __ffs(static_cast<int>(waiting)) - 1;
      mesh.Fetch(n, large, &triangle);
      DrawPixels(mesh, triangle, large, CandidatePixels(triangle, mesh.frame), lane, kWarp, image);
    }
  }
}

__global__ void ResolvePixels(Mesh mesh, const unsigned long long* keys, int32_t* ids, float* barycentric, float* depth) {
  const int64_t pixel = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (pixel >= mesh.num_pixels()) return;
  const int px = static_cast<int>(pixel % mesh.frame.width), py = static_cast<int>(pixel / mesh.frame.width);
  for (int64_t n = blockIdx.y; n < mesh.num_images; n += gridDim.y) {
    const int64_t place = n * mesh.num_pixels() + pixel;
    const unsigned long long key = keys[place];
    float weights[3] = {0, 0, 0};
    Triangle triangle;
    ids[place] = key == kEmpty ? -1 : static_cast<int32_t>(key);
    depth[place] = key == kEmpty ? 0.f : DepthOf(key);
    if (mesh.Fetch(n, ids[place], &triangle)) BarycentricOf(triangle, mesh.frame, px, py, weights);
    for (int i = 0; i < 3; ++i) barycentric[3 * place + i] = weights[i];
  }
}

// ---- gradient: the largest term of each image, then sums of terms scaled by it to whole numbers

// The gradients of the corners by one pixel; false where there is none.
__device__ bool PixelMoves(const Mesh& mesh, int64_t n, int64_t pixel, const int32_t* ids, const float* gradient,
                           float (*moves)[3]) {
  if (pixel >= mesh.num_pixels()) return false;
  const int64_t place = n * mesh.num_pixels() + pixel;
  const float* g = gradient + 3 * place;
  Triangle triangle;
  if (!mesh.Fetch(n, ids[place], &triangle) || (g[0] == 0 && g[1] == 0 && g[2] == 0)) return false;
  const int px = static_cast<int>(pixel % mesh.frame.width), py = static_cast<int>(pixel / mesh.frame.width);
  MoveCorners(triangle, mesh.frame, px, py, g, moves);
  return true;
}

__global__ void FindLargest(Mesh mesh, const int32_t* ids, const float* gradient, unsigned* largest) {
  const int64_t pixel = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  for (int64_t n = blockIdx.y; n < mesh.num_images; n += gridDim.y) {
    float moves[3][3];
    unsigned bits = 0;
    if (PixelMoves(mesh, n, pixel, ids, gradient, moves))
      for (const auto& corner : moves)
        for (float move : corner) bits = MagnitudeBits(move) > bits ? MagnitudeBits(move) : bits;
    for (int distance = kWarp / 2; distance > 0; distance /= 2) {
      const unsigned other = __shfl_xor_sync(kWholeWarp, bits, distance);
      bits = other > bits ? other : bits;
    }
    if (threadIdx.x % kWarp == 0 && bits != 0) atomicMax(largest + n, bits);
  }
}

__global__ void SumMoves(Mesh mesh, const int32_t* ids, const float* gradient, const unsigned* largest,
                         unsigned long long* sums) {
  const int64_t pixel = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  for (int64_t n = blockIdx.y; n < mesh.num_images; n += gridDim.y) {
    float moves[3][3];
    if (!IsFinite(largest[n]) || !PixelMoves(mesh, n, pixel, ids, gradient, moves)) continue;
    const double scale = FixedPointScale(largest[n], mesh.num_pixels());
    const int32_t* corners = mesh.triangles + 3 * int64_t{ids[n * mesh.num_pixels() + pixel]};
    for (int i = 0; i < 3; ++i)
      for (int axis = 0; axis < 3; ++axis)  // negative numbers wrap around, and so do their sums
        atomicAdd(sums + 3 * (n * mesh.num_vertices + corners[i]) + axis,
                  static_cast<unsigned long long>(llrint(moves[i][axis] * scale)));
  }
}

__global__ void FinishSums(Mesh mesh, const unsigned* largest, const unsigned long long* sums, Vertex* out) {
  const int64_t vertex = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (vertex >= mesh.num_vertices) return;
  for (int64_t n = blockIdx.y; n < mesh.num_images; n += gridDim.y) {
    const int64_t place = n * mesh.num_vertices + vertex;
    // A gradient that is not finite spoils its whole image: the largest term tells that there is one, not where.
    const float spoiled = IsFinite(largest[n]) ? 0.f : NAN;
    const double scale = FixedPointScale(largest[n], mesh.num_pixels());
    float sum[3];
    for (int axis = 0; axis < 3; ++axis)
      sum[axis] = static_cast<float>(static_cast<long long>(sums[3 * place + axis]) / scale) + spoiled;
    out[place] = {sum[0], sum[1], 0.f, sum[2]};
  }
}

}  // namespace sirjax

// ---- handlers; device code needs none of XLA's headers, which take long to compile for many architectures

#ifndef __CUDA_ARCH__

#include <string>

#include "xla/ffi/api/ffi.h"

namespace sirjax {

namespace ffi = ::xla::ffi;
using F32 = ffi::Buffer<ffi::F32>;
using S32 = ffi::Buffer<ffi::S32>;
using F32Result = ffi::Result<F32>;
using S32Result = ffi::Result<S32>;
using U32Result = ffi::Result<ffi::Buffer<ffi::U32>>;
using Stream = ffi::PlatformStream<cudaStream_t>;

constexpr int64_t kMaxRows = 65535;  // of a grid of blocks

dim3 Blocks(int64_t items, int64_t num_images) {
  const int64_t rows = num_images < kMaxRows ? num_images : kMaxRows;
  return dim3(static_cast<unsigned>((items + kThreads - 1) / kThreads), static_cast<unsigned>(rows));
}

// The first error since the last call; errors of kernels that still run come later, from XLA.
ffi::Error Launched() {
  const cudaError_t error = cudaGetLastError();
  if (error == cudaSuccess) return ffi::Error::Success();
  return ffi::Error::Internal(std::string("CUDA: ") + cudaGetErrorString(error));
}

Mesh MeshOf(const F32& positions, const S32& triangles, const S32& ids) {
  const auto dims = ids.dimensions();
  return {reinterpret_cast<const Vertex*>(positions.typed_data()),
          triangles.typed_data(),
          positions.dimensions()[0],
          positions.dimensions()[1],
          triangles.dimensions()[0],
          {static_cast<int>(dims[2]), static_cast<int>(dims[1])}};
}

ffi::Error Rasterize(cudaStream_t stream, F32 positions, S32 triangles, S32Result ids, F32Result barycentric,
                     F32Result depth, U32Result scratch) {
  const Mesh mesh = MeshOf(positions, triangles, *ids);
  auto* keys = reinterpret_cast<unsigned long long*>(scratch->typed_data());
  cudaMemsetAsync(keys, 0xff, scratch->size_bytes(), stream);  // kEmpty
  SIRJAX_LAUNCH(DrawTriangles, Blocks(mesh.num_triangles, mesh.num_images), stream, mesh, keys);
  SIRJAX_LAUNCH(ResolvePixels, Blocks(mesh.num_pixels(), mesh.num_images), stream, mesh, keys, ids->typed_data(),
                barycentric->typed_data(), depth->typed_data());
  return Launched();
}

ffi::Error RasterizeGradient(cudaStream_t stream, F32 positions, S32 triangles, S32 ids, F32 gradient,
                             F32Result position_gradient, U32Result scratch, U32Result largest) {
  const Mesh mesh = MeshOf(positions, triangles, ids);
  auto* sums = reinterpret_cast<unsigned long long*>(scratch->typed_data());
  cudaMemsetAsync(sums, 0, scratch->size_bytes(), stream);
  cudaMemsetAsync(largest->typed_data(), 0, largest->size_bytes(), stream);
  const dim3 by_pixel = Blocks(mesh.num_pixels(), mesh.num_images);
  SIRJAX_LAUNCH(FindLargest, by_pixel, stream, mesh, ids.typed_data(), gradient.typed_data(), largest->typed_data());
  SIRJAX_LAUNCH(SumMoves, by_pixel, stream, mesh, ids.typed_data(), gradient.typed_data(), largest->typed_data(), sums);
  SIRJAX_LAUNCH(FinishSums, Blocks(mesh.num_vertices, mesh.num_images), stream, mesh, largest->typed_data(), sums,
                reinterpret_cast<Vertex*>(position_gradient->typed_data()));
  return Launched();
}

}  // namespace sirjax

// Built with -fvisibility=hidden: the macro below adds no visibility of its own.
#pragma GCC visibility push(default)
#define BIND sirjax::ffi::Ffi::Bind().Ctx<sirjax::Stream>()
#define HANDLER(name, function, binding) \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(name, function, binding, {sirjax::ffi::Traits::kCmdBufferCompatible})
HANDLER(sirjax_rasterize_cuda, sirjax::Rasterize,
        BIND.Arg<sirjax::F32>().Arg<sirjax::S32>().Ret<sirjax::ffi::Buffer<sirjax::ffi::S32>>().Ret<sirjax::F32>()
            .Ret<sirjax::F32>().Ret<sirjax::ffi::Buffer<sirjax::ffi::U32>>());
HANDLER(sirjax_rasterize_gradient_cuda, sirjax::RasterizeGradient,
        BIND.Arg<sirjax::F32>().Arg<sirjax::S32>().Arg<sirjax::S32>().Arg<sirjax::F32>().Ret<sirjax::F32>()
            .Ret<sirjax::ffi::Buffer<sirjax::ffi::U32>>().Ret<sirjax::ffi::Buffer<sirjax::ffi::U32>>());

// What the loader asks before it registers anything.
extern "C" int sirjax_ffi_api_major() { return XLA_FFI_API_MAJOR; }
extern "C" int sirjax_ffi_api_minor() { return XLA_FFI_API_MINOR; }
extern "C" int sirjax_interface() { return 1; }  // raise it together with INTERFACE in cuda_loader.py
#pragma GCC visibility pop

#endif  // __CUDA_ARCH__
