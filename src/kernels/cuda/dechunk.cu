// Smoothing of chunks in both directions, and from chunks back to bases.
//
// Every average and every gradient of one is a recurrence of the first order over the chunks of a sequence, a coefficient a chunk, channels
// apart. Sequences are cut into segments of 32 chunks (`segments`: first chunk, chunk behind the last). Each segment is run from zero for its
// end; a walk over the ends of a sequence's segments (`sequences`: first segment, segment behind the last) gives what enters each; then the
// segment is run again from there. A thread holds one channel of a segment in registers, 128 channels a block.
#include "common.cuh"

constexpr int SEGMENT = 32;
constexpr float LEAST = 1e-4f, MOST = 1.0f - 1e-4f;

struct Segment {
    int first, chunks, channel;
};

// The block's segment; the clamped probabilities of its chunks to `p`.
__device__ __forceinline__ Segment own_segment(const unsigned* segments, const unsigned* index, const float* prob, float* p) {
    int first = segments[2 * blockIdx.x], chunks = segments[2 * blockIdx.x + 1] - first;
    if ((int)threadIdx.x < chunks) p[threadIdx.x] = fminf(fmaxf(prob[index[first + threadIdx.x]], LEAST), MOST);
    __syncthreads();
    return {first, chunks, (int)(blockIdx.y * blockDim.x + threadIdx.x)};
}

__device__ __forceinline__ void load(float* v, const float* x, Segment s, int d) {
#pragma unroll
    for (int j = 0; j < SEGMENT; j++)
        if (j < s.chunks) v[j] = x[(size_t)(s.first + j) * d + s.channel];
}

// Ends of each segment run from zero, (2, segments, d): forwards and backwards of the averages of `x`, or with `gradient` what those of
// averages with the gradient `x` pass on, backwards and forwards; and what is left of what enters a segment, `decay` (segments).
// Blocks: segments, 128s of channels. Shared: 32 f32.
extern "C" __global__ void __launch_bounds__(128) dechunk_ends(const float* x, const float* prob, const unsigned* index, const unsigned* segments,
                                                               float* ends, float* decay, int d, int gradient) {
    SHARED(float, p);
    Segment s = own_segment(segments, index, prob, p);
    if (blockIdx.y == 0 && threadIdx.x == 0) {
        float left = 1.0f;
        for (int j = 0; j < s.chunks; j++) left *= 1.0f - p[j];
        decay[blockIdx.x] = left;
    }
    if (s.channel >= d) return;
    float v[SEGMENT], up = 0.0f, down = 0.0f;
    load(v, x, s, d);
#pragma unroll
    for (int j = 0; j < SEGMENT; j++)
        if (j < s.chunks) up = gradient ? (1.0f - p[j]) * (v[j] + up) : up + p[j] * (v[j] - up);
#pragma unroll
    for (int j = SEGMENT - 1; j >= 0; j--)
        if (j < s.chunks) down = gradient ? (1.0f - p[j]) * (v[j] + down) : down + p[j] * (v[j] - down);
    size_t at = (size_t)blockIdx.x * d + s.channel, plane = (size_t)gridDim.x * d;
    ends[at] = gradient ? down : up;
    ends[plane + at] = gradient ? up : down;
}
EXPORT(dechunk_ends)

// Puts what enters each segment in the place of its end: plane 0 walks from the first segment on, plane 1 from the last; the other way round
// with `gradient`. Blocks: 128s of channels, sequences, planes.
extern "C" __global__ void __launch_bounds__(128)
    dechunk_carry(const unsigned* sequences, const float* decay, float* ends, int n_segments, int d, int gradient) {
    constexpr int BATCH = 8; // loads in flight
    int c = blockIdx.x * blockDim.x + threadIdx.x, first = sequences[2 * blockIdx.y], count = sequences[2 * blockIdx.y + 1] - first;
    if (c >= d) return;
    bool reverse = (blockIdx.z == 1) != (gradient != 0);
    float* plane = ends + (size_t)blockIdx.z * n_segments * d + c;
    float entering = 0.0f;
    for (int i = 0; i < count; i += BATCH) {
        float end[BATCH], left[BATCH];
#pragma unroll
        for (int k = 0; k < BATCH; k++)
            if (i + k < count) {
                int s = first + (reverse ? count - 1 - i - k : i + k);
                end[k] = plane[(size_t)s * d];
                left[k] = decay[s];
            }
#pragma unroll
        for (int k = 0; k < BATCH; k++)
            if (i + k < count) {
                int s = first + (reverse ? count - 1 - i - k : i + k);
                plane[(size_t)s * d] = entering;
                entering = end[k] + left[k] * entering;
            }
    }
}
EXPORT(dechunk_carry)

// z = (f + g) / 2 of each chunk, out (chunks, d), or with `spread` of the chunk of each base, out (bases, d).
// Blocks: segments, 128s of channels. Shared: 32 f32, 33 int.
extern "C" __global__ void __launch_bounds__(128) dechunk_average(const float* x, const float* prob, const unsigned* index, const unsigned* segments,
                                                                const float* entering, float* out, int bases, int chunks, int d, int spread) {
    SHARED(float, p);
    int* start = reinterpret_cast<int*>(p + SEGMENT);
    if (threadIdx.x <= SEGMENT) {
        int chunk = segments[2 * blockIdx.x] + threadIdx.x;
        start[threadIdx.x] = !spread ? chunk : chunk < chunks ? index[chunk] : bases;
    }
    Segment s = own_segment(segments, index, prob, p);
    if (s.channel >= d) return;
    float v[SEGMENT], f[SEGMENT];
    load(v, x, s, d);
    size_t at = (size_t)blockIdx.x * d + s.channel, plane = (size_t)gridDim.x * d;
    float up = entering[at], down = entering[plane + at];
#pragma unroll
    for (int j = 0; j < SEGMENT; j++)
        if (j < s.chunks) f[j] = up += p[j] * (v[j] - up);
#pragma unroll
    for (int j = SEGMENT - 1; j >= 0; j--)
        if (j < s.chunks) {
            down += p[j] * (v[j] - down);
            float z = 0.5f * (f[j] + down);
            for (int t = start[j]; t < start[j + 1]; t++) out[(size_t)t * d + s.channel] = z;
        }
}
EXPORT(dechunk_average)

// half (chunks, d): half the gradient of each z; dprob (bases): what comes from the decisions, z . dout with its sign. A warp a chunk.
extern "C" __global__ void __launch_bounds__(256) dechunk_decisions(const float* z, const float* dout, const unsigned* index, float* half,
                                                                    float* dprob, int bases, int chunks, int d) {
    constexpr int EACH = 16; // channels of a lane at a time
    int chunk = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x & 31;
    if (chunk >= chunks) return;
    int start = index[chunk], end = chunk + 1 < chunks ? index[chunk + 1] : bases;
    for (int from = lane; from < d + lane; from += 32 * EACH) { // all lanes as often
        float own[EACH], sum[EACH];
#pragma unroll
        for (int n = 0; n < EACH; n++) {
            int c = from + 32 * n;
            own[n] = c < d ? z[(size_t)chunk * d + c] : 0.0f;
            sum[n] = 0.0f;
        }
        for (int t = start; t < end; t++) {
            float along = 0.0f;
#pragma unroll
            for (int n = 0; n < EACH; n++) {
                int c = from + 32 * n;
                if (c < d) {
                    float g = dout[(size_t)t * d + c];
                    along += g * own[n];
                    sum[n] += g;
                }
            }
            along = warp_sum(along);
            if (lane == 0) dprob[t] = (from == 0 ? 0.0f : dprob[t]) + (t == start ? along : -along);
        }
#pragma unroll
        for (int n = 0; n < EACH; n++)
            if (from + 32 * n < d) half[(size_t)chunk * d + from + 32 * n] = 0.5f * sum[n];
    }
}
EXPORT(dechunk_decisions)

// With `gradients` entering each segment: dx (chunks, d) = P (lambda_f + lambda_g), and by 128s of channels the sums of what reaches each P,
// toward_p (tiles, chunks). Blocks: segments, 128s of channels. Shared: 32 f32, and 32 a warp.
extern "C" __global__ void __launch_bounds__(128)
    dechunk_backward(const float* x, const float* prob, const unsigned* index, const unsigned* segments, const float* entering, const float* half,
                     const float* gradients, float* dx, float* toward_p, int chunks, int d) {
    SHARED(float, p);
    float* sums = p + SEGMENT;
    Segment s = own_segment(segments, index, prob, p);
    bool own = s.channel < d;
    float v[SEGMENT], h[SEGMENT], before[SEGMENT], lambda_g[SEGMENT];
    size_t at = (size_t)blockIdx.x * d + s.channel, plane = (size_t)gridDim.x * d;
    float f = 0.0f, g = 0.0f, to_f = 0.0f, to_g = 0.0f;
    if (own) {
        load(v, x, s, d);
        load(h, half, s, d);
        f = entering[at];
        g = entering[plane + at];
        to_f = gradients[at];
        to_g = gradients[plane + at];
    }
#pragma unroll
    for (int j = 0; j < SEGMENT; j++)
        if (own && j < s.chunks) {
            before[j] = f;
            f += p[j] * (v[j] - f);
            lambda_g[j] = h[j] + to_g;
            to_g = (1.0f - p[j]) * lambda_g[j];
        }
    int warp = threadIdx.x / 32, lane = threadIdx.x & 31;
    float mine = 0.0f;
#pragma unroll
    for (int j = SEGMENT - 1; j >= 0; j--)
        if (j < s.chunks) {
            float toward = 0.0f;
            if (own) {
                float lambda_f = h[j] + to_f;
                dx[(size_t)(s.first + j) * d + s.channel] = p[j] * (lambda_f + lambda_g[j]);
                toward = lambda_f * (v[j] - before[j]) + lambda_g[j] * (v[j] - g);
                g += p[j] * (v[j] - g);
                to_f = (1.0f - p[j]) * lambda_f;
            }
            toward = warp_sum(toward);
            if (lane == j) mine = toward;
        }
    sums[warp * SEGMENT + lane] = mine;
    __syncthreads();
    if ((int)threadIdx.x < s.chunks) {
        for (unsigned w = 1; w < blockDim.x / 32; w++) mine += sums[w * SEGMENT + lane];
        toward_p[(size_t)blockIdx.y * chunks + s.first + lane] = mine;
    }
}
EXPORT(dechunk_backward)

// Adds what reaches each P, summed over the tiles of channels, to the gradient of its probability, where that was not clamped. A thread a chunk.
extern "C" __global__ void __launch_bounds__(256)
    dechunk_prob(const float* prob, const unsigned* index, const float* toward_p, float* dprob, int chunks, int tiles) {
    int chunk = blockIdx.x * blockDim.x + threadIdx.x;
    if (chunk >= chunks) return;
    int t = index[chunk];
    if (prob[t] < LEAST || prob[t] > MOST) return;
    float sum = 0.0f;
    for (int tile = 0; tile < tiles; tile++) sum += toward_p[(size_t)tile * chunks + chunk];
    dprob[t] += sum;
}
EXPORT(dechunk_prob)
