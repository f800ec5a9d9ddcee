// Rows chosen by number, what goes back to them, and the choice itself. All f32.
#include "common.cuh"

// out (n, d) = rows `index` of x. One warp a row.
extern "C" __global__ void __launch_bounds__(256) gather_rows(const float* x, const unsigned* index, float* out, int n, int d) {
    int i = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x & 31;
    if (i >= n) return;
    size_t from = (size_t)index[i] * d, to = (size_t)i * d;
    for (int c = lane; c < d; c += 32) out[to + c] = x[from + c];
}
EXPORT(gather_rows)

// The inverse: row index[i] of out (rows, d) is row i of g (n, d), other rows are 0; `index` ascends. One warp a row, which looks itself up.
extern "C" __global__ void __launch_bounds__(256) spread_rows(const float* g, const unsigned* index, float* out, int rows, int n, int d) {
    int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x & 31;
    if (row >= rows) return;
    int first = 0;
    for (int size = n; size > 0;) {
        int half = size / 2;
        if (index[first + half] < (unsigned)row) {
            first += half + 1;
            size -= half + 1;
        } else size = half;
    }
    bool chosen = first < n && index[first] == (unsigned)row;
    size_t to = (size_t)row * d, from = (size_t)first * d;
    for (int c = lane; c < d; c += 32) out[to + c] = chosen ? g[from + c] : 0.0f;
}
EXPORT(spread_rows)

// Sums of the rows of g (n, d) that chose each row of a small table (rows, d), over parts of `per_part` rows: (parts, rows * d). A block takes
// 32 channels and a part, its warps take rows in turn. Shared: rows * 32 f32 a warp.
extern "C" __global__ void __launch_bounds__(256) sum_rows(const float* g, const unsigned* index, float* out, int rows, int n, int d, int per_part) {
    SHARED(float, sums);
    int warps = blockDim.x / 32, warp = threadIdx.x / 32, lane = threadIdx.x & 31, c = blockIdx.x * 32 + lane;
    float* own = sums + warp * rows * 32;
    for (int r = 0; r < rows; r++) own[r * 32 + lane] = 0.0f;
    int first = blockIdx.y * per_part, last = min(first + per_part, n);
    if (c < d)
        for (int i = first + warp; i < last; i += warps) own[index[i] * 32 + lane] += g[(size_t)i * d + c];
    __syncthreads();
    if (c >= d) return;
    for (int r = warp; r < rows; r += warps) {
        float total = 0.0f;
        for (int w = 0; w < warps; w++) total += sums[(w * rows + r) * 32 + lane];
        out[((size_t)blockIdx.y * rows + r) * d + c] = total;
    }
}
EXPORT(sum_rows)

// out (n, d): mean (at null) or largest of the rows starts[i]..starts[i + 1] of x; `at` (n, d) then gets the row of the largest, of equal ones the
// first. A block takes a sequence and 32 channels, its warps take rows in turn. Shared: 64 numbers a warp.
extern "C" __global__ void __launch_bounds__(256) pool_rows(const float* x, const unsigned* starts, float* out, unsigned* at, int d) {
    SHARED(float, best);
    int warps = blockDim.x / 32, warp = threadIdx.x / 32, lane = threadIdx.x & 31, c = blockIdx.x * 32 + lane;
    unsigned* rows = (unsigned*)(best + warps * 32);
    unsigned first = starts[blockIdx.y], end = starts[blockIdx.y + 1];
    float own = at ? -INFINITY : 0.0f;
    unsigned row = first;
    if (c < d)
        for (unsigned r = first + warp; r < end; r += warps) {
            float value = x[(size_t)r * d + c];
            if (!at) own += value;
            else if (value > own) {
                own = value;
                row = r;
            }
        }
    best[warp * 32 + lane] = own;
    rows[warp * 32 + lane] = row;
    __syncthreads();
    if (warp > 0 || c >= d) return;
    for (int w = 1; w < warps; w++) {
        float other = best[w * 32 + lane];
        unsigned there = rows[w * 32 + lane];
        if (!at) own += other;
        else if (other > own || (other == own && there < row)) {
            own = other;
            row = there;
        }
    }
    size_t to = (size_t)blockIdx.y * d + c;
    out[to] = at ? own : own / (end - first);
    if (at) at[to] = row;
}
EXPORT(pool_rows)

// The way back: every row of out (rows, d) gets its share of the gradient of its sequence, or all of it where it was the largest. One warp a row.
extern "C" __global__ void __launch_bounds__(256) unpool_rows(const float* g, const unsigned* starts, const unsigned* at, float* out, int rows, int n, int d) {
    int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x & 31;
    if (row >= rows) return;
    int low = 0, high = n; // the last sequence that starts at or before the row
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (starts[middle] <= (unsigned)row) low = middle;
        else high = middle;
    }
    float share = 1.0f / (starts[low + 1] - starts[low]);
    size_t from = (size_t)low * d, to = (size_t)row * d;
    for (int c = lane; c < d; c += 32) out[to + c] = at ? (at[from + c] == (unsigned)row ? g[from + c] : 0.0f) : g[from + c] * share;
}
EXPORT(unpool_rows)

// How many of each block's 1024 probabilities are above the threshold. 256 threads; shared: a float a warp.
extern "C" __global__ void __launch_bounds__(256) count_kept(const float* p, unsigned* counts, int n, float threshold) {
    SHARED(float, scratch);
    float kept = 0.0f;
    for (int i = blockIdx.x * 1024 + threadIdx.x; i < min((int)(blockIdx.x + 1) * 1024, n); i += 256) kept += p[i] > threshold ? 1.0f : 0.0f;
    float total = block_sum(kept, scratch);
    if (threadIdx.x == 0) counts[blockIdx.x] = (unsigned)total;
}
EXPORT(count_kept)

// Compaction by prefix sums: out[0] is the number of rows above the threshold, then their numbers, ascending. Each block adds up the counts of
// the blocks before it, then places its own rows, four to a thread. 256 threads; shared: 9 unsigned.
extern "C" __global__ void __launch_bounds__(256) place_kept(const float* p, const unsigned* counts, unsigned* out, int n, float threshold) {
    SHARED(unsigned, warps);
    int warp = threadIdx.x / 32, lane = threadIdx.x & 31;
    unsigned before = 0;
    for (unsigned b = threadIdx.x; b < blockIdx.x; b += 256) before += counts[b];
    for (int bits = 16; bits > 0; bits >>= 1) before += __shfl_xor_sync(0xffffffffu, before, bits);
    if (lane == 0) warps[warp] = before;
    __syncthreads();
    before = 0;
    for (int w = 0; w < 8; w++) before += warps[w];
    __syncthreads();
    int first = blockIdx.x * 1024 + threadIdx.x * 4;
    unsigned own = 0;
    for (int i = first; i < min(first + 4, n); i++) own += p[i] > threshold;
    unsigned upto = own;
    for (int by = 1; by < 32; by <<= 1) {
        unsigned other = __shfl_up_sync(0xffffffffu, upto, by);
        if (lane >= by) upto += other;
    }
    if (lane == 31) warps[warp] = upto;
    __syncthreads();
    unsigned at = before + upto - own;
    for (int w = 0; w < warp; w++) at += warps[w];
    for (int i = first; i < min(first + 4, n); i++)
        if (p[i] > threshold) out[1 + at++] = i;
    if (blockIdx.x == gridDim.x - 1 && threadIdx.x == 255) out[0] = at;
}
EXPORT(place_kept)
