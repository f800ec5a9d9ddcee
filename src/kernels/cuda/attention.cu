// Attention in both directions within a window, with rotary positions; softmax in one pass over blocks of keys (Dao 2023).
//
// A block owns 64 rows of one sequence, as `blocks` lists them (first row of the sequence, row behind its last, first row of the block), and
// one head, and goes over the rows that its own can see, `step` (16, 32 or 64) at a time. Its 256 threads are four to a row for the softmax.
// Matrices in shared memory are `width` wide, head_dim rounded up to 16s, and what lies outside a head or a sequence is 0 in them.
#include "tile.cuh"

constexpr int BLOCK = 64;

// Elements from one row to the next in shared memory, so that rows start in different banks. f32 products need no alignment.
template <class T> struct Pad {
    static constexpr int of = 8;
};
template <> struct Pad<float> {
    static constexpr int of = 1;
};

// 16 bytes.
template <class T> struct alignas(16) Pack {
    T x[16 / sizeof(T)];
};

struct Own {
    int start, len, at, rows; // the sequence's first row and length; the block's first position in it and its rows
};

__device__ __forceinline__ Own own_rows(const unsigned* blocks) {
    const unsigned* b = blocks + (size_t)blockIdx.x * 3;
    Own own = {(int)b[0], (int)(b[1] - b[0]), (int)(b[2] - b[0]), 0};
    own.rows = min(BLOCK, own.len - own.at);
    return own;
}

// `count` rows of a head, `stride` apart in global memory, of which the first `valid` are there.
template <class T> __device__ __forceinline__ void load(T* to, const T* from, size_t stride, int count, int valid, int hd, int width) {
    constexpr int N = 16 / sizeof(T);
    int ld = width + Pad<T>::of;
    if (sizeof(T) == 2 && (((size_t)from | stride * sizeof(T) | hd * sizeof(T)) & 15) == 0) {
        for (int i = threadIdx.x; i < count * (width / N); i += blockDim.x) {
            int row = i / (width / N), c = i % (width / N) * N;
            Pack<T> pack = {};
            if (row < valid && c < hd) pack = *reinterpret_cast<const Pack<T>*>(from + row * stride + c);
            *reinterpret_cast<Pack<T>*>(to + row * ld + c) = pack;
        }
    } else {
        for (int i = threadIdx.x; i < count * width; i += blockDim.x) {
            int row = i / width, c = i % width;
            to[row * ld + c] = row < valid && c < hd ? from[row * stride + c] : from_float<T>(0.0f);
        }
    }
}

// Over the four threads of a row.
__device__ __forceinline__ float row_max(float v) {
    v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, 1));
    return fmaxf(v, __shfl_xor_sync(0xffffffffu, v, 2));
}
__device__ __forceinline__ float row_sum(float v) {
    v += __shfl_xor_sync(0xffffffffu, v, 1);
    return v + __shfl_xor_sync(0xffffffffu, v, 2);
}

// Positions that position i sees, and is seen by; none where it is behind the sequence.
struct Sight {
    int low;
    unsigned count;
    __device__ __forceinline__ bool operator()(int j) const { return (unsigned)(j - low) < count; }
};

__device__ __forceinline__ Sight sight(int i, int window, int len) {
    int low = max(i - window, 0);
    return {low, i < len ? (unsigned)(min(i + window + 1, len) - low) : 0u};
}

// turned (rows, 2 d) = q and k of qkv (rows, 3 d): channel c < half of a head with c + half, by the angle position * frequency[c].
// One block: 64 rows, a warp a row. Shared: 128 `half` f32.
template <class T> __device__ void attention_rotate(const T* qkv, const unsigned* blocks, const float* frequency, T* turned, int d, int hd, int half) {
    SHARED(float, cosines);
    float* sines = cosines + BLOCK * half;
    Own own = own_rows(blocks);
    for (int i = threadIdx.x; i < own.rows * half; i += blockDim.x) {
        float angle = (float)(own.at + i / half) * frequency[i % half];
        cosines[i] = cosf(angle);
        sines[i] = sinf(angle);
    }
    __syncthreads();
    for (int row = threadIdx.x / 32; row < own.rows; row += blockDim.x / 32) {
        size_t global = (size_t)own.start + own.at + row;
        const T* from = qkv + global * 3 * d;
        T* to = turned + global * 2 * d;
        const float *cosine = cosines + row * half, *sine = sines + row * half;
        for (int head = 0; head < 2 * d; head += hd)
            for (int c = threadIdx.x & 31; c < hd; c += 32) {
                float x = to_float(from[head + c]);
                if (c < half) x = x * cosine[c] - to_float(from[head + c + half]) * sine[c];
                else if (c < 2 * half) x = x * cosine[c - half] + to_float(from[head + c - half]) * sine[c - half];
                to[head + c] = from_float<T>(x);
            }
    }
}

// out (rows, d) = softmax(q k^T scale) v, and the log-sum-exp of each query's scores, (heads, rows).
// Shared: scores 64 x (step + 4), out 64 x (width + 4), 64 f32; q, k, v (64 + 2 step) x (width + 8).
template <class T>
__device__ void attention(const T* qk, const T* qkv, const unsigned* blocks, T* out, float* lse, int rows, int d, int hd, int window, int step, float scale) {
    SHARED(float, s);
    int width = (hd + 15) / 16 * 16, ld = width + Pad<T>::of, lds = step + 4, ldo = width + 4, ldp = lds * (4 / sizeof(T)), head = blockIdx.y;
    float *o = s + BLOCK * lds, *inverse = o + BLOCK * ldo;
    T *q = reinterpret_cast<T*>(inverse + BLOCK), *k = q + BLOCK * ld, *v = k + step * ld, *p = reinterpret_cast<T*>(s);
    Own own = own_rows(blocks);
    size_t first = (size_t)own.start + own.at;
    load(q, qk + first * 2 * d + head * hd, 2 * d, BLOCK, own.rows, hd, width);
    int row = threadIdx.x / 4, quarter = threadIdx.x & 3;
    Sight sees = sight(own.at + row, window, own.len);
    // A row that has seen no key keeps a floor, so that floor - score is far below zero and floor - floor is zero.
    const float FLOOR = -1e30f;
    float top = FLOOR, sum = 0.0f;
    int begin = max(own.at - window, 0) / step * step, end = min(own.at + BLOCK + window, own.len);
    for (int at = begin; at < end; at += step) {
        size_t from = (size_t)own.start + at;
        __syncthreads();
        load(k, qk + from * 2 * d + d + head * hd, 2 * d, step, own.len - at, hd, width);
        load(v, qkv + from * 3 * d + 2 * d + head * hd, 3 * d, step, own.len - at, hd, width);
        __syncthreads();
        product<ROWS, COLUMNS>(s, lds, q, ld, k, ld, BLOCK, step, width, false);
        __syncthreads();
        float x[BLOCK / 4], before = top;
#pragma unroll
        for (int n = 0; n < BLOCK / 4; n++)
            if (4 * n < step) {
                int c = quarter + 4 * n;
                x[n] = sees(at + c) ? s[row * lds + c] * scale : -INFINITY;
                top = fmaxf(top, x[n]);
            }
        top = row_max(top);
        float keep = __expf(before - top), part = 0.0f;
        __syncwarp(); // p takes the place of s
#pragma unroll
        for (int n = 0; n < BLOCK / 4; n++)
            if (4 * n < step) {
                float e = __expf(x[n] - top);
                part += e;
                p[row * ldp + quarter + 4 * n] = from_float<T>(e);
            }
        sum = sum * keep + row_sum(part);
        if (at > begin && keep != 1.0f)
            for (int c = quarter; c < width; c += 4) o[row * ldo + c] *= keep;
        __syncthreads();
        product<ROWS, ROWS>(o, ldo, p, ldp, v, ld, BLOCK, width, step, at > begin);
    }
    if (quarter == 0) {
        inverse[row] = 1.0f / sum;
        if (row < own.rows) lse[(size_t)head * rows + first + row] = top + logf(sum);
    }
    __syncthreads();
    for (int i = threadIdx.x; i < own.rows * hd; i += blockDim.x) {
        int r = i / hd, c = i % hd;
        out[(first + r) * d + head * hd + c] = from_float<T>(o[r * ldo + c] * inverse[r]);
    }
}

// delta (heads, rows) = sum over a head's channels of dout * out. One warp a row and head.
template <class T> __device__ void attention_delta(const T* out, const T* dout, float* delta, int rows, int d, int hd) {
    int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, head = blockIdx.y;
    if (row >= rows) return;
    size_t at = (size_t)row * d + head * hd;
    float sum = 0.0f;
    for (int c = threadIdx.x & 31; c < hd; c += 32) sum += to_float(out[at + c]) * to_float(dout[at + c]);
    sum = warp_sum(sum);
    if ((threadIdx.x & 31) == 0) delta[(size_t)head * rows + row] = sum;
}

// A block's gradient to its place, times `scale`, turned back where `half` is not 0.
template <class T>
__device__ __forceinline__ void store(T* to, const float* from, int ld, const Own& own, int d, int hd, const float* frequency, int half, float scale) {
    for (int i = threadIdx.x; i < own.rows * hd; i += blockDim.x) {
        int row = i / hd, c = i % hd;
        const float* x = from + row * ld;
        float v = x[c];
        if (c < 2 * half) {
            int pair = c < half ? c : c - half;
            float angle = (float)(own.at + row) * frequency[pair], sine = sinf(angle);
            v = v * cosf(angle) + (c < half ? x[c + half] * sine : -x[pair] * sine);
        }
        to[(size_t)row * 3 * d + c] = from_float<T>(v * scale);
    }
}

// With P = exp(q k^T scale - lse) and dS = P (dout v^T - delta): dq = scale dS k by blocks of queries (KEYS false), or dk = scale dS^T q and
// dv = P^T dout by blocks of keys (KEYS true). `a` and `b` are the block's own rows of q and dout, or of k and v; `c` and `e` the others.
// Shared: scores and their gradient 64 x (step + 4) each, sums 64 x (width + 4) one or two, 128 f32; a, b, c, e (128 + 2 step) x (width + 8).
template <class T, bool KEYS>
__device__ void attention_backward(const T* qk, const T* qkv, const T* dout, const unsigned* blocks, const float* frequency, const float* lse,
                                   const float* delta, T* dqkv, int rows, int d, int hd, int half, int window, int step, float scale) {
    SHARED(float, s);
    int width = (hd + 15) / 16 * 16, ld = width + Pad<T>::of, lds = step + 4, ldo = width + 4, ldp = lds * (4 / sizeof(T)), head = blockIdx.y;
    float *g = s + BLOCK * lds, *sum = g + BLOCK * lds, *dv = sum + BLOCK * ldo, *stats = KEYS ? dv + BLOCK * ldo : dv;
    T *a = reinterpret_cast<T*>(stats + 2 * BLOCK), *b = a + BLOCK * ld, *c = b + BLOCK * ld, *e = c + step * ld;
    T *p = reinterpret_cast<T*>(s), *ds = reinterpret_cast<T*>(g);
    Own own = own_rows(blocks);
    size_t first = (size_t)own.start + own.at;
    const T *q = qk + head * hd, *k = q + d, *v = qkv + 2 * d + head * hd, *dy = dout + head * hd;
    lse += (size_t)head * rows;
    delta += (size_t)head * rows;
    load(a, (KEYS ? k : q) + first * 2 * d, 2 * d, BLOCK, own.rows, hd, width);
    if (KEYS) load(b, v + first * 3 * d, 3 * d, BLOCK, own.rows, hd, width);
    else load(b, dy + first * d, d, BLOCK, own.rows, hd, width);
    int row = threadIdx.x / 4, quarter = threadIdx.x & 3;
    Sight sees = sight(own.at + row, window, own.len);
    int begin = max(own.at - window, 0) / step * step, end = min(own.at + BLOCK + window, own.len);
    for (int at = begin; at < end; at += step) {
        size_t from = (size_t)own.start + at;
        __syncthreads();
        load(c, (KEYS ? q : k) + from * 2 * d, 2 * d, step, own.len - at, hd, width);
        if (KEYS) load(e, dy + from * d, d, step, own.len - at, hd, width);
        else load(e, v + from * 3 * d, 3 * d, step, own.len - at, hd, width);
        // Of the queries, whether they are the block's own or not.
        if (KEYS || at == begin)
            for (int i = threadIdx.x; i < (KEYS ? min(step, own.len - at) : own.rows); i += blockDim.x) {
                stats[i] = lse[(KEYS ? from : first) + i];
                stats[BLOCK + i] = delta[(KEYS ? from : first) + i];
            }
        __syncthreads();
        product<ROWS, COLUMNS>(s, lds, a, ld, c, ld, BLOCK, step, width, false);
        product<ROWS, COLUMNS>(g, lds, b, ld, e, ld, BLOCK, step, width, false);
        __syncthreads();
        float x[BLOCK / 4], dx[BLOCK / 4];
#pragma unroll
        for (int n = 0; n < BLOCK / 4; n++)
            if (4 * n < step) {
                int column = quarter + 4 * n, i = KEYS ? column : row, at_s = row * lds + column;
                bool seen = sees(at + column);
                x[n] = seen ? __expf(s[at_s] * scale - stats[i]) : 0.0f;
                dx[n] = seen ? x[n] * (g[at_s] - stats[BLOCK + i]) : 0.0f;
            }
        __syncwarp(); // p and ds take the places of s and g
#pragma unroll
        for (int n = 0; n < BLOCK / 4; n++)
            if (4 * n < step) {
                int at_p = row * ldp + quarter + 4 * n;
                if (KEYS) p[at_p] = from_float<T>(x[n]);
                ds[at_p] = from_float<T>(dx[n]);
            }
        __syncthreads();
        product<ROWS, ROWS>(sum, ldo, ds, ldp, c, ld, BLOCK, width, step, at > begin);
        if (KEYS) product<ROWS, ROWS>(dv, ldo, p, ldp, e, ld, BLOCK, width, step, at > begin);
    }
    __syncthreads();
    T* to = dqkv + first * 3 * d + head * hd;
    store(to + (KEYS ? d : 0), sum, ldo, own, d, hd, frequency, half, scale);
    if (KEYS) store(to + 2 * d, dv, ldo, own, d, hd, frequency, 0, 1.0f);
}

#define ATTENTION(T, suffix)                                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) attention_rotate_##suffix(const T* qkv, const unsigned* blocks,                     \
                                                                                const float* frequency, T* turned, int d, int hd, int half) { \
        attention_rotate(qkv, blocks, frequency, turned, d, hd, half);                                                                    \
    }                                                                                                                                     \
    extern "C" __global__ void __launch_bounds__(256) attention_##suffix(const T* qk, const T* qkv, const unsigned* blocks, T* out,       \
                                                                         float* lse, int rows, int d, int hd, int window, int step,       \
                                                                         float scale) {                                                   \
        attention(qk, qkv, blocks, out, lse, rows, d, hd, window, step, scale);                                                           \
    }                                                                                                                                     \
    extern "C" __global__ void __launch_bounds__(256)                                                                                     \
        attention_delta_##suffix(const T* out, const T* dout, float* delta, int rows, int d, int hd) {                                    \
        attention_delta(out, dout, delta, rows, d, hd);                                                                                   \
    }                                                                                                                                     \
    extern "C" __global__ void __launch_bounds__(256)                                                                                     \
        attention_queries_##suffix(const T* qk, const T* qkv, const T* dout, const unsigned* blocks, const float* frequency,              \
                                   const float* lse, const float* delta, T* dqkv, int rows, int d, int hd, int half, int window,          \
                                   int step, float scale) {                                                                               \
        attention_backward<T, false>(qk, qkv, dout, blocks, frequency, lse, delta, dqkv, rows, d, hd, half, window, step, scale);         \
    }                                                                                                                                     \
    extern "C" __global__ void __launch_bounds__(256)                                                                                     \
        attention_keys_##suffix(const T* qk, const T* qkv, const T* dout, const unsigned* blocks, const float* frequency,                 \
                                const float* lse, const float* delta, T* dqkv, int rows, int d, int hd, int half, int window, int step,   \
                                float scale) {                                                                                            \
        attention_backward<T, true>(qk, qkv, dout, blocks, frequency, lse, delta, dqkv, rows, d, hd, half, window, step, scale);          \
    }

ATTENTION(float, f32)
EXPORT(attention_rotate_f32)
EXPORT(attention_f32)
EXPORT(attention_delta_f32)
EXPORT(attention_queries_f32)
EXPORT(attention_keys_f32)
ATTENTION(bf16, bf16)
EXPORT(attention_rotate_bf16)
EXPORT(attention_bf16)
EXPORT(attention_delta_bf16)
EXPORT(attention_queries_bf16)
EXPORT(attention_keys_bf16)
