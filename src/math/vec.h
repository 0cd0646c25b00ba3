/* Our own elementary functions and vector loops.
 *
 * libm's float functions differ in the last bit between CPUs. These functions are fixed polynomials
 * and give the same bits with every instruction set. All work on arrays; y may be x. */
#ifndef FMD_MATH_VEC_H
#define FMD_MATH_VEC_H

#include <stddef.h>

/* Local. y = exp(x), within 2 ulp; 0 below -87.3, finite above 88. Polynomial: Cephes' expf. */
void fmd_vec_exp(size_t n, const float *x, float *y);

/* Local. y = tanh(x), within 5e-7 of 1. Rational function: Eigen's ptanh. */
void fmd_vec_tanh(size_t n, const float *x, float *y);

/* Local. y = erf(x), within 5e-7 of 1. Rational function: Eigen's perf. */
void fmd_vec_erf(size_t n, const float *x, float *y);

/* Local. log(x) of one normal x > 0, within 2 ulp. Polynomial: Cephes' logf. */
float fmd_log(float x);

/* Local. Adds a row of n values to each row of `y`. y: rows x n. */
void fmd_add_row(size_t rows, size_t n, const float *row, float *y);

/* Local. Sums the rows of x, from the first to the last. x: rows x n. */
void fmd_sum_rows(size_t rows, size_t n, const float *x, float *sums);

#endif
