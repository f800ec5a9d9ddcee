// Boundary probabilities: cosines of neighbours. A warp a row.
#include "common.cuh"

constexpr float MIN_NORM = 1e-12f;

// Whether `row` is among the `n` ascending `starts`.
__device__ __forceinline__ bool is_start(const unsigned* starts, int n, unsigned row) {
    int low = 0, high = n;
    while (low < high) {
        int middle = (low + high) / 2;
        if (starts[middle] < row) low = middle + 1;
        else high = middle;
    }
    return low < n && starts[low] == row;
}

// p (rows) = clamp((1 - s) / 2, 0, 1), 1 at the start of a sequence, with s_t = (q_{t-1} . k_t + q_t . k_{t-1}) / 2 of unit vectors.
// For the way back `kept` (3, rows): reciprocal norms of q and of k, and s, which is 2 at the start of a sequence.
extern "C" __global__ void __launch_bounds__(256)
    boundary_prob(const float* q, const float* k, const unsigned* starts, int n_starts, float* p, float* kept, int rows, int d) {
    int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (row >= rows) return;
    bool start = is_start(starts, n_starts, row);
    size_t at = (size_t)row * d, before = start ? at : at - d;
    float qq = 0.0f, kk = 0.0f, qq_before = 0.0f, kk_before = 0.0f, forward = 0.0f, backward = 0.0f;
    for (int c = threadIdx.x & 31; c < d; c += 32) {
        float q1 = q[at + c], k1 = k[at + c], q0 = q[before + c], k0 = k[before + c];
        qq += q1 * q1;
        kk += k1 * k1;
        qq_before += q0 * q0;
        kk_before += k0 * k0;
        forward += q0 * k1;
        backward += q1 * k0;
    }
    float to_q = 1.0f / fmaxf(sqrtf(warp_sum(qq)), MIN_NORM), to_k = 1.0f / fmaxf(sqrtf(warp_sum(kk)), MIN_NORM);
    float to_q0 = 1.0f / fmaxf(sqrtf(warp_sum(qq_before)), MIN_NORM), to_k0 = 1.0f / fmaxf(sqrtf(warp_sum(kk_before)), MIN_NORM);
    float s = 0.5f * (warp_sum(forward) * to_q0 * to_k + warp_sum(backward) * to_q * to_k0);
    if ((threadIdx.x & 31) == 0) {
        p[row] = start ? 1.0f : fminf(fmaxf(0.5f * (1.0f - s), 0.0f), 1.0f);
        kept[row] = to_q;
        kept[(size_t)rows + row] = to_k;
        kept[2 * (size_t)rows + row] = start ? 2.0f : s;
    }
}
EXPORT(boundary_prob)

// Gradient of s at `row`: none where p was clamped, at a start of a sequence, and behind the last row.
__device__ __forceinline__ float of_s(const float* s, const float* dp, int row, int rows) {
    return row < rows && fabsf(s[row]) <= 1.0f ? -0.5f * dp[row] : 0.0f;
}

// One side of one row: du_t = (ds_t v_{t-1} + ds_{t+1} v_{t+1}) / 2 in unit vectors, then through the normalisation of its own row u.
__device__ __forceinline__ void side(const float* u, const float* v, const float* to_u, const float* to_v, float ds, float ds_next, float* du, int row,
                                     int d) {
    size_t at = (size_t)row * d;
    // A factor of 0 may belong to a row that is not there.
    const float *before = v + (ds != 0.0f ? at - d : at), *after = v + (ds_next != 0.0f ? at + d : at);
    float a = ds != 0.0f ? 0.5f * ds * to_v[row - 1] : 0.0f, b = ds_next != 0.0f ? 0.5f * ds_next * to_v[row + 1] : 0.0f, scale = to_u[row];
    float along = 0.0f;
    for (int c = threadIdx.x & 31; c < d; c += 32) along += u[at + c] * (a * before[c] + b * after[c]);
    along = warp_sum(along) * scale * scale;
    for (int c = threadIdx.x & 31; c < d; c += 32) du[at + c] = scale * (a * before[c] + b * after[c] - u[at + c] * along);
}

extern "C" __global__ void __launch_bounds__(256)
    boundary_prob_backward(const float* q, const float* k, const float* kept, const float* dp, float* dq, float* dk, int rows, int d) {
    int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (row >= rows) return;
    const float *to_q = kept, *to_k = kept + rows, *s = to_k + rows;
    float ds = of_s(s, dp, row, rows), ds_next = of_s(s, dp, row + 1, rows);
    side(q, k, to_q, to_k, ds, ds_next, dq, row, d);
    side(k, q, to_k, to_q, ds, ds_next, dk, row, d);
}
EXPORT(boundary_prob_backward)
