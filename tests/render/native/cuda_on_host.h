// Runs CUDA kernels on the host: the lanes of a warp take turns at every exchange between them, warps and blocks follow
// one after another, backwards in every other launch. Included before rasterize_cuda.cu (g++ -include), whose handlers
// then serve XLA:CPU.

#include <ucontext.h>

#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>

#include "xla/ffi/api/ffi.h"

#define __device__
#define __global__

struct dim3 {
  unsigned x, y = 1;
  dim3(unsigned x, unsigned y = 1) : x(x), y(y) {}
};
inline thread_local dim3 threadIdx(0, 0), blockIdx(0, 0), gridDim(0, 0);

struct Warp {
  static constexpr int kLanes = 32;
  static constexpr size_t kStack = 64 << 10;
  std::unique_ptr<char[]> stacks{new char[kLanes * kStack]};
  ucontext_t lanes[kLanes], scheduler;
  std::function<void()> kernel;
  unsigned running, first, votes, values[kLanes];
  bool finished[kLanes];
};
inline thread_local Warp* warp;

inline void RunLane() {
  warp->kernel();
  warp->finished[warp->running] = true;
  swapcontext(&warp->lanes[warp->running], &warp->scheduler);
}

// Lets the other lanes of the warp come to the same point.
inline void WaitForLanes() {
  swapcontext(&warp->lanes[warp->running], &warp->scheduler);
  threadIdx = dim3(warp->first + warp->running);
}

inline void RunWarp(unsigned first) {
  warp->first = first;
  for (int lane = 0; lane < Warp::kLanes; ++lane) {
    getcontext(&warp->lanes[lane]);
    warp->lanes[lane].uc_stack.ss_sp = warp->stacks.get() + lane * Warp::kStack;
    warp->lanes[lane].uc_stack.ss_size = Warp::kStack;
    warp->lanes[lane].uc_link = nullptr;
    makecontext(&warp->lanes[lane], RunLane, 0);
    warp->finished[lane] = false;
  }
  for (bool all_finished = false; !all_finished;) {
    all_finished = true;
    for (unsigned lane = 0; lane < Warp::kLanes; ++lane) {
      if (warp->finished[lane]) continue;
      warp->running = lane, threadIdx = dim3(first + lane);
      swapcontext(&warp->scheduler, &warp->lanes[lane]);
      all_finished = false;
    }
  }
}

inline unsigned __ballot_sync(unsigned, bool vote) {
  const unsigned lane = threadIdx.x % 32;
  if (lane == 0) warp->votes = 0;  // the first to come
  if (vote) warp->votes |= 1u << lane;
  WaitForLanes();
  const unsigned votes = warp->votes;
  WaitForLanes();
  return votes;
}

inline unsigned __shfl_xor_sync(unsigned, unsigned value, int distance) {
  const unsigned lane = threadIdx.x % 32;
  warp->values[lane] = value;
  WaitForLanes();
  const unsigned other = warp->values[lane ^ distance];
  WaitForLanes();
  return other;
}

inline int __ffs(int value) { return value == 0 ? 0 : std::countr_zero(static_cast<unsigned>(value)) + 1; }

template <class T>
void atomicMin(T* place, T value) {
  std::atomic_ref<T> shared(*place);
  for (T old = shared; value < old && !shared.compare_exchange_weak(old, value);) {
  }
}

template <class T>
void atomicMax(T* place, T value) {
  std::atomic_ref<T> shared(*place);
  for (T old = shared; value > old && !shared.compare_exchange_weak(old, value);) {
  }
}

template <class T>
void atomicAdd(T* place, T value) {
  std::atomic_ref<T>(*place).fetch_add(value);
}

inline void RunOnHost(dim3 blocks, unsigned threads, std::function<void()> kernel) {
  static std::atomic<unsigned> launches{0};
  const bool backwards = launches++ % 2 == 1;
  const auto shared = std::make_unique<Warp>();
  warp = shared.get(), warp->kernel = std::move(kernel), gridDim = blocks;
  const unsigned warps = threads / 32, count = blocks.x * blocks.y * warps;
  for (unsigned k = 0; k < count; ++k) {
    const unsigned number = backwards ? count - 1 - k : k, block = number / warps;
    blockIdx = dim3(block % blocks.x, block / blocks.x);
    RunWarp(number % warps * 32);
  }
}
#define SIRJAX_LAUNCH(kernel, blocks, stream, ...) RunOnHost(blocks, kThreads, [&] { kernel(__VA_ARGS__); })

// ---- what the handlers use of CUDA's runtime

using cudaStream_t = struct HostStream*;
using cudaError_t = int;
constexpr cudaError_t cudaSuccess = 0;
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline const char* cudaGetErrorString(cudaError_t) { return ""; }
inline void cudaMemsetAsync(void* place, int value, size_t size, cudaStream_t) { std::memset(place, value, size); }

template <>
struct xla::ffi::CtxDecoding<xla::ffi::PlatformStream<cudaStream_t>> {  // XLA:CPU has no streams
  using Type = cudaStream_t;
  static std::optional<Type> Decode(const XLA_FFI_Api*, XLA_FFI_ExecutionContext*, DiagnosticEngine&) { return nullptr; }
};
