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
    if (fmd_math_open(FMD_GEMM_AUTO, 1) != FMD_OK)
        return 1;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vec__functions_are_as_near_as_their_header_says),
        cmocka_unit_test(test_vec__log_is_as_near_as_its_header_says),
        cmocka_unit_test(test_vec__extremes_are_kept),
        cmocka_unit_test(test_math__subnormals_are_flushed),
    };
    return cmocka_run_group_tests(tests, open_math, NULL);
}
