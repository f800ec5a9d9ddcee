// Products of matrices in shared memory, by all threads of a block.
#pragma once
#include "common.cuh"

// How a matrix stands in shared memory: element (i, j) at [i * ld + j], or transposed at [j * ld + i].
enum Stand { ROWS, COLUMNS };

// Threads of a block that multiplies, and its warps: constants, so that the compiler can unroll what is shared among them.
constexpr int THREADS = 256, WARPS = THREADS / 32;

// c (m x n, rows of ldc, f32) = a (m x k) b (k x n), or added to c. n is a multiple of 16 (k too for bf16), m of 32; a, b, c 32 bytes aligned and
// ld multiples of 8 for bf16. In f32 by multiply-adds, in bf16 on tensor cores with sums in f32. The caller synchronises before and after.
//
// In f32 a warp takes 32 rows by 16 columns, 8 by 4 threads, and a thread every 8th row and every 4th column of these, so that a number from
// shared memory serves four sums.
template <Stand SA, Stand SB>
__device__ __forceinline__ void product(float* c, int ldc, const float* a, int lda, const float* b, int ldb, int m, int n, int k, bool add) {
    int lane = threadIdx.x & 31, across = n / 16;
    for (int w = threadIdx.x / 32; w < m / 32 * across; w += WARPS) {
        int row = w / across * 32 + lane / 4, column = w % across * 16 + lane % 4;
        float sum[4][4];
#pragma unroll
        for (int i = 0; i < 16; i++) sum[i / 4][i % 4] = add ? c[(row + i / 4 * 8) * ldc + column + i % 4 * 4] : 0.0f;
        for (int j = 0; j < k; j++) {
            float left[4], right[4];
#pragma unroll
            for (int i = 0; i < 4; i++) {
                left[i] = SA == ROWS ? a[(row + 8 * i) * lda + j] : a[j * lda + row + 8 * i];
                right[i] = SB == ROWS ? b[j * ldb + column + 4 * i] : b[(column + 4 * i) * ldb + j];
            }
#pragma unroll
            for (int i = 0; i < 16; i++) sum[i / 4][i % 4] += left[i / 4] * right[i % 4];
        }
#pragma unroll
        for (int i = 0; i < 16; i++) c[(row + i / 4 * 8) * ldc + column + i % 4 * 4] = sum[i / 4][i % 4];
    }
}

template <Stand S> struct Layout { typedef nvcuda::wmma::row_major type; };
template <> struct Layout<COLUMNS> { typedef nvcuda::wmma::col_major type; };
template <class Use, class Layout> using Tile = nvcuda::wmma::fragment<Use, 16, 16, 16, bf16, Layout>;

// An operand's tile from shared memory. nvcc does not see that wmma's own call on a bf16 pointer reads shared memory and loads by generic words;
// told so, it takes whole rows of the tile at once (ldmatrix). For the f32 sums it does see it.
#ifdef __CUDACC__
#define LOAD_TILE(USE, SIDE, LAYOUT, WAY)                                                                                                 \
    __device__ __forceinline__ void load_shared(Tile<nvcuda::wmma::USE, nvcuda::wmma::LAYOUT>& tile, const bf16* from, int ld) {          \
        unsigned* x = reinterpret_cast<unsigned*>(tile.x);                                                                                \
        asm volatile("wmma.load." SIDE ".sync.aligned." WAY ".m16n16k16.shared.bf16 {%0, %1, %2, %3}, [%4], %5;"                          \
                     : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])                                                                     \
                     : "r"((unsigned)__cvta_generic_to_shared(from)), "r"(ld)                                                             \
                     : "memory");                                                                                                         \
    }
LOAD_TILE(matrix_a, "a", row_major, "row")
LOAD_TILE(matrix_a, "a", col_major, "col")
LOAD_TILE(matrix_b, "b", row_major, "row")
LOAD_TILE(matrix_b, "b", col_major, "col")
#else
template <class Use, class Layout> inline void load_shared(Tile<Use, Layout>& tile, const bf16* from, int ld) { load_matrix_sync(tile, from, ld); }
#endif

// The product by warps that take R by C tiles at a time, of which each left one serves C products and each right one R.
template <Stand SA, Stand SB, int R, int C>
__device__ __forceinline__ void tiled(float* c, int ldc, const bf16* a, int lda, const bf16* b, int ldb, int m, int n, int k, bool add) {
    using namespace nvcuda::wmma;
    int across = n / (16 * C);
    for (int w = threadIdx.x / 32; w < m / (16 * R) * across; w += WARPS) {
        int row = w / across * 16 * R, column = w % across * 16 * C;
        float* to = c + row * ldc + column;
        fragment<accumulator, 16, 16, 16, float> sum[R][C];
#pragma unroll
        for (int i = 0; i < R * C; i++) {
            if (add) load_matrix_sync(sum[i / C][i % C], to + 16 * (i / C * ldc + i % C), ldc, mem_row_major);
            else fill_fragment(sum[i / C][i % C], 0.0f);
        }
        for (int j = 0; j < k; j += 16) {
            Tile<matrix_a, typename Layout<SA>::type> left[R];
#pragma unroll
            for (int r = 0; r < R; r++) load_shared(left[r], SA == ROWS ? a + (row + 16 * r) * lda + j : a + j * lda + row + 16 * r, lda);
#pragma unroll
            for (int h = 0; h < C; h++) {
                Tile<matrix_b, typename Layout<SB>::type> right;
                load_shared(right, SB == ROWS ? b + j * ldb + column + 16 * h : b + (column + 16 * h) * ldb + j, ldb);
#pragma unroll
                for (int r = 0; r < R; r++) mma_sync(sum[r][h], left[r], right, sum[r][h]);
            }
        }
#pragma unroll
        for (int i = 0; i < R * C; i++) store_matrix_sync(to + 16 * (i / C * ldc + i % C), sum[i / C][i % C], ldc, mem_row_major);
    }
}

// By as many tiles at a time as leave work for every warp.
template <Stand SA, Stand SB>
__device__ __forceinline__ void product(float* c, int ldc, const bf16* a, int lda, const bf16* b, int ldb, int m, int n, int k, bool add) {
    if (n % 32 == 0 && m / 32 * (n / 32) >= WARPS) tiled<SA, SB, 2, 2>(c, ldc, a, lda, b, ldb, m, n, k, add);
    else if (n % 32 == 0 && m / 16 * (n / 32) >= WARPS) tiled<SA, SB, 1, 2>(c, ldc, a, lda, b, ldb, m, n, k, add);
    else tiled<SA, SB, 1, 1>(c, ldc, a, lda, b, ldb, m, n, k, add);
}
