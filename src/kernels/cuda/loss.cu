// Mean cross-entropy over targets: `targets` (n, 2) holds row and class, rows ascending.
#include "common.cuh"

// Largest of a row's logits, and the sum of exp(logit - largest).
__device__ __forceinline__ float normaliser(const float* x, int classes, float& top) {
    top = x[0];
    for (int c = 1; c < classes; c++) top = fmaxf(top, x[c]);
    float sum = 0.0f;
    for (int c = 0; c < classes; c++) sum += expf(x[c] - top);
    return sum;
}

// sums (blocks): of -ln softmax(logits[row])[class] over each block's targets, a thread a target. Shared: a f32 a warp.
extern "C" __global__ void __launch_bounds__(256) cross_entropy_parts(const float* logits, const unsigned* targets, float* sums, int n, int classes) {
    SHARED(float, scratch);
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float nats = 0.0f;
    if (i < n) {
        const float* x = logits + (size_t)targets[2 * i] * classes;
        float top, sum = normaliser(x, classes, top);
        nats = logf(sum) - (x[targets[2 * i + 1]] - top);
    }
    nats = block_sum(nats, scratch);
    if (threadIdx.x == 0) sums[blockIdx.x] = nats;
}
EXPORT(cross_entropy_parts)

// mean = the sum of `parts` sums over n; 0 without targets. One block. Shared: a f32 a warp.
extern "C" __global__ void __launch_bounds__(256) cross_entropy_mean(const float* sums, float* mean, int parts, int n) {
    SHARED(float, scratch);
    float sum = 0.0f;
    for (int i = threadIdx.x; i < parts; i += blockDim.x) sum += sums[i];
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) *mean = sum / max(n, 1);
}
EXPORT(cross_entropy_mean)

// dlogits (rows, classes) = grad / n (softmax - one at the class) for each target of a row, which may be none. A thread a row.
extern "C" __global__ void __launch_bounds__(256) cross_entropy_backward(const float* logits, const unsigned* targets, const float* grad, float* dlogits,
                                                                         int rows, int n, int classes) {
    int row = blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= rows) return;
    int first = 0, high = n; // first target whose row is not before
    while (first < high) {
        int middle = (first + high) / 2;
        if ((int)targets[2 * middle] < row) first = middle + 1;
        else high = middle;
    }
    int end = first;
    while (end < n && (int)targets[2 * end] == row) end++;
    const float* x = logits + (size_t)row * classes;
    float* dx = dlogits + (size_t)row * classes;
    if (first == end) {
        for (int c = 0; c < classes; c++) dx[c] = 0.0f;
        return;
    }
    float top, scale = *grad / n, sum = normaliser(x, classes, top);
    for (int c = 0; c < classes; c++) dx[c] = (end - first) * scale * expf(x[c] - top) / sum;
    for (int i = first; i < end; i++) dx[targets[2 * i + 1]] -= scale;
}
EXPORT(cross_entropy_backward)
