// Part of rasterize_cpu.cc: which triangle each pixel center sees.
//
// Coverage follows the homogeneous edge functions of Olano and Greer (1997), taken relative to the pixel center and scaled
// by the image size, so that pixel centers are the odd integers 2 px + 1 - W. In double precision the relative positions
// of float vertices are exact for all practical sizes, two triangles see exactly opposite values at the edge they share
// (compile with -ffp-contract=off), and any w is allowed: no clipping, no snapping, no cracks.

namespace {

constexpr int64_t kMaxSide = 32767;  // pixel boxes are kept in 16 bits

struct Vertex {
  float x, y, z, w;
};

struct Frame {
  int width, height;
};

// Signed double areas (times w) that a pixel center spans with the edges opposite to the three corners of a triangle.
struct Areas {
  double a0, a1, a2;
};

struct Corners {
  double x0, y0, x1, y1, x2, y2;  // relative to the pixel center

  Corners(const Vertex& p0, const Vertex& p1, const Vertex& p2, Frame f, int px, int py) {
    const double column = 2 * px + 1 - f.width, row = 2 * py + 1 - f.height, w = f.width, h = f.height;
    x0 = p0.x * w - column * p0.w, y0 = p0.y * h - row * p0.w;
    x1 = p1.x * w - column * p1.w, y1 = p1.y * h - row * p1.w;
    x2 = p2.x * w - column * p2.w, y2 = p2.y * h - row * p2.w;
  }

  Areas areas() const { return {x1 * y2 - y1 * x2, x2 * y0 - y2 * x0, x0 * y1 - y0 * x1}; }
};

// Whether a pixel center exactly on edge a-b belongs to the triangle on the side of `sign`; true for exactly one side.
bool OwnsEdge(const Vertex& a, const Vertex& b, double sign) {
  const double nx = (double(a.y) * b.w - double(b.y) * a.w) * sign;
  const double ny = (double(b.x) * a.w - double(a.x) * b.w) * sign;
  return nx > 0 || (nx == 0 && ny > 0);
}

// ---- visibility: 64-bit keys, depth above, triangle below, so that a plain minimum resolves both

constexpr uint64_t kEmpty = ~uint64_t{0};

uint64_t Key(float depth, uint32_t triangle) {
  uint32_t bits;
  std::memcpy(&bits, &depth, 4);
  bits ^= static_cast<uint32_t>(static_cast<int32_t>(bits) >> 31) | 0x80000000u;  // float order -> unsigned order
  return uint64_t{bits} << 32 | triangle;
}

float DepthOf(uint64_t key) {
  uint32_t bits = static_cast<uint32_t>(key >> 32);
  bits = bits & 0x80000000u ? bits ^ 0x80000000u : ~bits;
  float depth;
  std::memcpy(&depth, &bits, 4);
  return depth;
}

constexpr uint8_t kWholeBox = 255;

// Pixels that a triangle may cover: those of an inclusive box or, if the box is at most 2 x 2, those whose bit is set in
// `pixels` (bit 0 upper left, 1 upper right, 2 lower left, 3 lower right).
struct Box {
  int32_t triangle;
  int16_t left, right, top, bottom;
  uint8_t pixels;
};

// Calls visit(triangle, px, py) for each pixel that the triangle may cover.
template <class Visit>
void ForEachPixel(const Box& box, const Visit& visit) {
  if (box.pixels == kWholeBox) {
    for (int py = box.top; py <= box.bottom; ++py)
      for (int px = box.left; px <= box.right; ++px) visit(box.triangle, px, py);
    return;
  }
  for (unsigned pixels = box.pixels; pixels != 0; pixels &= pixels - 1) {
    const int bit = __builtin_ctz(pixels);
    visit(box.triangle, box.left + (bit & 1), box.top + (bit >> 1));
  }
}

struct Point {
  float x, y;  // pixels, centers at integers
};

// Returns false if some vertex is not safely in front of the eye; the points are then not to be used.
SIRJAX_CLONES bool ProjectVertices(const Vertex* vertices, int64_t count, Frame frame, Point* points) {
  const float half_w = 0.5f * frame.width, half_h = 0.5f * frame.height;
  float nearest = 1.f, farthest = 0.f;
  for (int64_t i = 0; i < count; ++i) {
    const float inverse = 1.f / vertices[i].w, x = vertices[i].x * inverse, y = vertices[i].y * inverse;
    nearest = vertices[i].w < nearest ? vertices[i].w : nearest;
    const float ax = x < 0 ? -x : x, ay = y < 0 ? -y : y;
    farthest = ax > farthest ? ax : farthest;
    farthest = ay > farthest ? ay : farthest;
    points[i] = {x * half_w + (half_w - 0.5f), y * half_h + (half_h - 0.5f)};
  }
  return nearest > 1e-12f && farthest < 1e6f;
}

constexpr float kSlack = 1e-2f;   // pixels added around boxes, far above float rounding; Cover decides exactly
constexpr float kMargin = 1e-5f;  // the same for edge functions at neighboring pixels, times the image's larger side
constexpr int kBlock = 512;

// NaN ends up at `low`.
inline float Clamp(float value, float low, float high) {
  const float raised = value > low ? value : low;
  return raised < high ? raised : high;
}

inline float Least(float a, float b, float c) {
  const float ab = a < b ? a : b;
  return ab < c ? ab : c;
}

inline int CeilOf(float value, float side) { return static_cast<int>(side) - static_cast<int>(side - value); }
inline int FloorOf(float value) { return static_cast<int>(value + 1.f) - 1; }

// The corners of `count` triangles side by side. Compiled for the oldest instruction set, unlike the loops over them: plain
// loads are several times as fast as the gather instructions that a compiler would choose on newer ones.
void CopyPoints(const Point* __restrict points, const int32_t* __restrict triangles, int count, Point* __restrict a,
                Point* __restrict b, Point* __restrict c) {
  for (int k = 0; k < count; ++k)
    a[k] = points[triangles[3 * k]], b[k] = points[triangles[3 * k + 1]], c[k] = points[triangles[3 * k + 2]];
}

struct Boxes {  // the fields of kBlock boxes; no bit of `pixels` is set where there is no pixel center
  int16_t left[kBlock], right[kBlock], top[kBlock], bottom[kBlock];
  uint8_t pixels[kBlock];
};

// Pixel boxes of `count` triangles. Most are tiny: edge functions in float sort out their pixels at once. Branch-free, so
// that it runs on vectors.
SIRJAX_CLONES void FindBoxes(const Point* __restrict corner_a, const Point* __restrict corner_b,
                             const Point* __restrict corner_c, int count, Frame frame, Boxes* __restrict boxes) {
  const float w = static_cast<float>(frame.width), h = static_cast<float>(frame.height);
  const float margin = kMargin * (w > h ? w : h);
  for (int k = 0; k < count; ++k) {
    const Point a = corner_a[k], b = corner_b[k], c = corner_c[k];
    float min_x = a.x < b.x ? a.x : b.x, max_x = a.x < b.x ? b.x : a.x;
    float min_y = a.y < b.y ? a.y : b.y, max_y = a.y < b.y ? b.y : a.y;
    min_x = c.x < min_x ? c.x : min_x, max_x = c.x < max_x ? max_x : c.x;
    min_y = c.y < min_y ? c.y : min_y, max_y = c.y < max_y ? max_y : c.y;
    const int x0 = CeilOf(Clamp(min_x - kSlack, 0.f, w), w), x1 = FloorOf(Clamp(max_x + kSlack, -1.f, w - 1.f));
    const int y0 = CeilOf(Clamp(min_y - kSlack, 0.f, h), h), y1 = FloorOf(Clamp(max_y + kSlack, -1.f, h - 1.f));
    boxes->left[k] = static_cast<int16_t>(x0), boxes->right[k] = static_cast<int16_t>(x1);
    boxes->top[k] = static_cast<int16_t>(y0), boxes->bottom[k] = static_cast<int16_t>(y1);
    // Edge functions at the upper left pixel, made to be positive inside, and their change from pixel to pixel.
    const bool turns_left = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x) > 0;
    const float ax = a.x - x0, ay = a.y - y0;
    const float bx = (turns_left ? b.x : c.x) - x0, by = (turns_left ? b.y : c.y) - y0;
    const float cx = (turns_left ? c.x : b.x) - x0, cy = (turns_left ? c.y : b.y) - y0;
    const float e0 = bx * cy - by * cx, e1 = cx * ay - cy * ax, e2 = ax * by - ay * bx;
    const float r0 = e0 + (by - cy), r1 = e1 + (cy - ay), r2 = e2 + (ay - by);
    const float d0 = cx - bx, d1 = ax - cx, d2 = bx - ax;
    const int may0 = Least(e0, e1, e2) >= -margin, may1 = Least(r0, r1, r2) >= -margin;
    const int may2 = Least(e0 + d0, e1 + d1, e2 + d2) >= -margin, may3 = Least(r0 + d0, r1 + d1, r2 + d2) >= -margin;
    const int two_columns = x1 > x0, two_rows = y1 > y0, exists = (x0 <= x1) & (y0 <= y1);
    const int tiny = may0 + 2 * may1 * two_columns + 4 * may2 * two_rows + 8 * may3 * two_columns * two_rows;
    const int is_tiny = (x1 - x0 < 2) & (y1 - y0 < 2) & (max_x - min_x < 4.f) & (max_y - min_y < 4.f);
    boxes->pixels[k] = static_cast<uint8_t>(exists * (is_tiny * tiny + (1 - is_tiny) * kWholeBox));
  }
}

// Keeps the triangles first .. first + count - 1 that may cover a pixel center (about one in eight of a dense face mesh)
// and returns how many.
int BoxesInFront(const Point* points, const int32_t* triangles, int64_t first, int count, Frame frame, Box* boxes) {
  Point a[kBlock], b[kBlock], c[kBlock];
  Boxes all;
  CopyPoints(points, triangles + 3 * first, count, a, b, c);
  FindBoxes(a, b, c, count, frame, &all);
  int16_t numbers[kBlock];
  int kept = 0;
  for (int k = 0; k < count; ++k) {
    numbers[kept] = static_cast<int16_t>(k);
    kept += all.pixels[k] != 0;
  }
  for (int i = 0; i < kept; ++i) {
    const int k = numbers[i];
    boxes[i] = {static_cast<int32_t>(first + k), all.left[k], all.right[k], all.top[k], all.bottom[k], all.pixels[k]};
  }
  return kept;
}

// The same where some vertices lie behind the eye: a triangle that crosses the eye plane may be seen anywhere.
int BoxesAnywhere(const Vertex* vertices, const int32_t* triangles, int64_t first, int count, Frame frame, Box* boxes) {
  const float w = static_cast<float>(frame.width), h = static_cast<float>(frame.height);
  int kept = 0;
  for (int k = 0; k < count; ++k) {
    const int32_t* t = triangles + 3 * (first + k);
    const Vertex &a = vertices[t[0]], &b = vertices[t[1]], &c = vertices[t[2]];
    float min_x = 0, max_x = w - 1, min_y = 0, max_y = h - 1;
    if (a.w > 1e-6f && b.w > 1e-6f && c.w > 1e-6f) {
      const float xa = a.x / a.w, xb = b.x / b.w, xc = c.x / c.w, ya = a.y / a.w, yb = b.y / b.w, yc = c.y / c.w;
      min_x = Clamp((std::min({xa, xb, xc}) + 1) * 0.5f * w - 1, 0, w);
      max_x = Clamp((std::max({xa, xb, xc}) + 1) * 0.5f * w, -1, w - 1);
      min_y = Clamp((std::min({ya, yb, yc}) + 1) * 0.5f * h - 1, 0, h);
      max_y = Clamp((std::max({ya, yb, yc}) + 1) * 0.5f * h, -1, h - 1);
    }
    const Box box{static_cast<int32_t>(first + k), static_cast<int16_t>(min_x), static_cast<int16_t>(max_x),
                  static_cast<int16_t>(min_y), static_cast<int16_t>(max_y), kWholeBox};
    boxes[kept] = box;
    kept += box.left <= box.right && box.top <= box.bottom;
  }
  return kept;
}

}  // namespace
