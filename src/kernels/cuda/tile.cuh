// Products of matrices in shared memory, by all threads of a block.
#pragma once
#include "common.cuh"

// How a matrix stands in shared memory: element (i, j) at [i * ld + j], or transposed at [j * ld + i].
enum Stand { ROWS, COLUMNS };

// c (m x n, rows of ldc, f32) = a (m x k) b (k x n), or added to c. m and n are multiples of 16 (k too for bf16); a, b, c 32 bytes aligned, ld
// multiples of 8. In f32 by multiply-adds, in bf16 on tensor cores with sums in f32. The caller synchronises before and after.
template <Stand SA, Stand SB>
__device__ __forceinline__ void product(float* c, int ldc, const float* a, int lda, const float* b, int ldb, int m, int n, int k, bool add) {
    for (int i = threadIdx.x; i < m * n; i += blockDim.x) {
        int row = i / n, column = i % n;
        float sum = add ? c[row * ldc + column] : 0.0f;
        for (int j = 0; j < k; j++)
            sum += (SA == ROWS ? a[row * lda + j] : a[j * lda + row]) * (SB == ROWS ? b[j * ldb + column] : b[column * ldb + j]);
        c[row * ldc + column] = sum;
    }
}

template <Stand S> struct Layout { typedef nvcuda::wmma::row_major type; };
template <> struct Layout<COLUMNS> { typedef nvcuda::wmma::col_major type; };

// Each warp takes strips of 16 rows by up to 32 columns, so that a left tile is read once for two products; single tiles where strips are too few
// for all warps.
template <Stand SA, Stand SB>
__device__ __forceinline__ void product(float* c, int ldc, const bf16* a, int lda, const bf16* b, int ldb, int m, int n, int k, bool add) {
    using namespace nvcuda::wmma;
    int warps = blockDim.x / 32, wide = m / 16 * ((n + 31) / 32) < warps ? 16 : 32, strips = (n + wide - 1) / wide;
    for (int w = threadIdx.x / 32; w < m / 16 * strips; w += warps) {
        int row = w / strips * 16, column = w % strips * wide;
        bool two = wide == 32 && column + 16 < n;
        float* to = c + row * ldc + column;
        fragment<accumulator, 16, 16, 16, float> sum[2];
        for (int h = 0; h < 1 + two; h++) {
            if (add) load_matrix_sync(sum[h], to + 16 * h, ldc, mem_row_major);
            else fill_fragment(sum[h], 0.0f);
        }
        for (int j = 0; j < k; j += 16) {
            fragment<matrix_a, 16, 16, 16, bf16, typename Layout<SA>::type> left;
            load_matrix_sync(left, SA == ROWS ? a + row * lda + j : a + j * lda + row, lda);
            for (int h = 0; h < 1 + two; h++) {
                fragment<matrix_b, 16, 16, 16, bf16, typename Layout<SB>::type> right;
                int at = column + 16 * h;
                load_matrix_sync(right, SB == ROWS ? b + j * ldb + at : b + at * ldb + j, ldb);
                mma_sync(sum[h], left, right, sum[h]);
            }
        }
        for (int h = 0; h < 1 + two; h++) store_matrix_sync(to + 16 * h, sum[h], ldc, mem_row_major);
    }
}
