// Part of rasterize_cpu.cc: pairs of a triangle and a pixel center, and the arithmetic on many of them at a time.
//
// The corners are copied side by side first, so that the loops over pairs run on vectors: fetching corners takes longer
// than all arithmetic on them. In double precision, as in coverage.cc; all instruction sets give the same bits.

namespace {

constexpr int kPairs = 128;

struct Pairs {
  int count = 0;
  int32_t triangle[kPairs], px[kPairs], py[kPairs];
  Vertex corners[3][kPairs];

  bool full() const { return count == kPairs; }

  void Add(int32_t number, int column, int row) {
    triangle[count] = number, px[count] = column, py[count] = row;
    ++count;
  }

  // The first loop asks for all corners at once: one image's vertices do not fit into the fastest caches.
  void CopyCorners(const Vertex* vertices, const int32_t* triangles) {
    for (int k = 0; k < count; ++k)
      for (int i = 0; i < 3; ++i) __builtin_prefetch(vertices + triangles[3 * int64_t{triangle[k]} + i]);
    for (int k = 0; k < count; ++k)
      for (int i = 0; i < 3; ++i) corners[i][k] = vertices[triangles[3 * int64_t{triangle[k]} + i]];
  }

  Corners At(int k, Frame frame) const { return {corners[0][k], corners[1][k], corners[2][k], frame, px[k], py[k]}; }
};

enum Outcome : uint8_t { kMissed = 0, kHit = 1, kOnEdge = 2 };

// Whether each triangle covers its pixel center (kOnEdge: OwnsEdges has to decide) and how deep it is there.
SIRJAX_CLONES void Cover(const Pairs& __restrict pairs, Frame frame, uint8_t* __restrict outcome,
                         float* __restrict depth) {
  const Vertex *p0 = pairs.corners[0], *p1 = pairs.corners[1], *p2 = pairs.corners[2];
  for (int k = 0; k < pairs.count; ++k) {
    const Areas a = pairs.At(k, frame).areas();
    const double total = a.a0 + a.a1 + a.a2;
    const double z = p0[k].z * a.a0 + p1[k].z * a.a1 + p2[k].z * a.a2;
    const double w = p0[k].w * a.a0 + p1[k].w * a.a1 + p2[k].w * a.a2;
    const float d = static_cast<float>(z / w);
    const int left = (a.a0 >= 0) & (a.a1 >= 0) & (a.a2 >= 0), right = (a.a0 <= 0) & (a.a1 <= 0) & (a.a2 <= 0);
    const int in_front = w * total > 0;  // false also for triangles of no area and for NaN
    const int covers = (left | right) & in_front & (d >= -1.f) & (d <= 1.f);
    const int on_edge = (a.a0 == 0) | (a.a1 == 0) | (a.a2 == 0);
    outcome[k] = static_cast<uint8_t>(covers * (1 + on_edge));
    depth[k] = d;
  }
}

// Whether the pixel center belongs to this triangle and not to the one beyond the edge that it lies on.
bool OwnsEdges(const Pairs& pairs, int k, Frame frame) {
  const Vertex &p0 = pairs.corners[0][k], &p1 = pairs.corners[1][k], &p2 = pairs.corners[2][k];
  const Areas a = pairs.At(k, frame).areas();
  const double total = a.a0 + a.a1 + a.a2;
  return (a.a0 != 0 || OwnsEdge(p1, p2, total)) && (a.a1 != 0 || OwnsEdge(p2, p0, total)) &&
         (a.a2 != 0 || OwnsEdge(p0, p1, total));
}

// Barycentric coordinates of each pixel center.
SIRJAX_CLONES void Weights(const Pairs& __restrict pairs, Frame frame, float* __restrict w0, float* __restrict w1,
                         float* __restrict w2) {
  for (int k = 0; k < pairs.count; ++k) {
    const Areas a = pairs.At(k, frame).areas();
    const double inverse = 1 / (a.a0 + a.a1 + a.a2);
    w0[k] = static_cast<float>(a.a0 * inverse);
    w1[k] = static_cast<float>(a.a1 * inverse);
    w2[k] = static_cast<float>(a.a2 * inverse);
  }
}

struct PairGradients {
  float g[3][kPairs];                              // by the barycentric coordinates: given
  float x[3][kPairs], y[3][kPairs], w[3][kPairs];  // by the corners: computed
};

// With b_i = a_i / sum(a) and g = dL/db: dL/da_i = (g_i - g . b) / sum(a); a is bilinear in the relative positions, which
// depend on x (times W), y (times H) and w (times minus the pixel center). z does not matter.
SIRJAX_CLONES void MoveCorners(const Pairs& __restrict pairs, Frame frame, PairGradients* __restrict d) {
  for (int k = 0; k < pairs.count; ++k) {
    const Corners c = pairs.At(k, frame);
    const Areas a = c.areas();
    const float g0 = d->g[0][k], g1 = d->g[1][k], g2 = d->g[2][k];
    const double inverse = 1 / (a.a0 + a.a1 + a.a2);
    const double mean = (g0 * a.a0 + g1 * a.a1 + g2 * a.a2) * inverse;
    const double h0 = (g0 - mean) * inverse, h1 = (g1 - mean) * inverse, h2 = (g2 - mean) * inverse;
    const double column = 2 * pairs.px[k] + 1 - frame.width, row = 2 * pairs.py[k] + 1 - frame.height;
    const double gx[3] = {h2 * c.y1 - h1 * c.y2, h0 * c.y2 - h2 * c.y0, h1 * c.y0 - h0 * c.y1};
    const double gy[3] = {h1 * c.x2 - h2 * c.x1, h2 * c.x0 - h0 * c.x2, h0 * c.x1 - h1 * c.x0};
    for (int i = 0; i < 3; ++i) {
      d->x[i][k] = static_cast<float>(gx[i] * frame.width);
      d->y[i][k] = static_cast<float>(gy[i] * frame.height);
      d->w[i][k] = static_cast<float>(gx[i] * column + gy[i] * row);
    }
  }
}

// The functions below use up all pairs, with their corners: the list is empty afterwards.

void Draw(Pairs* pairs, Frame frame, uint64_t* keys) {
  uint8_t outcome[kPairs];
  float depth[kPairs];
  Cover(*pairs, frame, outcome, depth);
  for (int k = 0; k < pairs->count; ++k) {
    if (outcome[k] == kMissed || (outcome[k] == kOnEdge && !OwnsEdges(*pairs, k, frame))) continue;
    uint64_t& key = keys[int64_t{pairs->py[k]} * frame.width + pairs->px[k]];
    key = std::min(key, Key(depth[k], static_cast<uint32_t>(pairs->triangle[k])));
  }
  pairs->count = 0;
}

void Weigh(Pairs* pairs, Frame frame, float* weights) {
  float w0[kPairs], w1[kPairs], w2[kPairs];
  Weights(*pairs, frame, w0, w1, w2);
  for (int k = 0; k < pairs->count; ++k) {
    float* out = weights + 3 * (int64_t{pairs->py[k]} * frame.width + pairs->px[k]);
    out[0] = w0[k], out[1] = w1[k], out[2] = w2[k];
  }
  pairs->count = 0;
}

void AddGradients(Pairs* pairs, Frame frame, const int32_t* triangles, PairGradients* gradients, Vertex* out) {
  MoveCorners(*pairs, frame, gradients);
  for (int k = 0; k < pairs->count; ++k)
    for (int i = 0; i < 3; ++i) {
      Vertex& v = out[triangles[3 * int64_t{pairs->triangle[k]} + i]];
      v.x += gradients->x[i][k], v.y += gradients->y[i][k], v.w -= gradients->w[i][k];
    }
  pairs->count = 0;
}

}  // namespace
