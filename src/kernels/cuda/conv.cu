// What comes before the scans of the BiMamba-2 mixer: the depthwise convolution with its SiLU, and the steps.
#include "bimamba.cuh"

constexpr int TAPS = 4;
// Rows whose loads are on their way together.
constexpr int BATCH = 8, BATCH_BACKWARD = 4;

// A channel's weights, zeros before those of a shorter kernel.
__device__ __forceinline__ void load_taps(float* w, const float* params, int channel, int k) {
    for (int j = 0; j < TAPS; j++) w[j] = j < TAPS - k ? 0.0f : params[channel * k + j - (TAPS - k)];
}

// A channel of a row, 0 outside of [low, high). It loads in any case, so that loads do not wait for one another.
template <class T> __device__ __forceinline__ float read(const T* from, size_t columns, int row, int low, int high) {
    float x = to_float(from[max(low, min(row, high - 1)) * columns]);
    return row >= low && row < high ? x : 0.0f;
}

// xbc (2, rows, conv_dim) = silu(conv(x, B, C)); direction 0 sees the rows before, direction 1 those after, both within the sequence.
// Block: a chunk and blockDim channels, a thread each; one window of 7 rows in registers serves both directions.
template <class T>
__device__ void bimamba_conv(const T* __restrict__ projected, const float* __restrict__ fwd, const float* __restrict__ bwd,
                             const unsigned* __restrict__ chunks, T* __restrict__ xbc, Sizes s) {
    int channel = blockIdx.y * blockDim.x + threadIdx.x;
    if (channel >= s.conv_dim()) return;
    const unsigned* chunk = chunks + 4 * blockIdx.x;
    int first = chunk[0], end = first + chunk[1], low = chunk[2], high = chunk[3];
    float wf[TAPS], wb[TAPS], bf = fwd[s.conv_bias() + channel], bb = bwd[s.conv_bias() + channel];
    load_taps(wf, fwd, channel, s.k);
    load_taps(wb, bwd, channel, s.k);
    size_t columns = s.columns();
    const T* from = projected + s.d + channel;
    float x[6 + BATCH];
#pragma unroll
    for (int i = 0; i < 6; i++) x[i] = read(from, columns, first - 3 + i, low, high);
    for (int row = first; row < end; row += BATCH) {
#pragma unroll
        for (int i = 0; i < BATCH; i++) x[6 + i] = read(from, columns, row + 3 + i, low, high);
#pragma unroll
        for (int i = 0; i < BATCH; i++) {
            if (row + i >= end) break;
            float f = bf, b = bb;
            for (int j = 0; j < TAPS; j++) {
                f += wf[j] * x[i + j];
                b += wb[j] * x[i + 6 - j];
            }
            xbc[((size_t)row + i) * s.conv_dim() + channel] = from_float<T>(silu(f));
            xbc[((size_t)s.rows + row + i) * s.conv_dim() + channel] = from_float<T>(silu(b));
        }
#pragma unroll
        for (int i = 0; i < 6; i++) x[i] = x[i + BATCH];
    }
}

// dt = softplus(raw + bias), a = the running sum of A dt in the chunk, (2, heads, rows). Block: a chunk in a direction (z); a warp takes a head.
template <class T>
__device__ void bimamba_steps(const T* __restrict__ projected, const float* __restrict__ fwd, const float* __restrict__ bwd,
                              const unsigned* __restrict__ chunks, float* __restrict__ dt, float* __restrict__ a, Sizes s) {
    int direction = blockIdx.z, lane = threadIdx.x & 31;
    Span rows = span(chunks, blockIdx.x, direction);
    const float* params = direction ? bwd : fwd;
    for (int head = threadIdx.x / 32; head < s.heads(); head += blockDim.x / 32) {
        float bias = params[s.dt_bias() + head], decay = -expf(params[s.a_log() + head]), before = 0.0f;
        size_t plane = ((size_t)direction * s.heads() + head) * s.rows;
        for (int t = lane; t < Q; t += 32) {
            size_t row = rows.row(min(t, rows.len - 1));
            float step = softplus(to_float(projected[row * s.columns() + s.columns() - s.heads() + head]) + bias);
            float sum = t < rows.len ? decay * step : 0.0f;
            for (int by = 1; by < 32; by *= 2) {
                float other = __shfl_up_sync(0xffffffffu, sum, by);
                if (lane >= by) sum += other;
            }
            sum += before;
            before = __shfl_sync(0xffffffffu, sum, 31);
            if (t < rows.len) {
                dt[plane + row] = step;
                a[plane + row] = sum;
            }
        }
    }
}

// The gradient of a channel of xbc: of x as it is; of B and C summed over the groups of heads.
template <class T> __device__ __forceinline__ float d_xbc(const T* dx, const float* dbc, Sizes s, int direction, size_t row, int channel) {
    if (channel < s.d) return to_float(dx[((size_t)direction * s.rows + row) * s.d + channel]);
    float sum = 0.0f;
    for (int group = 0; group < s.groups(); group++)
        sum += dbc[(((size_t)direction * s.groups() + group) * s.rows + row) * 2 * s.n + channel - s.d];
    return sum;
}

__device__ __forceinline__ float silu_slope(float x) {
    float g = sigmoid(x);
    return g * (1.0f + x * (1.0f - g));
}

// Columns x, B, C and dt of the projection's gradient, from those of xbc (dx (2, rows, d), dbc (2, groups, rows, 2 n)) and of the raw steps
// (2, heads, rows); and of the convolution's parameters summed over each chunk, (chunks, 2, conv_dim (k + 1)).
// Block: a chunk and blockDim channels, a thread each, those behind conv_dim for the steps. The convolution is made again: the window
// x[row - 3 .. row] gives direction 0 at `row` and direction 1 at `row - 3`, and the gradient of row - 3 needs them up to there.
template <class T>
__device__ void bimamba_conv_backward(const T* __restrict__ projected, const float* __restrict__ fwd, const float* __restrict__ bwd,
                                      const unsigned* __restrict__ chunks, const T* __restrict__ dx, const float* __restrict__ dbc,
                                      const float* __restrict__ d_raw, T* __restrict__ d_projected, float* __restrict__ d_conv, Sizes s) {
    int channel = blockIdx.y * blockDim.x + threadIdx.x;
    const unsigned* chunk = chunks + 4 * blockIdx.x;
    int first = chunk[0], end = first + chunk[1], low = chunk[2], high = chunk[3];
    size_t columns = s.columns();
    if (channel >= s.conv_dim()) {
        int head = channel - s.conv_dim();
        if (head >= s.heads()) return;
        const float *f = d_raw + (size_t)head * s.rows, *b = f + (size_t)s.heads() * s.rows;
        for (int row = first; row < end; row++) d_projected[row * columns + s.d + channel] = from_float<T>(f[row] + b[row]);
        return;
    }
    float wf[TAPS], wb[TAPS], dwf[TAPS] = {}, dwb[TAPS] = {}, bf = fwd[s.conv_bias() + channel], bb = bwd[s.conv_bias() + channel];
    load_taps(wf, fwd, channel, s.k);
    load_taps(wb, bwd, channel, s.k);
    const T* from = projected + s.d + channel;
    // From row - 3 on: x, and the gradients before the SiLU of direction 0; from row - 6 on that of direction 1.
    float x[3 + BATCH_BACKWARD], f[3 + BATCH_BACKWARD], b[3 + BATCH_BACKWARD], dbf = 0.0f, dbb = 0.0f;
#pragma unroll
    for (int i = 0; i < 3; i++) {
        x[i] = read(from, columns, first - 3 + i, low, high);
        f[i] = b[i] = 0.0f;
    }
    for (int row = first; row < end + 3; row += BATCH_BACKWARD) {
#pragma unroll
        for (int i = 0; i < BATCH_BACKWARD; i++) {
            x[3 + i] = read(from, columns, row + i, low, high);
            f[3 + i] = d_xbc(dx, dbc, s, 0, min(row + i, high - 1), channel);
            b[3 + i] = d_xbc(dx, dbc, s, 1, max(low, min(row + i - 3, high - 1)), channel);
        }
#pragma unroll
        for (int i = 0; i < BATCH_BACKWARD; i++) {
            int here = row + i, back = here - 3;
            float before_f = bf, before_b = bb, sum = 0.0f;
            for (int j = 0; j < TAPS; j++) {
                before_f += wf[j] * x[i + j];
                before_b += wb[j] * x[i + 3 - j];
            }
            f[3 + i] = here < high ? f[3 + i] * silu_slope(before_f) : 0.0f;
            b[3 + i] = back >= low ? b[3 + i] * silu_slope(before_b) : 0.0f;
            float own_f = here < end ? f[3 + i] : 0.0f, own_b = back >= first && back < end ? b[3 + i] : 0.0f;
            dbf += own_f;
            dbb += own_b;
            for (int j = 0; j < TAPS; j++) {
                dwf[j] += own_f * x[i + j];
                dwb[j] += own_b * x[i + 3 - j];
                sum += wf[3 - j] * f[i + j] + wb[j] * b[i + j];
            }
            if (back >= first && back < end) d_projected[back * columns + s.d + channel] = from_float<T>(sum);
        }
#pragma unroll
        for (int i = 0; i < 3; i++) {
            x[i] = x[i + BATCH_BACKWARD];
            f[i] = f[i + BATCH_BACKWARD];
            b[i] = b[i + BATCH_BACKWARD];
        }
    }
    float* to = d_conv + (size_t)blockIdx.x * 2 * s.dt_bias();
    for (int j = 0; j < TAPS; j++) {
        if (j < TAPS - s.k) continue;
        to[channel * s.k + j - (TAPS - s.k)] = dwf[j];
        to[s.dt_bias() + channel * s.k + j - (TAPS - s.k)] = dwb[j];
    }
    to[s.conv_bias() + channel] = dbf;
    to[s.dt_bias() + s.conv_bias() + channel] = dbb;
}

extern "C" __global__ void __launch_bounds__(128)
    bimamba_conv_f32(const float* __restrict__ projected, const float* __restrict__ fwd, const float* __restrict__ bwd,
                     const unsigned* __restrict__ chunks, float* __restrict__ xbc, int rows, int d, int n, int k) {
    bimamba_conv(projected, fwd, bwd, chunks, xbc, Sizes{rows, d, n, k});
}
EXPORT(bimamba_conv_f32)
extern "C" __global__ void __launch_bounds__(128)
    bimamba_conv_bf16(const bf16* __restrict__ projected, const float* __restrict__ fwd, const float* __restrict__ bwd,
                      const unsigned* __restrict__ chunks, bf16* __restrict__ xbc, int rows, int d, int n, int k) {
    bimamba_conv(projected, fwd, bwd, chunks, xbc, Sizes{rows, d, n, k});
}
EXPORT(bimamba_conv_bf16)
extern "C" __global__ void __launch_bounds__(256)
    bimamba_steps_f32(const float* __restrict__ projected, const float* __restrict__ fwd, const float* __restrict__ bwd,
                      const unsigned* __restrict__ chunks, float* __restrict__ dt, float* __restrict__ a, int rows, int d, int n, int k) {
    bimamba_steps(projected, fwd, bwd, chunks, dt, a, Sizes{rows, d, n, k});
}
EXPORT(bimamba_steps_f32)
extern "C" __global__ void __launch_bounds__(256)
    bimamba_steps_bf16(const bf16* __restrict__ projected, const float* __restrict__ fwd, const float* __restrict__ bwd,
                       const unsigned* __restrict__ chunks, float* __restrict__ dt, float* __restrict__ a, int rows, int d, int n, int k) {
    bimamba_steps(projected, fwd, bwd, chunks, dt, a, Sizes{rows, d, n, k});
}
EXPORT(bimamba_steps_bf16)
extern "C" __global__ void __launch_bounds__(128)
    bimamba_conv_backward_f32(const float* __restrict__ projected, const float* __restrict__ fwd, const float* __restrict__ bwd,
                              const unsigned* __restrict__ chunks, const float* __restrict__ dx, const float* __restrict__ dbc,
                              const float* __restrict__ d_raw, float* __restrict__ d_projected, float* __restrict__ d_conv, int rows, int d,
                              int n, int k) {
    bimamba_conv_backward(projected, fwd, bwd, chunks, dx, dbc, d_raw, d_projected, d_conv, Sizes{rows, d, n, k});
}
EXPORT(bimamba_conv_backward_f32)
extern "C" __global__ void __launch_bounds__(128)
    bimamba_conv_backward_bf16(const bf16* __restrict__ projected, const float* __restrict__ fwd, const float* __restrict__ bwd,
                               const unsigned* __restrict__ chunks, const bf16* __restrict__ dx, const float* __restrict__ dbc,
                               const float* __restrict__ d_raw, bf16* __restrict__ d_projected, float* __restrict__ d_conv, int rows, int d,
                               int n, int k) {
    bimamba_conv_backward(projected, fwd, bwd, chunks, dx, dbc, d_raw, d_projected, d_conv, Sizes{rows, d, n, k});
}
EXPORT(bimamba_conv_backward_bf16)
