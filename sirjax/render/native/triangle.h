// Arithmetic on one triangle and one pixel center, for CUDA kernels and for the host.
//
// The same operations in the same order as coverage.cc and pairs.cc, which work on many triangles at a time: compiled
// without fused multiply-adds (nvcc -fmad=false, g++ -ffp-contract=off) both give the same bits. tests/render/native
// compares them.

#ifndef SIRJAX_TRIANGLE_H_
#define SIRJAX_TRIANGLE_H_

#include <cmath>
#include <cstdint>
#include <cstring>

#ifdef __CUDACC__
#define SIRJAX_BOTH __host__ __device__ inline
#else
#define SIRJAX_BOTH inline
#endif

namespace sirjax {

struct alignas(16) Vertex {
  float x, y, z, w;
};

struct Frame {
  int width, height;
};

struct Triangle {
  Vertex a, b, c;
};

// Corners relative to a pixel center, scaled by the image size so that pixel centers are odd integers, and the signed
// double areas (times w) that the center spans with the edges opposite to the corners.
struct Place {
  double column, row, x0, y0, x1, y1, x2, y2, a0, a1, a2, total;
};

SIRJAX_BOTH Place PlaceOf(const Triangle& t, Frame f, int px, int py) {
  Place p;
  p.column = 2 * px + 1 - f.width, p.row = 2 * py + 1 - f.height;
  const double w = f.width, h = f.height;
  p.x0 = t.a.x * w - p.column * t.a.w, p.y0 = t.a.y * h - p.row * t.a.w;
  p.x1 = t.b.x * w - p.column * t.b.w, p.y1 = t.b.y * h - p.row * t.b.w;
  p.x2 = t.c.x * w - p.column * t.c.w, p.y2 = t.c.y * h - p.row * t.c.w;
  p.a0 = p.x1 * p.y2 - p.y1 * p.x2, p.a1 = p.x2 * p.y0 - p.y2 * p.x0, p.a2 = p.x0 * p.y1 - p.y0 * p.x1;
  p.total = p.a0 + p.a1 + p.a2;
  return p;
}

// Whether a pixel center exactly on edge a-b belongs to the triangle on the side of `sign`; true for exactly one side.
SIRJAX_BOTH bool OwnsEdge(const Vertex& a, const Vertex& b, double sign) {
  const double nx = (double(a.y) * b.w - double(b.y) * a.w) * sign;
  const double ny = (double(b.x) * a.w - double(a.x) * b.w) * sign;
  return nx > 0 || (nx == 0 && ny > 0);
}

// Whether the triangle covers the pixel center, and how deep (z / w) it is there.
SIRJAX_BOTH bool Covers(const Triangle& t, Frame frame, int px, int py, float* depth) {
  const Place p = PlaceOf(t, frame, px, py);
  const double z = t.a.z * p.a0 + t.b.z * p.a1 + t.c.z * p.a2;
  const double w = t.a.w * p.a0 + t.b.w * p.a1 + t.c.w * p.a2;
  *depth = static_cast<float>(z / w);
  const bool left = p.a0 >= 0 && p.a1 >= 0 && p.a2 >= 0, right = p.a0 <= 0 && p.a1 <= 0 && p.a2 <= 0;
  const bool in_front = w * p.total > 0;  // false also for triangles of no area and for NaN
  if (!(left || right) || !in_front || !(*depth >= -1.f) || !(*depth <= 1.f)) return false;
  return (p.a0 != 0 || OwnsEdge(t.b, t.c, p.total)) && (p.a1 != 0 || OwnsEdge(t.c, t.a, p.total)) &&
         (p.a2 != 0 || OwnsEdge(t.a, t.b, p.total));
}

SIRJAX_BOTH void BarycentricOf(const Triangle& t, Frame frame, int px, int py, float* weights) {
  const Place p = PlaceOf(t, frame, px, py);
  const double inverse = 1 / p.total;
  weights[0] = static_cast<float>(p.a0 * inverse);
  weights[1] = static_cast<float>(p.a1 * inverse);
  weights[2] = static_cast<float>(p.a2 * inverse);
}

// Gradients with respect to x, y and w of the three corners: with b_i = a_i / sum(a) and g = dL/db,
// dL/da_i = (g_i - g . b) / sum(a); a is bilinear in the relative positions, which depend on x (times the width), y (times
// the height) and w (times minus the pixel center). z does not matter.
SIRJAX_BOTH void MoveCorners(const Triangle& t, Frame frame, int px, int py, const float* g, float (*moves)[3]) {
  const Place p = PlaceOf(t, frame, px, py);
  const double inverse = 1 / p.total;
  const double mean = (g[0] * p.a0 + g[1] * p.a1 + g[2] * p.a2) * inverse;
  const double h0 = (g[0] - mean) * inverse, h1 = (g[1] - mean) * inverse, h2 = (g[2] - mean) * inverse;
  const double gx[3] = {h2 * p.y1 - h1 * p.y2, h0 * p.y2 - h2 * p.y0, h1 * p.y0 - h0 * p.y1};
  const double gy[3] = {h1 * p.x2 - h2 * p.x1, h2 * p.x0 - h0 * p.x2, h0 * p.x1 - h1 * p.x0};
  for (int i = 0; i < 3; ++i) {
    moves[i][0] = static_cast<float>(gx[i] * frame.width);
    moves[i][1] = static_cast<float>(gy[i] * frame.height);
    moves[i][2] = -static_cast<float>(gx[i] * p.column + gy[i] * p.row);
  }
}

// ---- visibility: 64-bit keys, depth above, triangle below, so that a plain minimum resolves both

SIRJAX_BOTH unsigned long long Key(float depth, uint32_t triangle) {
  uint32_t bits;
  memcpy(&bits, &depth, 4);
  bits ^= static_cast<uint32_t>(static_cast<int32_t>(bits) >> 31) | 0x80000000u;  // float order -> unsigned order
  return static_cast<unsigned long long>(bits) << 32 | triangle;
}

SIRJAX_BOTH float DepthOf(unsigned long long key) {
  uint32_t bits = static_cast<uint32_t>(key >> 32);
  bits = bits & 0x80000000u ? bits ^ 0x80000000u : ~bits;
  float depth;
  memcpy(&depth, &bits, 4);
  return depth;
}

// ---- candidate pixels

// Pixels that a triangle may cover, borders included; empty where right < left or bottom < top.
struct Box {
  int left, right, top, bottom;

  SIRJAX_BOTH int columns() const { return right < left ? 0 : right - left + 1; }
  SIRJAX_BOTH int pixels() const { return bottom < top ? 0 : columns() * (bottom - top + 1); }
};

SIRJAX_BOTH Box NoPixels() { return {0, -1, 0, -1}; }

// First and last pixel center of an image side between the least and the greatest of three coordinates. Rounding in
// float moves a point near the image by less than the slack; Covers decides exactly.
SIRJAX_BOTH void Span(float a, float b, float c, int side, int* first, int* last) {
  const float slack = 1e-2f + 1e-6f * side, half = 0.5f * side;
  const float low = fminf(fminf(a, b), c) * half + (half - 0.5f) - slack;
  const float high = fmaxf(fmaxf(a, b), c) * half + (half - 0.5f) + slack;
  *first = static_cast<int>(ceilf(fminf(fmaxf(low, 0.f), static_cast<float>(side))));
  *last = static_cast<int>(floorf(fminf(fmaxf(high, -1.f), side - 1.f)));
}

// A triangle that crosses the eye plane may be seen anywhere, one behind it nowhere.
SIRJAX_BOTH Box CandidatePixels(const Triangle& t, Frame frame) {
  constexpr float kNearest = 1e-12f;
  if (t.a.w > kNearest && t.b.w > kNearest && t.c.w > kNearest) {
    const float a = 1.f / t.a.w, b = 1.f / t.b.w, c = 1.f / t.c.w;
    Box box;
    Span(t.a.x * a, t.b.x * b, t.c.x * c, frame.width, &box.left, &box.right);
    Span(t.a.y * a, t.b.y * b, t.c.y * c, frame.height, &box.top, &box.bottom);
    return box;
  }
  if (!(t.a.w > 0) && !(t.b.w > 0) && !(t.c.w > 0)) return NoPixels();
  return {0, frame.width - 1, 0, frame.height - 1};
}

// ---- sums that do not depend on the order of their terms: whole numbers, scaled by the largest term of an image

SIRJAX_BOTH bool IsFinite(uint32_t magnitude_bits) { return magnitude_bits < 0x7f800000u; }

SIRJAX_BOTH uint32_t MagnitudeBits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return bits & 0x7fffffffu;  // the order of magnitudes; infinity and NaN come last
}

// A power of two: `count` terms no larger than the one with these bits add up to less than 2^62 after scaling.
SIRJAX_BOTH double FixedPointScale(uint32_t largest_bits, int64_t count) {
  int exponent = 62 - (static_cast<int>(largest_bits >> 23) - 126);
  for (int64_t terms = 1; terms < count; terms *= 2) --exponent;
  return ldexp(1.0, exponent);
}

}  // namespace sirjax

#endif  // SIRJAX_TRIANGLE_H_
