// The states of the scans at the bounds of chunks, and on the way back their gradients.
//
// With w_s = e^{a_end - a_s} dt_s a chunk takes the state H (P, n) of a head to e^{a_end} H + sum_s w_s x_s (x) B_s. The gradient of the
// state at a chunk's end goes the other way in the same form: e^{a_end} dH + sum_t e^{a_t} dy_t (x) C_t. A sequence is cut into segments of
// several chunks: first each segment's end from zero, then from segment to segment, then again within segments with all states stored. So
// few states are kept in f32, and one long sequence keeps a GPU busy.
#include "bimamba.cuh"

// A state to where all are, eight elements a thread where it has N columns.
template <class T> __device__ __forceinline__ void store_state(T* to, const float* state, int n) {
    if (n != N) {
        each_element([&](int p, int c) {
            if (c < n) to[p * n + c] = from_float<T>(state[p * LDN + c]);
        });
        return;
    }
    struct __align__(16) Four {
        float x[4];
    };
#pragma unroll
    for (int start = 0; start < P * N / 8; start += THREADS) {
        int i = start + threadIdx.x;
        const Four* from = reinterpret_cast<const Four*>(state + i / (N / 8) * LDN + i % (N / 8) * 8);
        Four low = from[0], high = from[1];
        __align__(16) T out[8];
#pragma unroll
        for (int j = 0; j < 4; j++) {
            out[j] = from_float<T>(low.x[j]);
            out[j + 4] = from_float<T>(high.x[j]);
        }
        for (unsigned j = 0; j < sizeof(out) / 16; j++) reinterpret_cast<Pack*>(to + 8 * i)[j] = reinterpret_cast<const Pack*>(out)[j];
    }
}

// The states that enter the chunks of a segment, in the scan's element type (2, chunks, heads, P, n); or where `states` is null the segment's
// end from zero, f32 (2, segments, heads, P, n), and its decay, the sum of a_end. `entering` null: all segments start from zero.
// Block: a segment and a head (x; heads next to one another read the same B), and a direction (z). Table of segments: first chunk, chunks, whether first and whether last of its sequence.
// `dy` null: forward. Shared: H f32 (P, N), x and B of a chunk (64, 64) and (64, N), weights (64).
template <class T>
__device__ void bimamba_states(const T* xbc, const T* dy, const float* dt, const float* a, const unsigned* chunks, const unsigned* segments,
                               const float* entering, float* ends, float* decays, T* states, int all_chunks, int all_segments, Sizes s) {
    SHARED(float, state);
    T* right = reinterpret_cast<T*>(state + P * LDN);
    T* left = right + Q * LDN;
    float* weight = reinterpret_cast<float*>(left + Q * LD);
    int head = blockIdx.x % s.heads(), number = blockIdx.x / s.heads(), direction = blockIdx.z;
    bool descending = (direction == 1) == (dy == nullptr);
    const unsigned* segment = segments + 4 * number;
    int first = segment[0], count = segment[1];
    if (!states && segment[descending ? 2 : 3]) return; // nothing follows in its sequence
    size_t own = ((size_t)direction * all_segments + number) * s.heads() + head;
    each_element([&](int p, int c) { state[p * LDN + c] = entering && c < s.n ? entering[(own * P + p) * s.n + c] : 0.0f; });
    size_t steps = ((size_t)direction * s.heads() + head) * s.rows;
    const T* x = xbc + (size_t)direction * s.rows * s.conv_dim();
    float decay = 0.0f;
    for (int i = 0; i < count; i++) {
        int chunk = first + (descending ? count - 1 - i : i);
        Span rows = span(chunks, chunk, direction);
        float end = a[steps + rows.row(rows.len - 1)];
        __syncthreads();
        if (states) {
            T* to = states + (((size_t)direction * all_chunks + chunk) * s.heads() + head) * P * s.n;
            store_state(to, state, s.n);
            if (i + 1 == count) break;
        }
        for (int t = threadIdx.x; t < Q; t += THREADS) {
            size_t at = steps + rows.row(min(t, rows.len - 1));
            weight[t] = dy ? __expf(a[at]) : __expf(end - a[at]) * dt[at];
        }
        if (dy) {
            load_tile<P>(left, dy + (size_t)direction * s.rows * s.d + head * P, s.d, rows, P);
            load_tile<N>(right, x + s.d + s.n, s.conv_dim(), rows, s.n);
        } else {
            load_tile<P>(left, x + head * P, s.conv_dim(), rows, P);
            load_tile<N>(right, x + s.d, s.conv_dim(), rows, s.n);
        }
        __syncthreads();
        scale_rows(left, weight);
        float kept = __expf(end);
        each_element([&](int p, int c) { state[p * LDN + c] *= kept; });
        decay += end;
        __syncthreads();
        product<COLUMNS, ROWS>(state, LDN, left, LD, right, LDN, P, N, Q, true);
    }
    if (states) return;
    __syncthreads();
    each_element([&](int p, int c) {
        if (c < s.n) ends[(own * P + p) * s.n + c] = state[p * LDN + c];
    });
    if (threadIdx.x == 0) decays[own] = decay;
}

extern "C" __global__ void __launch_bounds__(THREADS, 3)
    bimamba_states_f32(const float* xbc, const float* dy, const float* dt, const float* a, const unsigned* chunks, const unsigned* segments,
                       const float* entering, float* ends, float* decays, float* states, int all_chunks, int all_segments, int rows, int d, int n, int k) {
    bimamba_states(xbc, dy, dt, a, chunks, segments, entering, ends, decays, states, all_chunks, all_segments, Sizes{rows, d, n, k});
}
EXPORT(bimamba_states_f32)
extern "C" __global__ void __launch_bounds__(THREADS, 3)
    bimamba_states_bf16(const bf16* xbc, const bf16* dy, const float* dt, const float* a, const unsigned* chunks, const unsigned* segments,
                        const float* entering, float* ends, float* decays, bf16* states, int all_chunks, int all_segments, int rows, int d, int n, int k) {
    bimamba_states(xbc, dy, dt, a, chunks, segments, entering, ends, decays, states, all_chunks, all_segments, Sizes{rows, d, n, k});
}
EXPORT(bimamba_states_bf16)

// The ends of segments from zero become the states that enter them. Table of sequences: first segment, segments.
// Block: a sequence (x), a head (y), a direction (low bit of z) and blockDim elements of the state (the rest of z), a thread each.
extern "C" __global__ void __launch_bounds__(256)
    bimamba_pass(float* ends, const float* decays, const unsigned* sequences, int all_segments, int heads, int elements, int backward) {
    int direction = blockIdx.z & 1, element = (blockIdx.z >> 1) * blockDim.x + threadIdx.x;
    if (element >= elements) return;
    int first = sequences[2 * blockIdx.x], count = sequences[2 * blockIdx.x + 1];
    bool descending = (direction == 1) != (backward == 1);
    float state = 0.0f;
    for (int i = 0; i < count; i++) {
        int segment = first + (descending ? count - 1 - i : i);
        size_t own = ((size_t)direction * all_segments + segment) * heads + blockIdx.y;
        float* at = ends + own * elements + element;
        float end = i + 1 < count ? *at : 0.0f;
        *at = state;
        if (i + 1 < count) state = __expf(decays[own]) * state + end;
    }
}
EXPORT(bimamba_pass)
