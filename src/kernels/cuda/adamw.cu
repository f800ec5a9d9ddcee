// AdamW over all parameters in one launch, and the norm of all gradients. A block takes 4096 elements of one parameter.
#include "common.cuh"

// Where a parameter, its gradient and its moments are, and its own rates.
struct Parameter {
    float* x;
    const float* gradient;
    float* first;
    float* second;
    float keep, rate;
    unsigned size, blocks_before;
};

// The parameter that this block works on: the last that starts at or before it.
__device__ __forceinline__ const Parameter& mine(const Parameter* parameters, int n) {
    int first = 0;
    for (int size = n; size > 1;) {
        int half = size / 2;
        if (parameters[first + half].blocks_before <= blockIdx.x) first += half;
        size -= half;
    }
    return parameters[first];
}

// g = scale * gradient; m += (1 - b1)(g - m); v = b2 v + (1 - b2) g^2; x = keep x - rate m / (sqrt(v) / root + eps).
extern "C" __global__ void __launch_bounds__(256)
    adamw(const Parameter* parameters, int n, float new1, float b2, float new2, float eps, float scale, float root) {
    const Parameter& p = mine(parameters, n);
    unsigned first = (blockIdx.x - p.blocks_before) * 4096;
    for (unsigned i = first + threadIdx.x; i < min(first + 4096, p.size); i += 256) {
        float g = p.gradient[i] * scale, m = p.first[i], v = p.second[i];
        m += new1 * (g - m);
        v = b2 * v + new2 * g * g;
        p.first[i] = m;
        p.second[i] = v;
        p.x[i] = p.x[i] * p.keep - p.rate * m / (sqrtf(v) / root + eps);
    }
}
EXPORT(adamw)

// Sum of the squares of each block's part of the gradients. Shared: a float a warp.
extern "C" __global__ void __launch_bounds__(256) squared_norms(const Parameter* parameters, int n, float* out) {
    SHARED(float, scratch);
    const Parameter& p = mine(parameters, n);
    unsigned first = (blockIdx.x - p.blocks_before) * 4096;
    float sum = 0.0f;
    for (unsigned i = first + threadIdx.x; i < min(first + 4096, p.size); i += 256) sum += p.gradient[i] * p.gradient[i];
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) out[blockIdx.x] = sum;
}
EXPORT(squared_norms)
