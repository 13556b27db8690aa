// Part of rasterize_cpu.cc: types, index checks and the parallel loop that every handler uses.

// One binary, compiled for several instruction sets, chosen when it is loaded. All give the same bits.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__linux__)
#define SIRJAX_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define SIRJAX_CLONES
#endif

namespace {

namespace ffi = xla::ffi;
using F32 = ffi::Buffer<ffi::F32>;
using S32 = ffi::Buffer<ffi::S32>;
using F32Result = ffi::ResultBuffer<ffi::F32>;
using S32Result = ffi::ResultBuffer<ffi::S32>;

// Runs task(0) .. task(count - 1). The caller works too: blocking on pool threads alone can deadlock, because every one of
// them may itself be waiting in a handler.
template <class Task>
void ParallelFor(ffi::ThreadPool& pool, int64_t count, const Task& task) {
  const int64_t workers = std::min<int64_t>(pool.num_threads(), count);
  if (workers <= 1) {
    for (int64_t i = 0; i < count; ++i) task(i);
    return;
  }
  struct Shared {
    std::atomic<int64_t> next{0}, done{0};
    int64_t count;
    std::function<void(int64_t)> task;
    std::mutex mutex;
    std::condition_variable finished;
  };
  auto shared = std::make_shared<Shared>();  // a helper may start after the caller has left
  shared->count = count;
  shared->task = [&task](int64_t i) { task(i); };
  auto work = [](Shared& s) {
    for (int64_t i; (i = s.next.fetch_add(1)) < s.count;) {
      s.task(i);
      if (s.done.fetch_add(1) + 1 == s.count) {
        std::lock_guard<std::mutex> lock(s.mutex);
        s.finished.notify_all();
      }
    }
  };
  for (int64_t i = 1; i < workers; ++i) pool.Schedule([shared, work] { work(*shared); });
  work(*shared);
  std::unique_lock<std::mutex> lock(shared->mutex);
  shared->finished.wait(lock, [&] { return shared->done.load() == shared->count; });
}

SIRJAX_CLONES bool IndicesBelow(const int32_t* indices, int64_t count, int64_t limit) {
  uint32_t largest = 0;  // negative indices wrap around to huge ones
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t index = static_cast<uint32_t>(indices[i]);
    largest = index > largest ? index : largest;
  }
  return count == 0 || largest < limit;
}

// Shapes have been checked in Python; these checks only keep a wrong call from reading foreign memory.
ffi::Error CheckTriangles(const S32& triangles, int64_t num_vertices) {
  if (IndicesBelow(triangles.typed_data(), triangles.element_count(), num_vertices)) return ffi::Error::Success();
  return ffi::Error::InvalidArgument("triangles name a vertex outside the range 0 .. " +
                                     std::to_string(num_vertices - 1));
}

}  // namespace
