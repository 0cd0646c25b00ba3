#include "math/gemm.h"
#include "math/vec.h"

#include "support/fmd_test.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { N = 20001 };

static const double epsilon = 0x1p-23; /* of float */

static float x[N], y[N];

/* The largest |y - f(x)| over x from low to high, as a multiple of `unit(f(x))`. */
static double worst(void (*vec)(size_t, const float *, float *), double (*f)(double), double low,
                    double high, int in_ulp)
{
    double most = 0;
    for (int i = 0; i < N; i++)
        x[i] = (float)(low + (high - low) * i / (N - 1));
    vec(N, x, y);
    for (int i = 0; i < N; i++) {
        const double exact = f((double)x[i]);
        const double error = fabs((double)y[i] - exact) / (in_ulp ? fabs(exact) * epsilon : 1);
        most = fmax(most, error);
    }
    return most;
}

static void test_vec__functions_are_as_near_as_their_header_says(void **state)
{
    (void)state;
    assert_true(worst(fmd_vec_exp, exp, -87, 88, 1) < 2);
    assert_true(worst(fmd_vec_exp, exp, -1, 1, 1) < 2);
    assert_true(worst(fmd_vec_tanh, tanh, -10, 10, 0) < 5e-7);
    assert_true(worst(fmd_vec_erf, erf, -5, 5, 0) < 5e-7);
}

static void test_vec__log_is_as_near_as_its_header_says(void **state)
{
    (void)state;
    for (int i = 1; i < N; i++) {
        const float v = (float)i * 0.013f;
        const double exact = log((double)v);
        assert_true(fabs((double)fmd_log(v) - exact) <= 2 * epsilon * fmax(fabs(exact), 0.1));
    }
    assert_true(fmd_log(1) == 0);
}

static void test_vec__extremes_are_kept(void **state)
{
    (void)state;
    float in[] = {-INFINITY, -1000, 1000, INFINITY, NAN, 0}, out[6];
    fmd_vec_exp(6, in, out);
    assert_true(out[0] == 0 && out[1] == 0 && out[5] == 1);
    assert_true(out[2] > 1e38f && out[3] > 1e38f);
    assert_true(isnan(out[4]));
    fmd_vec_tanh(6, in, out);
    assert_true(fabsf(out[0] + 1) < 5e-7f && fabsf(out[3] - 1) < 5e-7f && isnan(out[4]));
    fmd_vec_erf(6, in, out);
    assert_true(fabsf(out[0] + 1) < 5e-7f && fabsf(out[3] - 1) < 5e-7f && isnan(out[4]));
}

/* Naive products of small whole numbers are exact, and so must be ours. */
static void test_gemm__forms_and_panels_multiply(void **state)
{
    (void)state;
    enum { M = 37, COLS = 61, K = 130 };
    static float a[M * K], b[K * COLS], bt[COLS * K], at[K * (M + 3)], c[M * COLS], want[M * COLS];
    for (int i = 0; i < M * K; i++)
        a[i] = (float)(i * 7 % 5 - 2);
    for (int i = 0; i < K * COLS; i++)
        b[i] = (float)(i * 5 % 7 - 3);
    for (int i = 0; i < K; i++)
        for (int j = 0; j < COLS; j++)
            bt[j * K + i] = b[i * COLS + j];
    for (int i = 0; i < M; i++)
        for (int j = 0; j < K; j++)
            at[j * (M + 3) + i] = a[i * K + j];
    for (int i = 0; i < M; i++)
        for (int j = 0; j < COLS; j++)
            for (int k = 0; k < K; k++)
                want[i * COLS + j] += a[i * K + k] * b[k * COLS + j];
    fmd_gemm(M, COLS, K, a, b, c);
    assert_memory_equal(c, want, sizeof c);
    memset(c, 0, sizeof c);
    fmd_gemm_bt(M, COLS, K, a, bt, c);
    assert_memory_equal(c, want, sizeof c);
    memset(c, 0, sizeof c);
    fmd_gemm_at(M, COLS, K, at, M + 3, b, c);
    assert_memory_equal(c, want, sizeof c);
}

static void test_math__subnormals_are_flushed(void **state)
{
    (void)state;
    volatile float tiny = FLT_MIN;
    tiny = tiny / 2;
    assert_true(tiny == 0);
}

static int open_math(void **state)
{
    (void)state;
    fmd_math_open(1);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vec__functions_are_as_near_as_their_header_says),
        cmocka_unit_test(test_vec__log_is_as_near_as_its_header_says),
        cmocka_unit_test(test_vec__extremes_are_kept),
        cmocka_unit_test(test_gemm__forms_and_panels_multiply),
        cmocka_unit_test(test_math__subnormals_are_flushed),
    };
    return cmocka_run_group_tests(tests, open_math, NULL);
}
