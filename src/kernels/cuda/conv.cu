// What comes before the scans of the BiMamba-2 mixer: the depthwise convolution with its SiLU, and the steps.
#include "bimamba.cuh"

constexpr int TAPS = 4;

// A channel's weights, zeros before those of a shorter kernel.
__device__ __forceinline__ void load_taps(float* w, const float* params, int channel, int k) {
    for (int j = 0; j < TAPS; j++) w[j] = j < TAPS - k ? 0.0f : params[channel * k + j - (TAPS - k)];
}

// xbc (2, rows, conv_dim) = silu(conv(x, B, C)); direction 0 sees the rows before, direction 1 those after, both within the sequence.
// Block: a chunk and blockDim channels, a thread each; one window of 7 rows in registers serves both directions.
template <class T>
__device__ void bimamba_conv(const T* projected, const float* fwd, const float* bwd, const unsigned* chunks, T* xbc, Sizes s) {
    int channel = blockIdx.y * blockDim.x + threadIdx.x;
    if (channel >= s.conv_dim()) return;
    const unsigned* chunk = chunks + 4 * blockIdx.x;
    int first = chunk[0], end = first + chunk[1], low = chunk[2], high = chunk[3];
    float wf[TAPS], wb[TAPS], bf = fwd[s.conv_bias() + channel], bb = bwd[s.conv_bias() + channel];
    load_taps(wf, fwd, channel, s.k);
    load_taps(wb, bwd, channel, s.k);
    size_t columns = s.columns();
    const T* from = projected + s.d + channel;
    float x[7];
    for (int i = 0; i < 6; i++) {
        int row = first - 3 + i;
        x[i] = row >= low && row < high ? to_float(from[row * columns]) : 0.0f;
    }
#pragma unroll 4
    for (int row = first; row < end; row++) {
        x[6] = row + 3 < high ? to_float(from[(row + 3) * columns]) : 0.0f;
        float f = bf, b = bb;
        for (int j = 0; j < TAPS; j++) {
            f += wf[j] * x[j];
            b += wb[j] * x[6 - j];
        }
        xbc[(size_t)row * s.conv_dim() + channel] = from_float<T>(silu(f));
        xbc[((size_t)s.rows + row) * s.conv_dim() + channel] = from_float<T>(silu(b));
        for (int i = 0; i < 6; i++) x[i] = x[i + 1];
    }
}

// dt = softplus(raw + bias), a = the running sum of A dt in the chunk, (2, heads, rows). Block: a chunk in a direction (z); a warp takes a head.
template <class T>
__device__ void bimamba_steps(const T* projected, const float* fwd, const float* bwd, const unsigned* chunks, float* dt, float* a, Sizes s) {
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
__device__ void bimamba_conv_backward(const T* projected, const float* fwd, const float* bwd, const unsigned* chunks, const T* dx, const float* dbc,
                                      const float* d_raw, T* d_projected, float* d_conv, Sizes s) {
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
    float x[TAPS], f[TAPS] = {}, b[TAPS] = {}, dbf = 0.0f, dbb = 0.0f; // f: rows row - 3 .. row; b: rows row - 6 .. row - 3
    for (int i = 0; i < 3; i++) x[i + 1] = first - 3 + i >= low ? to_float(from[(first - 3 + i) * columns]) : 0.0f;
    for (int row = first; row < end + 3; row++) {
        for (int i = 0; i < 3; i++) {
            x[i] = x[i + 1];
            f[i] = f[i + 1];
            b[i] = b[i + 1];
        }
        x[3] = row < high ? to_float(from[row * columns]) : 0.0f;
        float here = bf, back = bb;
        for (int j = 0; j < TAPS; j++) {
            here += wf[j] * x[j];
            back += wb[j] * x[3 - j];
        }
        f[3] = row < high ? d_xbc(dx, dbc, s, 0, row, channel) * silu_slope(here) : 0.0f;
        b[3] = row - 3 >= low ? d_xbc(dx, dbc, s, 1, row - 3, channel) * silu_slope(back) : 0.0f;
        float own_f = row < end ? f[3] : 0.0f, own_b = row - 3 >= first ? b[3] : 0.0f;
        dbf += own_f;
        dbb += own_b;
        float sum = 0.0f;
        for (int j = 0; j < TAPS; j++) {
            dwf[j] += own_f * x[j];
            dwb[j] += own_b * x[3 - j];
            sum += wf[3 - j] * f[j] + wb[j] * b[j];
        }
        if (row - 3 >= first) d_projected[(row - 3) * columns + s.d + channel] = from_float<T>(sum);
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

extern "C" __global__ void __launch_bounds__(128) bimamba_conv_f32(const float* projected, const float* fwd, const float* bwd, const unsigned* chunks,
                                                                  float* xbc, int rows, int d, int n, int k) {
    bimamba_conv(projected, fwd, bwd, chunks, xbc, Sizes{rows, d, n, k});
}
EXPORT(bimamba_conv_f32)
extern "C" __global__ void __launch_bounds__(128) bimamba_conv_bf16(const bf16* projected, const float* fwd, const float* bwd, const unsigned* chunks,
                                                                   bf16* xbc, int rows, int d, int n, int k) {
    bimamba_conv(projected, fwd, bwd, chunks, xbc, Sizes{rows, d, n, k});
}
EXPORT(bimamba_conv_bf16)
extern "C" __global__ void __launch_bounds__(256) bimamba_steps_f32(const float* projected, const float* fwd, const float* bwd, const unsigned* chunks,
                                                                   float* dt, float* a, int rows, int d, int n, int k) {
    bimamba_steps(projected, fwd, bwd, chunks, dt, a, Sizes{rows, d, n, k});
}
EXPORT(bimamba_steps_f32)
extern "C" __global__ void __launch_bounds__(256) bimamba_steps_bf16(const bf16* projected, const float* fwd, const float* bwd, const unsigned* chunks,
                                                                    float* dt, float* a, int rows, int d, int n, int k) {
    bimamba_steps(projected, fwd, bwd, chunks, dt, a, Sizes{rows, d, n, k});
}
EXPORT(bimamba_steps_bf16)
extern "C" __global__ void __launch_bounds__(128)
    bimamba_conv_backward_f32(const float* projected, const float* fwd, const float* bwd, const unsigned* chunks, const float* dx, const float* dbc,
                              const float* d_raw, float* d_projected, float* d_conv, int rows, int d, int n, int k) {
    bimamba_conv_backward(projected, fwd, bwd, chunks, dx, dbc, d_raw, d_projected, d_conv, Sizes{rows, d, n, k});
}
EXPORT(bimamba_conv_backward_f32)
extern "C" __global__ void __launch_bounds__(128)
    bimamba_conv_backward_bf16(const bf16* projected, const float* fwd, const float* bwd, const unsigned* chunks, const bf16* dx, const float* dbc,
                               const float* d_raw, bf16* d_projected, float* d_conv, int rows, int d, int n, int k) {
    bimamba_conv_backward(projected, fwd, bwd, chunks, dx, dbc, d_raw, d_projected, d_conv, Sizes{rows, d, n, k});
}
EXPORT(bimamba_conv_backward_bf16)
